"""`rocov2 download`, in a clone of the project that is not installed."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rocov2_commands.main import run_verb

if __name__ == "__main__":
    run_verb("download")

"""The blocks of code in the documentation, and running them as programs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from textwrap import indent

from tests.conftest import PROJECT

RECIPE_PAGES = ("recipes.md", "trainers.md")
RECIPES: dict[str, str] = {
    heading: text
    for page in RECIPE_PAGES
    for heading, text in re.findall(
        r"^## (.+)\n((?:(?!^## ).*\n)*)", (PROJECT / "docs" / page).read_text(), re.MULTILINE
    )
}
"""Text of the pages of recipes by heading."""


def find_blocks(text: str, kind: str) -> list[str]:
    """The blocks of a kind: the word after the three ticks."""
    return re.findall(rf"^```{kind}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def run_block(block: str, folder: Path, environment: dict[str, str], ranks: int = 0) -> str:
    """Run a block as a program, with `ranks` under torchrun as that many processes, and return what it prints."""
    program = folder / "block.py"
    program.write_text(f"if __name__ == '__main__':\n{indent(block, '    ')}")
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks)] if ranks else []
    command = [sys.executable, *launcher, str(program)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout

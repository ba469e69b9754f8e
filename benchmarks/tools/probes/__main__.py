"""Run one probe in the environment of its tool: `python probes MODULE FUNCTION CASE RESULT`, in an empty folder."""

from __future__ import annotations

import importlib
import json
import sys
import traceback
from pathlib import Path

PROJECT = str(Path(__file__).resolve().parents[3])


def main(module: str, function: str, case: str, result: str) -> None:
    """Write what the probe found, or the error that ended it, to the file `result`."""
    sys.path[:] = [path for path in sys.path if Path(path or ".").resolve() != Path(__file__).resolve().parent]
    sys.path.append(PROJECT)  # last: no package of the tool may be shadowed
    from benchmarks.tools.probes.case import load
    from benchmarks.tools.probes.values import describe_error

    try:
        found = getattr(importlib.import_module(f"benchmarks.tools.probes.{module}"), function)(load(case))
    except BaseException as error:
        traceback.print_exc()
        found = {"error": describe_error(error)}
    Path(result).write_text(json.dumps(found, ensure_ascii=False, default=str), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])

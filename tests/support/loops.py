"""Start programs of these tests as one process or several, and end them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from tests.conftest import PROJECT
from tests.support.processes import HANG_SECONDS


def start(program: str, arguments: Mapping[str, Any], environment: Mapping[str, str], ranks: int = 0) -> Any:
    """Run a module of these tests with its arguments as JSON; with `ranks`, as that many processes under torchrun.

    Returns:
        What it printed last, as JSON.
    """
    launcher = ["torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks), "-m"] if ranks else []
    done = subprocess.run(
        [sys.executable, "-m", *launcher, program, json.dumps(arguments)],
        cwd=PROJECT,
        env={**environment, "OMP_NUM_THREADS": "1"},
        timeout=HANG_SECONDS,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-6000:]
    return json.loads(done.stdout.splitlines()[-1])


def leave(reported: Any) -> None:
    """Print `reported` as JSON and end: threads of pyarrow can abort an interpreter's end after a stream left early."""
    print(json.dumps(reported), flush=True)
    os._exit(0)

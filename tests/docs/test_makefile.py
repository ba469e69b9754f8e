"""The Makefile installs the project with uv, and with pip where uv is missing or fails."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PROJECT

PIP = "-m pip install --disable-pip-version-check --editable .[card]\n"


@pytest.mark.parametrize(("code", "pip"), [(0, ""), (3, PIP)])
def test_pip_is_used_if_uv_fails(code: int, pip: str, tmp_path: Path) -> None:
    clone, tools = tmp_path / "a clone", tmp_path / "some tools"
    (clone / ".venv" / "bin").mkdir(parents=True)
    tools.mkdir()
    shutil.copy(PROJECT / "Makefile", clone)
    (clone / "pyproject.toml").touch()
    for program, text in (
        (clone / ".venv" / "bin" / "python", 'echo "$@" >> pip.log'),
        (tools / "uv", f'echo "$@" > uv.log; exit {code}'),
    ):
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)
    (clone / "pip.log").touch()
    done = subprocess.run(
        ["make", ".venv/installed", f"PYTHON={sys.executable}"],
        cwd=clone,
        env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (
        clone / "uv.log"
    ).read_text() == "pip install --compile-bytecode --python .venv/bin/python --editable .[card]\n"
    assert (clone / "pip.log").read_text() == pip
    assert ("uv failed, trying pip ...\n" in done.stdout) == bool(code)
    assert (clone / ".venv" / "installed").exists()

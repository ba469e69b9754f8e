"""The other versions of `datasets`, each in an environment of its own, and the probe that is started in them.

`python -m tests.environments` makes all (`make environments`). An environment is made again when its requirements file or
the Python that makes it changes.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parent
REQUIREMENTS = TESTS / "environments"
ENVIRONMENTS = TESTS.parent / ".cache" / "environments"
VERSIONS = ("2.21.0", "3.6.0", "4.8.5", "5.2.0")
"""Versions of `datasets`: the last 2.x, the last with loading scripts, the last 4.x, the newest."""

_PROBE_SECONDS = 300


def python_of(version: str, folder: Path = ENVIRONMENTS) -> Path:
    """The interpreter of the environment with this version of `datasets`, which is made where there is none.

    Raises:
        RuntimeError: pip could not install it; says why.
    """
    name = f"datasets-{version}"
    requirements = REQUIREMENTS / f"{name}.txt"
    place, python = folder / name, folder / name / "bin" / "python"
    stamp = hashlib.sha256(requirements.read_bytes() + sys.version.encode() + sys.base_prefix.encode()).hexdigest()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Written last: without it the folder is what an interrupted installation left.
        whole = place / "whole"
        if not (python.exists() and whole.exists() and whole.read_text() == stamp):
            shutil.rmtree(place, ignore_errors=True)
            _call(sys.executable, "-m", "venv", place)
            _call(python, "-m", "pip", "install", "--disable-pip-version-check", "-q", "-r", requirements)
            whole.write_text(stamp)
    return python


def _call(*command: object) -> None:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")


def child_environment(home: Path) -> dict[str, str]:
    """Variables for a process that loads data: caches under `home`, and no way to the network."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING", "PYTHON"))}
    return kept | {"HF_HOME": str(home), "HF_HUB_OFFLINE": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def run_probe(
    python: Path | str, cases: Mapping[str, dict[str, Any]], home: Path, environment: Mapping[str, str] | None = None
) -> dict[str, dict[str, Any]]:
    """Run `tests/probe.py` with an interpreter.

    Args:
        python: the interpreter.
        cases: what to load, by name; see `probe.Case`.
        home: folder for the caches of the process.
        environment: instead of that of `child_environment`.

    Returns:
        What each case gave, by name.
    """
    home.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [str(python), str(TESTS / "probe.py")],
        input=json.dumps(list(cases.values())),
        cwd=home,
        env=dict(environment or child_environment(home)),
        timeout=_PROBE_SECONDS,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the probe ended with {done.returncode}\n{done.stderr[-4000:]}")
    return dict(zip(cases, json.loads(done.stdout), strict=True))


def make(versions: Sequence[str] = VERSIONS) -> None:
    """Make all environments that are not there yet."""
    with ThreadPoolExecutor(2) as pool:
        for version, python in zip(versions, pool.map(python_of, versions), strict=True):
            print(f"datasets {version}: {python.parent.parent}")


if __name__ == "__main__":
    make()

"""Environments of their own for other versions of `datasets` and for tools, and the probe that is started in the former.

Called as a program it makes those of `datasets` (`make environments`), with `tools` those of tools (`make test-recipes`).
An environment is made again when its requirements or the Python that makes it changes.
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

import pytest

from tests.support.processes import HANG_SECONDS

TESTS = Path(__file__).resolve().parents[1]
SUPPORT = TESTS / "support"
REQUIREMENTS = SUPPORT / "environments"
ENVIRONMENTS = TESTS.parent / ".cache" / "environments"
VERSIONS = ("2.21.0", "3.6.0", "4.8.5", "5.2.0")
"""Versions of `datasets`: the last 2.x, the last with loading scripts, the last 4.x, the newest."""
TOOLS = ("axolotl", "ms-swift", "unsloth", "llamafactory", "lmms-eval", "open_clip", "energon")
"""Tools that cannot be installed together."""


def python_of(version: str, folder: Path = ENVIRONMENTS) -> Path:
    """The interpreter of the environment with this version of `datasets`, which is made if it is missing.

    Raises:
        RuntimeError: pip could not install it; says why.
    """
    return make_environment(f"datasets-{version}", folder)


def make_environment(name: str, folder: Path = ENVIRONMENTS) -> Path:
    """The interpreter of an environment, which is made if it is missing.

    It has what `NAME.txt` lists, then what `NAME.alone.txt` lists, if there is one, without what that requires.

    Raises:
        RuntimeError: pip could not install it; says why.
    """
    requirements = REQUIREMENTS / f"{name}.txt"
    alone = REQUIREMENTS / f"{name}.alone.txt"
    lists = [requirements, *([alone] if alone.exists() else [])]
    environment, python = folder / name, folder / name / "bin" / "python"
    key = b"".join(file.read_bytes() for file in lists) + sys.version.encode() + sys.base_prefix.encode()
    stamp = hashlib.sha256(key).hexdigest()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Written last: without it the folder is what an interrupted installation left.
        whole = environment / "whole"
        if not (python.exists() and whole.exists() and whole.read_text() == stamp):
            shutil.rmtree(environment, ignore_errors=True)
            install, needs_pip = _installer(name, python)
            _call(sys.executable, "-m", "venv", *([] if needs_pip else ["--without-pip"]), environment)
            for file in lists:
                options = ["--no-deps"] if file == alone else []
                _call(*install, *options, "-r", file)
            whole.write_text(stamp)
    return python


def _installer(name: str, python: Path) -> tuple[list[object], bool]:
    """The command that installs into an environment, and whether it is pip.

    uv takes a third of the time. pip installs the tools, since uv would bring another build of torch.
    """
    uv = shutil.which("uv") or shutil.which("uv", path=Path(sys.executable).parent)
    if uv is None or name in TOOLS:
        return [python, "-m", "pip", "install", "--disable-pip-version-check", "--quiet"], True
    # The processes of the tests write no bytecode: without it each of them would compile what it imports.
    return [uv, "pip", "install", "--python", python, "--quiet", "--compile-bytecode"], False


def find_tool(name: str) -> Path:
    """The folder with the programs of a tool; the test is left out where it is not installed."""
    environment = ENVIRONMENTS / name
    if not (environment / "whole").exists():
        pytest.skip(f"{name} is not installed: make test-recipes")
    return environment / "bin"


def _call(*command: object) -> None:
    # In the project's folder, which requirements name as `.`.
    done = subprocess.run([*map(str, command)], cwd=TESTS.parent, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")


def child_environment(home: Path) -> dict[str, str]:
    """Variables for a process that loads data: caches under `home`, and no way to the network."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING", "PYTHON"))}
    return kept | {"HF_HOME": str(home), "HF_HUB_OFFLINE": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def run_probe(
    python: Path | str, cases: Mapping[str, dict[str, Any]], home: Path, environment: Mapping[str, str] | None = None
) -> dict[str, dict[str, Any]]:
    """Run `tests/support/probe.py` with an interpreter.

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
        [str(python), str(SUPPORT / "probe.py")],
        input=json.dumps(list(cases.values())),
        cwd=home,
        env=dict(environment or child_environment(home)),
        timeout=HANG_SECONDS,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the probe ended with {done.returncode}\n{done.stderr[-4000:]}")
    return dict(zip(cases, json.loads(done.stdout), strict=True))


def make(names: Sequence[str]) -> None:
    """Make the environments that are not there yet."""
    print(f"Making the environments {', '.join(names)} where they are missing ...", flush=True)
    with ThreadPoolExecutor(2) as pool:
        for name, python in zip(names, pool.map(make_environment, names), strict=True):
            print(f"{name}: {python.parent.parent}")


if __name__ == "__main__":
    make(TOOLS if sys.argv[1:] == ["tools"] else [f"datasets-{version}" for version in VERSIONS])

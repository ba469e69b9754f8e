"""Commands on machines that lack something: one message that fits, and never a traceback."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from rocov2_commands.verbs import VERBS
from tests.conftest import PROJECT
from tests.support.raw import make_raw

pytestmark = pytest.mark.slow

ROCOV2 = [sys.executable, "-c", "import sys; from rocov2_commands.main import main; sys.argv[0] = 'rocov2'; main()"]
ARGUMENTS = {
    "convert": ["raw"],
    "publish": ["rocov2", "org/name"],
    "export": ["rocov2", "out", "--format", "webdataset"],
    "score": ["submission.csv"],
}


def call(*arguments: str | bytes, **options: object) -> subprocess.CompletedProcess[str]:
    """Run `rocov2 ARGUMENTS`."""
    environment = os.environ | {"PYTHONPATH": str(PROJECT), "HF_HUB_OFFLINE": "1"}
    settings: dict[str, object] = {"env": environment, "capture_output": True, "text": True, "check": False}
    return subprocess.run([*ROCOV2, *arguments], **settings | options)  # type: ignore[call-overload, no-any-return]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_raw(4, 2, 2).build(tmp_path_factory.mktemp("machines") / "rocov2")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits addresses")
@pytest.mark.parametrize("verb", [name for name, verb in VERBS.items() if verb.reads_parquet])
def test_little_address_space_is_one_message(verb: str, tmp_path: Path) -> None:
    import resource

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (200_000_000, 200_000_000))

    done = call(verb, *ARGUMENTS.get(verb, []), cwd=tmp_path, preexec_fn=limit)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: the limit of address space (ulimit -v) is 200 MB, but this command needs ")
    assert done.stderr.count("\n") == 1
    assert os.listdir(tmp_path) == []


def test_a_home_that_cannot_be_written_is_named_with_what_to_do(built: Path, tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "XDG_"))}
    environment = kept | {"HOME": "/dev/null", "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(PROJECT)}
    done = call("show", str(built), cwd=tmp_path, env=environment)
    told = "set HF_HOME to a folder that can be written, for the cache of Hugging Face libraries"
    assert (done.returncode, done.stderr) == (1, f"Error: Not a directory (/dev/null/.cache): {told}.\n")


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_a_hostile_name_reaches_no_terminal(encoding: str, tmp_path: Path) -> None:
    screen, terminal = pty.openpty()
    environment = os.environ | {"PYTHONPATH": str(PROJECT), "PYTHONIOENCODING": f"{encoding}:strict", "COLUMNS": "1"}
    name = b"raw\x1b]0;x\x07\xff\n\x9b"
    settings = {"capture_output": False, "text": False, "env": environment, "stdout": terminal, "stderr": terminal}
    done = call("check", name, cwd=tmp_path, stdin=subprocess.DEVNULL, **settings)
    os.close(terminal)
    shown = os.read(screen, 1 << 16).decode("ascii")
    os.close(screen)
    assert done.returncode == 1
    told = "is not a folder: name a repository that `rocov2 convert` has built"
    assert shown == rf"Error: raw\x1b]0;x\x07\udcff\n\udc9b {told}" + "\r\n"

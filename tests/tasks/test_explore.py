"""The explorer: its command, from the first line to the last."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from urllib.request import urlopen

import pytest

from rocov2_shared.errors import how_to_install
from rocov2_tasks.explore import _others_reach
from tests.conftest import PROJECT
from tests.support.processes import HANG_SECONDS, free_port
from tests.support.raw import make_raw

pytestmark = pytest.mark.slow

EXPLORE = [sys.executable, "-m", "rocov2_tasks.explore"]
with_duckdb = pytest.mark.skipif(not find_spec("duckdb"), reason="duckdb (the extra explore) is not installed")


def explore(folder: Path, environment: dict[str, str], *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [*EXPLORE, *map(str, arguments)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=HANG_SECONDS)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_raw(train=6, valid=4, test=4).build(tmp_path_factory.mktemp("explore") / "rocov2")


def test_a_missing_package_names_its_extra(tmp_path: Path, environment: dict[str, str]) -> None:
    program = (
        "import sys; sys.modules['duckdb'] = None; sys.argv = ['explore', *sys.argv[1:]]; "
        "from rocov2_commands.main import run_verb; run_verb('explore')"
    )
    for arguments in (["."], ["--space", "space", "org/rocov2"]):
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 1
        assert done.stderr.startswith(f"Error: the explorer needs the package duckdb: {how_to_install('explore')}")
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["--port", "0"],
        ["--port", "x"],
        ["a", "b"],
        ["--space", "out", "rocov2"],
        ["--space", "out", "hf://a/b"],
        ["--x"],
    ],
)
def test_wrong_usage_is_code_2(tmp_path: Path, environment: dict[str, str], arguments: list[str]) -> None:
    done = explore(tmp_path, environment, *arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


@with_duckdb
def test_what_is_no_repository_is_one_message(tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "folder").mkdir()
    for name, message in [
        ("nowhere", "no folder 'nowhere'"),
        ("folder", "is not a built repository, missing conversion.json"),
        ("org/rocov2", "offline mode (HF_HUB_OFFLINE or HF_DATASETS_OFFLINE) keeps the Hub from being asked"),
    ]:
        done = explore(tmp_path, environment, name)
        assert done.returncode == 1
        assert message in done.stderr
        assert done.stderr.splitlines()[:1] == [f"Opening {name} ..."]
        assert done.stderr.splitlines()[1].startswith("Error: ")
        assert "Traceback" not in done.stderr


@with_duckdb
def test_a_taken_port_is_one_message(repository: Path, environment: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = explore(repository.parent, environment, "rocov2", "--port", port)
    assert done.returncode == 1
    assert re.fullmatch(
        rf"Error: cannot listen on 127\.0\.0\.1, port {port}: .* Choose another port with --port\.\n", done.stderr
    )


@with_duckdb
@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1", "::2", "a" * 70])
def test_a_host_that_is_not_here_is_one_message(repository: Path, environment: dict[str, str], host: str) -> None:
    done = explore(repository.parent, environment, "rocov2", "--host", host)
    assert done.returncode == 1
    assert re.fullmatch(
        rf"Error: cannot listen on {host}, .* Choose an address of this machine with --host\.\n", done.stderr
    )


@with_duckdb
@pytest.mark.parametrize("damaged", ["conversion.json", "text/test.parquet", "vocabulary/vocabulary.parquet"])
def test_a_damaged_file_is_one_line(tmp_path: Path, environment: dict[str, str], damaged: str) -> None:
    folder = make_raw(train=6, valid=4, test=4).build(tmp_path / "rocov2")
    (folder / damaged).write_bytes((folder / damaged).read_bytes()[:50])
    done = explore(tmp_path, environment, "rocov2")
    assert done.returncode == 1
    assert re.fullmatch(
        rf"Opening rocov2 \.\.\.\nError: .*/{damaged} (cannot be read|is damaged) .*: download it again.*\n",
        done.stderr,
    )


def serve(repository: Path, environment: dict[str, str], *options: str) -> subprocess.Popen[str]:
    """The explorer, when it listens; its first line is that of the address."""
    command = [*EXPLORE, str(repository), "--port", str(free_port()), *options]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@with_duckdb
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_it_listens_until_it_is_interrupted(repository: Path, environment: dict[str, str], host: str) -> None:
    if host == "::1" and not _has_ipv6():
        pytest.skip("this machine has no ::1")
    with serve(repository, environment, "--host", host) as process:
        try:
            assert process.stdout
            line = process.stdout.readline()
            assert re.match(r"http://(127\.0\.0\.1|\[::1\]):\d+/  14 images of ", line)
            with urlopen(line.split()[0]) as answer:  # noqa: S310
                assert b"ROCOv2 explorer" in answer.read()
            process.send_signal(signal.SIGINT)
            _, told = process.communicate(timeout=HANG_SECONDS)
        finally:
            process.kill()
    assert (process.returncode, told) == (130, f"Opening {repository} ...\n\nInterrupted.\n")


def _has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@with_duckdb
@pytest.mark.parametrize("module", ["datasets", "pyarrow", "duckdb"])
def test_an_interruption_while_it_starts_is_told(
    tmp_path: Path, repository: Path, environment: dict[str, str], module: str
) -> None:
    # The working directory comes first on the path: what is imported there interrupts.
    (tmp_path / f"{module}.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    done = explore(tmp_path, environment, str(repository))
    assert (done.returncode, done.stderr) == (130, f"Opening {repository} ...\n\nInterrupted.\n")


def test_the_wing_that_uses_reads_nothing_of_the_one_that_makes() -> None:
    modules = sorted((PROJECT / "rocov2_tasks").rglob("*.py"))
    assert len(modules) > 40
    assert [module for module in modules if "rocov2_build" in module.read_text()] == []


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("127.0.0.1", ""),
        ("127.8.8.8", ""),
        ("localhost", ""),
        ("::1", ""),
        ("[::1]", ""),
        ("0.0.0.0", socket.gethostname()),  # noqa: S104
        ("::", socket.gethostname()),
        ("10.0.0.7", "10.0.0.7"),
        ("fd00::7", "[fd00::7]"),
        ("node7", "node7"),
    ],
)
def test_whoever_listens_on_other_addresses_is_told_who_reaches_it(host: str, shown: str) -> None:
    assert _others_reach(host) == shown

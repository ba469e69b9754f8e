"""A scheduler and workers that speak TLS: the same bytes, and only for who has a certificate."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PROJECT
from tests.support.crash import finish, start, tree
from tests.support.processes import wait_until
from tests.support.proxy import make_certificate
from tests.support.raw import make_raw

pytestmark = pytest.mark.slow

_TLS = "DASK_DISTRIBUTED__COMM__TLS__"


def _settings(folder: Path) -> dict[str, str]:
    """The variables of docs/scale.md; the new certificate is its own authority."""
    folder.mkdir(exist_ok=True)
    certificate = make_certificate(folder)
    pair = {"CERT": str(certificate), "KEY": str(certificate.with_name("key.pem"))}
    roles = {f"{_TLS}{role}__{name}": pair[name] for role in ("SCHEDULER", "WORKER", "CLIENT") for name in pair}
    return roles | {f"{_TLS}CA_FILE": str(certificate), "DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "True"}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return _settings(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def address(settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of a scheduler with two workers."""
    folder = tmp_path_factory.mktemp("cluster")
    file = folder / "scheduler.json"
    processes = []

    def run(kind: str, *options: str) -> None:
        with (folder / "log").open("ab") as log:
            processes.append(
                subprocess.Popen(
                    [sys.executable, "-m", "dask", kind, "--host", "tls://127.0.0.1", *options],
                    cwd=folder,
                    env=os.environ | settings | {"PYTHONPATH": str(PROJECT)},
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            )

    try:
        run("scheduler", "--port", "0", "--dashboard-address", "127.0.0.1:0", "--scheduler-file", str(file))
        wait_until(lambda: file.exists() and file.read_text().endswith("}"))
        address: str = json.loads(file.read_text())["address"]
        for _ in range(2):
            run("worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(folder))
        yield address
    finally:
        for process in processes:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_two_workers_over_tls_write_the_same_bytes(
    address: str, settings: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = make_raw(6, 2, 2).write(tmp_path / "raw")
    assert finish(start(raw, tmp_path / "here", "--quiet")) == (0, "")
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert address.startswith("tls://127.0.0.1:")
    assert finish(start(raw, tmp_path / "there", "--quiet", "--scheduler", address)) == (0, "")
    assert tree(tmp_path / "there") == tree(tmp_path / "here")


def test_who_has_no_certificate_of_the_cluster_is_told_and_gets_nothing(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = make_raw(6, 2, 2).write(tmp_path / "raw")
    code, error = finish(start(raw, tmp_path / "rocov2", "--quiet", "--scheduler", address))
    assert code == 1
    assert error.startswith("Error: --scheduler tls://... needs certificates: set distributed.comm.tls.ca-file, ")
    for name, value in _settings(tmp_path / "other").items():
        monkeypatch.setenv(name, value)
    code, error = finish(start(raw, tmp_path / "rocov2", "--quiet", "--scheduler", address))
    assert code == 1
    assert f"no Dask scheduler answers at {address} (" in error
    assert error.endswith("that both sides have certificates of one authority\n")
    monkeypatch.setenv(f"{_TLS}CA_FILE", str(tmp_path / "missing.pem"))
    code, error = finish(start(raw, tmp_path / "rocov2", "--quiet", "--scheduler", address))
    assert code == 1
    assert error.startswith("Error: the certificates in the settings of Dask (distributed.comm.tls) cannot be used (")
    assert not (tmp_path / "rocov2").exists()

"""Publishing with the real client, each time in a process of its own; the Hub is `tests/support/hub_writing.py`."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rocov2_build.card.naming import card_on_the_hub
from rocov2_build.check import check_repository
from rocov2_build.checks.violations import blocking
from tests.conftest import PROJECT
from tests.support.breaking import claim_release
from tests.support.environments import VERSIONS, child_environment, python_of, run_probe
from tests.support.hub import Hub, Request
from tests.support.hub_writing import FIRST_FILES, TOKEN, Fault, WritingHub, close_connection, refuse
from tests.support.processes import HANG_SECONDS
from tests.support.raw import RawRelease, expected_rows, make_raw
from tests.support.repositories import files_of

pytestmark = pytest.mark.slow

ID = "org/rocov2"
SCRIPT = PROJECT / "scripts" / "publish_to_hub.py"
_IMPATIENT = "import runpy, sys, time; time.sleep = lambda _: None; sys.argv = sys.argv[1:]; "
_IMPATIENT += "runpy.run_path(sys.argv[0], run_name='__main__')"
PUTS = "/objects/"


@pytest.fixture(scope="module")
def raw() -> RawRelease:
    return make_raw(24)


@pytest.fixture(scope="module")
def built(raw: RawRelease, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository that says that it is a part of a release."""
    root = raw.build(tmp_path_factory.mktemp("built") / "rocov2", shard=6_000, row_group=1_500)
    return claim_release(root, "2.0.1", limit=24)


@pytest.fixture(scope="module")
def later(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its next version: other rows in fewer shards."""
    return claim_release(make_raw(24, seed=1).build(tmp_path_factory.mktemp("later") / "rocov2"), "2.0.1", limit=24)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[WritingHub]:
    with WritingHub(tmp_path / "store") as hub:
        yield hub


class Publisher:
    """Starts the command against a Hub, and sees to it that the token is in no output."""

    def __init__(self, hub: WritingHub, home: Path) -> None:
        self.hub, self.home = hub, home
        home.mkdir()

    def start(self, root: Path, *arguments: str, impatient: bool = False, **variables: str) -> subprocess.Popen[str]:
        kept = child_environment(self.home)
        del kept["HF_HUB_OFFLINE"]
        program = ["-c", _IMPATIENT] if impatient else []
        return subprocess.Popen(
            [sys.executable, *program, str(SCRIPT), str(root), *(arguments or (ID,)), "--allow-partial"],
            env=kept | self.hub.environment(self.home) | variables,
            cwd=self.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self, process: subprocess.Popen[str]) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        out, err = process.communicate(timeout=HANG_SECONDS)
        assert TOKEN not in out + err
        assert "Traceback" not in err, err
        return process.returncode, out, err

    def __call__(self, root: Path, *arguments: str, **options: Any) -> tuple[int, str, str]:
        return self.end(self.start(root, *arguments, **options))


@pytest.fixture
def publish(hub: WritingHub, tmp_path: Path) -> Publisher:
    return Publisher(hub, tmp_path / "home")


def _expected(root: Path) -> dict[str, bytes]:
    files = files_of(root)
    return files | {"README.md": card_on_the_hub(files["README.md"].decode(), ID).encode()}


def _requests(hub: WritingHub, method: str, path: str) -> int:
    return sum(request.method == method and path in request.path for request in hub.requests)


def test_publish_and_publish_again(publish: Publisher, hub: WritingHub, built: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(built, tmp_path / "mine"))
    before = files_of(root)
    for stray in ("notes.txt", "data/.cache", "assets/plot.svg"):
        (root / stray).parent.mkdir(exist_ok=True)
        (root / stray).write_text("a secret")
    code, _, err = publish(root)
    assert code == 0, err
    assert "notes.txt" in err
    assert hub.files(ID) == _expected(built)
    assert {path: content for path, content in files_of(root).items() if path in before} == before
    history = hub.histories[ID]
    (tag,) = history.tags
    assert re.fullmatch(r"2\.0\.1-[0-9a-f]{12}", tag)
    assert history.tags[tag] == history.branches["main"]
    assert (len(history.snapshots), history.private) == (2, False)  # the Hub's own first commit, and one

    hub.requests.clear()
    code, _, err = publish(root)
    assert code == 0, err
    assert "nothing was uploaded" in err
    assert (_requests(hub, "PUT", ""), _requests(hub, "POST", "/commit/"), _requests(hub, "POST", "/tag/")) == (0, 0, 0)
    assert sum(len(request.body) for request in hub.requests) == 0
    assert len(history.snapshots) == 2


def test_a_downloaded_clone_passes_the_check(publish: Publisher, hub: WritingHub, built: Path, tmp_path: Path) -> None:
    code, _, err = publish(built)
    assert code == 0, err
    environment = child_environment(tmp_path / "reader") | hub.environment(tmp_path / "reader")
    del environment["HF_HUB_OFFLINE"]
    program = (
        "from huggingface_hub import snapshot_download; "
        f"print(snapshot_download({ID!r}, repo_type='dataset')); "  # a folder of links into the cache
        f"print(snapshot_download({ID!r}, repo_type='dataset', local_dir='clone'))"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    linked, clone = map(Path, done.stdout.split())
    assert (clone / "README.md").read_bytes() != (built / "README.md").read_bytes()
    assert (linked / "README.md").is_symlink()
    assert not blocking(check_repository(clone))
    assert check_repository(linked) == check_repository(clone) == check_repository(built)
    with (clone / ".gitattributes").open("a") as attributes:  # as the Hub does for large files of other kinds
        attributes.write("*.zip filter=lfs diff=lfs merge=lfs -text\n")
    assert not blocking(check_repository(clone))
    card = clone / "README.md"
    card.write_text(card.read_text().replace(f'load_dataset("{ID}"', 'load_dataset("org/another"', 1))
    (violation,) = blocking(check_repository(clone))
    assert (violation.rule, violation.file) == ("changed-file", "README.md")


def test_the_card_names_the_repository(publish: Publisher, hub: WritingHub, built: Path, tmp_path: Path) -> None:
    (publish.home / "token").write_text(TOKEN)  # as `hf auth login` leaves it
    code, _, err = publish(built, ID, "--private", "--tag", "v1", "--revision", "next", HF_TOKEN="")
    assert code == 0, err
    assert 'load_dataset("org/rocov2", revision="next")' in err
    assert hub.files(ID) == FIRST_FILES
    assert hub.histories[ID].private
    card = hub.files(ID, "v1")["README.md"].decode()
    blocks = re.findall(r"^```python\b.*?\n(.*?)^```", card, re.MULTILINE | re.DOTALL)
    assert all('load_dataset("rocov2"' not in block and "'rocov2/" not in block for block in blocks)
    # DuckDB and Polars know no other Hub than the real one; with a folder these blocks run in test_docs.py, torch's too.
    blocks = [block for block in blocks if not re.search(r"^import (duckdb|polars|numpy)", block, re.MULTILINE)]
    assert len(blocks) >= 5
    main = hub.histories[ID]
    main.branches["main"] = main.tags["v1"]
    environment = child_environment(tmp_path / "reader") | hub.environment(tmp_path / "reader")
    del environment["HF_HUB_OFFLINE"]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(blocks)], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("how", ["kill", "interrupt", "cut", "commit"])
def test_a_run_that_stops_in_the_middle_changes_nothing_and_the_next_sends_the_rest(
    publish: Publisher, hub: WritingHub, built: Path, how: str
) -> None:
    hub.create(ID)
    stored = hub.store / "objects"
    begun: list[subprocess.Popen[str]] = []

    def strike(request: Request) -> None:
        if begun and sum(1 for _ in stored.glob("*")) >= 4:
            if how == "kill":
                begun[0].kill()
                close_connection(request)
            if how == "interrupt":
                begun[0].send_signal(signal.SIGINT)
                begun[0].wait(HANG_SECONDS)

    if how in ("kill", "interrupt"):
        hub.faults.append(Fault("PUT", PUTS, strike, times=10_000))
    elif how == "cut":
        hub.faults += [Fault("PUT", PUTS, times=4), Fault("PUT", PUTS, cut=True, times=0)]
        hub.faults[0].action = lambda request: setattr(
            hub.faults[1], "times", 10_000 if hub.faults[0].times == 0 else 0
        )
    else:
        hub.faults.append(Fault("POST", "/commit/", close_connection, times=10_000))
    process = publish.start(built, impatient=how in ("cut", "commit"))
    begun.append(process)
    code, _, err = publish.end(process)
    assert code == {"kill": -signal.SIGKILL, "interrupt": 130}.get(how, 1), err
    if how != "kill":
        assert "Run the same command again to resume where" in err
    assert hub.files(ID) == FIRST_FILES
    assert not hub.histories[ID].tags
    before = {path.name for path in stored.iterdir()}
    assert len(before) >= 4

    hub.faults.clear()
    hub.requests.clear()
    code, _, err = publish(built)
    assert code == 0, err
    assert hub.files(ID) == _expected(built)
    sent = [request.path.rpartition("/")[2] for request in hub.requests if request.method == "PUT"]
    assert not before & set(sent)
    assert {path.name for path in stored.iterdir()} >= before | set(sent)


def test_by_way_of_xet_it_is_one_commit_too(publish: Publisher, hub: WritingHub, built: Path) -> None:
    pytest.importorskip("hf_xet")
    objects = hub.store / "objects"
    objects.mkdir(parents=True)
    for content in files_of(built).values():  # what the Hub would make of the chunks that it was sent
        (objects / hashlib.sha256(content).hexdigest()).write_bytes(content)
    code, _, err = publish(built, HF_HUB_DISABLE_XET="")
    assert code == 0, err
    assert not hub.sent()
    assert any((hub.store / "xet").rglob("*"))
    assert hub.files(ID) == _expected(built)
    assert len(hub.histories[ID].snapshots) == 2
    hub.requests.clear()
    code, _, err = publish(built, HF_HUB_DISABLE_XET="")
    assert code == 0, err
    assert "nothing was uploaded" in err
    assert _requests(hub, "GET", "xet-write-token") == 0


def test_a_connection_that_breaks_once_is_no_fault(publish: Publisher, hub: WritingHub, built: Path) -> None:
    hub.faults += [
        Fault("PUT", PUTS, cut=True),
        Fault("GET", "/refs", close_connection),
        Fault(
            "POST", "/commit/", lambda request: (Hub.answer(hub, request), close_connection(request))
        ),  # made, unheard
    ]
    code, _, err = publish(built, impatient=True)
    assert code == 0, err
    assert hub.files(ID) == _expected(built)
    assert len(hub.histories[ID].snapshots) == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "LICENSE.md").write_text("another licence"),
        lambda root: _turn_last_byte(sorted(root.glob("data/*.parquet"))[0]),
        lambda root: _turn_last_byte(sorted(root.glob("data/*.parquet"))[-1]),
        lambda root: _link_elsewhere(root / "data"),
    ],
    ids=["document", "first shard", "last shard", "linked folder"],
)
def test_a_folder_that_changes_meanwhile_never_becomes_visible(
    publish: Publisher, hub: WritingHub, built: Path, tmp_path: Path, change: Callable[[Path], object]
) -> None:
    root = Path(shutil.copytree(built, tmp_path / "mine"))
    hub.faults.append(Fault("PUT", PUTS, lambda _: change(root)))
    code, _, err = publish(root)
    assert code == 1
    assert "changed since it was checked, and no file of it became visible: " in err or "contains links" in err
    assert hub.files(ID) == FIRST_FILES
    assert not hub.histories[ID].tags


def _turn_last_byte(path: Path) -> None:
    stat = path.stat()
    content = path.read_bytes()
    path.write_bytes(content[:-5] + bytes([content[-5] ^ 1]) + content[-4:])
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def _link_elsewhere(path: Path) -> None:
    moved = path.rename(path.parent.parent / f"moved-{path.name}")
    path.symlink_to(moved)


def test_a_link_is_refused_before_anything_is_sent(
    publish: Publisher, hub: WritingHub, built: Path, tmp_path: Path
) -> None:
    root = Path(shutil.copytree(built, tmp_path / "mine"))
    _link_elsewhere(root / "data")
    code, _, err = publish(root)
    assert code == 1
    assert f"{root} contains links, which may lead anywhere: data. Put the files" in err
    assert not hub.requests


def test_limits_of_the_hub_are_waited_for_at_every_step(publish: Publisher, hub: WritingHub, built: Path) -> None:
    steps = [
        ("GET", "/refs"),
        ("POST", "/repos/create"),
        ("GET", "/tree/"),
        ("POST", "/preupload/"),
        ("POST", "/batch"),
    ]
    steps += [("PUT", PUTS), ("POST", "/commit/"), ("GET", "/resolve/"), ("POST", "/tag/")]
    limit = refuse(429, RateLimit='"api";r=0;t=124', **{"RateLimit-Policy": '"fixed window";"api";q=1000;w=300'})
    faults = [Fault(method, path, limit) for method, path in steps]
    hub.faults += faults
    code, _, err = publish(built, impatient=True)
    assert code == 0, err
    assert [fault.times for fault in faults] == [0] * len(faults)
    assert hub.files(ID) == _expected(built)
    assert "Waiting   the Hub answered 429: refused by the test; next try in 0:02:05\n" in err
    assert "Waiting   the Hub answered 429: refused by the test; next try in 0:01:05\n" in err


def test_a_commit_of_someone_else_is_not_overwritten(publish: Publisher, hub: WritingHub, built: Path) -> None:
    hub.create(ID)
    hub.faults.append(Fault("POST", "/commit/", lambda _: hub.commit(ID, "main", {"notes.txt": b"mine"})))
    code, _, err = publish(built)
    assert code == 1
    assert "someone else changed org/rocov2@main meanwhile" in err
    assert hub.files(ID) == FIRST_FILES | {"notes.txt": b"mine"}
    hub.requests.clear()
    code, _, err = publish(built)
    assert code == 0, err
    assert "notes.txt" in err
    assert hub.files(ID) == _expected(built) | {"notes.txt": b"mine"}
    assert not hub.sent()


def test_a_new_version_replaces_the_old_in_one_commit(
    publish: Publisher, hub: WritingHub, built: Path, later: Path
) -> None:
    assert publish(built)[0] == 0
    assert files_of(built).keys() - files_of(later).keys()
    _, out, err = publish(later, ID, "--dry-run")
    states = {line.split()[-1]: line.split()[0] for line in out.splitlines()}
    gone = files_of(built).keys() - files_of(later).keys()
    assert {path for path, state in states.items() if state == "removed"} == gone
    assert (states["LICENSE.md"], states["conversion.json"]) == ("unchanged", "changed")
    assert err.endswith("; nothing was uploaded\n")
    assert hub.files(ID) == _expected(built)
    code, _, err = publish(later, ID, "--tag", "two")
    assert code == 0, err
    assert hub.files(ID) == _expected(later)
    assert len(hub.histories[ID].snapshots) == 3
    assert len(hub.histories[ID].tags) == 2
    code, _, err = publish(built, ID, "--tag", "two")
    assert code == 1
    assert "the tag two already exists, at commit" in err
    code, _, err = publish(built, ID, "--revision", "two")
    assert code == 1
    assert "two is a tag of org/rocov2" in err
    assert hub.files(ID) == _expected(later)


@pytest.mark.parametrize("path", ["text/test.parquet", "LICENSE.md"])
def test_what_is_read_back_otherwise_gets_no_tag(publish: Publisher, hub: WritingHub, built: Path, path: str) -> None:
    def tamper(folder: Path) -> None:
        if (folder / path).exists():
            content = (folder / path).read_bytes()
            (folder / path).unlink()  # a link to the stored content
            (folder / path).write_bytes(content[:-1] + b"!")

    hub.tamper = tamper
    code, _, err = publish(built)
    assert code == 1
    assert f"{path}: another hash" in err
    assert not hub.histories[ID].tags


def test_dry_run_without_token_or_network(publish: Publisher, hub: WritingHub, built: Path) -> None:
    code, out, err = publish(built, ID, "--dry-run", HF_TOKEN="", HF_HUB_OFFLINE="1")
    assert code == 0, err
    assert {line.split()[-1] for line in out.splitlines()} == files_of(built).keys()
    assert {line.split()[0] for line in out.splitlines()} == {"unknown"}
    assert "cannot compare with the files on the Hub: " in err
    code, out, err = publish(built, ID, "--dry-run", HF_TOKEN="")
    assert code == 0, err
    assert {line.split()[0] for line in out.splitlines()} == {"new"}
    assert not hub.histories


def test_no_token_and_wrong_usage(publish: Publisher, hub: WritingHub, built: Path) -> None:
    code, _, err = publish(built, HF_TOKEN="")
    assert code == 1
    assert "the token for the Hub is missing" in err
    code, _, err = publish(built, HF_TOKEN="hf_wrong")  # noqa: S106
    assert code == 1
    assert "the Hub rejected the token (401)" in err
    assert "hf_wrong" not in err
    code, _, err = publish(built, "rocov2")
    assert code == 2
    assert "ORG/NAME must be a name on the Hub, e.g. my-lab/rocov2, got 'rocov2'" in err
    assert not hub.histories


@pytest.mark.parametrize("version", VERSIONS)
def test_what_was_published_loads(
    version: str, raw: RawRelease, built: Path, published: WritingHub, tmp_path: Path
) -> None:
    # Without a revision, 2.21 first asks a server of the viewer, and waits for seconds where there is none.
    options = {"revision": published.histories[ID].branches["main"]} if version == "2.21.0" else {}
    cases = {
        f"{config} {streaming}": {
            "call": "load_dataset",
            "path": ID,
            "name": config,
            "streaming": streaming,
            "options": options,
        }
        for config in ("default", "commercial", "text", "vocabulary")
        for streaming in (False, True)
    }
    environment = child_environment(tmp_path) | published.environment(tmp_path)
    del environment["HF_HUB_OFFLINE"]
    answers = run_probe(python_of(version), cases, tmp_path, environment)
    expected = expected_rows(raw, built)
    for name, answer in answers.items():
        assert "error" not in answer, answer
        assert {split: answer[split]["rows"] for split in answer} == expected[name.split()[0]]


@pytest.fixture(scope="module")
def published(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WritingHub]:
    home = tmp_path_factory.mktemp("published")
    with WritingHub(home / "store") as hub:
        code, _, err = Publisher(hub, home / "home")(built)
        assert code == 0, err
        yield hub

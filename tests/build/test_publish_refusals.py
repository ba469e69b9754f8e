"""What is refused before anything is sent, what the Hub's refusals are told as, and what of a folder goes up."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from types import SimpleNamespace

import pytest
from huggingface_hub import HfApi

import rocov2_build.publish
from rocov2 import SPLITS
from rocov2_build.card.naming import card_in_a_folder, card_on_the_hub
from rocov2_build.hub.client import HubRepository
from rocov2_build.hub.uploads import compare, find_uploads, is_allowed
from rocov2_build.publish import Publication, default_tag, is_repo_id
from rocov2_build.raw.releases import RELEASES
from rocov2_shared.errors import UserError
from tests.support.breaking import claim_release
from tests.support.hub import HubError, Response
from tests.support.hub_writing import TOKEN, Fault, WritingHub, close_connection, refuse
from tests.support.raw import make_raw
from tests.support.repositories import facts_of

ID = "org/rocov2"
NOW = 1_700_000_000.0


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_raw(6, 2, 2).build(tmp_path_factory.mktemp("built") / "rocov2")


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[WritingHub]:
    with WritingHub(tmp_path / "store") as hub:
        yield hub


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were asked for, none of which is made."""
    made: list[float] = []
    monkeypatch.setattr(time, "sleep", lambda seconds: made.append(seconds) if seconds else None)
    return made


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def repository(hub: WritingHub, told: list[str]) -> HubRepository:
    hub.create(ID)
    repository = HubRepository(ID, TOKEN, lambda step, text: told.append(f"{step} {text}"))
    repository._api = HfApi(endpoint=hub.endpoint, token=TOKEN)
    return repository


@pytest.mark.parametrize(
    ("release", "limit", "message"),
    [
        (None, None, "of an unknown release"),
        ("sample", None, "the project's sample"),
        ("2.0.1", 24, r"a part of the release \(--limit 24\)"),
    ],
)
def test_what_is_no_whole_release_needs_the_flag(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, release: str | None, limit: int | None, message: str
) -> None:
    root = Path(shutil.copytree(built, tmp_path / "rocov2"))
    if release:
        claim_release(root, release, limit)
    monkeypatch.setattr(rocov2_build.publish, "get_token", lambda: None)
    with pytest.raises(UserError, match=f"is {message}.*--allow-partial"):
        rocov2_build.publish.publish(Publication(root, ID))
    with pytest.raises(UserError, match="the token for the Hub is missing"):
        rocov2_build.publish.publish(Publication(root, ID, allow_partial=True))


def test_a_whole_release_needs_no_flag(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = facts_of(built)["plan"]["inputs"]
    images = {split: rows[f"{raw}_images.zip"]["images"] for split, raw in SPLITS.items()}
    monkeypatch.setitem(RELEASES, "2.0.1", replace(RELEASES["2.0.1"], images=images))
    root = claim_release(Path(shutil.copytree(built, tmp_path / "rocov2")), "2.0.1")
    monkeypatch.setattr(rocov2_build.publish, "get_token", lambda: None)
    with pytest.raises(UserError, match="the token for the Hub is missing"):
        rocov2_build.publish.publish(Publication(root, ID))


def test_a_repository_that_breaks_a_rule_is_refused(built: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(built, tmp_path / "rocov2"))
    (root / "rocov2.py").touch()
    (root / "text" / "test.parquet").write_bytes(b"PAR1")
    with pytest.raises(
        UserError, match=r"breaks 2 of .*; nothing was published:\n(.*\n)*  error: script \(loaders\): rocov2.py"
    ) as error:
        rocov2_build.publish.publish(Publication(root, ID, allow_partial=True))
    assert "text/test.parquet" in str(error.value)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "the Hub refused the request (400)"),
        (401, "the Hub rejected the token (401)"),
        (403, "the Hub refused the request (403)"),
        (404, "org/rocov2 or org does not exist on the Hub, or the token cannot see it (404)"),
        (409, "org/rocov2 already exists, or is being changed right now (409)"),
        (429, "the Hub limits the number of requests (429)"),
        (500, "the Hub has a problem (500)"),
        (503, "the Hub has a problem (503)"),
    ],
)
def test_each_refusal_is_one_message(
    hub: WritingHub, repository: HubRepository, pauses: list[float], status: int, message: str
) -> None:
    headers = {"Retry-After": "7"} if status == 429 else {}
    hub.faults.append(Fault("GET", "/refs", refuse(status, **headers), times=100))
    with pytest.raises(UserError) as error:
        repository.refs()
    assert str(error.value).startswith(f"{message}. Message of the Hub: refused by the test. ")
    assert ("Try again in 0:00:07." in str(error.value)) == (status == 429)
    assert "\n" not in str(error.value)
    asked = {429: [7.0] * 4, 500: [1.0, 2.0, 4.0, 8.0], 503: [1.0, 2.0, 4.0, 8.0]}
    assert pauses == asked.get(status, [])


def test_a_busy_hub_is_asked_again(
    hub: WritingHub, repository: HubRepository, pauses: list[float], told: list[str]
) -> None:
    hub.faults += [
        Fault("GET", "/refs", refuse(429, **{"Retry-After": "30"})),
        Fault("GET", "/refs", refuse(502)),
        Fault("GET", "/refs", close_connection),
    ]
    assert list(repository.refs()[0]) == ["main"]
    assert pauses == [30.0, 2.0, 4.0]
    assert told == [
        "Waiting the Hub answered 429: refused by the test; next try in 0:00:30",
        "Waiting the Hub answered 502: refused by the test; next try in 0:00:02",
        "Waiting the connection failed; next try in 0:00:04",
    ]


@pytest.mark.parametrize("retry_after", ["3600", formatdate(NOW + 3600, usegmt=True)])
def test_a_hub_that_asks_for_too_long_a_pause_is_left_alone(
    hub: WritingHub,
    repository: HubRepository,
    pauses: list[float],
    monkeypatch: pytest.MonkeyPatch,
    retry_after: str,
) -> None:
    monkeypatch.setattr("rocov2_shared.retry.time", SimpleNamespace(time=lambda: NOW))
    hub.faults.append(Fault("GET", "/refs", refuse(429, **{"Retry-After": retry_after})))
    with pytest.raises(UserError, match=r"Try again in 1:00:00\."):
        repository.refs()
    assert not pauses


def test_a_hub_that_names_the_time_of_the_next_request_is_asked_then(
    hub: WritingHub, repository: HubRepository, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rocov2_shared.retry.time", SimpleNamespace(time=lambda: NOW, sleep=pauses.append))
    hub.faults.append(Fault("GET", "/refs", refuse(503, **{"Retry-After": formatdate(NOW + 90, usegmt=True)})))
    assert list(repository.refs()[0]) == ["main"]
    assert pauses == [60.0, 30.0]


def test_a_limit_of_the_hub_is_waited_for_with_progress(
    hub: WritingHub, repository: HubRepository, pauses: list[float], told: list[str]
) -> None:
    limit = {"RateLimit": '"api";r=0;t=124', "RateLimit-Policy": '"fixed window";"api";q=1000;w=300'}
    hub.faults.append(Fault("GET", "/refs", refuse(429, **limit)))
    assert list(repository.refs()[0]) == ["main"]
    assert pauses == [60.0, 60.0, 5.0]
    assert [line.rpartition(" ")[2] for line in told] == ["0:02:05", "0:01:05", "0:00:05"]


COMMITS = "You have exceeded the rate limit for repository commits (128 per hour). You can retry this action in 1 hour."
STORAGE = "Private repository storage limit reached, please upgrade your plan to increase it."
RIGHTS = "You don't have the rights to write under the namespace org"


@pytest.mark.parametrize(
    ("status", "reason", "advises_token"),
    [
        (429, COMMITS, False),
        (403, STORAGE, False),
        (403, RIGHTS, True),
        (403, "", True),
        (413, "Too many files", False),
    ],
)
@pytest.mark.parametrize("place", ["header", "body"])
def test_the_reason_of_the_hub_comes_before_any_guess(
    hub: WritingHub,
    repository: HubRepository,
    pauses: list[float],
    told: list[str],
    status: int,
    reason: str,
    advises_token: bool,
    place: str,
) -> None:
    def answer(request: object) -> object:
        error = HubError(status, reason, RateLimit='"api";r=949;t=271')  # requests are left: it is another limit
        kept = {"RateLimit": error.response.headers["RateLimit"]} if place == "body" else error.response.headers
        error.response = Response(status, kept, b"" if place == "header" else error.response.body)
        raise error

    hub.faults.append(Fault("POST", "/tag/", answer, times=100))
    with pytest.raises(UserError) as error:
        repository.tag("one", hub.histories[ID].branches["main"], "")
    message = str(error.value)
    assert (f"Message of the Hub: {reason.rstrip('.')}." in message) == bool(reason)
    assert ("token needs write access to org" in message) == advises_token
    assert not advises_token or message.find(reason) < message.find("token needs")
    assert pauses == ([1.0, 2.0, 4.0, 8.0] if status == 429 else [])
    assert all(reason.rstrip(".") in line for line in told)


def test_no_network(repository: HubRepository, pauses: list[float]) -> None:
    repository._api = HfApi(endpoint="http://127.0.0.1:9", token=TOKEN)
    with pytest.raises(UserError, match=r"the connection to the Hub failed .*: check the network") as error:
        repository.refs()
    assert TOKEN not in str(error.value)


def test_another_organization(hub: WritingHub, repository: HubRepository) -> None:
    hub.organizations = ["elsewhere"]
    with pytest.raises(
        UserError, match=r"rights to write under the namespace org\. The token needs write access to org: "
    ):
        repository.create(private=False)
    repository.repo_id = "elsewhere/new"
    assert repository.is_private() is None
    repository.create(private=True)
    assert repository.is_private() is True


@pytest.mark.parametrize(
    "path",
    [
        "rocov2.py",
        "notes.txt",
        ".env",
        "data/train.csv",
        "data/old/train.parquet",
        "assets/plot.svg",
        "old/README.md",
        "train.parquet",
    ],
)
def test_what_never_goes_up(path: str) -> None:
    assert not is_allowed(path)


def test_the_card_names_the_repository_in_its_code_alone() -> None:
    text = (
        'load_dataset("rocov2")\n```python\nx = load_dataset("rocov2", "text")\ny = load_dataset("rocov2-x")\n```\n'
        "```python torch\nread('rocov2/text/train.parquet', \"rocov2/data\", 'my/rocov2/x')\n```\n'rocov2/'\n"
    )
    expected = text.replace('x = load_dataset("rocov2"', 'x = load_dataset("org/name"')
    for path in ("text/train.parquet", "data"):
        expected = expected.replace(f"rocov2/{path}", f"hf://datasets/org/name/{path}")
    assert card_on_the_hub(text, "org/name") == expected


def test_a_card_gets_another_name_and_its_own_back() -> None:
    text = (
        '```python\nx = load_dataset("rocov2", "text")\nread("rocov2/text/a.parquet")\n```\nload_dataset("org/name")\n'
    )
    named = card_on_the_hub(text, "org/name")
    assert card_in_a_folder(named) == card_in_a_folder(text) == text
    assert card_on_the_hub(named, "other/copy") == card_on_the_hub(text, "other/copy")
    several = named.replace('load_dataset("org/name", "text"', 'load_dataset("other/name", "text"')
    assert card_in_a_folder(several) == several


def test_changes_are_told_from_hashes(hub: WritingHub, repository: HubRepository, built: Path) -> None:
    uploads, left = find_uploads(built, ID)
    assert not left
    by_path = {upload.path: upload for upload in uploads}
    contents = {
        path: upload.source.read_bytes() if isinstance(upload.source, Path) else upload.source
        for path, upload in by_path.items()
    }
    old = {"data/train-00009-of-00010-commercial-apart.parquet": b"old", "notes.txt": b"theirs"}
    changed = {"text/test.parquet": b"other", "LICENSE.md": b"other"}
    del contents["conversion.json"]
    hub.commit(ID, "main", {**contents, **old, **changed})
    changes = compare(uploads, repository.files("main"))
    assert [upload.path for upload in changes.new] == ["conversion.json"]
    assert [upload.path for upload in changes.changed] == ["LICENSE.md", "text/test.parquet"]
    assert changes.removed == ["data/train-00009-of-00010-commercial-apart.parquet"]
    assert changes.kept == ["notes.txt"]
    assert len(changes.unchanged) == len(uploads) - 3


def test_names() -> None:
    assert all(map(is_repo_id, ("org/name", "my-lab/ROCO.v2", "a/b")))
    assert not any(
        map(is_repo_id, ("name", "a/b/c", "/b", "a/", "-a/b", "a/b.", "a/b--c", "a/b c", "a/b\n", "a/" + "b" * 96))
    )
    assert default_tag("2.0.1", "0123456789abcdef") == "2.0.1-0123456789ab"
    assert default_tag(None, "0123456789abcdef") == "unknown-0123456789ab"

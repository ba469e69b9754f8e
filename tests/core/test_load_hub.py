"""Loading from the Hub, by every version of `datasets`; the Hub is `tests/support/hub.py`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.environments import VERSIONS
from tests.support.raw import expected_rows
from tests.support.visits import (
    CALLS,
    COLUMNS,
    ID,
    OTHER_CONFIGS,
    OWN_CALLS,
    REFUSED,
    URL,
    Sources,
    Visit,
    make_sources,
    make_visit,
)

pytestmark = pytest.mark.slow

both_ways = pytest.mark.parametrize("streaming", [False, True], ids=["map", "stream"])
each_own_call = pytest.mark.parametrize("call", OWN_CALLS)
without_hub = pytest.mark.parametrize("state", ["unreachable", "offline"])


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    return make_sources(tmp_path_factory.mktemp("sources"))


@pytest.fixture(scope="module", params=VERSIONS)
def visit(request: pytest.FixtureRequest, sources: Sources, tmp_path_factory: pytest.TempPathFactory) -> Visit:
    return make_visit(request.param, sources, tmp_path_factory.mktemp("home"))


def _rows(answer: dict[str, Any]) -> dict[str, Any]:
    return answer if "error" in answer else {split: answer[split]["rows"] for split in answer}


@both_ways
@pytest.mark.parametrize("config", OTHER_CONFIGS)
def test_load_dataset(visit: Visit, sources: Sources, config: str, streaming: bool) -> None:
    assert _rows(visit.first[f"{config} {streaming}"]) == expected_rows(sources.raw, sources.ordinary)[config]


@both_ways
@pytest.mark.parametrize("path", [ID, URL, f"{URL}@main"])
@each_own_call
def test_own_calls(visit: Visit, sources: Sources, call: str, path: str, streaming: bool) -> None:
    expected = expected_rows(sources.raw, sources.ordinary)["default"]
    assert _rows(visit.first[f"{call} {path} {streaming}"]) == expected


@both_ways
@each_own_call
def test_missing_shard(visit: Visit, call: str, streaming: bool) -> None:
    message = (
        f"hf://datasets/org/broken@{visit.broken_commit}: split 'train' is incomplete, missing data/train-00003-of-00016-*."
        "parquet: report it to its publisher, or use another revision"
    )
    assert visit.first[f"broken {call} {streaming}"] == {"error": ["FileNotFoundError", message]}


@pytest.mark.parametrize(
    ("case", "folder", "dataset"),
    [
        ("unknown load", "org/nothing", "org/nothing"),
        ("unknown builder", "org/nothing", "org/nothing"),
        ("revision load", ID, f"{ID}@nothing"),
        ("revision builder", ID, f"{ID}@nothing"),
        ("revision option", ID, f"{ID}@nothing"),
    ],
)
def test_unknown_repository_or_revision(visit: Visit, case: str, folder: str, dataset: str) -> None:
    message = (
        f"the dataset {folder!r} on the Hub has no revision 'nothing': check the name of the branch, tag or commit"
        if "@" in dataset
        else f"neither a folder {folder!r} in {visit.home} nor a dataset {dataset!r} on the Hub: build one with `rocov2 "
        "convert RAW FOLDER`, or check the name (a private dataset needs `hf auth login` or token=)"
    )
    assert visit.first[case] == {"error": ["FileNotFoundError", message]}


@both_ways
@pytest.mark.parametrize("call", CALLS)
def test_default_config_before_and_after_a_new_commit_with_the_same_cache(
    visit: Visit, sources: Sources, call: str, streaming: bool
) -> None:
    name = f"kept {call} {streaming}"
    assert _rows(visit.first[name]) == expected_rows(sources.raw, sources.ordinary)["default"]
    assert _rows(visit.later[name]) == expected_rows(sources.later_raw, sources.later)["default"]


def test_a_dataset_that_is_gone_comes_from_its_prepared_copy(visit: Visit, sources: Sources) -> None:
    expected = expected_rows(sources.raw, sources.ordinary)["default"]
    assert _rows(visit.first["kept gone"]) == _rows(visit.later["kept gone"]) == expected


@pytest.mark.parametrize("case", REFUSED)
def test_a_refusal_is_explained(visit: Visit, case: str) -> None:
    dataset, login = f"'org/{case}'", "log in with `hf auth login` or pass token="
    page, here = f"{visit.endpoint}/datasets/org/{case}", f"no folder {dataset} in {visit.home}"
    expected = {
        "private": [
            "FileNotFoundError",
            f"{here}, and the Hub shows no dataset {dataset} without a login (401): check the name, or, if it is private, "
            f"{login}",
        ],
        "gated": [
            "PermissionError",
            f"the dataset {dataset} on the Hub is gated (403): ask for access at {page}, then {login}",
        ],
        "token": [
            "PermissionError",
            f"the Hub refuses the token (401), asked for {dataset} (Invalid credentials): {login}",
        ],
        "forbidden": [
            "PermissionError",
            f"the Hub refuses to show the dataset {dataset} (403, No access from here): use another account or token",
        ],
        "busy": [
            "ConnectionError",
            f"{here}, the Hub answers 503 Service Unavailable when asked for {dataset} (Come back later), and the cache has "
            f"no copy. When the Hub can be reached, download it first: `hf download org/{case} --repo-type dataset`",
        ],
    }
    assert visit.first[f"refused {case}"] == {"error": expected[case]}


def test_a_limit_of_requests_is_waited_for(visit: Visit, sources: Sources) -> None:
    assert _rows(visit.first["limited"]) == expected_rows(sources.raw, sources.ordinary)["vocabulary"]


def _problem(visit: Visit, state: str, dataset: str) -> str:
    """Why the Hub is not asked."""
    if state == "offline":
        return f"offline mode (HF_HUB_OFFLINE or HF_DATASETS_OFFLINE) keeps the Hub from being asked for '{dataset}'"
    return f"the Hub {visit.endpoint} cannot be reached for '{dataset}' (Connection refused)"


@without_hub
@both_ways
@each_own_call
def test_without_the_hub_the_cache_is_used(
    visit: Visit, sources: Sources, state: str, call: str, streaming: bool
) -> None:
    answers = getattr(visit, state)
    if not (call == "builder" and streaming):  # which streams from the Hub, where it is
        expected = expected_rows(sources.later_raw, sources.later)["default"]
        assert _rows(answers[f"prepared {call} {streaming}"]) == expected
    rows = expected_rows(sources.raw, sources.ordinary)
    assert _rows(answers[f"whole {call} {streaming}"]) == rows["default"]
    assert _rows(answers[f"text {call} {streaming}"]) == rows["text"]
    (name, message) = answers[f"part {call} {streaming}"]["error"]
    assert name == "FileNotFoundError"
    assert (
        "and the snapshot in the cache is incomplete, missing data/train-00000-of-00016-commercial-apart.parquet, "
        in message
    )
    command = f"hf download org/part --repo-type dataset --revision {visit.commit}"
    assert message.endswith(f". When the Hub can be reached, download it first: `{command}`")


@without_hub
def test_without_the_hub_load_finds_what_load_dataset_has_prepared(visit: Visit, sources: Sources, state: str) -> None:
    answers = getattr(visit, state)
    assert _rows(answers["by load_dataset"]) == expected_rows(sources.later_raw, sources.later)["default"]
    if "error" in answers["other commit"]:  # 2.21 keeps its downloads elsewhere
        (name, message) = answers["other commit"]["error"]
        assert name == "FileNotFoundError"
        assert "and the snapshot in the cache is incomplete" in message
        assert visit.commit in message
    else:
        assert _rows(answers["other commit"]) == expected_rows(sources.raw, sources.ordinary)["default"]
    columns = {split: [list(row) for row in rows] for split, rows in _rows(answers["other columns"]).items()}
    assert columns == {"train": [COLUMNS] * 48, "validation": [COLUMNS] * 6, "test": [COLUMNS] * 6}


@without_hub
@both_ways
@each_own_call
def test_without_the_hub_and_a_copy_it_is_told_how_to_download(
    visit: Visit, state: str, call: str, streaming: bool
) -> None:
    problem = _problem(visit, state, "org/nothing")
    message = (
        f"no folder 'org/nothing' in {visit.home}, {problem}, and the cache has no copy. When the Hub can be reached, "
        "download it first: `hf download org/nothing --repo-type dataset`"
    )
    assert getattr(visit, state)[f"never {call} {streaming}"] == {"error": ["ConnectionError", message]}


@each_own_call
def test_streamed_columns_leave_the_images_on_the_hub(visit: Visit, sources: Sources, call: str) -> None:
    (shard,) = (sources.large / "data").glob("train-*")
    rows = visit.first[f"large {call}"]["train"]["rows"]
    assert (len(rows), list(rows[0])) == (24, COLUMNS)
    assert shard.stat().st_size > 15_000_000
    assert visit.bytes_sent[f"org/large-{call}"] < 1_000_000

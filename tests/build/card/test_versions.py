"""What the card says of the release, of the build, and of its changes: true for every build."""

from __future__ import annotations

from typing import Any

import pytest

import rocov2
from rocov2_build.card.contents import Contents, SplitSize
from rocov2_build.card.readme import readme, size_category
from rocov2_build.card.versions import (
    build_notice,
    cited_block,
    input_table,
    method_block,
    release_table,
    versions_block,
)
from rocov2_build.raw.releases import RELEASES


def contents(release: str | None, part: str | None = None, **more: Any) -> Contents:
    counts = RELEASES[release].images if release in RELEASES else {"train": 34, "validation": 9, "test": 9}
    sizes = {
        "default": {split: SplitSize(count, 10 * count, 20 * count) for split, count in counts.items()},
        "vocabulary": {"vocabulary": SplitSize(9, 10, 20)},
    }
    return Contents(sizes, release, part, {"default": "0123456789abcdef", "vocabulary": "f" * 64}, **more)


FACTS = {"articles": {"articles": {"train": 3, "all": 30_123}}}


@pytest.mark.parametrize(
    ("built", "notice"),
    [
        (
            contents("2.0.1", facts=FACTS),
            "This repository contains 79,789 images (59,958 train, 9,904 validation, 9,927 test) from 30,123 articles of "
            "release 2.0.1 ([10.5281/zenodo.10821435](https://zenodo.org/records/10821435)). The hash of its rows is "
            "`0123456789ab`.",
        ),
        (
            contents("1"),
            "This repository contains 80,080 images (60,163 train, 9,945 validation, 9,972 test) of release 1 "
            "([10.5281/zenodo.8333645](https://zenodo.org/records/8333645)). The hash of its rows is `0123456789ab`.",
        ),
        (
            contents(None, "--limit 3"),
            "This repository contains 52 images (34 train, 9 validation, 9 test) of a release that is none of the published "
            "ones. **It is a part of the release** (built with `--limit 3`). The hash of its rows is `0123456789ab`.",
        ),
    ],
)
def test_the_card_says_what_was_built(built: Contents, notice: str) -> None:
    assert build_notice(built) == notice
    assert f"\n{notice}\n" in readme(Contents(built.sizes, built.release, built.part, built.identity)) or built.facts


def test_the_sample_is_not_called_rocov2() -> None:
    notice = build_notice(contents("sample"))
    assert notice.startswith(
        "**This is the project's sample, not ROCOv2**: 52 images (34 train, 9 validation, 9 test), "
    )
    assert "describes ROCOv2" in notice


@pytest.mark.parametrize(
    ("built", "marked"),
    [
        (contents("2.0.1"), {"2.0.1": "**this repository**"}),
        (contents("1"), {"1": "**this repository**"}),
        (contents("1", "--limit 3"), {"1": "a part of it is here"}),
        (contents("sample"), {}),
        (contents(None), {}),
        (None, {}),
    ],
)
def test_only_the_release_that_was_built_is_marked(built: Contents | None, marked: dict[str, str]) -> None:
    rows = release_table(built).splitlines()[2:]
    assert [row.split(" ")[1] for row in rows] == list(RELEASES)
    for row, release in zip(rows, RELEASES.values(), strict=True):
        note = f"{marked[release.name]}; {release.note}" if release.name in marked else release.note
        assert row.endswith(f"| {note} |")
        assert f"| {sum(release.images.values()):,} | " in row


def test_changes_against_the_release() -> None:
    def changes(built: Contents) -> str:
        return versions_block(built).splitlines()[0].removeprefix("- **Changes** against ")

    as_released = "Captions and concepts are as released."
    reason = "left out as faulty, `conversion.json` lists them with the reason"
    assert changes(contents("1")) == f"the release: none, every image is here. {as_released}"
    assert changes(contents("sample")) == f"the sample: none, every image is here. {as_released}"
    assert changes(contents("1", left_out=1)) == f"the release: 1 image was {reason}. {as_released}"
    assert changes(contents(None, "--limit 3", left_out=2)) == (
        f"the release: only a part of its rows is here (`--limit 3`); 2 images were {reason}. {as_released}"
    )


def test_the_build_is_named_by_its_hashes_and_the_version_of_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    line = versions_block(contents("1")).splitlines()[1]
    assert (
        f"rows `default` `0123456789ab`, `vocabulary` `ffffffffffff`; made with rocov2-hub {rocov2.__version__}" in line
    )

    class Metadata:
        def get_all(self, _: str) -> list[str]:
            return ["Homepage, https://example.org", "Repository, https://example.org/code"]

    monkeypatch.setattr("importlib.metadata.metadata", lambda _: Metadata())
    line = versions_block(contents("1")).splitlines()[1]
    assert f"rocov2-hub {rocov2.__version__} (https://example.org/code)" in line


@pytest.mark.parametrize(("release", "record"), [("2.0.1", "10821435"), ("1", "8333645"), ("sample", ""), (None, "")])
def test_paper_and_release_are_cited(release: str | None, record: str) -> None:
    text = cited_block(contents(release))
    assert "[10.1038/s41597-024-03496-6](https://doi.org/10.1038/s41597-024-03496-6)" in text
    assert (f"10.5281/zenodo.{record}" in text) if record else ("zenodo" not in text)


@pytest.mark.parametrize(
    ("verify", "words"),
    [("strict", "decoded strictly"), ("markers", "read to its last marker"), ("none", "it was not decoded")],
)
def test_the_method_is_that_of_the_build(verify: str, words: str) -> None:
    plan = {"verify": verify, "max_shard_size": 50_000_000, "row_group_size": 4_000_000}
    text = method_block(contents("1", plan=plan))
    assert words in text
    assert "about 4.0 MB of images, shards at most about 50 MB" in text


def test_a_zip_has_a_fingerprint_and_a_table_a_hash() -> None:
    inputs = {"train_images.zip": {"images": 3, "bytes": 9_000, "fingerprint": "f" * 64}, "a.csv": {"sha256": "a" * 64}}
    rows = input_table(contents("1", plan={"inputs": inputs})).splitlines()
    assert rows[0] == "| file of the release | images | bytes of images | SHA-256 or fingerprint |"
    assert rows[2:4] == [f"| a.csv |  |  | `{'a' * 64}` |", f"| train_images.zip | 3 | 9,000 | `{'f' * 64}` |"]
    assert "images have a fingerprint" in rows[-1]


@pytest.mark.parametrize(
    ("images", "category"),
    [
        (0, "n<1K"),
        (999, "n<1K"),
        (1_000, "1K<n<10K"),
        (9_999, "1K<n<10K"),
        (79_789, "10K<n<100K"),
        (100_000, "100K<n<1M"),
        (1_000_000, "n>1M"),
    ],
)
def test_the_category_of_sizes_is_that_of_the_build(images: int, category: str) -> None:
    assert size_category(images) == category
    sizes = {"default": {"test": SplitSize(images, 1, 1)}} if images else {}
    if sizes:
        identity = dict.fromkeys(sizes, "0" * 64)
        assert f"\nsize_categories:\n- {category}\n" in readme(Contents(sizes, "1", None, identity))

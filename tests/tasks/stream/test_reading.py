from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rocov2 import Repository
from rocov2_tasks.stream import image_bytes
from rocov2_tasks.stream.costs import Costs
from rocov2_tasks.stream.image_bytes import Buffers
from rocov2_tasks.stream.layout import SplitLayout, read_layout
from rocov2_tasks.stream.reading import ChangedShardError, GroupReader
from tests.support.raw import make_raw

COLUMNS = ["image", "image_id", "cuis"]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures large enough for several pages in a row group."""
    folder = tmp_path_factory.mktemp("built")
    raw = make_raw(train=40, valid=3, test=3, side=420)
    return raw.build(folder / "rocov2", shard=3_000_000, row_group=1_500_000)


@pytest.fixture
def repository(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "rocov2"))


def layout_of(path: Path, name: str = "default", split: str = "train") -> SplitLayout:
    return read_layout(Repository.open(path), name, split)


def truth(layout: SplitLayout, group: int) -> list[dict[str, Any]]:
    place = layout.groups[group]
    with pq.ParquetFile(Path(layout.root) / layout.shards[place.shard].path) as file:
        rows: list[dict[str, Any]] = file.read_row_group(place.number, columns=COLUMNS).to_pylist()
    return rows


def test_the_layout_is_that_of_the_footers(built: Path) -> None:
    layout = layout_of(built)
    footers = [pq.read_metadata(built / shard.path) for shard in layout.shards]
    assert len(layout.shards) > 1
    assert [(group.shard, group.number, group.rows) for group in layout.groups] == [
        (number, i, footer.row_group(i).num_rows)
        for number, footer in enumerate(footers)
        for i in range(footer.num_row_groups)
    ]
    assert layout.rows == 40


def test_the_fingerprint_is_of_the_rows_and_not_of_the_place(built: Path, repository: Path) -> None:
    assert layout_of(built).fingerprint == layout_of(repository).fingerprint
    assert (
        len({layout_of(built, *what).fingerprint for what in (("default", "train"), ("default", "test"), ("text",))})
        == 3
    )


def test_a_repository_that_does_not_state_its_row_groups_is_refused(repository: Path) -> None:
    path = repository / "conversion.json"
    conversion = json.loads(path.read_text())
    for facts in conversion["files"].values():
        facts.pop("row_groups")
    path.write_text(json.dumps(conversion))
    with pytest.raises(ValueError, match=r"was built by an older version.* build it again"):
        layout_of(repository)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"files": ', r"conversion\.json is damaged \(Expecting value.*download it again"),
        (b'{"\xff', r"conversion\.json is damaged \('utf-.* codec.*download it again"),
        (b"[]", r"conversion\.json is damaged \(the whole: expected an object, found \[\]\): download it again"),
        (b"{}", r"conversion\.json is damaged \('files' is missing\): download it again"),
        (
            b'{"files": {"data/a.parquet": {"rows": 1e9}}}',
            r"files\[.data/a\.parquet.\]\.rows: expected a whole number.*again",
        ),
        (b'{"files": null}', r"conversion\.json is damaged \(files: expected an object, found null\)"),
        (b'{"files": {}}', r"conversion\.json is damaged \('data/train-00000-of-.*' is missing\): download it again"),
    ],
)
def test_a_damaged_conversion_is_named(repository: Path, content: bytes, message: str) -> None:
    (repository / "conversion.json").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        layout_of(repository)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda facts: facts["row_groups"]["rows"].append(3), "row_groups"),
        (lambda facts: facts["row_groups"].update(bytes=None), "bytes: expected a list, found null"),
        (lambda facts: facts["row_groups"]["rows"].__setitem__(0, -3), "found -3"),
        (lambda facts: facts["row_groups"]["rows"].__setitem__(0, 10**12), "found 1000000000000"),
        (lambda facts: facts.update(rows=0, row_groups={"rows": [], "bytes": []}), "rows"),
        (lambda facts: facts.update(rows=1, row_groups={"rows": [1, 0], "bytes": [1, 1]}), "a row group without rows"),
        (lambda facts: facts["row_groups"]["bytes"].__setitem__(0, 10**12), "bytes, but .* in its row groups"),
        (lambda facts: facts["row_groups"]["bytes"].__setitem__(0, True), "found true"),
        (lambda facts: facts.update(footer_bytes=facts["bytes"] + 1), "bytes, but .* in its footer"),
        (lambda facts: facts.update(footer_bytes=-1), "found -1"),
        (lambda facts: facts.update(footer_bytes=7), "7 in its footer"),
        (lambda facts: facts.update(bytes="8"), "expected a whole number"),
        (lambda facts: facts.update(sha256=None), "expected a SHA-256"),
    ],
)
def test_a_conversion_with_impossible_numbers_is_named(
    repository: Path, change: Callable[[Any], object], message: str
) -> None:
    path = repository / "conversion.json"
    conversion = json.loads(path.read_text())
    change(conversion["files"][layout_of(repository).shards[0].path])
    path.write_text(json.dumps(conversion))
    with pytest.raises(ValueError, match=rf"conversion\.json is damaged .*{message}.*download it again"):
        layout_of(repository)


def test_a_row_group_is_what_pyarrow_reads(built: Path) -> None:
    layout = layout_of(built)
    reader = GroupReader(layout, COLUMNS)
    for group, place in enumerate(layout.groups):
        expected = truth(layout, group)
        rows = reader.read(group, 0, place.rows)
        assert [bytes(rows.image(row)) for row in range(place.rows)] == [row["image"]["bytes"] for row in expected]
        assert rows.columns == {name: [row[name] for row in expected] for name in ("image_id", "cuis")}
        reader.give_back(rows)


def test_any_part_of_a_row_group_is_what_pyarrow_reads(built: Path) -> None:
    layout = layout_of(built)
    reader = GroupReader(layout, COLUMNS)
    expected = truth(layout, 0)
    for begin in range(len(expected)):
        for stop in range(begin + 1, len(expected) + 1):
            rows = reader.read(0, begin, stop)
            images = [bytes(rows.image(row)) for row in range(begin, stop)]
            assert images == [row["image"]["bytes"] for row in expected[begin:stop]]
            assert rows.columns["image_id"][begin] == expected[begin]["image_id"]
            reader.give_back(rows)


def test_whole_images_are_read_when_they_are_asked_for(built: Path) -> None:
    layout = layout_of(built)
    costs = Costs()
    reader = GroupReader(layout, COLUMNS, costs=costs, whole=True)
    parts = [reader.read(group, 1, place.rows) for group, place in enumerate(layout.groups)]
    places = [(rows, 1 + row) for rows in parts for row in range(len(rows.spans))][::-1]
    expected = [row["image"]["bytes"] for group in range(len(parts)) for row in truth(layout, group)[1:]][::-1]
    before = costs.total("bytes_read")
    assert reader.jpegs(places) == expected
    assert before < 200_000 < costs.total("bytes_read") - before == sum(map(len, expected))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda path: change_footer(path), "has another footer since the stream was made"),
        (Path.unlink, "is missing"),
        (lambda path: os.truncate(path, 1000), "has 1,000 bytes"),
    ],
    ids=["written", "gone", "cut"],
)
def test_a_shard_that_changes_before_its_images_are_read_is_told(
    repository: Path, change: Callable[[Path], object], message: str
) -> None:
    layout = layout_of(repository)
    reader = GroupReader(layout, COLUMNS, whole=True)
    rows = reader.read(0, 0, 2)
    change(repository / layout.shards[0].path)
    with pytest.raises(ChangedShardError, match=rf"{layout.shards[0].path} {message}.*begin a new stream"):
        reader.jpegs([(rows, 1)])


def test_a_footer_is_parsed_again_only_if_its_bytes_are_others(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = layout_of(repository)
    parsed = []

    def parse(self: GroupReader, number: int, content: bytes) -> pq.FileMetaData:
        parsed.append(number)
        return pq.read_metadata(repository / layout.shards[number].path)

    monkeypatch.setattr(GroupReader, "_parse_footer", parse)
    for _ in range(2):
        GroupReader(layout, COLUMNS).read(0, 0, 1)
    assert parsed == [0]
    change_footer(repository / layout.shards[0].path)
    GroupReader(layout, COLUMNS).read(0, 0, 1)
    assert parsed == [0, 0]


def test_of_a_part_only_its_images_are_read(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = layout_of(built)
    sizes = [len(row["image"]["bytes"]) for row in truth(layout, 0)]
    read = 0

    class CountingFile(FileIO):
        def read(self, size: int | None = -1) -> bytes:
            nonlocal read
            data = super().read(-1 if size is None else size)
            read += len(data)
            return data

        def readinto(self, buffer: Any) -> int:
            nonlocal read
            count = super().readinto(buffer)
            read += count
            return count

    monkeypatch.setattr(image_bytes, "open", lambda path, mode, buffering: CountingFile(path, mode), raising=False)
    GroupReader(layout, COLUMNS).read(0, len(sizes) - 2, len(sizes))
    # Beside the two images: headers of pages, each asked for with a kilobyte, and lengths.
    assert sum(sizes[-2:]) <= read <= sum(sizes[-2:]) + 30_000 < sum(sizes) / 2


def test_without_images_none_is_read(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_bytes.LocalGroup, "values", None)
    layout = layout_of(built)
    rows = GroupReader(layout, ["caption"]).read(0, 0, 3)
    assert (set(rows.columns), rows.spans) == ({"caption"}, [])


def test_images_alone_open_no_other_column(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pq, "ParquetFile", None)
    layout = layout_of(built)
    assert len(GroupReader(layout, ["image"]).read(0, 0, 3).spans) == 3


def test_buffers_are_used_again_and_never_while_they_are_needed() -> None:
    buffers = Buffers()
    first, second = buffers.take(10), buffers.take(10)
    assert first is not second
    buffers.give_back(first)
    assert buffers.take(20) is first
    buffers.give_back(first)
    assert len(buffers.take(3_000_000)) >= 3_000_000


def touch(path: Path) -> None:
    state = path.stat()
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns + 1))


def replace(path: Path) -> None:
    shutil.copy2(path, path.with_suffix(".new"))
    os.replace(path.with_suffix(".new"), path)


def change_footer(path: Path) -> None:
    """Another file of the same size, whose footer differs in one letter of the version that wrote it."""
    content = path.read_bytes()
    path.write_bytes(content.replace(b"parquet-cpp-arrow", b"parquet-cpp-error"))
    assert path.read_bytes() != content


@pytest.mark.parametrize("change", [touch, replace], ids=["touched", "replaced"])
@pytest.mark.parametrize("begun", [True, False])
def test_a_shard_with_the_same_bytes_is_read_on(
    repository: Path, change: Callable[[Path], object], begun: bool
) -> None:
    layout = layout_of(repository)
    reader = GroupReader(layout, COLUMNS)
    expected = [row["image_id"] for row in truth(layout, 0)]
    for again in range(3):
        if begun or again:
            assert reader.read(0, 0, 1).columns["image_id"] == expected
        change(repository / layout.shards[0].path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (change_footer, "has another footer since the stream was made"),
        (Path.unlink, "is missing"),
        (lambda path: os.truncate(path, 1000), "has 1,000 bytes"),
    ],
    ids=["written", "gone", "cut"],
)
def test_a_shard_that_changed_since_the_epoch_began_is_told(
    repository: Path, change: Callable[[Path], object], message: str
) -> None:
    layout = layout_of(repository)
    reader = GroupReader(layout, COLUMNS)
    reader.read(0, 0, 1)
    change(repository / layout.shards[0].path)
    with pytest.raises(ChangedShardError, match=rf"{layout.shards[0].path} {message}.*begin a new stream"):
        reader.read(0, 0, 1)


def test_a_shard_of_another_size_is_told_before_anything_is_read(repository: Path) -> None:
    layout = layout_of(repository)
    with (repository / layout.shards[-1].path).open("ab") as file:
        file.write(b"more")
    with pytest.raises(ChangedShardError, match=r"has .* bytes, but .* in conversion\.json"):
        GroupReader(layout, COLUMNS)


def rewrite(repository: Path, layout: SplitLayout, *, state_row_groups: bool = True, **options: Any) -> SplitLayout:
    """Write the first shard anew by pyarrow, and state its size, and that of its row groups or their old one."""
    path = repository / layout.shards[0].path
    table = pq.read_table(path, partitioning=None)
    pq.write_table(table, path, **options)
    conversion = json.loads((repository / "conversion.json").read_text())
    facts = conversion["files"][layout.shards[0].path]
    footer = pq.read_metadata(path)
    groups = [footer.row_group(i) for i in range(footer.num_row_groups)]
    facts["bytes"] = path.stat().st_size
    facts["footer_bytes"] = footer.serialized_size + 8
    if state_row_groups:
        facts["row_groups"]["rows"] = [group.num_rows for group in groups]
        facts["row_groups"]["bytes"] = [
            sum(group.column(i).total_compressed_size for i in range(group.num_columns)) for group in groups
        ]
    (repository / "conversion.json").write_text(json.dumps(conversion))
    return layout_of(repository)


def test_a_damaged_footer_is_told(repository: Path) -> None:
    layout = layout_of(repository)
    for end in (b"PAR2", b"\xff\xff\xff\x7fPAR1", b"\x00\x00\x00\x00PAR1"):
        path = repository / layout.shards[0].path
        path.write_bytes(path.read_bytes()[: -len(end)] + end)
        with pytest.raises(ChangedShardError, match=rf"{layout.shards[0].path} has a damaged footer"):
            GroupReader(layout, COLUMNS).read(0, 0, 1)


def test_other_row_groups_than_stated_are_told(repository: Path) -> None:
    layout = rewrite(repository, layout_of(repository), state_row_groups=False, row_group_size=3)
    with pytest.raises(ChangedShardError, match=r"has other row groups than conversion\.json records"):
        GroupReader(layout, COLUMNS).read(0, 0, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"compression": "zstd", "use_dictionary": False}, "compression ZSTD"),
        ({"compression": "none", "use_dictionary": True}, "encoding"),
    ],
)
def test_images_that_are_stored_in_another_way_are_told(
    repository: Path, options: dict[str, Any], message: str
) -> None:
    layout = rewrite(repository, layout_of(repository), **options)
    with pytest.raises(ChangedShardError, match=f"does not store images as this project does .*{message}") as told:
        GroupReader(layout, COLUMNS).read(0, 0, 1)
    assert "another tool has written it" in str(told.value)
    assert "the epoch began" not in str(told.value)


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("size", [1_000, 100_000_000])
def test_values_are_found_in_pages_of_both_versions(tmp_path: Path, version: str, size: int) -> None:
    data = [bytes([i]) * (100 * i) for i in range(50)]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table({"image": pa.array([{"bytes": part, "path": "x"} for part in data], kind)})
    path = str(tmp_path / "a.parquet")
    pq.write_table(
        table, path, compression="none", use_dictionary=False, data_page_version=version, data_page_size=size
    )
    column = pq.read_metadata(path).row_group(0).column(0)
    for begin, stop in [(0, 50), (0, 1), (49, 50), (13, 37), (0, 49), (1, 50)]:
        buffer, spans = image_bytes.LocalGroup(path).values(column, begin, stop, Buffers())
        assert [bytes(buffer[start:end]) for start, end in spans] == data[begin:stop]


def test_a_missing_image_is_told(tmp_path: Path) -> None:
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    path = str(tmp_path / "a.parquet")
    table = pa.table({"image": pa.array([{"bytes": b"abc", "path": "x"}, None], kind)})
    pq.write_table(table, path, compression="none", use_dictionary=False)
    with pytest.raises(ValueError, match="the values of the page"):
        image_bytes.LocalGroup(path).values(pq.read_metadata(path).row_group(0).column(0), 0, 2, Buffers())

"""How a Parquet file of the repository is written, read back from its footer."""

from __future__ import annotations

import hashlib
import json
import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rocov2 import CONFIGS, FEATURES
from rocov2_build.worker.parquet import (
    CHUNKING,
    leaf_columns,
    open_writer,
    portable_features,
    repository_schema,
    write_row_group,
)

VALUE = {"dtype": "string", "_type": "Value"}
SCHEMA = repository_schema(FEATURES.arrow_schema, FEATURES.to_dict())


def table(rows: int, seed: int = 0, image_bytes: int = 2_000) -> pa.Table:
    """Rows of the default configuration; every fourth has an empty list and no region."""
    noise = random.Random(seed)
    columns: dict[str, list[Any]] = {name: [] for name in SCHEMA.names}
    for i in range(rows):
        row = {
            "image": {"bytes": noise.randbytes(image_bytes), "path": f"{i}.jpg"},
            "modality": i % 7,
            "region": None if i % 4 == 0 else 1,
            "direction": None,
            "article_in_other_split": i % 2 == 0,
            "width": i,
            "height": 2 * i,
        }
        for name, feature in FEATURES.items():
            listed = not isinstance(row.get(name, ""), str) or not hasattr(feature, "dtype")
            text: Any = ([] if i % 4 == 0 else [f"{name} {i}", "x"]) if listed else f"{name} {i}"
            columns[name].append(row.get(name, text))
    return pa.table(columns, schema=SCHEMA)


def write(path: Path, *tables: pa.Table) -> Path:
    """A file with these row groups."""
    with open_writer(path, tables[0].schema) as writer:
        for part in tables:
            write_row_group(writer, part)
    return path


def column_chunks(path: Path) -> dict[str, list[Any]]:
    """Metadata of the column chunks by path in the schema."""
    footer = pq.read_metadata(path)
    chunks: dict[str, list[Any]] = {}
    for group in range(footer.num_row_groups):
        for column in range(footer.num_columns):
            chunk = footer.row_group(group).column(column)
            chunks.setdefault(chunk.path_in_schema, []).append(chunk)
    return chunks


@pytest.mark.parametrize(
    ("feature", "spelled"),
    [
        (VALUE, VALUE),
        ({"feature": VALUE, "_type": "List"}, {"feature": VALUE, "_type": "Sequence"}),
        ({"feature": VALUE, "length": -1, "_type": "List"}, {"feature": VALUE, "_type": "Sequence"}),
        ({"feature": VALUE, "_type": "Sequence"}, {"feature": VALUE, "_type": "Sequence"}),
        ({"feature": VALUE, "length": -1, "_type": "Sequence"}, {"feature": VALUE, "_type": "Sequence"}),
        ({"feature": VALUE, "length": 3, "_type": "List"}, {"feature": VALUE, "length": 3, "_type": "Sequence"}),
        (
            {"feature": {"feature": VALUE, "_type": "List"}, "_type": "List"},
            {"feature": {"feature": VALUE, "_type": "Sequence"}, "_type": "Sequence"},
        ),
        ({"names": ["List", "AP"], "_type": "ClassLabel"}, {"names": ["List", "AP"], "_type": "ClassLabel"}),
    ],
)
def test_lists_are_spelled_sequence(feature: dict[str, Any], spelled: dict[str, Any]) -> None:
    assert portable_features({"a": feature}) == {"a": spelled}


def test_leaf_columns() -> None:
    schema = pa.schema(
        {"a": pa.int32(), "b": pa.list_(pa.struct({"c": pa.string()})), "d": pa.struct({"e": pa.bool_()})}
    )
    assert leaf_columns(schema) == ["a", "b.list.element.c", "d.e"]
    assert leaf_columns(SCHEMA)[:5] == ["image.bytes", "image.path", "image_id", "caption", "cuis.list.element"]


def test_leaf_columns_are_the_files_own(tmp_path: Path) -> None:
    assert list(column_chunks(write(tmp_path / "a.parquet", table(5)))) == leaf_columns(SCHEMA)


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("spelling", ["List", "Sequence"])
def test_metadata_of_the_schema(tmp_path: Path, config: str, spelling: str) -> None:
    features = CONFIGS[config].features
    spelled = json.loads(json.dumps(features.to_dict()).replace('"List"', f'"{spelling}"'))
    schema = repository_schema(features.arrow_schema, spelled)
    path = write(tmp_path / "a.parquet", schema.empty_table())
    found = pq.read_schema(path)
    assert found.remove_metadata() == features.arrow_schema.remove_metadata()
    assert set(found.metadata) == {b"huggingface", b"content_defined_chunking", b"use_content_defined_chunking"}
    stated = json.loads(found.metadata[b"huggingface"])
    assert list(stated) == ["info"]
    assert list(stated["info"]) == ["features"]
    assert list(stated["info"]["features"]) == list(features)
    assert b'"List"' not in found.metadata[b"huggingface"]
    lists = [name for name, feature in stated["info"]["features"].items() if feature["_type"] == "Sequence"]
    assert lists == [name for name in ("cuis", "concept_names", "manual_cuis") if name in features]
    for name in lists:
        assert stated["info"]["features"][name] == {"feature": VALUE, "_type": "Sequence"}
    assert json.loads(found.metadata[b"content_defined_chunking"]) == CHUNKING
    assert json.loads(found.metadata[b"use_content_defined_chunking"]) == CHUNKING
    assert CHUNKING == {"min_chunk_size": 262_144, "max_chunk_size": 1_048_576, "norm_level": 0}


def test_types_of_the_columns() -> None:
    string, strings = pa.string(), pa.list_(pa.string())
    assert {field.name: field.type for field in SCHEMA} == {
        "image": pa.struct({"bytes": pa.binary(), "path": string}),
        "image_id": string,
        "caption": string,
        "cuis": strings,
        "modality": pa.int64(),
        "concept_names": strings,
        "manual_cuis": strings,
        "region": pa.int64(),
        "direction": pa.int64(),
        "license": string,
        "attribution": string,
        "pmcid": string,
        "url": string,
        "article_in_other_split": pa.bool_(),
        "width": pa.int32(),
        "height": pa.int32(),
    }


def test_one_row_group_per_table_and_values_survive(tmp_path: Path) -> None:
    parts = [table(5, 1), table(1, 2), table(130, 3)]
    path = write(tmp_path / "a.parquet", *parts)
    footer = pq.read_metadata(path)
    assert [footer.row_group(i).num_rows for i in range(footer.num_row_groups)] == [5, 1, 130]
    assert pq.read_table(path).equals(pa.concat_tables(parts))


def test_image_bytes_are_plain_and_uncompressed_and_the_rest_is_zstd(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", table(200, 1, 8_000), table(50, 2))
    for name, chunks in column_chunks(path).items():
        for chunk in chunks:
            assert chunk.has_offset_index
            assert chunk.has_column_index is (name != "image.bytes")
            assert chunk.is_stats_set is (name != "image.bytes")
            if name == "image.bytes":
                assert (chunk.compression, chunk.has_dictionary_page) == ("UNCOMPRESSED", False)
                assert set(chunk.encodings) == {"PLAIN", "RLE"}  # RLE: whether there is a value at all
                assert chunk.total_compressed_size == chunk.total_uncompressed_size
            else:
                assert chunk.compression == "ZSTD"


def test_image_bytes_lie_in_the_file_as_they_are(tmp_path: Path) -> None:
    part = table(20, 4)
    content = write(tmp_path / "a.parquet", part).read_bytes()
    assert all(image["bytes"] in content for image in part["image"].to_pylist())


def page_ends(content: bytes, images: list[bytes]) -> list[int]:
    """Images after which a page ends: the length of the next does not follow at once."""
    places = [content.index(image) for image in images]
    return [i for i in range(len(images) - 1) if places[i] + len(images[i]) + 4 != places[i + 1]]


def test_pages_are_cut_by_content(tmp_path: Path) -> None:
    whole = table(400, 5, 20_000)
    images = [image["bytes"] for image in whole["image"].to_pylist()]
    ends = page_ends(write(tmp_path / "a.parquet", whole).read_bytes(), images)
    # Without the first rows, pages end where they did, but for the one that lost its beginning.
    shorter = page_ends(write(tmp_path / "b.parquet", whole.slice(7)).read_bytes(), images[7:])
    assert len(ends) >= 7
    assert [end + 7 for end in shorter][1:] == [end for end in ends if end > shorter[0] + 7]


def chunked(whole: pa.Table, cuts: list[int]) -> pa.Table:
    """The same table in several chunks that share the buffers of the whole."""
    places = [0, *cuts, len(whole)]
    return pa.concat_tables([whole.slice(start, end - start) for start, end in pairwise(places)])


@pytest.mark.parametrize("cuts", [[1], [7, 7, 8], [1023], list(range(1, 3000, 13))])
def test_chunked_tables_give_the_same_bytes(tmp_path: Path, cuts: list[int]) -> None:
    whole = table(3000, 6, 100)
    noise = random.Random(7)
    # Text beyond what a dictionary holds: pages of such columns depend on the chunks in which they are written.
    captions = pa.array([noise.randbytes(750).hex() for _ in range(3000)])
    place = SCHEMA.get_field_index("caption")
    whole = whole.set_column(place, SCHEMA.field(place), captions)
    same = chunked(whole, cuts)
    assert same["image"].num_chunks > 1
    assert write(tmp_path / "a.parquet", whole).read_bytes() == write(tmp_path / "b.parquet", same).read_bytes()


def test_a_file_is_hashed_while_it_is_written(tmp_path: Path) -> None:
    digest = hashlib.sha256()
    path = tmp_path / "a.parquet"
    with open_writer(path, SCHEMA, digest) as writer:
        write_row_group(writer, table(3))
        write_row_group(writer, table(4))
    assert path.read_bytes() == write(tmp_path / "b.parquet", table(3), table(4)).read_bytes()
    assert digest.hexdigest() == hashlib.sha256(path.read_bytes()).hexdigest()


class _StopError(Exception):
    pass


def write_and_stop(path: Path, groups: int) -> None:
    """Begin to write a file, and fail."""
    with open_writer(path, SCHEMA) as writer:
        for _ in range(groups):
            write_row_group(writer, table(3))
        raise _StopError


@pytest.mark.parametrize("groups", [0, 1, 2])
def test_an_exception_leaves_nothing(tmp_path: Path, groups: int) -> None:
    with pytest.raises(_StopError):
        write_and_stop(tmp_path / "a.parquet", groups)
    assert list(tmp_path.iterdir()) == []


def test_an_exception_keeps_what_was_there(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", table(4))
    before = path.read_bytes()
    with pytest.raises(_StopError):
        write_and_stop(path, 1)
    assert [file.name for file in tmp_path.iterdir()] == ["a.parquet"]
    assert path.read_bytes() == before


def test_the_file_appears_at_the_end_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    with open_writer(path, SCHEMA) as writer:
        write_row_group(writer, table(3))
        assert not path.exists()
        (temporary,) = tmp_path.iterdir()
        assert temporary.name.startswith(".a.parquet.")
        assert temporary.suffix == ".tmp"
    assert list(tmp_path.iterdir()) == [path]

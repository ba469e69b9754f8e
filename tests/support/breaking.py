"""A built repository, broken on purpose: in one thing, which a check has to report."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from rocov2 import CONFIGS, SPLITS
from rocov2_build.card.contents import Contents
from rocov2_build.card.croissant import croissant
from rocov2_build.card.describe import identify_rows
from rocov2_build.card.documents import record_documents
from rocov2_build.card.readme import measure, write_card
from rocov2_build.card.texts import split_front_matter
from rocov2_build.check import check_repository
from rocov2_build.facts.compute import compute_row_facts, measure_files
from rocov2_build.raw.releases import RELEASES, SAMPLE, describe_part, images_file
from rocov2_build.worker import parquet
from rocov2_build.worker.shard_file import RowsHash
from rocov2_build.worker.task import FileFacts
from rocov2_shared.conversion import hash_content
from rocov2_shared.files import file_sha256
from tests.support.raw import make_raw
from tests.support.repositories import facts_of

SHARD = "data/test-00000-of-00002-commercial-shared.parquet"
OTHER = "data/test-00001-of-00002-noncommercial-shared.parquet"
TEXT = "text/test.parquet"


def broken(repository: Path, **options: bool) -> list[tuple[str, str]]:
    """Rules that are broken, and by which file; sorted, and each once."""
    return sorted({(violation.rule, violation.file) for violation in check_repository(repository, **options)})


def rehash(repository: Path, *files: str) -> None:
    """Make all documents agree with changed files, so that the change breaks no rule but its own."""
    conversion = facts_of(repository)
    for file in files:
        stated = conversion["files"][file]
        stated["sha256"], stated["bytes"] = file_sha256(repository / file), (repository / file).stat().st_size
        try:
            table = pq.read_table(repository / file, partitioning=None)
        except pa.ArrowInvalid:
            continue
        stated |= parquet.describe_layout(pq.read_metadata(repository / file)) | {"rows": len(table)}
        rows_hash = RowsHash()
        if "image" in table.column_names:
            digests = [sha256((image or {}).get("bytes") or b"").hexdigest() for image in table["image"].to_pylist()]
            rows_hash.add(table.drop_columns(["image"]), digests)
        else:
            rows_hash.add(table)
        stated["rows_sha256"] = rows_hash.hexdigest()
    describe_again(repository, conversion)


def describe_again(repository: Path, conversion: dict[str, Any]) -> None:
    """Write the documents as a build with this conversion.json would; the numbers of the rows in facts.json stay."""
    files = [_facts(repository, file, stated) for file, stated in conversion["files"].items()]
    facts = json.loads((repository / "facts.json").read_text())
    facts["bytes"] = measure_files({file.path: file.bytes for file in files})
    (repository / "facts.json").write_text(json.dumps(facts))
    identity = identify_rows({file.path: file.rows_sha256 for file in files})
    release, part, plan = conversion["release"], conversion["part"], conversion["plan"]
    contents = Contents(measure(files), release, part, identity, facts, plan)
    write_card(repository, contents)
    (repository / "croissant.json").write_text(json.dumps(croissant(contents, files)))
    (repository / "conversion.json").write_text(json.dumps(conversion | {"rows_sha256": identity}))
    seal(repository)


def _facts(repository: Path, file: str, stated: dict[str, Any]) -> FileFacts:
    try:
        footer = pq.read_metadata(repository / file)
        uncompressed = sum(footer.row_group(number).total_byte_size for number in range(footer.num_row_groups))
    except (pa.ArrowInvalid, FileNotFoundError):
        uncompressed = 0
    return FileFacts(file, stated["rows"], stated["bytes"], stated["sha256"], uncompressed, stated["rows_sha256"])


def seal(repository: Path) -> None:
    """Make conversion.json record the documents, and its own values, as they are now."""
    conversion = facts_of(repository)
    conversion["documents"] = record_documents(repository)
    conversion["content_sha256"] = hash_content(conversion)
    (repository / "conversion.json").write_text(json.dumps(conversion))


def edit_conversion(repository: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change conversion.json; its hash of its own values agrees."""
    conversion = facts_of(repository)
    change(conversion)
    conversion["content_sha256"] = hash_content(conversion)
    (repository / "conversion.json").write_text(json.dumps(conversion))


def claim_release(repository: Path, release: str, limit: int | None = None) -> Path:
    """Make a repository say that it is a release, or a part of it; all documents agree. Returns the repository."""
    conversion = facts_of(repository)
    part = describe_part(limit, [])
    conversion |= {"release": release, "part": part, "partial": part is not None or release == SAMPLE}
    conversion["plan"] |= {"release": release, "limit": limit}
    if release in RELEASES:
        for split, images in RELEASES[release].images.items():
            conversion["plan"]["inputs"][images_file(SPLITS[split])]["images"] = images
    describe_again(repository, conversion)
    return repository


def forget_verification(repository: Path) -> None:
    """Make conversion.json say that no image was decoded."""
    edit_conversion(repository, lambda conversion: conversion["plan"].update(verify="markers"))


def rewrite(repository: Path, file: str, change: Callable[[pa.Table], pa.Table], metadata: bytes | None = None) -> None:
    """Write a file again with changed rows, by the project's own writer."""
    path = repository / file
    table = change(pq.read_table(path, partitioning=None))
    schema = table.schema.with_metadata(pq.read_schema(path).metadata)
    if metadata is not None:
        schema = schema.with_metadata(schema.metadata | {b"huggingface": metadata})
    with parquet.open_writer(path, schema) as writer:
        parquet.write_row_group(writer, table.replace_schema_metadata(schema.metadata))
    rehash(repository, file)


def set_value(column: str, row: int, value: object) -> Callable[[pa.Table], pa.Table]:
    """A change, for `rewrite`: one value of a column."""

    def change(table: pa.Table) -> pa.Table:
        values = table[column].to_pylist()
        values[row] = value
        field = table.schema.field(column)
        return table.set_column(table.column_names.index(column), field, pa.array(values, field.type))

    return change


def edit_card(repository: Path, change: Callable[[dict[str, object]], object]) -> None:
    """Change the card's YAML."""
    path = repository / "README.md"
    metadata, body = split_front_matter(path.read_text())
    change(metadata)
    path.write_text(f"---\n{yaml.safe_dump(metadata, sort_keys=False)}---\n{body}")
    seal(repository)


def listed(metadata: dict[str, Any], config: str) -> dict[str, Any]:
    """The entry of a configuration in the card's YAML."""
    (entry,) = (each for each in metadata["configs"] if each["config_name"] == config)
    return cast("dict[str, Any]", entry)


def edit_infos(repository: Path, change: Callable[[dict[str, dict[str, object]]], object]) -> None:
    """Change dataset_infos.json."""
    path = repository / "dataset_infos.json"
    infos = json.loads(path.read_text())
    change(infos)
    path.write_text(json.dumps(infos))
    seal(repository)


def edit_facts(repository: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change facts.json."""
    path = repository / "facts.json"
    facts = json.loads(path.read_text())
    change(facts)
    path.write_text(json.dumps(facts))
    seal(repository)


def count_again(repository: Path) -> None:
    """Make facts.json agree with changed rows."""
    edit_facts(repository, lambda facts: facts.update(compute_row_facts(repository)))


def read_rows(root: Path, file: str) -> list[dict[str, Any]]:
    """Rows of a file."""
    rows: list[dict[str, Any]] = pq.ParquetFile(root / file).read().to_pylist()
    return rows


def write_rows(root: Path, file: str, rows: list[dict[str, Any]]) -> None:
    """Write a file again, by the project's own writer and with the row groups that it had; the records agree."""
    with pq.ParquetFile(root / file) as old:
        schema, groups = old.schema_arrow, [old.metadata.row_group(n).num_rows for n in range(old.num_row_groups)]
    groups[-1] += len(rows) - sum(groups)
    table = pa.Table.from_pylist(rows, schema)
    with parquet.open_writer(root / file, schema) as writer:
        for number, length in enumerate(groups):
            parquet.write_row_group(writer, table.slice(sum(groups[:number]), length))
    rehash(root, file)


def follow(root: Path, shard: str) -> None:
    """Make the text of a changed shard's split, and facts.json, agree with it, as far as the rows allow it."""
    text = CONFIGS["text"].files(str(CONFIGS["default"].split_of(shard)))
    schema = pq.read_schema(root / text)
    with parquet.open_writer(root / text, schema) as writer:
        for file in sorted((root / "data").glob(f"{Path(text).stem}-*")):
            rows = pq.ParquetFile(file).read(columns=schema.names)
            parquet.write_row_group(writer, rows.replace_schema_metadata(schema.metadata))
    rehash(root, text)
    try:
        with warnings.catch_warnings(action="error"):
            count_again(root)
    except Exception:  # numbers of such rows mean nothing
        return


def build(folder: Path) -> Path:
    """A repository of nine images a split, in `folder`, that passes every rule."""
    return make_raw(train=9, valid=9, test=9).build(folder / "rocov2", row_group=3000)

"""Where the rows of a split are: shards and row groups, from `conversion.json`, so that no shard is opened."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import fsspec
import pyarrow.parquet as pq

from rocov2 import CONFIGS, Repository, patiently
from rocov2_shared.conversion import FileRecord, read_conversion

LEAST_FOOTER = 8
"""Bytes of a footer at least: its length, and four letters."""

_IMAGE_ROW = 64
"""Bytes that a row with an image has at least; JPEGs are stored as they are."""

_BELIEVED_ROWS = 200_000
"""Rows of a split that are planned without a look at the sizes of its files; those of all releases are fewer."""


@dataclass(frozen=True)
class ShardFile:
    """A Parquet file.

    Attributes:
        path: path in the repository.
        bytes: size of the file.
        footer_bytes: size of its footer, with the eight bytes after it.
    """

    path: str
    bytes: int
    footer_bytes: int


@dataclass(frozen=True)
class RowGroup:
    """A row group: the index of its shard in the layout, its number in the shard, its rows and its bytes in the file."""

    shard: int
    number: int
    rows: int
    bytes: int


class Footer(NamedTuple):
    """A footer whose row groups are those of the layout, and the hash of its bytes."""

    hash: bytes
    metadata: pq.FileMetaData


@dataclass(frozen=True)
class SplitLayout:
    """The row groups of one split of a configuration, in file order.

    Attributes:
        repository: where its files are.
        fingerprint: hash over the names and hashes of the shards; the same for a folder and its copy on the Hub.
        footers: footers that were read, by shard: a later epoch parses them again only if their bytes are others.
    """

    repository: Repository
    shards: tuple[ShardFile, ...]
    groups: tuple[RowGroup, ...]
    fingerprint: str
    footers: dict[int, Footer] = field(default_factory=dict, compare=False, repr=False)

    @property
    def root(self) -> str:
        """Folder of the repository, or `hf://datasets/ORG/NAME@COMMIT`."""
        return self.repository.root

    @property
    def remote(self) -> bool:
        """Whether the repository is on the Hub."""
        return self.repository.remote

    @property
    def rows(self) -> int:
        """Number of rows of the split."""
        return sum(group.rows for group in self.groups)

    def describe(self, group: int, row: int | None = None) -> str:
        """Return the words for a row group, or a row in it, for a message."""
        row_group = self.groups[group]
        where = f"row group {row_group.number} of {self.root}/{self.shards[row_group.shard].path}"
        return where if row is None else f"row {row} of {where}"


def read_layout(repository: Repository, name: str, split: str) -> SplitLayout:
    """Read the layout of a split.

    Raises:
        ValueError: `conversion.json` is damaged, or is of an older version, which did not record the row groups.
    """
    paths = repository.shards(name, split)
    files = read_conversion(
        repository.root,
        lambda content: {path: _possible(path, content["files"][path]) for path in paths},
        "download it again, or build the repository again with `rocov2 convert RAW`",
    )
    return _layout(repository, name, split, files)


def _possible(path: str, record: FileRecord) -> FileRecord:
    """Return the record of a file that has rows; raise ValueError if no file can be like that."""
    groups = record.get("row_groups")
    footer = record.get("footer_bytes", LEAST_FOOTER)
    if groups is not None and not (groups["rows"] and all(groups["rows"])):
        raise ValueError(f"{path}: a row group without rows")
    if groups is not None and (footer < LEAST_FOOTER or sum(groups["bytes"]) + footer > record["bytes"]):
        raise ValueError(
            f"{path}: {record['bytes']:,} bytes, but {sum(groups['bytes']):,} in its row groups and {footer:,} in its footer"
        )
    return record


def _layout(repository: Repository, name: str, split: str, files: dict[str, FileRecord]) -> SplitLayout:
    shards: list[ShardFile] = []
    groups: list[RowGroup] = []
    for path, facts in files.items():
        if "row_groups" not in facts or "footer_bytes" not in facts:
            raise ValueError(
                f"{repository.root} was built by an older version, whose conversion.json does not record the row groups: "
                "build it again with `rocov2 convert RAW`, or name a newer revision"
            )
        shards.append(ShardFile(path, facts["bytes"], facts["footer_bytes"]))
        sizes = zip(facts["row_groups"]["rows"], facts["row_groups"]["bytes"], strict=True)
        groups += [RowGroup(len(shards) - 1, number, *size) for number, size in enumerate(sizes)]
    _require_plausible(repository, shards, groups, least=_IMAGE_ROW if "image" in CONFIGS[name].features else 1)
    identity = json.dumps([name, split, [(shard.path, files[shard.path]["sha256"]) for shard in shards]])
    return SplitLayout(repository, tuple(shards), tuple(groups), hashlib.sha256(identity.encode()).hexdigest()[:16])


def _require_plausible(repository: Repository, shards: list[ShardFile], groups: list[RowGroup], least: int) -> None:
    """Compare the recorded rows with the sizes that the files have, since an epoch is planned in memory, row by row.

    Args:
        repository: where the files are.
        shards, groups: what `conversion.json` records.
        least: bytes that a row has at least.

    Raises:
        ValueError: a file is too small for its rows.
    """
    rows = Counter[int]()
    for group in groups:
        rows[group.shard] += group.rows
    if rows.total() <= _BELIEVED_ROWS:
        return
    sizes = _sizes(repository, [shard.path for shard in shards])
    for number, shard in enumerate(shards):
        size = sizes.get(shard.path)  # a missing file is reported when it is read
        if size is not None and rows[number] * least > size:
            raise ValueError(
                f"{repository.root}/{shard.path} has {size:,} bytes, too few for the {rows[number]:,} rows that "
                f"conversion.json records: {repository.remedy}"
            )


def _sizes(repository: Repository, paths: list[str]) -> dict[str, int]:
    """Return the sizes of those files that exist."""
    if not repository.remote:
        local = ((path, os.path.join(repository.root, path)) for path in paths)
        return {path: os.path.getsize(place) for path, place in local if os.path.isfile(place)}
    files = fsspec.url_to_fs(repository.root)[0]
    folders = {path.rpartition("/")[0] for path in paths}
    found = {
        item["name"].rpartition("/")[2]: int(item["size"])
        for folder in folders
        for item in patiently(partial(files.ls, f"{repository.root}/{folder}", detail=True))
    }
    return {path: found[name] for path in paths if (name := path.rpartition("/")[2]) in found}

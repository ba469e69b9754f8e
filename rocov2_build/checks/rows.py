"""Read the rows of all files once, and check them against every rule of rows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from hashlib import sha256

import pyarrow as pa
import pyarrow.parquet as pq

import rocov2
from rocov2_build.checks.articles import check_articles
from rocov2_build.checks.concepts import check_lists, check_vocabulary
from rocov2_build.checks.images import ImageFault, inspect_images
from rocov2_build.checks.records import Records, check_hash
from rocov2_build.checks.row_faults import RowFaults
from rocov2_build.checks.row_sequence import Part, check_sequence
from rocov2_build.checks.row_values import Expected, Names, check_types, check_values, check_vocabulary_values
from rocov2_build.checks.statistics import find_wrong_statistics
from rocov2_build.checks.viewer_values import check_values as check_viewer_values
from rocov2_build.checks.violations import Check
from rocov2_build.raw.releases import RELEASES
from rocov2_build.worker.shard_file import RowsHash
from rocov2_build.worker.verification import Verification
from rocov2_shared.processors import usable_processors

_VOCABULARY = "vocabulary", rocov2.VOCABULARY_SPLIT


def check_rows(check: Check, sound: Collection[str], records: Records, decode: bool) -> dict[str, list[str]]:
    """Read every Parquet file once, its bytes for their hash, then its row groups; returns the SHA-256 of images by file.

    Args:
        check: collects the violations.
        sound: files with the footer and the schema of their configuration; of the others only the bytes are read.
        records: what `conversion.json` records. Images of a file with the recorded rows are not decoded again.
        decode: decode every image nevertheless.
    """
    files = [file for file in check.files if file.endswith(".parquet")]
    reader = _Reader(check, records, decode, _read_names(check, sound))
    splits: dict[tuple[str, str], list[Part]] = {}
    missing = records.files.keys() - set(files)
    broken = {key for file in missing for key in rocov2.splits_of(file).items()}
    with ThreadPoolExecutor(usable_processors()) as threads:  # reading, hashing and decoding release the GIL
        tables = threads.map(lambda file: reader.read(file, file in sound), files)
        for file, table in zip(files, tables, strict=True):
            for key in rocov2.splits_of(file).items():
                if table is None:
                    broken.add(key)
                else:
                    splits.setdefault(key, []).append(Part(file, table))
    every = {(name, split) for name, config in rocov2.CONFIGS.items() for split in config.splits}
    check_sequence(check, splits, every - broken, records.content["plan"]["small"] if records.content else None)
    if not missing and not any(config == "default" for config, _ in broken):
        _check_together(check, splits, records)
    # Two configurations may have the same files in a split: they are reported once.
    whole = {
        rocov2.CONFIGS[config].files(split): (config, split)
        for config, split in reversed(list(splits))
        if (config, split) not in broken
    }
    for config, split in whole.values():
        parts = splits[config, split]
        check_viewer_values(check, config, split, pa.concat_tables([part.rows for part in parts]))
    return {file: reader.images[file] for file in files if file in reader.images}


def _check_together(check: Check, splits: Mapping[tuple[str, str], list[Part]], records: Records) -> None:
    """Check what only all images together show."""
    images = {split: splits.get(("default", split), []) for split in rocov2.SPLITS}
    wrong = {violation.rule for violation in check.violations}
    if "source" not in wrong:  # else the articles are others
        check_articles(check, images, records.is_whole)
    check_lists(check, [part for parts in images.values() for part in parts], records.warnings)
    for part in splits.get(_VOCABULARY, []) if not wrong & {"null", "cui", "empty-value"} else []:  # else counts differ
        cuis = {
            split: pa.concat_tables([part.rows.select(["cuis"]) for part in parts])["cuis"]
            for split, parts in images.items()
            if parts
        }
        check_vocabulary(check, part.rows, cuis)


def _read_names(check: Check, sound: Collection[str]) -> Names | None:
    """Return the names of concepts; None if the vocabulary cannot be read, which is reported when it is checked."""
    file = rocov2.CONFIGS[_VOCABULARY[0]].files(_VOCABULARY[1])
    if file not in sound:
        return None
    try:
        rows = [table.select(["cui", "name"]) for _, table in _row_groups(check, file)]
    except _UnreadableError:
        return None
    named = pa.concat_tables(rows).drop_null() if rows else None
    return Names(named["cui"].combine_chunks(), named["name"].combine_chunks()) if named else None


def _last_id(release: object, split: str) -> str | None:
    """Return the last image id of a split of the release with this name; None if it is unknown."""
    known = RELEASES.get(release) if isinstance(release, str) else None
    highest = known.highest.get(split) if known else None
    return f"ROCOv2_2023_{rocov2.SPLITS[split]}_{highest:06d}" if highest else None


class _UnreadableError(Exception):
    """A file whose pages cannot be read."""


class _Reader:
    """Reads files and checks their rows; several threads use one.

    Args:
        check: collects the violations.
        records: what `conversion.json` records.
        decode: decode every image, whatever is recorded.
        names: names of concepts, None if they are unknown.
    """

    def __init__(self, check: Check, records: Records, decode: bool, names: Names | None) -> None:
        self._check, self._records, self._decode, self._names = check, records, decode, names
        self.images: dict[str, list[str]] = {}
        """SHA-256 of every image, by file."""

    def read(self, file: str, is_sound: bool) -> pa.Table | None:
        """Check one file; returns its rows without the images, None if they cannot be read."""
        check_hash(self._check, file, self._records.files.get(file, {}))
        owner = rocov2.owner_of(file)
        if owner is None or not is_sound:
            return None
        try:
            return self._read_rows(file, *owner)
        except _UnreadableError as error:
            self._check.add("unreadable", file, expected="readable pages", found=error)
            return None

    def _read_rows(self, file: str, config: str, split: str) -> pa.Table:
        columns = rocov2.CONFIGS[config].columns
        faults = RowFaults(self._check, file)
        group = rocov2.GROUPS.get(rocov2.shard_group(file) or "")
        expected = Expected(split, group, self._names, _last_id(self._records.release, split))
        contents = _Contents(
            self._records.files.get(file, {}).get("rows_sha256"), self._records.is_verified, self._decode
        )
        tables: list[pa.Table] = []
        statistics: list[tuple[str, str]] = []
        for footer, table in _row_groups(self._check, file):
            statistics += find_wrong_statistics(footer, table)
            faults.begin(table, "image_id" if "image_id" in columns else "cui")
            check_types(faults, table, columns)
            contents.add(table)
            if "image" in columns:
                check_values(faults, table, expected)
                table = table.drop_columns(["image"])
            elif config == _VOCABULARY[0]:
                check_vocabulary_values(faults, table)
            tables.append(table)
        faults.report()
        for wanted, found in statistics[:1]:
            more = f" (and {len(statistics) - 1:,} more)" if statistics[1:] else ""
            self._check.add("statistics", file, expected=wanted, found=found + more)
        contents.report(self._check, file)
        if "image" in columns:
            self.images[file] = contents.digests
        return pa.concat_tables(tables)


class _Contents:
    """The rows of one file and their images, compared with the hash of the rows that `conversion.json` records.

    Images of a file with the recorded rows were decoded when they were written: they are only followed to their end marker.
    """

    def __init__(self, recorded: str | None, is_verified: bool, decode: bool) -> None:
        self._recorded = recorded
        self._verify = Verification.MARKERS if recorded and is_verified and not decode else Verification.STRICT
        self._hash = RowsHash()
        self._faults: list[ImageFault] = []
        self.digests: list[str] = []
        """SHA-256 of each image."""

    def add(self, table: pa.Table) -> None:
        """Take the rows of a row group, and inspect their images."""
        if "image" not in table.column_names:
            self._hash.add(table)
            return
        self._faults += inspect_images(table, self._verify)
        digests = [sha256((image or {}).get("bytes") or b"").hexdigest() for image in table["image"].to_pylist()]
        self._hash.add(table.drop_columns(["image"]), digests)
        self.digests += digests

    def report(self, check: Check, file: str) -> None:
        """Report the faults; images of rows that are not the recorded ones are decoded for that."""
        if self._recorded and self._hash.hexdigest() != self._recorded:
            check.add("changed-file", file, expected=f"rows with the SHA-256 {self._recorded}", found="another")
            if self._verify == Verification.MARKERS and self.digests:
                self._faults = [
                    fault
                    for _, table in _row_groups(check, file)
                    for fault in inspect_images(table, Verification.STRICT)
                ]
        for fault in self._faults:
            check.add(fault.rule, f"{file} {fault.image_id}", expected=fault.expected, found=fault.found)


def _row_groups(check: Check, file: str) -> Iterator[tuple[pq.RowGroupMetaData, pa.Table]]:
    """Yield the row groups of a file: what its footer says of each, and its rows, whose texts are UTF-8.

    Raises:
        _UnreadableError: a page cannot be read.
    """
    try:
        with closing(pq.ParquetFile(check.root / file)) as parquet:
            for group in range(parquet.num_row_groups):
                table = parquet.read_row_group(group)
                table.validate(full=True)
                yield parquet.metadata.row_group(group), table
    except (pa.ArrowException, OSError) as error:
        raise _UnreadableError(error) from error

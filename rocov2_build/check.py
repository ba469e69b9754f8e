"""Check that a built repository can be served: every version of `datasets` loads all of it correctly, and the Hub's dataset
viewer can show it (`checks.rules` lists the rules).

All violations are reported at once. The records of the build are compared with the files, not trusted. There is one
exception: images are not decoded again if their shard still has the hash of the rows that were verified when it was written;
they are followed from their header to their end.
"""

from __future__ import annotations

from pathlib import Path

from rocov2_build.checks.card import check_card, check_croissant, check_documents
from rocov2_build.checks.descriptions import describe
from rocov2_build.checks.facts import check_facts
from rocov2_build.checks.footers import check_footers
from rocov2_build.checks.images import check_modes, check_turned
from rocov2_build.checks.names import check_links, check_names, check_numbering
from rocov2_build.checks.records import Records, compare_files, read_records
from rocov2_build.checks.rows import check_rows
from rocov2_build.checks.viewer import check_sizes
from rocov2_build.checks.violations import Check, Violation
from rocov2_shared.errors import UserError
from rocov2_shared.files import list_files


def check_repository(root: Path, fast: bool = False, decode: bool = False) -> list[Violation]:
    """Check all rules on all files of a built repository.

    Args:
        root: folder of the repository.
        fast: check only names, sizes, footers, page headers and the card, not the rows.
        decode: decode every image, also those of shards that are unchanged since they were verified.

    Returns:
        All violations, causes first; the repository can be served if none of them blocks (`Violation.blocks`).

    Raises:
        UserError: the folder does not exist, is a clone of the project, or contains no Parquet file.
    """
    if not root.is_dir():
        raise UserError(f"{root} is not a folder: name a repository that `rocov2 convert` has built")
    if (root / "rocov2_build").is_dir():
        raise UserError(f"{root} is a clone of the project: name a repository that `rocov2 convert` has built")
    files = list_files(root)
    if not any(file.endswith(".parquet") for file in files):
        raise UserError(f"{root} contains no Parquet file: name a repository that `rocov2 convert` has built")
    check = Check(root, files)
    check_names(check)
    records = read_records(check)
    if records is not None:
        _check_files(check, records, fast, decode)
    return sorted(check.violations, key=lambda violation: violation.rank)


def _check_files(check: Check, records: Records, fast: bool, decode: bool) -> None:
    check_links(check, records)
    check_numbering(check, records)
    footers = check_footers(check)
    compare_files(check, records, footers.layouts)
    check_sizes(check, footers.uncompressed_bytes())
    check_modes(check, records.image_modes)
    check_turned(check, records.warnings.get("turned-jpeg"))
    expected = describe(check, footers, records)
    check_card(check, expected)
    check_croissant(check, expected)
    images = None if fast else check_rows(check, footers.sound, records, decode)
    check_facts(check, footers, records, images)
    check_documents(check, records)

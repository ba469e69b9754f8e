"""The rules that a servable repository obeys: what every version of `datasets` needs to load all of it, and rightly, and
what the Hub's dataset viewer needs to show it (`checks.rules` lists them).

All violations are found and told at once. Nothing is taken from the build's own records but to hold it against the files;
only where a shard's rows and image bytes are, by their hash, those that were verified when it was written, no image is
decoded again.
"""

from __future__ import annotations

from pathlib import Path

from rocov2_build.checks.card import check_card
from rocov2_build.checks.croissant import check_croissant
from rocov2_build.checks.facts import check_facts
from rocov2_build.checks.footers import check_footers, check_names, check_records
from rocov2_build.checks.images import check_modes
from rocov2_build.checks.rows import check_rows
from rocov2_build.checks.viewer import check_sizes
from rocov2_build.checks.violations import Check, Violation
from rocov2_shared.errors import UserError


def check_repository(root: Path, fast: bool = False, decode: bool = False) -> list[Violation]:
    """Check the rules over all files of a built repository.

    Args:
        root: its folder.
        fast: look at names, sizes, footers, headers of pages and the card alone, not at the rows.
        decode: decode every image, also of shards that are as they were verified.

    Returns:
        All violations, sorted; it can be served when none of them blocks (`Violation.blocks`).

    Raises:
        UserError: there is no such folder, or it holds no Parquet file.
    """
    if not root.is_dir():
        raise UserError(f"no folder {root}: name a repository that convert_to_parquet.py has built")
    files = sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    if not any(file.endswith(".parquet") for file in files):
        raise UserError(f"{root} holds no Parquet file: name a repository that convert_to_parquet.py has built")
    check = Check(root, files)
    check_names(check)
    readable = check_footers(check)
    check_sizes(check)
    check_card(check)
    if check.read_conversion():
        check_records(check)
        check_modes(check)
    check_croissant(check)
    if not fast:
        check_rows(check, readable, decode)
    check_facts(check, fast)
    return sorted(check.violations)

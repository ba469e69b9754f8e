"""The rules that a servable repository obeys: what every version of `datasets` needs to load all of it, and rightly.

All violations are found and told at once. Nothing is taken from the build's own records but to hold it against the files.
"""

from __future__ import annotations

from pathlib import Path

from rocov2_build.check_card import check_card
from rocov2_build.check_files import check_footers, check_hashes, check_names
from rocov2_build.check_rows import check_rows
from rocov2_build.problems import UserError
from rocov2_build.violations import Check, Violation


def check_repository(root: Path) -> list[Violation]:
    """Check every rule over all files of a built repository.

    Args:
        root: its folder.

    Returns:
        All violations, sorted; none when it can be served.

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
    check_card(check)
    check_hashes(check)
    check_rows(check, readable)
    return sorted(check.violations)

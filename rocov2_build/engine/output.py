"""OUTPUT and the names beside it: what an earlier build made there, and what is somebody else's and stays."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from rocov2_shared.conversion import DOCUMENTS, NAME, ConversionRecord, DamagedConversionError, read_conversion
from rocov2_shared.errors import UserError
from rocov2_shared.locks import require_lock_file
from rocov2_shared.marks import is_marked, require_claimable, require_no_strangers
from rocov2_shared.output_paths import require_apart, resolve_output

_HUB_FILE = ".gitattributes"
"""Written by every build, and not recorded, since the Hub adds lines to it."""

_UNRECORDED = (
    *DOCUMENTS,
    "assets/contact_sheet.png",
    *(f"assets/{chart}.png" for chart in ("captions", "concepts", "frequencies", "licenses", "modalities", "regions")),
    *(f"assets/{chart}.png" for chart in ("sizes", "together")),
)
"""What builds wrote beside the Parquet files before they recorded it, up to format 4. This list never changes."""


def problems_path(output: Path) -> Path:
    """Return the path of the list of problems of a build of `output`."""
    return _beside(output, ".problems.csv")


def lock_path(output: Path) -> Path:
    """Return the path of the lock that a command at work on `output` holds."""
    return _beside(output, ".lock")


def building_path(output: Path) -> Path:
    """Return the folder of the unfinished builds of `output`."""
    return _beside(output, ".building")


def old_path(output: Path) -> Path:
    """Return the name that a repository has between the two renames of an overwriting."""
    return _beside(output, ".old")


def _beside(output: Path, suffix: str) -> Path:
    return output.with_name(output.name + suffix)


def require_output(output: Path, raw: Path, overwrite: bool) -> Path:
    """Return the folder to build for `output`, which may be a link to it; checked before anything is read.

    Args:
        output: the path that the user named.
        raw: folder of the release.
        overwrite: whether a repository at `output` may be replaced.

    Raises:
        UserError: a build would fail at its end, or replace something that no build made.
    """
    folder = resolve_output(output)
    around = next(path for path in folder.absolute().parents if os.path.lexists(path))
    if not around.is_dir():
        raise UserError(f"OUTPUT ({output}) cannot be in {around}, which is not a folder: choose another OUTPUT")
    require_apart(folder, raw, ("OUTPUT", "RAW"))
    require_apart(building_path(folder), raw, ("OUTPUT.building", "RAW"))
    require_lock_file(lock_path(folder))
    _require_no_older_build(building_path(folder))
    require_claimable(building_path(folder))
    if overwrite:
        require_replaceable(folder)
    else:
        built_plan(folder)
    return folder


def _require_no_older_build(building: Path) -> None:
    """Name unfinished work of the versions before marks, whose plans this version cannot resume."""
    if building.is_dir() and not is_marked(building):
        inside = list(building.iterdir())
        if inside and all(
            re.fullmatch("[0-9a-f]{16}", path.name) and (path / "plan.json").is_file() for path in inside
        ):
            raise UserError(
                f"{building} is an unfinished build of an older version, which this version cannot resume: remove it, or "
                "choose another OUTPUT"
            )


def has_content(output: Path) -> bool:
    """Return whether there is anything at `output` but an empty folder."""
    return os.path.lexists(output) and not (output.is_dir() and not any(output.iterdir()))


def read_record(root: Path) -> ConversionRecord | None:
    """Return the `conversion.json` of a repository that this program built; None for any other folder."""
    try:
        return read_conversion(str(root), _require_plan, "build it again")
    except (OSError, DamagedConversionError):
        return None


def _require_plan(conversion: ConversionRecord) -> ConversionRecord:
    if not isinstance(conversion["plan"], dict) or not isinstance(conversion["files"], dict):
        raise TypeError
    return conversion


def _require_record(output: Path) -> ConversionRecord:
    record = read_record(output)
    if record is None:
        raise UserError(f"{output} exists and was not built by this program: choose another OUTPUT, or move it")
    return record


def built_plan(output: Path) -> dict[str, Any] | None:
    """Return the plan of the repository in `output`, None if `output` is missing or empty.

    Raises:
        UserError: `output` is something that no conversion made, and must not be replaced.
    """
    return _require_record(output)["plan"] if has_content(output) else None


def require_replaceable(output: Path) -> None:
    """Require that nothing is lost if `output` is replaced by another build.

    Raises:
        UserError: it is something that no conversion made, or contains files that none made; names them.
    """
    if has_content(output):
        require_no_strangers(output, _known_files(_require_record(output)), "build")


def require_free_old(output: Path) -> None:
    """Require that OUTPUT can be renamed to OUTPUT.old, which an overwriting does.

    Raises:
        UserError: that name is taken.
    """
    old = old_path(output)
    if os.path.lexists(old):
        raise UserError(f"{old} exists, but its name is needed: move it, and run the same command again")


def is_replaceable(output: Path) -> bool:
    """Return whether `require_replaceable` lets `output` pass."""
    try:
        require_replaceable(output)
    except UserError:
        return False
    return True


def _known_files(record: ConversionRecord) -> set[str]:
    documents = record.get("documents", _UNRECORDED)
    return {*record["files"], *documents, NAME, _HUB_FILE}


def damaged_files(output: Path) -> list[str]:
    """Return the files of a built repository that are missing, or whose size differs from its `conversion.json`."""
    record = read_record(output)
    files = record["files"] if record else {}
    return [
        path
        for path, recorded in files.items()
        if not (output / path).is_file() or (output / path).stat().st_size != recorded["bytes"]
    ]

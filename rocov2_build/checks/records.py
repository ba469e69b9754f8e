"""Rules of conversion.json: its values agree with each other and the release, and the files are those that it records."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import rocov2
from rocov2_build import FORMAT_VERSION
from rocov2_build.card.describe import identify_rows
from rocov2_build.card.versions import PROJECT
from rocov2_build.checks.json_files import describe_absence, read_json
from rocov2_build.checks.violations import Check
from rocov2_build.raw.problems import CODES, Severity
from rocov2_build.raw.releases import FILES, RELEASES, SAMPLE, describe_part
from rocov2_build.worker.verification import Verification
from rocov2_shared.conversion import DOCUMENTS, NAME, ConversionRecord, find_faults, hash_content
from rocov2_shared.files import file_sha256
from rocov2_shared.json_values import ANYTHING, Fault, differences, extend
from rocov2_shared.shapes import SHA256, choice, each, nullable, record, text, whole
from rocov2_shared.sizes import format_count

_PLAN = record(
    format=whole(),
    pyarrow=text(),
    release=nullable(text()),
    inputs=record(
        (),
        **{
            name: record(images=whole(), bytes=whole(), fingerprint=SHA256)
            if name.endswith(".zip")
            else record(sha256=SHA256)
            for name in FILES
        },
    ),
    limit=nullable(whole(least=1)),
    splits=each(choice(list(rocov2.SPLITS))),
    verify=choice([value.value for value in Verification]),
    max_shard_size=whole(least=1),
    row_group_size=whole(least=1),
    small=nullable(whole(least=1)),
    scalers=nullable(each(text(), keys=text())),
)


@dataclass(frozen=True)
class Records:
    """What `conversion.json` records; nothing if the file is missing or damaged.

    Attributes:
        content: all of it.
        files: size, hashes and row groups by file.
        image_modes: number of images by Pillow mode.
        is_verified: whether all images were strictly decoded when the files were written.
        release: name of the release, unless it is unknown.
        is_whole: whether every image of the release is in the repository.
        warnings: number of cases in the release by code.
    """

    content: ConversionRecord | None = None
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    image_modes: dict[str, int] = field(default_factory=dict)
    is_verified: bool = False
    release: object = None
    is_whole: bool = False
    warnings: dict[str, Any] = field(default_factory=dict)


def read_records(check: Check) -> Records | None:
    """Read `conversion.json` and compare its values with each other.

    Nothing of a file with a wrong value is believed: it cannot be known whether the others are right.

    Returns:
        What it records; None if the repository has another format.
    """
    content = read_json(check, NAME)
    if content is None:
        return Records()
    plan = content.get("plan")
    version = plan.get("format") if isinstance(plan, dict) else None
    if type(version) is int and version != FORMAT_VERSION:
        found = f"{version}{_built_by(content.get('project'))}" if version < FORMAT_VERSION else version
        check.add("format", NAME, key="plan.format", expected=FORMAT_VERSION, found=found)
        return None
    faults = [*find_faults(content), *_PLAN(plan, "plan")]
    if faults:
        check.add_faults("damaged-file", NAME, faults)
        return Records()
    conversion = cast("ConversionRecord", content)
    faults = list(_contradictions(conversion))
    if not faults and hash_content(content) != content.get("content_sha256"):
        sealed = content.get("content_sha256", "none")
        faults = [Fault("content_sha256", f"{hash_content(content)}, as its values give", f"{sealed}")]
    if faults:
        check.add_faults("conversion", NAME, faults)
        return Records()
    return Records(
        conversion,
        {file: dict(recorded) for file, recorded in conversion["files"].items()},
        conversion["image_modes"],
        conversion["plan"]["verify"] == Verification.STRICT,
        conversion["release"],
        conversion["part"] is None and not conversion["left_out"],
        dict(conversion["warnings"]),
    )


def _built_by(project: object) -> str:
    names = [project.get(key) for key in ("name", "version")] if isinstance(project, dict) else []
    return f", built by {' '.join(map(str, names))}" if names else ""


def _contradictions(conversion: ConversionRecord) -> Iterator[Fault]:
    """Yield the values that the others contradict."""
    plan = conversion["plan"]
    part = describe_part(plan["limit"], plan["splits"])
    expected = {
        "project": {"name": PROJECT, "version": ANYTHING},
        "release": plan["release"],
        "partial": part is not None or plan["release"] == SAMPLE,
        "part": part,
        "rows_sha256": identify_rows({file: recorded["rows_sha256"] for file, recorded in conversion["files"].items()}),
        "versions": conversion["versions"] | {"pyarrow": plan["pyarrow"]},
    }
    yield from differences(expected, {key: value for key, value in conversion.items() if key in expected})
    for name in DOCUMENTS:
        if name not in conversion["documents"]:
            yield Fault(extend("documents", name), "a value", "nothing")
    codes = {severity: [code for code, row in CODES.items() if row.severity is severity] for severity in Severity}
    for code in conversion["warnings"]:
        yield from choice(codes[Severity.WARNING])(code, "key of warnings")
    for number, left_out in enumerate(conversion["left_out"]):
        yield from choice(codes[Severity.ROW])(left_out["code"], f"left_out[{number}].code")
    yield from _wrong_counts(conversion)


def _wrong_counts(conversion: ConversionRecord) -> Iterator[Fault]:
    """Yield the numbers of rows that the release, the options or the modes of the images contradict."""
    plan, release = conversion["plan"], RELEASES.get(conversion["release"] or "")
    total = 0
    for split, raw in rocov2.SPLITS.items():
        rows = _count_rows(conversion, "default", split)
        total += rows
        images = plan["inputs"][f"{raw}_images.zip"]["images"]
        found = f"{format_count(rows, 'row')} of {split}"
        if rows and plan["splits"] and split not in plan["splits"]:
            yield Fault("files", f"only the splits {', '.join(plan['splits'])}", found)
        if rows > (plan["limit"] or rows):
            yield Fault("files", f"at most {plan['limit']:,} of each split", found)
        is_whole = conversion["part"] is None and not conversion["left_out"]
        if rows > images or (is_whole and rows < images):
            yield Fault("files", f"the {format_count(images, 'image')} of {raw}_images.zip", found)
        if release and (images < release.images[split] or (is_whole and rows != release.images[split])):
            count = format_count(release.images[split], "row")
            yield Fault("files", f"the {count} of {split} that release {release.name} has", found)
        for config in ("small", "mini"):
            repeated = _count_rows(conversion, config, split)
            if plan["small"] is None and repeated:
                yield Fault("files", f"no rows of {config}, which --small none leaves out", f"{repeated:,}")
            elif plan["small"] is not None and not (repeated == rows or (config == "mini" and 0 < repeated <= rows)):
                count = format_count(rows, "row")
                yield Fault(
                    "files",
                    f"{'some of' if config == 'mini' else ''} the {count} of {split} in {config}",
                    f"{repeated:,}",
                )
    modes = sum(conversion["image_modes"].values())
    if modes != total:
        yield Fault("image_modes", f"{format_count(total, 'image')} in all", f"{modes:,}")


def _count_rows(conversion: ConversionRecord, config: str, split: str) -> int:
    files = conversion["files"].items()
    return sum(recorded["rows"] for file, recorded in files if rocov2.CONFIGS[config].split_of(file) == split)


def compare_files(check: Check, records: Records, layouts: dict[str, dict[str, Any]]) -> None:
    """Compare names, sizes and row groups of all Parquet files with the records.

    Args:
        check: collects the violations.
        records: what `conversion.json` records.
        layouts: row groups of each readable Parquet file, from its footer.
    """
    if records.content is None:
        return
    told = check.broken()
    for file in sorted(records.files.keys() | {file for file in check.files if file.endswith(".parquet")} - told):
        if file not in check.files:
            check.add("changed-file", file, expected="the file", found=describe_absence(check.root / file))
        elif file not in records.files:
            check.add("changed-file", file, expected=f"an entry in {NAME}", found="none")
        elif file not in told:
            recorded, found = records.files[file]["bytes"], (check.root / file).stat().st_size
            if recorded != found:
                check.add("changed-file", file, expected=f"{recorded:,} bytes", found=f"{found:,}")
            elif any(records.files[file].get(key) != value for key, value in layouts.get(file, {}).items()):
                check.add("row-groups", file, expected="those of the footer", found=f"others in {NAME}")


def check_hash(check: Check, file: str, recorded: dict[str, Any]) -> None:
    """Compare the SHA-256 of a file with the recorded one; a file of another size is reported by `compare_files`."""
    path, sha256 = check.root / file, recorded.get("sha256")
    if path.stat().st_size == recorded.get("bytes") and file_sha256(path) != sha256:
        check.add("changed-file", file, expected=f"SHA-256 {sha256}", found="another")

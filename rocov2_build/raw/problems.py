"""What can be wrong with a release: a catalogue of codes, and the report that collects every case."""

from __future__ import annotations

import csv
import enum
import errno
import io
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import astuple, dataclass, field, fields
from pathlib import Path
from typing import NamedTuple

from rocov2_build.raw.releases import RELEASES
from rocov2_shared.errors import UserError
from rocov2_shared.files import write_text
from rocov2_shared.printable import printable
from rocov2_shared.sizes import format_count


class Severity(enum.Enum):
    """What a problem does to a build."""

    FILE = "file"  # a whole file is at fault: the build fails, also with --on-problem skip
    ROW = "row"  # one image is at fault: the build fails, or leaves the image out with --on-problem skip
    WARNING = "warning"  # counted and reported, never stops a build


class Code(NamedTuple):
    """A row of the catalogue: what a case does to a build, and the words behind one case and behind several."""

    severity: Severity
    one: str
    many: str


CODES = {
    "missing-file": Code(Severity.FILE, "missing file", "missing files"),
    "extra-file": Code(
        Severity.FILE, "file that does not belong to the release", "files that do not belong to the release"
    ),
    "bad-header": Code(Severity.FILE, "table with a wrong first line", "tables with a wrong first line"),
    "bad-csv": Code(Severity.FILE, "error in the CSV of a table", "errors in the CSV of tables"),
    "bad-mapping": Code(Severity.FILE, "error in cui_mapping.csv", "errors in cui_mapping.csv"),
    "damaged-zip": Code(Severity.FILE, "zip that cannot be opened", "zips that cannot be opened"),
    "wrong-count": Code(
        Severity.FILE, "count that differs from the named release", "counts that differ from the named release"
    ),
    "bad-id": Code(Severity.ROW, "id that does not belong to its split", "ids that do not belong to their split"),
    "duplicate-id": Code(Severity.ROW, "id that occurs twice in a table", "ids that occur twice in a table"),
    "id-in-two-splits": Code(Severity.ROW, "id in the tables of two splits", "ids in the tables of two splits"),
    "id-without-image": Code(Severity.ROW, "id without an image", "ids without an image"),
    "image-without-id": Code(Severity.ROW, "image that no table lists", "images that no table lists"),
    "missing-row": Code(Severity.ROW, "row missing from a table", "rows missing from tables"),
    "missing-license": Code(Severity.ROW, "image without a licence row", "images without a licence row"),
    "malformed-cui": Code(Severity.ROW, "list with a malformed concept code", "lists with a malformed concept code"),
    "empty-concepts": Code(Severity.ROW, "image without concepts", "images without concepts"),
    "two-modalities": Code(Severity.ROW, "manual list with two modalities", "manual lists with two modalities"),
    "no-modality": Code(
        Severity.ROW, "manual list with codes but no modality", "manual lists with codes but no modality"
    ),
    "unknown-manual-code": Code(Severity.ROW, "manual list with an unknown code", "manual lists with an unknown code"),
    "empty-caption": Code(Severity.ROW, "image without a caption", "images without a caption"),
    "unknown-license": Code(Severity.ROW, "image with an unknown licence", "images with an unknown licence"),
    "bad-source": Code(
        Severity.ROW, "image with an invalid article id or link", "images with an invalid article id or link"
    ),
    "stray-member": Code(
        Severity.ROW,
        "zip member or file that is not an image of the split",
        "zip members or files that are not images of the split",
    ),
    "unsafe-member": Code(
        Severity.ROW, "zip member or link that leads elsewhere", "zip members or links that lead elsewhere"
    ),
    "duplicate-member": Code(Severity.ROW, "image that occurs twice in a zip", "images that occur twice in a zip"),
    "encrypted-member": Code(Severity.ROW, "encrypted zip member", "encrypted zip members"),
    "damaged-member": Code(
        Severity.ROW, "zip member or file that cannot be read", "zip members or files that cannot be read"
    ),
    "image-too-large": Code(
        Severity.ROW, "image that is too large for readers", "images that are too large for readers"
    ),
    "not-a-jpeg": Code(Severity.ROW, "file named .jpg that is not a JPEG", "files named .jpg that are not JPEGs"),
    "unsupported-jpeg": Code(
        Severity.ROW,
        "JPEG of a kind that not every reader decodes",
        "JPEGs of kinds that not every reader decodes",
    ),
    "damaged-metadata": Code(
        Severity.ROW,
        "JPEG whose metadata make readers fail",
        "JPEGs whose metadata make readers fail",
    ),
    "truncated-jpeg": Code(Severity.ROW, "truncated JPEG", "truncated JPEGs"),
    "damaged-jpeg": Code(Severity.ROW, "damaged JPEG", "damaged JPEGs"),
    "crashing-image": Code(
        Severity.ROW,
        "image that ends the processes that decode it",
        "images that end the processes that decode them",
    ),
    "cui-without-name": Code(
        Severity.WARNING, "concept without a name in cui_mapping.csv", "concepts without a name in cui_mapping.csv"
    ),
    "article-in-two-splits": Code(
        Severity.WARNING,
        "image that shares an article with another split",
        "images that share an article with another split",
    ),
    "duplicate-image": Code(
        Severity.WARNING, "image whose bytes occur more than once", "images whose bytes occur more than once"
    ),
    "repeated-cui": Code(Severity.WARNING, "list that contains a concept twice", "lists that contain a concept twice"),
    "two-regions": Code(Severity.WARNING, "image with two body regions", "images with two body regions"),
    "two-directions": Code(Severity.WARNING, "image with two directions", "images with two directions"),
    "region-without-xray": Code(
        Severity.WARNING,
        "image with a body region or direction but no X-ray modality",
        "images with a body region or direction but no X-ray modality",
    ),
    "manual-not-first": Code(
        Severity.WARNING,
        "image whose curated concepts do not come first",
        "images whose curated concepts do not come first",
    ),
    "benign-jpeg": Code(
        Severity.WARNING,
        "complete JPEG that the strict decoder rejects",
        "complete JPEGs that the strict decoder rejects",
    ),
    "passed-over": Code(
        Severity.WARNING,
        "image that does not decode, passed over for the contact sheet",
        "images that do not decode, passed over for the contact sheet",
    ),
    "turned-jpeg": Code(
        Severity.WARNING,
        "JPEG whose metadata turn it, which the Hub's viewer ignores",
        "JPEGs whose metadata turn them, which the Hub's viewer ignores",
    ),
}


def describe_count(code: str, count: int) -> str:
    """Return how many cases of a code there are: `1 missing file`, `3 missing files`."""
    row = CODES[code]
    return format_count(count, row.one, row.many)


@dataclass(frozen=True, order=True)
class Problem:
    """One case. `file` is relative to the raw folder, `id` is that of the image or concept, "" if it is about neither."""

    code: str
    file: str
    id: str
    expected: str
    found: str

    def __post_init__(self) -> None:
        if self.code not in CODES:
            raise KeyError(self.code)

    @property
    def severity(self) -> Severity:
        """Return what this case does to a build."""
        return CODES[self.code].severity


_HEADER = [*(field.name for field in fields(Problem)), "severity"]


@dataclass
class Report:
    """All cases found so far: warnings are counted, problems are kept."""

    problems: list[Problem] = field(default_factory=list)
    warnings: Counter[str] = field(default_factory=Counter)
    _known: set[tuple[str, str, str]] = field(default_factory=set)

    def add(self, code: str, file: str, id: str = "", *, expected: str, found: str) -> None:
        """Record a case of `code`, once per file and id. `found` is shortened: a broken file may contain megabytes."""
        problem = Problem(code, file, id, expected, found if len(found) <= 200 else found[:200] + "...")
        if problem.severity is Severity.WARNING:
            raise ValueError(f"{code} is a warning: count it with warn()")
        if (code, file, id) not in self._known or not id:
            self.problems.append(problem)
        self._known.add((code, file, id))

    def warn(self, code: str, count: int = 1) -> None:
        """Add `count` cases of the warning `code`."""
        if CODES[code].severity is not Severity.WARNING:
            raise ValueError(f"{code} is not a warning: record it with add()")
        if count:
            self.warnings[code] += count

    @property
    def faulty_files(self) -> bool:
        """Return whether a whole file is at fault, so that leaving out images does not help."""
        return any(problem.severity is Severity.FILE for problem in self.problems)

    @property
    def faulty_ids(self) -> set[str]:
        """Return the ids of the images at fault."""
        return {problem.id for problem in self.problems if problem.severity is Severity.ROW and problem.id}

    def lines(self, examples: int = 3) -> list[str]:
        """Return the report for a person: problems by code, the most frequent first, with a few examples of each."""
        groups: dict[str, list[Problem]] = {}
        for problem in sorted(self.problems):
            groups.setdefault(problem.code, []).append(problem)
        lines: list[str] = []
        for code, cases in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])):
            lines.append(f"{code}: {describe_count(code, len(cases))}")
            lines += [
                printable(
                    f"    {' '.join(filter(None, (case.file, case.id)))}: expected {case.expected}, found {case.found}"
                )
                for case in cases[:examples]
            ]
            if len(cases) > examples:
                lines.append(f"    and {len(cases) - examples:,} more")
        return lines


def write_problems(path: Path, problems: Iterable[Problem]) -> None:
    r"""Write the cases, sorted, as CSV with the fields of `Problem` and its severity.

    What is not printable is escaped, but for line breaks and tabs, which CSV can hold: `\udcff`, `\x1b`.
    """
    if os.path.lexists(path) and not path.is_dir() and not is_list(path):
        raise FileExistsError(errno.EEXIST, "a file that is not such a list has this name", str(path))
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(_HEADER)
    for problem in sorted(problems):
        writer.writerow([*(printable(value, keep="\r\n\t") for value in astuple(problem)), problem.severity.value])
    write_text(path, text.getvalue())


def is_list(path: Path) -> bool:
    """Return whether `path` is a list that `write_problems` has written, and not a file of somebody else."""
    try:
        with path.open("rb") as file:
            return file.readline(1000).decode(errors="replace").strip() == ",".join(_HEADER)
    except OSError:
        return False


def describe_missing_list(path: Path, error: OSError) -> str:
    """Return why the list of problems could not be written."""
    return f"{path}, which would list all of them, cannot be written: {error.strerror or error}."


def refusal(report: Report, path: Path, *, found: str | None, skip_problems: bool, dry_run: bool) -> UserError:
    """Return the error that reports all problems, and list them at `path` unless nothing is to be written.

    Args:
        report: the problems.
        path: of their list.
        found: name of the release that was found, None if it is unknown.
        skip_problems: whether images at fault may be left out.
        dry_run: whether nothing is to be written.
    """
    hint = ""
    is_other = any(problem.code == "wrong-count" for problem in report.problems)
    if is_other and found in RELEASES:
        hint = f" RAW contains release {found}: add --release {found}."
    elif is_other:
        hint = " To convert another release, a part of one or the sample, add --release any."
    elif skip_problems and not report.faulty_files:
        hint = " Without the images at fault, no image is left to convert."
    elif not report.faulty_files:
        ids = {problem.id for problem in report.problems if problem.id}
        left_out = format_count(len(ids), "image") if ids else "what is at fault"
        hint = f" Correct the release, or leave out {left_out} with --on-problem skip."
    if dry_run:
        listed = f"Without --dry-run, {path} lists all of them."
    else:
        listed = f"{path} lists all of them."
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_problems(path, report.problems)
        except OSError as error:  # the problems themselves matter more
            listed = describe_missing_list(path, error)
    first = f"{format_count(len(report.problems), 'problem')} found; nothing was built."
    return UserError("\n".join([first, *report.lines(), f"{listed}{hint}"]))

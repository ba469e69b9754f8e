"""What can be wrong with a release: a catalogue of codes, and the report that collects every case before any is told."""

from __future__ import annotations

import csv
import enum
from collections import Counter
from collections.abc import Iterable
from dataclasses import astuple, dataclass, field, fields
from pathlib import Path


class Severity(enum.Enum):
    """What a problem does to a build."""

    FILE = "file"  # a whole file is at fault: the build fails, also with --on-problem skip
    ROW = "row"  # one image is at fault: the build fails, or leaves the image out with --on-problem skip
    WARNING = "warning"  # counted and reported, never stops a build


_CATALOGUE = {
    Severity.FILE: {
        "missing-file": "a file of the release is not there",
        "extra-file": "a file that is not one of the release's",
        "bad-header": "the first line of a table is not the release's",
        "bad-csv": "a table cannot be read",
        "bad-mapping": "cui_mapping.csv contradicts itself",
        "damaged-zip": "a zip cannot be opened",
        "wrong-count": "not the numbers of the named release",
    },
    Severity.ROW: {
        "bad-id": "an id that is not one of the split",
        "duplicate-id": "an id stands twice in one table",
        "id-in-two-splits": "an id stands in the tables of two splits",
        "id-without-image": "an id without image",
        "image-without-id": "an image that no table lists",
        "missing-row": "an id is not in every table",
        "missing-license": "an image without licence row",
        "malformed-cui": "not a concept code (C and seven digits)",
        "empty-concepts": "an image without concepts",
        "two-modalities": "a manual list with two modalities",
        "no-modality": "a manual list that is not empty, but has no modality",
        "unknown-manual-code": "a code that the manual vocabulary does not have",
        "empty-caption": "an image without caption",
        "unknown-license": "an unknown licence",
        "bad-source": "an article id or link that cannot be right",
        "stray-member": "a zip member or file that is not an image of the split",
        "unsafe-member": "a zip member whose name leaves the archive",
        "duplicate-member": "an image stands twice in a zip",
        "encrypted-member": "an encrypted zip member",
        "damaged-member": "a zip member cannot be read",
        "image-too-large": "an image beyond the limits of readers",
        "not-a-jpeg": "a file named .jpg that is none",
        "truncated-jpeg": "a JPEG that ends too early",
        "damaged-jpeg": "a JPEG that decoders refuse",
    },
    Severity.WARNING: {
        "cui-without-name": "a concept that cui_mapping.csv does not name",
        "article-in-two-splits": "an image whose article also has images in another split",
        "duplicate-image": "an image whose bytes occur more than once",
        "repeated-cui": "a concept twice in one list",
        "two-regions": "a manual list with two body regions",
        "two-directions": "a manual list with two directions",
        "region-without-xray": "a body region or direction on an image that is no X-ray",
        "manual-not-first": "a manual list that is not the beginning of the whole list",
        "benign-jpeg": "a complete JPEG that a strict decoder complains about",
    },
}
CODES = {code: severity for severity, codes in _CATALOGUE.items() for code in codes}
MEANINGS = {code: meaning for codes in _CATALOGUE.values() for code, meaning in codes.items()}


@dataclass(frozen=True, order=True)
class Problem:
    """One case. `file` is relative to the raw folder, `id` the image (or concept) concerned, "" where there is none."""

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
        """What this case does to a build."""
        return CODES[self.code]


@dataclass
class Report:
    """All cases met so far. Warnings are counted, the rest is kept whole."""

    problems: list[Problem] = field(default_factory=list)
    warnings: Counter[str] = field(default_factory=Counter)
    _told: set[tuple[str, str, str]] = field(default_factory=set)

    def add(self, code: str, file: str, id: str = "", *, expected: str, found: str) -> None:
        """Record one case of `code`, once for an id of a file. `found` is shortened: a broken file may hold megabytes."""
        problem = Problem(code, file, id, expected, found if len(found) <= 200 else found[:200] + "...")
        if problem.severity is Severity.WARNING:
            raise ValueError(f"{code} is a warning: count it with warn()")
        if (code, file, id) not in self._told or not id:
            self.problems.append(problem)
        self._told.add((code, file, id))

    def warn(self, code: str, count: int = 1) -> None:
        """Count `count` cases of the warning `code`."""
        if CODES[code] is not Severity.WARNING:
            raise ValueError(f"{code} is no warning: record it with add()")
        if count:
            self.warnings[code] += count

    @property
    def faulty_files(self) -> bool:
        """Whether a whole file is at fault, so that leaving out images does not help."""
        return any(problem.severity is Severity.FILE for problem in self.problems)

    @property
    def faulty_ids(self) -> set[str]:
        """Ids of the images at fault."""
        return {problem.id for problem in self.problems if problem.severity is Severity.ROW and problem.id}

    def lines(self, examples: int = 3) -> list[str]:
        """The report for a person: problems by code, the commonest first, the first few of each."""
        groups: dict[str, list[Problem]] = {}
        for problem in sorted(self.problems):
            groups.setdefault(problem.code, []).append(problem)
        lines = []
        for code, cases in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])):
            lines.append(f"{code}: {MEANINGS[code]} ({len(cases):,} {'case' if len(cases) == 1 else 'cases'})")
            lines += [
                f"    {' '.join(filter(None, (case.file, case.id)))}: expected {case.expected}, found {case.found}"
                for case in cases[:examples]
            ]
            if len(cases) > examples:
                lines.append(f"    and {len(cases) - examples:,} more")
        return lines


def write_problems(path: Path, problems: Iterable[Problem]) -> None:
    """Write the cases, sorted, as CSV with the fields of `Problem` and its severity."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*(field.name for field in fields(Problem)), "severity"])
        writer.writerows((*astuple(problem), problem.severity.value) for problem in sorted(problems))

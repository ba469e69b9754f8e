"""A submission file of ImageCLEFmedical Caption: read as a whole, so that all its faults are reported together.

    ID,CUIs                                           ID,Caption
    ROCOv2_2023_test_000001,C0040405;C0856747         ROCOv2_2023_test_000001,"CT of the chest, axial view"

The rules are those of the official evaluators and of their check of 2026, `submission_check.py` in both folders of
https://github.com/taubsity/clef-caption-evaluation-2026, except for rules that cannot change a score: the order of the rows,
blanks around the field of codes, and line breaks in captions. CSV itself is read more strictly: text after a closing
quotation mark, or a quotation mark that is never closed, is a fault.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from rocov2_shared.sizes import format_count

SECOND_COLUMN = {"concepts": "CUIs", "captions": "Caption"}
"""Task -> second column of its submissions; the first is `ID`."""

MOST_CONCEPTS = 100
"""Largest number of concepts of an image."""

MEANINGS = {
    "bad-encoding": "not UTF-8 without byte order mark",
    "bad-header": "the first line names other columns",
    "bad-csv": "the rest cannot be read as CSV",
    "blank-line": "a line without content",
    "bad-row": "not two fields",
    "unknown-id": "an image that is not in the split",
    "duplicate-id": "an image that has a row already",
    "missing-id": "an image of the split without a row",
    "malformed-cui": "not a concept code",
    "repeated-cui": "a concept more than once for one image",
    "too-many-concepts": "more concepts than allowed",
}
"""Code of a fault -> its meaning."""

_FIRST = ("bad-encoding", "bad-header", "bad-csv")
"""Faults of the whole file, which cause others."""
_CUI = re.compile(r"C\d+", re.ASCII)
_OTHER_DELIMITER = re.compile(r"ID([\t;|])(?:CUIs|Caption)", re.IGNORECASE)
_DELIMITERS = {"\t": "tabs", ";": "semicolons", "|": "bars"}
_ZIP = b"PK\x03\x04"
_LONGEST_SHOWN = 80


@dataclass(frozen=True)
class Fault:
    """A fault of a submission; `line` of the file is 0, and `id` of the image is "", if there is none."""

    code: str
    line: int
    id: str
    expected: str
    found: str

    def __post_init__(self) -> None:
        if self.code not in MEANINGS:
            raise KeyError(self.code)


@dataclass(frozen=True)
class Submission:
    """The content of a file.

    Attributes:
        task: `concepts` or `captions`; None if it is neither in the header nor chosen by the caller.
        texts: second field by image id, as in the file.
        faults: all faults, in the order of the file; if there are any, `texts` is not a valid submission.
    """

    task: str | None
    texts: dict[str, str]
    faults: list[Fault]

    def concepts(self) -> dict[str, list[str]]:
        """Return the concepts by image id, for a submission of concepts."""
        return {image_id: split_codes(text) for image_id, text in self.texts.items()}


def split_codes(text: str) -> list[str]:
    """Return the codes of a field, without surrounding blanks; none for an empty field."""
    return [code.strip() for code in text.split(";")] if text.strip() else []


def read_submission(data: bytes, ids: Collection[str], task: str | None = None) -> Submission:
    """Read a submission and compare it with the images of a split.

    Args:
        data: content of the file.
        ids: image ids of the split; each needs a row.
        task: `concepts` or `captions` (default: from the header).
    """
    reading = _Reading(dict.fromkeys(ids), task)
    text = reading.decode(data)
    if text is not None and reading.read_rows(text):
        reading.find_missing()
    return Submission(reading.task, reading.texts, reading.faults)


class _Reading:
    """The reading of one file: what was found so far."""

    def __init__(self, ids: dict[str, None], task: str | None) -> None:
        self.task = task
        self.texts: dict[str, str] = {}
        self.faults: list[Fault] = []
        self._ids = ids
        self._lines: dict[str, int] = {}

    def _add(self, code: str, line: int, id: str, expected: str, found: str) -> None:
        shown = found if found.isprintable() else repr(found)
        self.faults.append(Fault(code, line, id, expected, _shortened(shown)))

    def decode(self, data: bytes) -> str | None:
        """Return the text of the file; None if it is not text."""
        if data.startswith(_ZIP):
            self._add("bad-encoding", 1, "", "a CSV file", "a zip archive: unpack it, and score its CSV file")
            return None
        if data.startswith(b"\xef\xbb\xbf"):
            self._add("bad-encoding", 1, "", "no byte order mark", "a byte order mark: save as UTF-8, not UTF-8-BOM")
            data = data[3:]
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            self._add("bad-encoding", line, "", "UTF-8", f"the bytes {data[error.start : error.start + 4]!r}")
            return None

    def read_rows(self, text: str) -> bool:
        """Read all rows; return whether the file could be read to its end."""
        rows = csv.reader(io.StringIO(text, newline=""), strict=True)
        line = 1
        try:
            header = next(rows, None)
            if header is None:
                self._add("bad-header", 1, "", self._headers(), "an empty file")
                return False
            delimiter = _OTHER_DELIMITER.fullmatch(",".join(header))
            if delimiter:
                what = f"{header[0]!r}: it is separated by {_DELIMITERS[delimiter[1]]}, save it with commas"
                self._add("bad-header", 1, "", self._headers(), what)
                return False
            if self._read_header(header):
                self._read_row(1, header)
            line = rows.line_num + 1
            for row in rows:
                self._read_row(line, row)
                line = rows.line_num + 1
        except csv.Error as error:
            expected = "fields with a comma or quotation mark in quotation marks"
            if "field limit" in str(error):
                expected = f"a closing quotation mark within {csv.field_size_limit():,} characters"
            self._add("bad-csv", line, "", expected, str(error))
            return False
        return True

    def _tasks(self) -> list[str]:
        return [self.task] if self.task else list(SECOND_COLUMN)

    def _headers(self) -> str:
        return " or ".join(f"ID,{SECOND_COLUMN[task]}" for task in self._tasks())

    def _read_header(self, header: list[str]) -> bool:
        """Find the task; return whether the line is a row, because the file has no header."""
        named = [task for task in self._tasks() if header == ["ID", SECOND_COLUMN[task]]]
        if named:
            self.task = named[0]
            return False
        is_row = bool(header) and header[0] in self._ids
        what = ",".join(header)
        self._add("bad-header", 1, "", self._headers(), f"{what} (no header)" if is_row else what)
        return is_row

    def _read_row(self, line: int, row: list[str]) -> None:
        if not any(field.strip() for field in row):
            self._add("blank-line", line, "", "a row", "nothing")
            return
        image_id = row[0]
        if image_id not in self._ids:
            hint = ": leave .jpg out" if image_id.removesuffix(".jpg") in self._ids else ""
            self._add("unknown-id", line, image_id, f"an image of the split{hint}", repr(image_id))
        elif image_id in self._lines:
            self._add("duplicate-id", line, image_id, "each image once", f"also in line {self._lines[image_id]}")
        else:
            self._lines[image_id] = line
        if len(row) != 2:
            hint = ": put a caption with commas in quotation marks" if self.task == "captions" and len(row) > 2 else ""
            self._add("bad-row", line, image_id, f"two fields{hint}", f"{len(row)}")
            return
        self.texts.setdefault(image_id, row[1])
        if self.task == "concepts":
            self._check_codes(line, image_id, split_codes(row[1]))

    def _check_codes(self, line: int, image_id: str, codes: list[str]) -> None:
        malformed = [code for code in codes if not _CUI.fullmatch(code)]
        if malformed:
            expected = "C and digits, such as C0040405, joined by ;"
            self._add("malformed-cui", line, image_id, expected, ", ".join(map(repr, malformed)))
        repeated = [code for code, count in Counter(codes).items() if count > 1 and code]
        if repeated:
            self._add("repeated-cui", line, image_id, "each concept once", ", ".join(repeated))
        if len(codes) > MOST_CONCEPTS:
            self._add("too-many-concepts", line, image_id, f"at most {MOST_CONCEPTS}", f"{len(codes):,}")

    def find_missing(self) -> None:
        """Find the images without a row."""
        for image_id in self._ids:
            if image_id not in self._lines:
                self._add("missing-id", 0, image_id, "every image of the split", "no row")


def fault_lines(faults: Iterable[Fault], examples: int = 3) -> list[str]:
    """Return lines for a person: a few faults of each code, those of the whole file first, then the most frequent codes."""
    groups: dict[str, list[Fault]] = {}
    for fault in faults:
        groups.setdefault(fault.code, []).append(fault)
    lines = []
    for code, cases in sorted(groups.items(), key=lambda item: (item[0] not in _FIRST, -len(item[1]), item[0])):
        lines.append(f"{code}: {MEANINGS[code]} ({format_count(len(cases), 'case')})")
        for case in cases[:examples]:
            # An id with control characters is left out; `found` contains it with escapes.
            image = _shortened(case.id) if case.id.isprintable() else ""
            where = " ".join(filter(None, (f"line {case.line}" if case.line else "", image)))
            lines.append(f"    {where}: expected {case.expected}, found {case.found}")
        if len(cases) > examples:
            lines.append(f"    and {len(cases) - examples:,} more")
    return lines


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "..."

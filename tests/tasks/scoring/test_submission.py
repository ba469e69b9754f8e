"""A submission file: read as it stands, and every fault in it told, all together."""

from __future__ import annotations

import csv
import io

import pytest

from rocov2_tasks.scoring.submission import MEANINGS, Submission, fault_lines, read_submission, split_codes

IDS = ["ROCOv2_2023_test_000001", "ROCOv2_2023_test_000002", "ROCOv2_2023_test_000003"]
HEADER = "ID,CUIs"
RIGHT = [f"{IDS[0]},C0040405;C0856747", f"{IDS[1]},", f"{IDS[2]},C0024485"]


def read(content: str | bytes, task: str | None = None) -> Submission:
    """Read a submission with this content, for the images IDS."""
    return read_submission(content if isinstance(content, bytes) else content.encode(), IDS, task)


def lines(*rows: str) -> str:
    """A file of these lines."""
    return "".join(row + "\n" for row in rows)


def faults(submission: Submission) -> list[tuple[str, int, str]]:
    """Code, line and image of the faults."""
    return [(fault.code, fault.line, fault.id) for fault in submission.faults]


def test_concepts_are_read_as_they_stand() -> None:
    submission = read(lines(HEADER, *RIGHT))
    assert submission.faults == []
    assert submission.task == "concepts"
    assert submission.concepts() == {IDS[0]: ["C0040405", "C0856747"], IDS[1]: [], IDS[2]: ["C0024485"]}


def test_captions_are_read_as_they_stand() -> None:
    texts = [' blank, "quoted" ', "two\nlines", ""]
    file = io.StringIO(newline="")
    csv.writer(file).writerows([["ID", "Caption"], *zip(IDS, texts, strict=True)])
    submission = read(file.getvalue())
    assert submission.faults == []
    assert submission.task == "captions"
    assert list(submission.texts.values()) == texts


def test_rows_may_stand_in_any_order_and_blanks_around_codes_are_cut() -> None:
    submission = read(lines(HEADER, RIGHT[2], RIGHT[1], f"{IDS[0]}, C0040405 ; C0856747 "))
    assert submission.faults == []
    assert submission.concepts()[IDS[0]] == ["C0040405", "C0856747"]


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_field_has_no_codes(text: str) -> None:
    assert split_codes(text) == []


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_both_line_ends_are_read_and_the_last_may_lack(line_end: str) -> None:
    assert read(line_end.join([HEADER, *RIGHT])).faults == []


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([*RIGHT[:2]], [("missing-id", 0, IDS[2])]),
        ([*RIGHT, "ROCOv2_2023_train_000001,"], [("unknown-id", 5, "ROCOv2_2023_train_000001")]),
        ([*RIGHT, f"{IDS[0]}.jpg,"], [("unknown-id", 5, f"{IDS[0]}.jpg")]),
        ([*RIGHT, RIGHT[0]], [("duplicate-id", 5, IDS[0])]),
        ([*RIGHT[:2], f"{IDS[2]},C0040405;c0024485"], [("malformed-cui", 4, IDS[2])]),
        ([*RIGHT[:2], f"{IDS[2]},C0040405;"], [("malformed-cui", 4, IDS[2])]),
        ([*RIGHT[:2], f"{IDS[2]},nan"], [("malformed-cui", 4, IDS[2])]),
        ([*RIGHT[:2], f"{IDS[2]},C٣"], [("malformed-cui", 4, IDS[2])]),
        ([*RIGHT[:2], f"{IDS[2]},C0040405 C0024485"], [("malformed-cui", 4, IDS[2])]),
        ([*RIGHT[:2], f"{IDS[2]},C1;C2; C1"], [("repeated-cui", 4, IDS[2])]),
        ([*RIGHT[:2], IDS[2]], [("bad-row", 4, IDS[2])]),
        ([*RIGHT[:2], f"{IDS[2]},C1,C2"], [("bad-row", 4, IDS[2])]),
        ([RIGHT[0], "", *RIGHT[1:]], [("blank-line", 3, "")]),
        ([*RIGHT, " "], [("blank-line", 5, "")]),
        ([*RIGHT[:2], f'{IDS[2]},"C1'], [("bad-csv", 4, "")]),
    ],
)
def test_each_fault_of_a_row_is_told_with_its_line(rows: list[str], expected: list[tuple[str, int, str]]) -> None:
    assert faults(read(lines(HEADER, *rows))) == expected


def test_a_hundred_concepts_are_allowed_and_no_more() -> None:
    codes = [f"C{number:07d}" for number in range(101)]
    full = [*RIGHT[:2], f"{IDS[2]},{';'.join(codes[:100])}"]
    assert read(lines(HEADER, *full)).faults == []
    (fault,) = read(lines(HEADER, *RIGHT[:2], f"{IDS[2]},{';'.join(codes)}")).faults
    assert (fault.code, fault.expected, fault.found) == ("too-many-concepts", "at most 100", "101")


@pytest.mark.parametrize(
    ("header", "task", "found"),
    [
        ("ID,cuis", None, "ID,cuis"),
        ("ID,CUIs,score", None, "ID,CUIs,score"),
        ("id\tcuis\x1b[31m", None, "'id\\tcuis\\x1b[31m'"),
        ("", None, ""),
        ("ID,CUIs", "captions", "ID,CUIs"),
        ("ID,Caption", "concepts", "ID,Caption"),
    ],
)
def test_a_wrong_header_is_told(header: str, task: str | None, found: str) -> None:
    rows = [f"{image_id},C1" for image_id in IDS]
    (fault,) = read(lines(header, *rows), task).faults
    expected = {None: "ID,CUIs or ID,Caption", "captions": "ID,Caption", "concepts": "ID,CUIs"}[task]
    assert (fault.code, fault.line, fault.expected, fault.found) == ("bad-header", 1, expected, found)


def test_a_file_without_header_loses_no_row() -> None:
    (fault,) = read(lines(*RIGHT), "concepts").faults
    assert fault.code == "bad-header"
    assert fault.found.endswith("(no header)")


@pytest.mark.parametrize(
    ("content", "code", "found"),
    [
        (b"", "bad-header", "an empty file"),
        (
            lines("ID\tCUIs", "x\tC1").encode(),
            "bad-header",
            "'ID\\tCUIs': it is separated by tabs, save it with commas",
        ),
        (
            lines("ID;Caption", "x;a, b").encode(),
            "bad-header",
            "'ID;Caption': it is separated by semicolons, save it with commas",
        ),
        (b"PK\x03\x04" + bytes(40), "bad-encoding", "a zip archive: unpack it, and score its CSV file"),
    ],
)
def test_a_file_of_another_kind_is_told_alone(content: bytes, code: str, found: str) -> None:
    (fault,) = read(content).faults
    assert (fault.code, fault.line, fault.found) == (code, 1, found)


def test_a_quotation_mark_that_is_never_closed_is_told_as_such() -> None:
    submission = read(lines("ID,Caption", f'{IDS[0]},"long', *(["x" * 1000] * 200)))
    assert [(fault.code, fault.line, fault.expected) for fault in submission.faults] == [
        ("bad-csv", 2, "a closing quotation mark within 131,072 characters")
    ]


def test_other_encodings_are_told() -> None:
    assert faults(read(b"\xef\xbb\xbf" + lines(HEADER, *RIGHT).encode())) == [("bad-encoding", 1, "")]
    assert faults(read(lines(HEADER, *RIGHT).encode("utf-16"))) == [("bad-encoding", 1, "")]
    latin = f"ID,Caption\n{IDS[0]},x\n{IDS[1]},na\xefve\n".encode("latin-1")
    assert faults(read(latin)) == [("bad-encoding", 3, "")]


def test_a_caption_with_a_comma_and_no_quotation_marks_is_explained() -> None:
    rows = [f"{IDS[0]},axial, CT", f"{IDS[1]},x", f"{IDS[2]},y"]
    (fault,) = read(lines("ID,Caption", *rows)).faults
    assert (fault.code, fault.line, fault.found) == ("bad-row", 2, "3")
    assert "put a caption with commas in quotation marks" in fault.expected


def test_codes_are_not_looked_for_in_captions() -> None:
    assert read(lines("ID,Caption", *(f"{image_id},a;a" for image_id in IDS))).faults == []


def test_all_faults_of_a_file_are_told_together() -> None:
    submission = read(lines("ID,Codes", f"{IDS[0]},C1;C1;x", f"{IDS[0]},C1", "stranger,C1"), "concepts")
    assert faults(submission) == [
        ("bad-header", 1, ""),
        ("malformed-cui", 2, IDS[0]),
        ("repeated-cui", 2, IDS[0]),
        ("duplicate-id", 3, IDS[0]),
        ("unknown-id", 4, "stranger"),
        ("missing-id", 0, IDS[1]),
        ("missing-id", 0, IDS[2]),
    ]


def test_the_report_has_faults_of_the_file_before_those_of_rows() -> None:
    told = fault_lines(read(lines("ID,Codes", "x,C1", "y,C1")).faults)
    assert [line.partition(":")[0] for line in told if not line.startswith(" ")] == [
        "bad-header",
        "missing-id",
        "unknown-id",
    ]


def test_a_terminal_obeys_nothing_that_stands_in_the_file() -> None:
    told = fault_lines(read(lines(HEADER, *RIGHT, "\x1b[31mred\x07,C1", f"{'x' * 5000},C1")).faults)
    assert told[1:] == [
        "    line 5: expected an image of the split, found '\\x1b[31mred\\x07'",
        f"    line 6 {'x' * 80}...: expected an image of the split, found '{'x' * 79}...",
    ]


def test_an_id_with_jpg_is_explained() -> None:
    (fault,) = read(lines(HEADER, *RIGHT, f"{IDS[0]}.jpg,")).faults
    assert fault.expected == "an image of the split: leave .jpg out"


def test_the_report_has_the_commonest_first_and_three_examples() -> None:
    rows = [*RIGHT[:2], *(f"x{number},C1" for number in range(1200))]
    told = fault_lines(read(lines(HEADER, *rows)).faults)
    assert told == [
        f"unknown-id: {MEANINGS['unknown-id']} (1,200 cases)",
        "    line 4 x0: expected an image of the split, found 'x0'",
        "    line 5 x1: expected an image of the split, found 'x1'",
        "    line 6 x2: expected an image of the split, found 'x2'",
        "    and 1,197 more",
        f"missing-id: {MEANINGS['missing-id']} (1 case)",
        f"    {IDS[2]}: expected every image of the split, found no row",
    ]


def test_a_broken_field_is_not_repeated_whole() -> None:
    (fault,) = read(lines(HEADER, *RIGHT[:2], f"{IDS[2]},{'x' * 5000}")).faults
    assert len(fault.found) < 100

"""The catalogue of problems, the report that collects them, and the list of them that a machine reads."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from rocov2_build.raw.problems import CODES, Problem, Report, Severity, describe_count, is_list, refusal, write_problems


def test_every_code_has_words_for_one_case_and_for_several() -> None:
    assert {row.severity for row in CODES.values()} == set(Severity)
    for row in CODES.values():
        assert row.one != row.many
        assert not (row.one + row.many).endswith((".", " "))


@pytest.mark.parametrize(
    ("count", "words"),
    [(1, "1 missing file"), (2, "2 missing files"), (0, "0 missing files"), (1204, "1,204 missing files")],
)
def test_counts_agree(count: int, words: str) -> None:
    assert describe_count("missing-file", count) == words


@pytest.mark.parametrize(
    ("code", "severity"),
    [
        ("missing-file", Severity.FILE),
        ("wrong-count", Severity.FILE),
        ("bad-id", Severity.ROW),
        ("truncated-jpeg", Severity.ROW),
        ("stray-member", Severity.ROW),
        ("benign-jpeg", Severity.WARNING),
        ("duplicate-image", Severity.WARNING),
    ],
)
def test_severity(code: str, severity: Severity) -> None:
    assert CODES[code].severity is severity
    assert Problem(code, "", "", "", "").severity is severity


def test_unknown_codes_are_refused() -> None:
    with pytest.raises(KeyError, match="no-such-code"):
        Problem("no-such-code", "", "", "", "")
    with pytest.raises(KeyError, match="no-such-code"):
        Report().warn("no-such-code")


def test_warnings_are_counted_and_the_rest_is_recorded() -> None:
    report = Report()
    report.warn("benign-jpeg")
    report.warn("benign-jpeg", 3)
    report.warn("two-regions", 0)
    assert report.warnings == {"benign-jpeg": 4}
    assert "two-regions" not in report.warnings
    with pytest.raises(ValueError, match="benign-jpeg is a warning"):
        report.add("benign-jpeg", "train_images.zip", expected="", found="")
    with pytest.raises(ValueError, match="bad-id is not a warning"):
        report.warn("bad-id")
    assert report.problems == []


def test_a_case_of_an_image_is_told_once_and_of_a_file_each_time() -> None:
    report = Report()
    for found in ("'b.txt'", "'c.txt'"):
        report.add("stray-member", "train_images.zip", expected="an image", found=found)
        report.add("bad-id", "train_captions.csv", "a", expected="an id", found=found)
    report.add("bad-id", "valid_captions.csv", "a", expected="an id", found="'a'")
    assert [(problem.code, problem.file, problem.found) for problem in report.problems] == [
        ("stray-member", "train_images.zip", "'b.txt'"),
        ("bad-id", "train_captions.csv", "'b.txt'"),
        ("stray-member", "train_images.zip", "'c.txt'"),
        ("bad-id", "valid_captions.csv", "'a'"),
    ]


@pytest.mark.parametrize(("length", "kept"), [(199, "x" * 199), (200, "x" * 200), (201, "x" * 200 + "...")])
def test_found_is_shortened(length: int, kept: str) -> None:
    report = Report()
    report.add("bad-id", "train_captions.csv", "a", expected="an id", found="x" * length)
    assert report.problems == [Problem("bad-id", "train_captions.csv", "a", "an id", kept)]


def test_faulty_files() -> None:
    report = Report()
    assert not report.faulty_files
    report.warn("two-regions")
    report.add("bad-id", "train_captions.csv", "a", expected="an id", found="a")
    assert not report.faulty_files
    report.add("missing-file", "cui_mapping.csv", expected="a file", found="none")
    assert report.faulty_files


def test_faulty_ids_are_those_of_rows_alone() -> None:
    report = Report()
    report.add("empty-caption", "train_captions.csv", "a", expected="a caption", found="''")
    report.add("unknown-license", "license_information.csv", "a", expected="CC BY", found="'?'")
    report.add("truncated-jpeg", "test_images.zip", "b", expected="EOI", found="none")
    report.add("stray-member", "test_images.zip", expected="an image", found="'x.txt'")
    report.add("bad-mapping", "cui_mapping.csv", "C0000001", expected="one name", found="the CUI twice")
    assert report.faulty_ids == {"a", "b"}


def test_lines_group_by_code_the_commonest_first() -> None:
    report = Report()
    report.add("wrong-count", "train_captions.csv", expected="59,958 images in release 2.0.1", found="3")
    for image_id in ("e", "d", "c", "b", "a"):
        report.add("empty-caption", "train_captions.csv", image_id, expected="a caption", found="''")
    report.add("bad-id", "valid_captions.csv", "x", expected="an id", found="'x'")
    report.warn("two-regions", 7)
    assert report.lines() == [
        "empty-caption: 5 images without a caption",
        "    train_captions.csv a: expected a caption, found ''",
        "    train_captions.csv b: expected a caption, found ''",
        "    train_captions.csv c: expected a caption, found ''",
        "    and 2 more",
        "bad-id: 1 id that does not belong to its split",
        "    valid_captions.csv x: expected an id, found 'x'",
        "wrong-count: 1 count that differs from the named release",
        "    train_captions.csv: expected 59,958 images in release 2.0.1, found 3",
    ]
    assert report.lines(examples=5)[5:7] == [
        "    train_captions.csv e: expected a caption, found ''",
        "bad-id: 1 id that does not belong to its split",
    ]


def test_lines_of_thousands() -> None:
    report = Report()
    for number in range(1500):
        report.add("empty-caption", "f", f"{number:04}", expected="a caption", found="''")
    assert report.lines(examples=1) == [
        "empty-caption: 1,500 images without a caption",
        "    f 0000: expected a caption, found ''",
        "    and 1,499 more",
    ]


def test_lines_of_nothing() -> None:
    assert Report().lines() == []


def test_write_problems(tmp_path: Path) -> None:
    path = tmp_path / "rocov2.problems.csv"
    problems = [
        Problem("truncated-jpeg", "test_images.zip", "b", "the end", "none"),
        Problem("bad-id", "train_captions.csv", 'Ü"\n', "an id, whole", "é\r\n"),
        Problem("bad-id", "test_captions.csv", "", "an id", "''"),
        Problem("missing-file", "cui_mapping.csv", "", "a file", "none"),
    ]
    write_problems(path, problems)
    assert path.read_bytes().decode() == (
        "code,file,id,expected,found,severity\r\n"
        "bad-id,test_captions.csv,,an id,'',row\r\n"
        'bad-id,train_captions.csv,"Ü""\n","an id, whole","é\r\n",row\r\n'
        "missing-file,cui_mapping.csv,,a file,none,file\r\n"
        "truncated-jpeg,test_images.zip,b,the end,none,row\r\n"
    )
    with path.open(newline="", encoding="utf-8") as file:
        assert [row[:5] for row in csv.reader(file)][2] == [
            "bad-id",
            "train_captions.csv",
            'Ü"\n',
            "an id, whole",
            "é\r\n",
        ]


def test_what_is_not_printable_is_escaped_wherever_it_is_shown(tmp_path: Path) -> None:
    report = Report()
    report.add("extra-file", "caf\udce9\x1b[31m.csv", expected="14 files", found="another")
    report.add("bad-header", "test_captions.csv", expected="ID", found="I\nD\x9b\u2028")
    assert report.lines()[1::2] == [
        "    test_captions.csv: expected ID, found I\\nD\\x9b\\u2028",
        "    caf\\udce9\\x1b[31m.csv: expected 14 files, found another",
    ]
    write_problems(tmp_path / "problems.csv", report.problems)
    with (tmp_path / "problems.csv").open(newline="", encoding="utf-8") as file:
        rows = [(row["file"], row["found"]) for row in csv.DictReader(file)]
    assert rows == [("test_captions.csv", "I\nD\\x9b\\u2028"), ("caf\\udce9\\x1b[31m.csv", "another")]


def test_write_no_problems(tmp_path: Path) -> None:
    write_problems(tmp_path / "none.csv", [])
    assert (tmp_path / "none.csv").read_bytes() == b"code,file,id,expected,found,severity\r\n"


def test_a_list_never_replaces_a_file_of_somebody_else(tmp_path: Path) -> None:
    path = tmp_path / "rocov2.problems.csv"
    write_problems(path, [])
    assert is_list(path)
    write_problems(path, [Problem("missing-file", "a.csv", "", "a", "b")])
    assert is_list(path)
    path.write_text("code,solution\n")
    assert not is_list(path)
    with pytest.raises(FileExistsError, match="a file that is not such a list has this name"):
        write_problems(path, [])
    assert path.read_text() == "code,solution\n"
    assert not is_list(tmp_path / "missing.csv")


def test_skipping_what_is_no_image_counts_no_images(tmp_path: Path) -> None:
    report = Report()
    report.add("stray-member", "train_images.zip", expected="train/<id>.jpg", found="'notes.txt'")
    error = refusal(report, tmp_path / "list.csv", found=None, skip_problems=False, dry_run=True)
    assert str(error).endswith(" Correct the release, or leave out what is at fault with --on-problem skip.")

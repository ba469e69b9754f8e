"""The command that scores a submission: right scores, and every fault of a file told, all together."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rocov2 import DIRECTIONS
from rocov2_tasks.references import Provenance
from rocov2_tasks.submission import MEANINGS, Submission, fault_lines, read_submission, split_codes
from tests.conftest import PROJECT
from tests.raw import RawRelease, make_raw

Score = Callable[..., "subprocess.CompletedProcess[str]"]

IDS = ["ROCOv2_2023_test_000001", "ROCOv2_2023_test_000002", "ROCOv2_2023_test_000003"]
HEADER = "ID,CUIs"
RIGHT = [f"{IDS[0]},C0040405;C0856747", f"{IDS[1]},", f"{IDS[2]},C0024485"]


@pytest.fixture(scope="module")
def raw() -> RawRelease:
    return make_raw(train=6, valid=3, test=6)


@pytest.fixture(scope="module")
def repository(raw: RawRelease, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return raw.build(tmp_path_factory.mktemp("score") / "rocov2", pictures=False)


@pytest.fixture
def score(tmp_path: Path, environment: dict[str, str]) -> Score:
    """Run `python -m rocov2_tasks.score ARGUMENTS` in `tmp_path`."""

    def start(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "rocov2_tasks.score", *map(str, arguments)]
        settings = environment | {"PYTHONPATH": str(PROJECT)}
        return subprocess.run(command, cwd=tmp_path, env=settings, capture_output=True, text=True, check=False)

    return start


def write(path: Path, header: list[str], rows: list[list[str]]) -> Path:
    """Write a submission as the csv module does by default."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def read(content: str | bytes, task: str | None = None) -> Submission:
    """Read a submission with this content, for the images IDS."""
    return read_submission(content if isinstance(content, bytes) else content.encode(), IDS, task)


def lines(*rows: str) -> str:
    """A file of these lines."""
    return "".join(row + "\n" for row in rows)


def faults(submission: Submission) -> list[tuple[str, int, str]]:
    """Code, line and image of the faults."""
    return [(fault.code, fault.line, fault.id) for fault in submission.faults]


def test_concepts_are_read_as_they_stand(tmp_path: Path) -> None:
    submission = read(lines(HEADER, *RIGHT))
    assert submission.faults == []
    assert submission.task == "concepts"
    assert submission.concepts() == {IDS[0]: ["C0040405", "C0856747"], IDS[1]: [], IDS[2]: ["C0024485"]}


def test_captions_are_read_as_they_stand(tmp_path: Path) -> None:
    texts = [' blank, "quoted" ', "two\nlines", ""]
    write(tmp_path / "c.csv", ["ID", "Caption"], [list(pair) for pair in zip(IDS, texts, strict=True)])
    submission = read_submission((tmp_path / "c.csv").read_bytes(), IDS)
    assert submission.faults == []
    assert submission.task == "captions"
    assert list(submission.texts.values()) == texts


def test_rows_may_stand_in_any_order_and_blanks_around_codes_are_cut(tmp_path: Path) -> None:
    submission = read(lines(HEADER, RIGHT[2], RIGHT[1], f"{IDS[0]}, C0040405 ; C0856747 "))
    assert submission.faults == []
    assert submission.concepts()[IDS[0]] == ["C0040405", "C0856747"]


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_field_has_no_codes(text: str) -> None:
    assert split_codes(text) == []


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_both_line_ends_are_read_and_the_last_may_lack(tmp_path: Path, line_end: str) -> None:
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
def test_each_fault_of_a_row_is_told_with_its_line(
    tmp_path: Path, rows: list[str], expected: list[tuple[str, int, str]]
) -> None:
    assert faults(read(lines(HEADER, *rows))) == expected


def test_a_hundred_concepts_are_allowed_and_no_more(tmp_path: Path) -> None:
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
def test_a_wrong_header_is_told(tmp_path: Path, header: str, task: str | None, found: str) -> None:
    rows = [f"{image_id},C1" for image_id in IDS]
    (fault,) = read(lines(header, *rows), task).faults
    expected = {None: "ID,CUIs or ID,Caption", "captions": "ID,Caption", "concepts": "ID,CUIs"}[task]
    assert (fault.code, fault.line, fault.expected, fault.found) == ("bad-header", 1, expected, found)


def test_a_file_without_header_loses_no_row(tmp_path: Path) -> None:
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
        (b"PK\x03\x04" + bytes(40), "bad-encoding", "a zip archive: unpack it, and score the CSV file in it"),
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


def test_other_encodings_are_told(tmp_path: Path) -> None:
    assert faults(read(b"\xef\xbb\xbf" + lines(HEADER, *RIGHT).encode())) == [("bad-encoding", 1, "")]
    assert faults(read(lines(HEADER, *RIGHT).encode("utf-16"))) == [("bad-encoding", 1, "")]
    latin = f"ID,Caption\n{IDS[0]},x\n{IDS[1]},na\xefve\n".encode("latin-1")
    assert faults(read(latin)) == [("bad-encoding", 3, "")]


def test_a_caption_with_a_comma_and_no_quotation_marks_is_explained(tmp_path: Path) -> None:
    rows = [f"{IDS[0]},axial, CT", f"{IDS[1]},x", f"{IDS[2]},y"]
    (fault,) = read(lines("ID,Caption", *rows)).faults
    assert (fault.code, fault.line, fault.found) == ("bad-row", 2, "3")
    assert "put a caption with commas in quotation marks" in fault.expected


def test_codes_are_not_looked_for_in_captions(tmp_path: Path) -> None:
    assert read(lines("ID,Caption", *(f"{image_id},a;a" for image_id in IDS))).faults == []


def test_all_faults_of_a_file_are_told_together(tmp_path: Path) -> None:
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


def test_the_report_has_the_commonest_first_and_three_examples(tmp_path: Path) -> None:
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


def test_a_broken_field_is_not_repeated_whole(tmp_path: Path) -> None:
    (fault,) = read(lines(HEADER, *RIGHT[:2], f"{IDS[2]},{'x' * 5000}")).faults
    assert len(fault.found) < 100


def test_the_references_themselves_score_1_but_for_automatic_regions(
    raw: RawRelease, repository: Path, score: Score, tmp_path: Path
) -> None:
    # Secondary: a region among the automatic concepts is wrong there. "Chest" on the fourth image (MRI), 2 * 1 / 3, and on
    # the fifth (X-ray, cranium), 2 * 2 / 5; the third is combined, so it is left out: (1 + 1 + 2/3 + 4/5 + 1) / 5.
    images = raw.splits["test"]
    concepts = write(tmp_path / "s.csv", ["ID", "CUIs"], [[image.id, ";".join(image.cuis)] for image in images])
    done = score(concepts, repository)
    assert (done.returncode, done.stderr) == (0, "")
    conversion = json.loads((repository / "conversion.json").read_text())
    scored = f"test of {repository} (no known release, rows {conversion['rows_sha256']['text'][:12]})"
    assert (
        done.stdout == f"{concepts}: concepts of 6 images, {scored}\n  F1            1.0000\n  F1 secondary  0.8933\n"
    )
    captions = write(tmp_path / "c.csv", ["ID", "Caption"], [[image.id, image.caption] for image in images])
    done = score(captions, repository)
    assert done.stdout == f"{captions}: captions of 6 images, {scored}\n  ROUGE-1       1.0000\n"


def test_json_has_the_scores_of_the_chosen_split(
    raw: RawRelease, repository: Path, score: Score, tmp_path: Path
) -> None:
    # valid: CT with 1 automatic concept, X-ray chest AP with 2, combined with 3. Predicted is the manual list but for
    # directions: 2 * 1 / 3; 2 * 2 / 7 since AUTOMATIC holds no code of the manual list here; nothing against 3.
    images = raw.splits["valid"]
    assert [len(image.cuis) for image in images] == [2, 5, 3]
    rows = [[image.id, ";".join(c for c in image.manual if c not in DIRECTIONS.values())] for image in images]
    done = score(write(tmp_path / "s.csv", ["ID", "CUIs"], rows), repository, "--split", "validation", "--json")
    report: dict[str, Any] = json.loads(done.stdout)
    assert report["scores"] == {"concept_f1": pytest.approx((2 / 3 + 4 / 7 + 0) / 3), "concept_f1_secondary": 1}
    del report["scores"]
    conversion = json.loads((repository / "conversion.json").read_text())
    assert report == {
        "repository": str(repository),
        "release": None,
        "partial": False,
        "rows_sha256": conversion["rows_sha256"]["text"],
        "split": "validation",
        "task": "concepts",
        "images": 3,
    }


@pytest.mark.parametrize(
    ("provenance", "shown"),
    [
        (Provenance("2.0.1", False, "0123456789abcdef"), "ROCOv2 2.0.1, rows 0123456789ab"),
        (Provenance("1", True, "0123456789abcdef"), "part of ROCOv2 1, rows 0123456789ab"),
        (Provenance(None, False, "0123456789abcdef"), "no known release, rows 0123456789ab"),
        (Provenance("sample", True, "0123456789abcdef"), "the sample, rows 0123456789ab"),
    ],
)
def test_what_was_scored_is_said(provenance: Provenance, shown: str) -> None:
    assert str(provenance) == shown


def test_a_submission_comes_from_standard_input_too(
    raw: RawRelease, repository: Path, environment: dict[str, str]
) -> None:
    rows = lines(HEADER, *(f"{image.id},{';'.join(image.cuis)}" for image in raw.splits["test"]))
    command = [sys.executable, "-m", "rocov2_tasks.score", "-", str(repository)]
    settings = environment | {"PYTHONPATH": str(PROJECT)}
    done = subprocess.run(command, env=settings, input=rows, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("standard input: concepts of 6 images, test of")


def test_faults_end_with_1_and_without_scores(repository: Path, score: Score, tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text(lines(HEADER, "stranger,C1"))
    done = score("s.csv", repository)
    assert (done.returncode, done.stdout) == (1, "")
    assert "missing-id: an image of the split that is not there (6 cases)" in done.stderr
    assert done.stderr.endswith("Error: s.csv is no submission for this split: 7 faults, nothing was scored\n")
    done = score("s.csv", repository, "--json")
    told = json.loads(done.stdout)["faults"]
    assert done.returncode == 1
    assert len(told) == 7
    assert told[0] == {
        "code": "unknown-id",
        "line": 2,
        "id": "stranger",
        "expected": "an image of the split",
        "found": "'stranger'",
    }


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere.csv", "REPOSITORY"], 1, "No such file or directory (nowhere.csv)"),
        (["s.csv", "nowhere"], 1, "no folder 'nowhere'"),
        (["s.csv", "REPOSITORY", "--split", "valid"], 2, "'valid' is not one of 'train', 'validation', 'test'"),
        (["s.csv", "REPOSITORY", "--task", "concepts", "--bertscore"], 2, "--bertscore is a measure of captions"),
        (["s.csv", "REPOSITORY", "--bertscore"], 2, "s.csv holds concepts"),
        ([], 2, "Missing argument 'SUBMISSION'"),
    ],
)
def test_a_wrong_call_is_told_without_traceback(
    raw: RawRelease,
    repository: Path,
    score: Score,
    tmp_path: Path,
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    write(tmp_path / "s.csv", ["ID", "CUIs"], [[image.id, "C1"] for image in raw.splits["test"]])
    done = score(*(str(repository) if argument == "REPOSITORY" else argument for argument in arguments))
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_split_that_the_repository_has_not_is_told(raw: RawRelease, score: Score, tmp_path: Path) -> None:
    part = raw.build(tmp_path / "part", splits=("train",), pictures=False)
    (tmp_path / "s.csv").write_text(HEADER)
    done = score("s.csv", part)
    assert done.returncode == 1
    assert "Error: no split 'test'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_damaged_repository_is_told(raw: RawRelease, score: Score, tmp_path: Path) -> None:
    damaged = raw.build(tmp_path / "damaged", pictures=False)
    (damaged / "text" / "test.parquet").write_bytes(b"PAR1 and no more")
    (tmp_path / "s.csv").write_text(HEADER)
    done = score("s.csv", damaged)
    assert done.returncode == 1
    assert f"Error: {damaged}: the texts of test cannot be read" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("dataset_infos.json", "{"),
        ("dataset_infos.json", "[1]"),
        ("conversion.json", "{"),
        ("conversion.json", "{}"),
        ("conversion.json", "null"),
    ],
)
def test_a_damaged_record_of_a_repository_is_told(
    repository: Path, score: Score, tmp_path: Path, file: str, content: str
) -> None:
    damaged = shutil.copytree(repository, tmp_path / "damaged")
    (damaged / file).write_text(content)
    (tmp_path / "s.csv").write_text(HEADER)
    done = score("s.csv", damaged)
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: {damaged}/{file} is damaged")
    assert done.stderr.count("\n") == 1


def test_a_split_without_manual_concepts_has_no_secondary_score(score: Score, tmp_path: Path) -> None:
    raw = make_raw(train=1, valid=1, test=2)
    for image in raw.splits["test"]:
        image.manual, image.cuis = [], ["C0034606"]
    built = raw.build(tmp_path / "rocov2", pictures=False)
    write(tmp_path / "s.csv", ["ID", "CUIs"], [[image.id, "C0034606"] for image in raw.splits["test"]])
    done = score("s.csv")
    assert done.stdout.splitlines()[1:] == [
        "  F1            1.0000",
        "  F1 secondary  none: no image has a concept that counts",
    ]
    assert json.loads(score("s.csv", built, "--json").stdout)["scores"]["concept_f1_secondary"] is None


def test_bertscore_without_its_extra_ends_with_1(
    raw: RawRelease, repository: Path, score: Score, tmp_path: Path
) -> None:
    (tmp_path / "bert_score.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'bert_score'\", name='bert_score')"
    )
    rows = [[image.id, image.caption] for image in raw.splits["test"]]
    write(tmp_path / "c.csv", ["ID", "Caption"], rows)
    done = score("c.csv", repository, "--bertscore")
    assert done.returncode == 1
    assert "Error: BERTScore needs the extra metrics" in done.stderr
    assert done.stdout == ""


def test_help_shows_an_example(score: Score) -> None:
    done = score("--help")
    assert done.returncode == 0
    assert "Example: python -m rocov2_tasks.score submission.csv" in done.stdout

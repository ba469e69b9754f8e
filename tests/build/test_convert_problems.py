"""Releases at fault: told in full and nothing built, or built without the images at fault."""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from rocov2_build.convert import Conversion
from rocov2_build.raw.problems import describe_count
from rocov2_shared.errors import UserError
from tests.support.large_zips import write_large
from tests.support.raw import RawRelease, expected_rows, make_raw, write_zip
from tests.support.repositories import all_rows, counts_of, facts_of, files_of, left_beside, problems_of, run, tables_of

IDS = "ROCOv2_2023_{}_{:06}".format


def release() -> RawRelease:
    """The release of these tests. Its articles are not those of other splits: images can go and leave no trace."""
    raw = make_raw(30, 8, 7)
    for number, images in enumerate(raw.splits.values()):
        for image in images:
            image.pmcid = f"PMC{number}00{image.pmcid.removeprefix('PMC')}"
            image.link = f"https://www.ncbi.nlm.nih.gov/pmc/articles/{image.pmcid}"
    return raw


def without(raw: RawRelease, ids: set[str]) -> RawRelease:
    """The release as if these images had never been there."""
    return RawRelease(
        {split: [image for image in images if image.id not in ids] for split, images in raw.splits.items()}
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The release before anything is wrong with it."""
    folder = tmp_path_factory.mktemp("release")
    return run(release().write(folder / "raw"), folder / "rocov2")


def break_tables(raw: RawRelease) -> list[tuple[str, str, str]]:
    """Faults of several rows in the tables; their problems."""
    raw.image("train", 7).caption = " "
    raw.image("train", 9).attribution = "CC BY-SA Doe et al. (2020)"
    raw.image("valid", 2).cuis = ["C0040405", "c1"]
    raw.image("test", 0).manual = ["C0040405", "C0024485"]
    return [
        ("empty-caption", "train_captions.csv", raw.image("train", 7).id),
        ("malformed-cui", "valid_concepts.csv", raw.image("valid", 2).id),
        ("two-modalities", "test_concepts_manual.csv", raw.image("test", 0).id),
        ("unknown-license", "license_information.csv", raw.image("train", 9).id),
    ]


def break_images(raw: RawRelease, shard: list[str]) -> list[tuple[str, str, str]]:
    """Faults of images: those of a whole shard, and so many of another split that it has fewer shards; their problems."""
    problems = []
    for position in (0, 1, 4):
        image = raw.image("valid", position)
        image.data = b"<html>".ljust(len(image.data))  # of the same size: it is planned as if it were sound
        problems.append(("not-a-jpeg", "valid_images.zip", image.id))
    for image in raw.splits["train"]:
        if image.id in shard:
            image.data = image.data[:-2]
            problems.append(("truncated-jpeg", "train_images.zip", image.id))
    return problems


def shard_of(built: Path) -> list[str]:
    """Ids of the images of one shard."""
    shard = sorted((built / "data").glob("train-*"))[1]
    ids: list[str] = pq.read_table(shard, columns=["image_id"])["image_id"].to_pylist()
    return ids


def test_fail_tells_all_problems_in_one_run_and_leaves_nothing(built: Path, tmp_path: Path) -> None:
    raw = release()
    problems = sorted(break_tables(raw) + break_images(raw, shard_of(built)))
    output = tmp_path / "rocov2"
    with pytest.raises(UserError) as caught:
        run(raw.write(tmp_path / "raw"), output)
    assert problems_of(output) == problems
    assert left_beside(output) == {"rocov2.problems.csv"}
    lines = str(caught.value).splitlines()
    assert lines[0] == f"{len(problems)} problems found; nothing was built."
    assert lines[-1] == (
        f"{output}.problems.csv lists all of them. "
        f"Correct the release, or leave out {len(problems)} images with --on-problem skip."
    )
    for code in {code for code, *_ in problems}:
        count = sum(problem[0] == code for problem in problems)
        assert f"{code}: {describe_count(code, count)}" in lines


def test_fail_with_faults_of_images_alone(built: Path, tmp_path: Path) -> None:
    raw = release()
    problems = sorted(break_images(raw, shard_of(built)))
    output = tmp_path / "rocov2"
    with pytest.raises(UserError, match=f"^{len(problems)} problems found; nothing was built"):
        run(raw.write(tmp_path / "raw"), output)
    assert problems_of(output) == problems
    assert left_beside(output) == {"rocov2.problems.csv"}


def test_fail_keeps_an_older_repository(built: Path, tmp_path: Path) -> None:
    raw = release()
    output = run(make_raw(2, 1, 1).write(tmp_path / "older"), tmp_path / "rocov2")
    before = files_of(output)
    raw.image("train", 0).data = b"GIF89a"
    with pytest.raises(UserError, match="1 problem found; nothing was built"):
        run(raw.write(tmp_path / "raw"), output, overwrite=True)
    assert files_of(output) == before
    assert left_beside(output) == {"rocov2", "rocov2.problems.csv"}


def test_skip_leaves_out_and_builds_as_if_they_had_never_been_there(built: Path, tmp_path: Path) -> None:
    raw = release()
    problems = sorted(break_tables(raw) + break_images(raw, shard_of(built)))
    ids = {image_id for _, _, image_id in problems}
    assert len(ids) == len(problems) >= 6
    skipped = run(raw.write(tmp_path / "raw"), tmp_path / "skipped", skip_problems=True)
    rest = without(raw, ids)
    never = run(rest.write(tmp_path / "rest"), tmp_path / "never")
    assert tables_of(skipped) == tables_of(never)
    assert [len(list((path / "data").glob("validation-*"))) for path in (built, skipped)] == [3, 2]
    assert all_rows(skipped) == expected_rows(rest, skipped)
    assert counts_of(skipped) == counts_of(never)
    left_out = facts_of(skipped).pop("left_out")
    assert [(case["code"], case["file"], case["image_id"]) for case in left_out] == problems
    assert problems_of(skipped) == problems
    assert facts_of(never)["left_out"] == []
    assert not (tmp_path / "never.problems.csv").exists()
    assert left_beside(skipped) == {"skipped", "skipped.problems.csv"}


def test_problems_of_an_earlier_run_do_not_stay(built: Path, tmp_path: Path) -> None:
    raw = make_raw(2, 1, 1)
    wrong = copy.deepcopy(raw)
    wrong.image("train", 0).caption = ""
    output = tmp_path / "rocov2"
    with pytest.raises(UserError):
        run(wrong.write(tmp_path / "wrong"), output)
    run(raw.write(tmp_path / "raw"), output)
    assert left_beside(output) == {"rocov2"}


def test_skip_with_a_limit_takes_the_next_images(tmp_path: Path) -> None:
    raw = release()
    raw.image("test", 0).caption = ""
    raw.image("test", 2).data = raw.image("test", 2).data[:-2]
    output = run(raw.write(tmp_path / "raw"), tmp_path / "rocov2", skip_problems=True, limit=2, splits=("test",))
    assert {row["image_id"] for row in all_rows(output)["default"]["test"]} == {
        raw.image("test", 1).id,
        raw.image("test", 3).id,
    }


@pytest.mark.parametrize("fault", ["tables", "images"])
def test_skip_with_every_image_at_fault_is_told_in_full(tmp_path: Path, fault: str) -> None:
    raw = make_raw(2, 1, 1)
    for images in raw.splits.values():
        for image in images:
            if fault == "tables":
                image.caption = ""
            else:
                image.data = b"GIF89a"
    output = tmp_path / "rocov2"
    with pytest.raises(UserError, match="no image is left to convert"):
        run(raw.write(tmp_path / "raw"), output, skip_problems=True)
    assert len(problems_of(output)) == 4
    assert left_beside(output) == {"rocov2.problems.csv"}


def test_skip_with_every_wanted_image_at_fault(tmp_path: Path) -> None:
    raw = make_raw(2, 1, 2)
    for image in raw.splits["test"]:
        image.data = b"GIF89a"
    output = tmp_path / "rocov2"
    with pytest.raises(UserError, match="no image is left to convert"):
        run(raw.write(tmp_path / "raw"), output, skip_problems=True, splits=("test",))
    assert problems_of(output) == [("not-a-jpeg", "test_images.zip", image.id) for image in raw.splits["test"]]
    assert left_beside(output) == {"rocov2.problems.csv"}


def test_skip_with_as_many_faults_as_there_are_rows(tmp_path: Path) -> None:
    raw = make_raw(4, 1, 1)
    folder = raw.write(tmp_path / "raw")
    # Of six images two are not in the zip; of the other four two are at fault: two are left.
    images = raw.splits["train"]
    write_zip(folder / "train_images.zip", [(f"train/{image.id}.jpg", b"GIF89a") for image in images[2:]])
    output = run(folder, tmp_path / "rocov2", skip_problems=True)
    assert {split: len(rows) for split, rows in all_rows(output)["default"].items()} == {"validation": 1, "test": 1}
    assert problems_of(output) == [
        *(("id-without-image", "train_images.zip", image.id) for image in images[:2]),
        *(("not-a-jpeg", "train_images.zip", image.id) for image in images[2:]),
    ]


def remove(name: str) -> Callable[[Path], None]:
    return lambda raw: (raw / name).unlink()


def rename_header(raw: Path) -> None:
    path = raw / "train_captions.csv"
    path.write_bytes(path.read_bytes().replace(b"ID,Caption", b"ID,Text"))


def cut_zip(raw: Path) -> None:
    path = raw / "valid_images.zip"
    path.write_bytes(path.read_bytes()[:-30])


FILE_FAULTS: list[tuple[Callable[[Path], None], list[tuple[str, str, str]]]] = [
    (remove("cui_mapping.csv"), [("missing-file", "cui_mapping.csv", "")]),
    (remove("license_information.csv"), [("missing-file", "license_information.csv", "")]),
    (remove("test_images.zip"), [("missing-file", "test_images.zip", "")]),
    (remove("valid_concepts_manual.csv"), [("missing-file", "valid_concepts_manual.csv", "")]),
    (lambda raw: (raw / "train_captions (1).csv").touch(), [("extra-file", "train_captions (1).csv", "")]),
    (rename_header, [("bad-header", "train_captions.csv", "")]),
    (cut_zip, [("damaged-zip", "valid_images.zip", "")]),
]


@pytest.mark.parametrize(("change", "problems"), FILE_FAULTS)
def test_faults_of_files_fail_with_skip_too(
    tmp_path: Path,
    change: Callable[[Path], None],
    problems: list[tuple[str, str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    raw = make_raw(2, 1, 1).write(tmp_path / "raw")
    change(raw)
    # The images are looked at in processes elsewhere in this file; here the files alone are at fault.
    monkeypatch.setattr("rocov2_build.convert.run_tasks", lambda *_: iter(()))
    with pytest.raises(UserError, match="nothing was built"):
        run(raw, tmp_path / "rocov2", skip_problems=True)
    assert problems_of(tmp_path / "rocov2") == problems
    assert left_beside(tmp_path / "rocov2") == {"rocov2.problems.csv"}


def test_numbers_of_another_release(tmp_path: Path) -> None:
    raw = make_raw(2, 1, 1).write(tmp_path / "raw")
    output = tmp_path / "rocov2"
    with pytest.raises(UserError) as caught:
        run(raw, output, release=Conversion(raw).release, skip_problems=True)
    assert {code for code, *_ in problems_of(output)} == {"wrong-count"}
    assert "    test_captions.csv: expected 9,927 images in release 2.0.1, found 1\n" in str(caught.value)
    assert str(caught.value).endswith("To convert another release, a part of one or the sample, add --release any.")
    assert left_beside(output) == {"rocov2.problems.csv"}


def test_each_problem_is_told_once(tmp_path: Path) -> None:
    raw = make_raw(2, 1, 1).write(tmp_path / "raw")
    path = raw / "train_images.zip"
    content = bytearray(path.read_bytes())
    content[6] |= 1  # encrypted, says the first member's own header
    content[content.index(b"PK\1\2") + 8] |= 1  # and the directory
    path.write_bytes(content)
    with pytest.raises(UserError, match="encrypted-member: "):
        run(raw, tmp_path / "rocov2")
    assert problems_of(tmp_path / "rocov2") == [("encrypted-member", "train_images.zip", IDS("train", 1))]


def test_stray_members_are_told_and_do_no_harm_with_skip(tmp_path: Path) -> None:
    release = make_raw(2, 1, 1)
    raw = release.write(tmp_path / "raw", unpacked=True)
    (raw / "train" / "notes.txt").touch()
    output = tmp_path / "rocov2"
    with pytest.raises(UserError, match=re.escape("stray-member: ")):
        run(raw, output)
    run(raw, output, skip_problems=True)
    assert all_rows(output) == expected_rows(release, output)
    assert problems_of(output) == [("stray-member", "train", "")]


@pytest.mark.parametrize("skip", [False, True])
def test_problems_are_told_where_they_cannot_be_listed(
    skip: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw, output = release(), tmp_path / "rocov2"
    expected = break_tables(raw)
    blocked = output.with_name("rocov2.problems.csv")
    blocked.mkdir()
    told = f"{blocked}, which would list all of them, cannot be written: Is a directory."
    if skip:
        run(raw.write(tmp_path / "raw"), output, skip_problems=True, quiet=False)
        assert {fault["image_id"] for fault in facts_of(output)["left_out"]} == {id for _, _, id in expected}
        shown = capsys.readouterr().err
        assert f" 4 problems left out, see conversion.json. {told} Use:" in shown
    else:
        with pytest.raises(UserError) as refusal:
            run(raw.write(tmp_path / "raw"), output)
        shown = str(refusal.value)
        assert shown.splitlines()[-1].startswith(told)
        assert left_beside(output) == {"rocov2.problems.csv"}
    assert all(f"{file} {id}: expected " in shown for _, file, id in expected)
    assert not list(blocked.iterdir())


def test_a_folder_in_place_of_the_list_stays_when_there_is_no_problem(tmp_path: Path) -> None:
    output = tmp_path / "rocov2"
    output.with_name("rocov2.problems.csv").mkdir()
    run(release().write(tmp_path / "raw"), output)
    assert left_beside(output) == {"rocov2", "rocov2.problems.csv"}


def test_names_that_are_not_utf8_are_reported_and_recorded_escaped(tmp_path: Path) -> None:
    raw = release().write(tmp_path / "raw", unpacked=True)
    Path(os.fsdecode(os.fsencode(raw / "train") + b"/caf\xe9\x1b[31m.jpg")).write_bytes(b"")
    with pytest.raises(UserError, match=r"train: expected <id>.jpg, found 'caf\\udce9\\x1b\[31m.jpg'"):
        run(raw, tmp_path / "no")
    assert problems_of(tmp_path / "no") == [("stray-member", "train", "")]
    (left_out,) = facts_of(run(raw, tmp_path / "rocov2", skip_problems=True))["left_out"]
    assert left_out["found"] == r"'caf\udce9\x1b[31m.jpg'"


def test_an_output_that_no_reader_can_open_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"caf\\udce9 is not UTF-8.*: rename it"):
        run(tmp_path / "raw", tmp_path / "caf\udce9")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("skip_problems", [False, True])
def test_a_zip_over_4_gib_without_zip64_is_one_problem(tmp_path: Path, skip_problems: bool) -> None:
    release = make_raw(4, 1, 1)
    folder = release.write(tmp_path / "raw")
    members = [(f"train/{image.id}.jpg", image.data) for image in release.splits["train"]]
    write_large(folder / "train_images.zip", members, zip64=False)
    with pytest.raises(UserError) as error:
        run(folder, tmp_path / "rocov2", skip_problems=skip_problems)
    assert str(error.value).startswith(
        "1 problem found; nothing was built.\ndamaged-zip: 1 zip that cannot be opened\n"
    )
    assert "--on-problem" not in str(error.value)
    assert problems_of(tmp_path / "rocov2") == [("damaged-zip", "train_images.zip", "")]
    write_large(folder / "train_images.zip", members, zip64=True)
    output = run(folder, tmp_path / "rocov2")
    assert all_rows(output) == expected_rows(release, output)

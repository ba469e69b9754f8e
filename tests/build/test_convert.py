"""The whole way from a raw release to a repository, held against a model that knows only the release."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterable
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest

from rocov2 import SPLITS
from rocov2_build import convert as conversion
from rocov2_build.check import check_repository
from rocov2_build.convert import Conversion
from rocov2_build.engine import local
from rocov2_build.shards.plan import Layout
from rocov2_shared.errors import UserError
from tests.conftest import PROJECT
from tests.support.raw import RawRelease, expected_rows, jpeg, make_raw
from tests.support.repositories import (
    SMALL,
    all_rows,
    convert_here,
    counts_of,
    facts_of,
    files_of,
    images_by_id,
    left_beside,
    run,
    tables_of,
)


def release() -> RawRelease:
    """A release with every kind of row and image."""
    raw = make_raw(30, 8, 7)
    raw.image("train", 4).data = jpeg(50, 30, orientation=6)
    raw.image("valid", 1).data = jpeg(1, 37, "RGB", progressive=True)
    raw.image("test", 5).data = jpeg(33, 17, "CMYK")
    return raw


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return release().write(tmp_path_factory.mktemp("release") / "raw")


@pytest.fixture(scope="module")
def built(raw: Path) -> Path:
    """The whole release built. Tests change copies alone."""
    return run(raw, raw.parent / "rocov2")


def test_every_row_of_every_configuration(built: Path) -> None:
    assert all_rows(built) == expected_rows(release(), built)


def test_every_image_byte_for_byte(built: Path) -> None:
    originals = {image.id: image.data for images in release().splits.values() for image in images}
    assert images_by_id(built) == originals


def test_files_of_the_repository(built: Path) -> None:
    paths = list(files_of(built))
    shards = [path for path in paths if path.startswith("data/")]
    assert [path for path in paths if path not in shards] == [
        *(
            ".gitattributes",
            "LICENSE.md",
            "README.md",
            "conversion.json",
            "croissant.json",
            "dataset_infos.json",
            "facts.json",
        ),
        *("mini/test.parquet", "mini/train.parquet", "mini/validation.parquet"),
        *(path.replace("data/", "small/") for path in shards),
        *("text/test.parquet", "text/train.parquet", "text/validation.parquet", "vocabulary/vocabulary.parquet"),
    ]
    groups = ["{}-{}".format(*itemgetter(0, 4)(path.split("-", 4))) for path in shards]
    assert {group: groups.count(group) for group in groups} == {
        "data/test-commercial-shared.parquet": 2,
        "data/test-noncommercial-shared.parquet": 1,
        "data/train-commercial-apart.parquet": 8,
        "data/train-commercial-shared.parquet": 8,
        "data/train-noncommercial-apart.parquet": 1,
        "data/train-noncommercial-shared.parquet": 1,
        "data/validation-commercial-shared.parquet": 2,
        "data/validation-noncommercial-shared.parquet": 1,
    }
    assert left_beside(built) == {"rocov2"}


def test_what_the_repository_says_of_itself(built: Path) -> None:
    facts = facts_of(built)
    assert (facts["release"], facts["partial"], facts["part"], facts["left_out"]) == (None, False, None, [])
    assert set(facts["files"]) == set(tables_of(built))
    for path, file in facts["files"].items():
        assert file["bytes"] == (built / path).stat().st_size
    assert sum(file["rows"] for path, file in facts["files"].items() if path.startswith("data/")) == 45
    assert sum(facts["image_modes"].values()) == 45
    assert counts_of(built) == {
        config: {split: len(rows) for split, rows in splits.items()}
        for config, splits in expected_rows(release(), built).items()
    }


@pytest.mark.parametrize(
    ("workers", "form"),
    [(1, {"reverse_members": True, "compression": 0}), (2, {"unpacked": True})],
    ids=["one worker, another zip", "a folder"],
)
def test_the_same_bytes_whoever_does_it(built: Path, tmp_path: Path, workers: int, form: dict[str, Any]) -> None:
    raw = release().write(tmp_path / "raw", **form)
    assert files_of(run(raw, tmp_path / "rocov2", workers=workers)) == files_of(built)


@pytest.mark.parametrize("forms", ["{}_images {}/{} {}_images/{}", "{}_images/{} {}_images {}/{}"])
def test_the_same_bytes_from_every_unpacked_form(built: Path, tmp_path: Path, forms: str) -> None:
    raw = release().write(tmp_path / "raw", unpacked=True)
    for split, form in zip(SPLITS.values(), forms.split(), strict=True):
        unpacked = (raw / split).rename(raw / "unpacked")
        folder = raw / form.format(split, split)
        folder.parent.mkdir(exist_ok=True)
        unpacked.rename(folder)
        (folder / "Thumbs.db").touch()
        (folder.parent / "__MACOSX").mkdir(exist_ok=True)
    output = tmp_path / "rocov2"
    convert_here(Conversion(raw, output, release="any", layout=SMALL, quiet=True))
    assert files_of(output) == files_of(built)


def test_the_repositories_of_other_tests_are_the_same_without_workers(raw: Path, built: Path, tmp_path: Path) -> None:
    output = tmp_path / "rocov2"
    convert_here(Conversion(raw, output, release="any", layout=SMALL, quiet=True))
    assert files_of(output) == files_of(built)


def test_limit(raw: Path, tmp_path: Path) -> None:
    output = run(raw, tmp_path / "rocov2", limit=3)
    rows = all_rows(output)
    assert rows == expected_rows(release(), output, limit=3)
    assert {split: len(part) for split, part in rows["default"].items()} == {"train": 3, "validation": 3, "test": 3}
    # Known from the whole release: the article's other images are not all in this part.
    assert all(row["article_in_other_split"] for part in rows["default"].values() for row in part)
    assert (facts_of(output)["partial"], facts_of(output)["part"]) == (True, "--limit 3")


def test_split(raw: Path, tmp_path: Path, built: Path) -> None:
    output = run(raw, tmp_path / "rocov2", splits=("test",))
    whole = all_rows(built)
    for config in ("default", "commercial", "small", "mini", "text"):
        assert all_rows(output)[config] == {"test": whole[config]["test"]}
    counts = {row["cui"]: row["test"] for row in whole["vocabulary"]["vocabulary"]}
    for row in all_rows(output)["vocabulary"]["vocabulary"]:
        assert (row["train"], row["validation"], row["test"]) == (0, 0, counts[row["cui"]])
    assert (facts_of(output)["partial"], facts_of(output)["part"]) == (True, "--split test")
    assert {config: list(splits) for config, splits in counts_of(output).items()} == {
        **{key: ["test"] for key in ("default", "commercial", "small", "mini", "text")},
        "vocabulary": ["vocabulary"],
    }


def test_splits_without_one_licence_group(tmp_path: Path) -> None:
    raw = make_raw(10, 3, 4)
    for split, license in (("train", "CC BY"), ("valid", "CC BY-NC"), ("test", "CC BY-NC")):
        for image in raw.splits[split]:
            image.attribution = f"{license} Doe et al. (2020)"
    output = run(raw.write(tmp_path / "raw"), tmp_path / "rocov2")
    rows = all_rows(output)
    assert rows == expected_rows(raw, output)
    assert {config: list(splits) for config, splits in rows.items() if config != "vocabulary"} == {
        **{key: ["train", "validation", "test"] for key in ("default", "apart", "small", "mini", "text")},
        "commercial": ["train"],
    }


def test_a_release_without_commercial_use(tmp_path: Path) -> None:
    raw = make_raw(3, 0, 1)
    for split in ("train", "test"):
        for image in raw.splits[split]:
            image.attribution = "CC BY-NC Doe et al. (2020)"
    output = run(raw.write(tmp_path / "raw"), tmp_path / "rocov2")
    assert all_rows(output) == expected_rows(raw, output)
    assert list(counts_of(output)) == ["default", "apart", "small", "mini", "text", "vocabulary"]


def test_the_sample(tmp_path: Path) -> None:
    output = run(PROJECT / "sample", tmp_path / "rocov2", layout=Layout())

    def table(name: str) -> dict[str, list[str]]:
        with (PROJECT / "sample" / name).open(newline="", encoding="utf-8") as file:
            return {row[0]: row[1:] for row in list(csv.reader(file))[1:]}

    sources, names = table("license_information.csv"), table("cui_mapping.csv")
    for split, raw_split in (("train", "train"), ("validation", "valid"), ("test", "test")):
        captions, cuis, manual = (
            table(f"{raw_split}_{name}.csv") for name in ("captions", "concepts", "concepts_manual")
        )
        rows = {row["image_id"]: row for row in all_rows(output)["default"][split]}
        assert rows.keys() == captions.keys()
        for image_id, row in rows.items():
            codes = cuis[image_id][0].split(";")
            assert [row["caption"]] == captions[image_id]
            assert row["cuis"] == codes
            assert row["concept_names"] == [names.get(code, [code])[0] for code in codes]
            assert ";".join(row["manual_cuis"]) == manual[image_id][0]
            assert [row["pmcid"], f"{row['license']} {row['attribution']}", row["url"]] == sources[image_id]
    assert (facts_of(output)["release"], facts_of(output)["partial"]) == ("sample", True)
    assert check_repository(output) == []  # no warning either


def test_output_complete_with_the_same_plan(raw: Path, built: Path) -> None:
    def state() -> dict[Path, tuple[int, int]]:
        return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in built.rglob("*")}

    before = state()
    for options in ({}, {"overwrite": True}, {"workers": 1}, {"skip_problems": True}):
        run(raw, built, **options)
        assert state() == before
    assert left_beside(built) == {"rocov2"}


def test_output_of_another_plan(raw: Path, built: Path, tmp_path: Path) -> None:
    output = tmp_path / "rocov2"
    shutil.copytree(built, output)
    with pytest.raises(UserError) as caught:
        run(raw, output, splits=("test",), verify="none")
    assert str(caught.value) == (
        f'{output} was built from another plan (splits: [] -> ["test"]; verify: "strict" -> "none"): '
        "add --overwrite to replace it"
    )
    assert files_of(output) == files_of(built)
    run(raw, output, splits=("test",), overwrite=True)
    assert list(all_rows(output)["default"]) == ["test"]
    assert not (output / "text" / "train.parquet").exists()
    assert left_beside(output) == {"rocov2"}


def test_a_damaged_repository_is_made_whole_by_overwrite(raw: Path, built: Path, tmp_path: Path) -> None:
    output = tmp_path / "rocov2"
    shutil.copytree(built, output)
    gone, cut = sorted((output / "data").iterdir())[1:3]
    gone.unlink()
    cut.write_bytes(cut.read_bytes()[:-1])
    names = ", ".join(path.relative_to(output).as_posix() for path in (gone, cut))
    with pytest.raises(UserError, match=rf"rocov2 is damaged \({names}\): add --overwrite to build it again"):
        run(raw, output)
    run(raw, output, overwrite=True)
    assert files_of(output) == files_of(built)


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_foreign_folder_is_never_touched(raw: Path, tmp_path: Path, overwrite: bool) -> None:
    output = tmp_path / "rocov2"
    output.mkdir()
    (output / "thesis.txt").write_text("years of work")
    with pytest.raises(UserError, match="was not built by this program"):
        run(raw, output, overwrite=overwrite)
    assert files_of(output) == {"thesis.txt": b"years of work"}
    assert left_beside(output) == {"rocov2"}


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize(
    ("raw_name", "output_name", "found"),
    [
        ("out/raw", "out", "RAW ({raw}) is inside OUTPUT ({output})"),
        ("link/raw", "out", "RAW ({raw}) is inside OUTPUT ({output})"),
        ("out/raw", "link", "RAW ({raw}) is inside OUTPUT ({target})"),
        ("out/raw", "out/raw/rocov2", "OUTPUT ({output}) is inside RAW ({raw})"),
        ("out/raw", "out/raw", "OUTPUT ({output}) is the same as RAW ({raw})"),
    ],
)
def test_raw_and_output_inside_each_other_are_refused(
    tmp_path: Path, raw_name: str, output_name: str, found: str, overwrite: bool, dry_run: bool
) -> None:
    """Before anything is read: RAW has no files of a release. A built repository is around it, which could be replaced."""
    (tmp_path / "out" / "raw").mkdir(parents=True)
    (tmp_path / "out" / "raw" / "train_captions.csv").touch()
    (tmp_path / "out" / "conversion.json").write_text('{"plan": {}, "files": {}, "documents": {}}')
    (tmp_path / "link").symlink_to("out")
    before = sorted(tmp_path.rglob("*"))
    raw, output = tmp_path / raw_name, tmp_path / output_name
    with pytest.raises(UserError) as caught:
        run(raw, output, overwrite=overwrite, dry_run=dry_run)
    what = found.format(raw=raw, output=output, target=tmp_path / "out")
    assert str(caught.value) == f"{what}: name a folder outside for OUTPUT, so that nothing that is read is overwritten"
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("stranger", ["notes.txt", ".git/HEAD", "data/more.parquet", "assets/drawing.svg"])
def test_overwriting_names_what_no_build_made(raw: Path, built: Path, tmp_path: Path, stranger: str) -> None:
    output = tmp_path / "rocov2"
    shutil.copytree(built, output)
    (output / stranger).parent.mkdir(exist_ok=True)
    (output / stranger).write_text("mine")
    before = files_of(output)
    shown = {".git/HEAD": ".git/", "assets/drawing.svg": "assets/"}.get(stranger, stranger)
    with pytest.raises(UserError) as caught:
        run(raw, output, limit=1, overwrite=True)
    assert str(caught.value) == (
        f"{output} contains 1 file or folder that no build made ({shown}): move them, or name another folder"
    )
    assert files_of(output) == before
    assert left_beside(output) == {"rocov2"}
    (output / stranger).unlink()
    (output / ".DS_Store").touch()  # of a desktop, nobody's work
    run(raw, output, limit=1, overwrite=True)
    assert [len(rows) for rows in all_rows(output)["default"].values()] == [1, 1, 1]


def test_an_output_in_a_file_is_refused(raw: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot be in .*/file, which is not a folder: choose another OUTPUT"):
        run(raw, tmp_path / "file" / "a" / "rocov2")


def test_an_unfinished_build_of_an_older_version_is_named(raw: Path, tmp_path: Path) -> None:
    unfinished = tmp_path / "rocov2.building" / "9b89a71eca0a565f"
    unfinished.mkdir(parents=True)
    (unfinished / "plan.json").write_text("{}")
    with pytest.raises(UserError, match="is an unfinished build of an older version, which this version cannot resume"):
        run(raw, tmp_path / "rocov2", overwrite=True)
    assert unfinished.is_dir()


def test_overwriting_knows_what_versions_built_that_recorded_no_documents(
    raw: Path, built: Path, tmp_path: Path
) -> None:
    """The documents are known by name: files of the user are still named."""
    output = tmp_path / "rocov2"
    shutil.copytree(built, output)
    (output / "assets").mkdir(exist_ok=True)
    (output / "assets" / "contact_sheet.png").touch()
    record = facts_of(output)
    del record["documents"]
    record["plan"]["format"] = 4
    (output / "conversion.json").write_text(json.dumps(record))
    (output / "assets" / "mine.png").touch()
    with pytest.raises(UserError, match=r"1 file or folder that no build made \(assets/mine\.png\)"):
        run(raw, output, limit=1, overwrite=True)
    (output / "assets" / "mine.png").unlink()
    run(raw, output, limit=1, overwrite=True)
    assert "documents" in facts_of(output)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("rocov2.building/thesis.txt", "mine", "is needed for unfinished work, but this program did not make it"),
        ("rocov2.building", "mine", "is needed for unfinished work, but this program did not make it"),
        ("rocov2.lock", "[[package]]", "is needed as a lock, but this program did not make it"),
    ],
)
def test_names_beside_output_that_are_somebody_elses(
    raw: Path, tmp_path: Path, name: str, content: str, message: str
) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(content)
    for overwrite in (False, True):
        with pytest.raises(UserError, match=message):
            run(raw, tmp_path / "rocov2", overwrite=overwrite)
    assert files_of(tmp_path) == {name: content.encode()}


def test_a_list_of_problems_is_removed_only_if_it_is_one(raw: Path, tmp_path: Path) -> None:
    own = tmp_path / "rocov2.problems.csv"
    own.write_text("problem,solution\n")
    run(raw, tmp_path / "rocov2", limit=1)
    assert own.read_text() == "problem,solution\n"


@pytest.mark.parametrize("target", ["empty", "missing/deep", "built"])
def test_the_target_of_a_link_is_built(raw: Path, built: Path, tmp_path: Path, target: str) -> None:
    (tmp_path / "empty").mkdir()
    shutil.copytree(built, tmp_path / "built")
    link = tmp_path / "rocov2"
    link.symlink_to(target)
    before = set(tmp_path.iterdir())
    for _ in range(2):
        run(raw, link, limit=1, overwrite=target == "built")
        assert link.is_symlink()
        assert [len(rows) for rows in all_rows(tmp_path / target)["default"].values()] == [1, 1, 1]
    assert set(tmp_path.iterdir()) - before <= {tmp_path / "missing"}


def test_a_mount_point_is_refused_before_anything_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    monkeypatch.setattr("os.path.ismount", lambda path: Path(path) == volume)
    with pytest.raises(UserError, match=rf"volume is a mount point.*: name a folder in it, such as {volume}/rocov2"):
        run(tmp_path / "nowhere", volume)
    assert list(tmp_path.iterdir()) == [volume]


def test_an_old_folder_of_somebody_else_is_named_before_the_build(raw: Path, built: Path, tmp_path: Path) -> None:
    output = tmp_path / "rocov2"
    shutil.copytree(built, output)
    output.with_name("rocov2.old").mkdir()
    with pytest.raises(UserError, match=r"rocov2\.old exists, but its name is needed: move it"):
        run(raw, output, limit=1, overwrite=True)
    assert left_beside(output) == {"rocov2", "rocov2.old"}


class _KilledError(BaseException):
    """Ends a conversion as a kill would."""


def unfinished(raw: Path, output: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A conversion that ended when all data files were there; the folder of its plan."""
    with monkeypatch.context() as patch:
        patch.setattr(conversion, "describe_repository", _kill)
        with pytest.raises(_KilledError):
            run(raw, output)
    (folder,) = (path for path in output.with_name("rocov2.building").iterdir() if path.is_dir())
    return folder


def _kill(*_: object, **__: object) -> None:
    raise _KilledError


def test_resume(raw: Path, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = tmp_path / "rocov2"
    folder = unfinished(raw, output, monkeypatch)
    one, two, three, *_ = sorted(
        path.relative_to(folder / "repository").as_posix() for path in folder.rglob("*.parquet")
    )
    (folder / "facts" / f"{one.replace('/', '--')}.json").unlink()
    (folder / "repository" / two).unlink()
    altered = folder / "repository" / three
    altered.write_bytes(altered.read_bytes()[:-20] + bytes(20))
    done: list[str] = []
    run_tasks = local.run_tasks

    def watched(*arguments: Any) -> Iterable[Any]:
        for task, result in run_tasks(*arguments):
            done.append(task.path)
            yield task, result

    monkeypatch.setattr(conversion, "run_tasks", watched)
    run(raw, output)
    assert sorted(done) == [one, two, three]
    assert files_of(output) == files_of(built)
    assert left_beside(output) == {"rocov2"}


def test_unfinished_work_of_other_options(
    raw: Path, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "rocov2"
    unfinished(raw, output, monkeypatch)
    with pytest.raises(UserError, match=r"unfinished build of another plan \(limit: null -> 2\)"):
        run(raw, output, limit=2)
    assert not output.exists()
    run(raw, output, limit=2, overwrite=True)
    assert [len(rows) for rows in all_rows(output)["default"].values()] == [2, 2, 2]
    assert left_beside(output) == {"rocov2"}

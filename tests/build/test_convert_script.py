"""The command line of the conversion, as a user starts it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from rocov2 import SPLITS
from rocov2_build.convert import Conversion
from rocov2_build.raw.releases import LATEST, RELEASES
from rocov2_build.shards.plan import Layout
from rocov2_build.worker.verification import Verification
from rocov2_commands import convert
from rocov2_shared import terminal as terminal
from tests.conftest import PROJECT, Run
from tests.support.processes import HANG_SECONDS
from tests.support.raw import RawRelease, jpeg, make_raw
from tests.support.repositories import all_rows, files_of

pytestmark = pytest.mark.slow

SCRIPT = "convert_to_parquet"
ANY = ("--release", "any", "--workers", "2")


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A small release in `raw/`, where the command is started."""
    return make_raw(4, 2, 2).write(tmp_path / "raw")


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """The command in this process, for what ends before long; an error that it does not tell fails the test."""

    def start(*arguments: object) -> subprocess.CompletedProcess[str]:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", [f"{SCRIPT}.py", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            terminal.run(convert.main)
        told = capfd.readouterr()
        return subprocess.CompletedProcess([], int(str(caught.value.code)), told.out, told.err)

    return start


def refused(result: subprocess.CompletedProcess[str], code: int, message: str) -> None:
    """The command ended with this code and a message that holds this one, and with no traceback."""
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert (result.returncode, result.stdout) == (code, "")


def test_a_run_tells_its_steps_on_standard_error(raw: Path, run: Run, tmp_path: Path) -> None:
    result = run(SCRIPT, "raw", *ANY)
    assert (result.returncode, result.stdout) == (0, "")
    head, tables, images, *steps, done = result.stderr.splitlines()
    assert re.fullmatch(
        r"ROCOv2 \(unknown release\): 8 images \(4 train, 2 validation, 2 test\), \d+(\.\d)? kB in raw/ -> 4 shards",
        head,
    )
    assert re.fullmatch(r"Tables    14 files agree\. Noted: .*\. Read in 0:00:\d\d\.", tables)
    assert re.fullmatch(r"Images    ##############  4/4 shards  8/8  \d+ images/s  in 0:00:\d\d", images)
    assert [line.partition(" ")[0] for line in steps] == ["Text", "Noted", "Facts", "Card"]
    assert steps.pop(1) == (
        "Noted     every picture is already as small as --small 256: small repeats default, and --small none would leave it "
        "out."
    )
    assert all(re.search(r"(  in| \.\.\.) 0:00:\d\d$", line) for line in steps)
    assert done.startswith("Done      rocov2/ in 0:00:0")
    assert done.endswith('every image verified. Use: load_dataset("rocov2")')
    again = run(SCRIPT, "raw", *ANY)
    assert again.returncode == 0
    expected = "Done      rocov2/ was already built, from the same release with the same options."
    assert again.stderr.splitlines()[::2] == [head, expected]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("rocov2")] == ["rocov2"]
    other = run(SCRIPT, "raw", *ANY, "--limit", 1)
    refused(other, 1, "Error: rocov2 was built from another plan (limit: null -> 1): add --overwrite to replace it\n")
    assert run(SCRIPT, "raw", *ANY, "--limit", 1, "--overwrite").returncode == 0
    assert [len(rows) for rows in all_rows(tmp_path / "rocov2")["default"].values()] == [1, 1, 1]


def test_a_resumed_run_says_what_is_there(
    raw: Path, call: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("rocov2_build.convert.describe_repository", interrupt)
        assert call("raw", *ANY, "--no-pictures").returncode == 130
    files = list((tmp_path / "rocov2.building").glob("*/repository/*/*.parquet"))
    again = call("raw", *ANY, "--no-pictures")
    assert again.returncode == 0
    said = f"Resumed   an earlier run has written {len(files)} files: those with the right hash are kept.\n"
    assert again.stderr.count(said) == again.stderr.count("Resumed") == 1


def test_quiet(raw: Path, run: Run, tmp_path: Path) -> None:
    result = run(
        SCRIPT, "raw", "out", *ANY, "--quiet", "--split", "test", "--split", "validation", "--on-problem", "skip"
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert list(all_rows(tmp_path / "out")["default"]) == ["validation", "test"]


def test_dry_run_writes_nothing(raw: Path, run: Run, tmp_path: Path) -> None:
    before = files_of(tmp_path)
    result = run(SCRIPT, "raw", *ANY, "--dry-run")
    assert (result.returncode, result.stdout) == (0, "")
    assert "data/train-00000-of-00002-commercial-shared.parquet  3 images, 1 row group, " in result.stderr
    assert "Dry run   6 shards" in result.stderr or re.search(
        r"Dry run +\d shards, .*; nothing was written\.", result.stderr
    )
    assert files_of(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


def test_dry_run_of_a_release_at_fault_writes_nothing(call: Run, tmp_path: Path) -> None:
    release = make_raw(2, 1, 1)
    release.image("train", 0).caption = ""
    release.write(tmp_path / "raw")
    refused(call("raw", *ANY, "--dry-run"), 1, "empty-caption: 1 image without a caption")
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


def test_missing_raw(run: Run, tmp_path: Path) -> None:
    result = run(SCRIPT, "nowhere")
    refused(result, 1, "Error: no folder nowhere: RAW is the folder with the release's 14 files")
    assert "`rocov2 download nowhere` downloads them" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_raw_is_a_file(call: Run, tmp_path: Path) -> None:
    (tmp_path / "raw.zip").touch()
    refused(call("raw.zip"), 1, "Error: raw.zip is a file: RAW is the folder with the release's 14 files")


@pytest.mark.parametrize("name", ["test_captions.csv", "train_images.zip"])
def test_missing_file(raw: Path, call: Run, name: str) -> None:
    (raw / name).unlink()
    result = call("raw", *ANY)
    refused(result, 1, "missing-file: 1 missing file\n")
    assert f"    {name}: expected " in result.stderr
    assert "rocov2.problems.csv lists all of them." in result.stderr


def test_an_empty_raw(call: Run, tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    refused(call("raw", *ANY), 1, "missing-file: 14 missing files\n")


def test_wrong_header(raw: Path, run: Run) -> None:
    path = raw / "test_captions.csv"
    path.write_bytes(path.read_bytes().replace(b"ID,Caption", b"id,text"))
    refused(run(SCRIPT, "raw", *ANY), 1, "    test_captions.csv: expected ID,Caption, found id,text\n")


def test_id_without_image(run: Run, tmp_path: Path) -> None:
    release = make_raw(3, 1, 1)
    whole = release.write(tmp_path / "raw")
    gone = release.splits["train"].pop()
    RawRelease(release.splits).write(tmp_path / "less")
    (tmp_path / "less" / "train_images.zip").replace(whole / "train_images.zip")
    result = run(SCRIPT, "raw", *ANY)
    refused(result, 1, "Error: 1 problem found; nothing was built.\nid-without-image: 1 id without an image\n")
    line = f"    train_images.zip {gone.id}: expected train/{gone.id}.jpg, found no such image\n"
    assert line in result.stderr
    assert not (tmp_path / "rocov2").exists()


def test_numbers_that_do_not_match(raw: Path, run: Run, tmp_path: Path) -> None:
    result = run(SCRIPT, "raw")
    refused(result, 1, "wrong-count: 33 counts that differ from the named release")
    assert result.stderr.endswith("a part of one or the sample, add --release any.\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["raw", "rocov2.problems.csv"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Missing argument 'RAW'"),
        (("raw", "out", "more"), "Got unexpected extra argument (more)"),
        (("raw", "--split", "valid"), "'valid' is not one of 'train', 'validation', 'test'"),
        (("raw", "--release", "3"), "'3' is not one of '2.0.1', '1', 'any'"),
        (("raw", "--verify", "half"), "'half' is not one of 'strict', 'markers', 'none'"),
        (("raw", "--on-problem", "ask"), "'ask' is not one of 'fail', 'skip'"),
        (("raw", "--max-shard-size", "many"), "invalid size 'many': use a number above 0 with a unit"),
        (("raw", "--row-group-size", "0MB"), "invalid size '0MB': use a number above 0 with a unit"),
        (("raw", "--row-group-size", "-1"), "invalid size '-1': use a number above 0 with a unit"),
        (
            ("raw", "--max-shard-size", "10"),
            "Invalid value for '--max-shard-size': '10' is 10 bytes: use 1KB to 50GB\n",
        ),
        (("raw", "--max-shard-size", "51GB"), "'51GB' is 51 GB: use 1KB to 50GB\n"),
        (("raw", "--row-group-size", "1"), "'1' is 1 byte: use 1KB to 64MB\n"),
        (("raw", "--row-group-size", "9TB"), "'9TB' is 9000 GB: use 1KB to 64MB\n"),
        (
            ("raw", "--max-shard-size", "1MB", "--row-group-size", "8MB"),
            "--row-group-size is 8.0 MB, but --max-shard-size only 1.0 MB: a shard contains whole row groups",
        ),
        (("raw", "--workers", "0"), "0 is not in the range x>=1"),
        (("raw", "--limit", "0"), "0 is not in the range x>=1"),
        (("raw", "--limit", "x"), "'x' is not a valid integer range"),
        (("raw", "--faster"), "No such option"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], message: str, call: Run) -> None:
    refused(call(*arguments), 2, message)


def test_wrong_usage_in_a_process_of_its_own(run: Run) -> None:
    refused(run(SCRIPT, "raw", "--split", "valid"), 2, "Usage: convert_to_parquet.py [OPTIONS] RAW [OUTPUT]\n")


@pytest.mark.parametrize("output", [".", "raw", "raw/train_captions.csv", "raw/train_captions.csv/rocov2"])
def test_an_output_that_cannot_be(raw: Path, call: Run, output: str) -> None:
    before = files_of(raw)
    result = call("raw", output, *ANY)
    refused(result, 1, "Error: ")
    assert files_of(raw).items() >= before.items()


DECIMAL = {"300MB": 300_000_000, "300mb": 300_000_000, "1.5GB": 1_500_000_000, "64k": 64_000, "1000": 1_000, "7B": 7}
BINARY = {"8MiB": 8_388_608, "0.5 GiB": 536_870_912, "64KiB": 65_536}


@pytest.mark.parametrize(("text", "size"), (DECIMAL | BINARY).items())
def test_sizes(text: str, size: int) -> None:
    assert terminal.Size().convert(text, None, None) == size


@pytest.mark.parametrize("text", ["", "MB", "1PB", "1,5GB", "1e9", "-5MB", "0", "0.4", "300 M B", "NaN"])
def test_bad_sizes(text: str) -> None:
    with pytest.raises(click.BadParameter, match="invalid size"):
        terminal.Size().convert(text, None, None)


def parameters() -> dict[str, click.Parameter]:
    """The command's parameters by name."""
    return {str(parameter.name): parameter for parameter in convert.main.params}


def test_sizes_reach_the_plan(raw: Path, call: Run, tmp_path: Path) -> None:
    assert call("raw", *ANY, "--max-shard-size", "2kB", "--row-group-size", "1KiB").returncode == 0
    conversion = (tmp_path / "rocov2" / "conversion.json").read_text()
    assert '"max_shard_size": 2000,\n  "row_group_size": 1024' in conversion


def test_a_shard_may_be_smaller_than_the_default_row_group(raw: Path, call: Run) -> None:
    done = call("raw", *ANY, "--max-shard-size", "1MB", "--dry-run")
    assert done.returncode == 0
    assert done.stderr.splitlines()[0].endswith(" in raw/ -> 4 shards")


def test_choices_are_those_of_the_project() -> None:
    def choices(name: str) -> list[str]:
        kind = parameters()[name].type
        assert isinstance(kind, click.Choice)
        return list(kind.choices)

    assert choices("splits") == list(SPLITS)
    assert choices("release") == [*RELEASES, "any"]
    assert choices("verify") == [*Verification]


def test_defaults_are_those_of_the_project() -> None:
    context = convert.main.make_context("", ["raw"])
    options, layout = Conversion(Path("raw")), Layout()
    assert context.params == {
        "raw": options.raw,
        "output": options.output,
        "release": options.release,
        "workers": None,
        "scheduler": options.scheduler,
        "limit": options.limit,
        "splits": options.splits,
        "small": layout.small,
        "max_shard_size": layout.max_shard_size,
        "row_group_size": layout.row_group_size,
        "verify": options.verify,
        "on_problem": "fail",
        "overwrite": options.overwrite,
        "dry_run": options.dry_run,
        "no_pictures": False,  # those who call `convert` themselves ask for pictures
        "quiet": options.quiet,
    }
    assert options.release == LATEST
    assert not options.skip_problems


def test_help_names_every_option_and_imports_little() -> None:
    program = (
        "import runpy, sys\n"
        "try: runpy.run_path(sys.argv[1], run_name='__main__')\n"
        "finally: print('MODULES', *sys.modules)"
    )
    script = str(PROJECT / "scripts" / f"{SCRIPT}.py")
    result = subprocess.run(
        [sys.executable, "-c", program, script, "--help"], capture_output=True, text=True, check=True
    )
    text, _, modules = result.stdout.partition("MODULES")
    for parameter in parameters().values():
        assert all(option in text for option in parameter.opts if option.startswith("--"))
    assert "RAW [OUTPUT]" in text
    assert {"datasets", "pyarrow", "pandas", "PIL", "rocov2", "distributed"}.isdisjoint(modules.split())


def test_the_working_directory_is_not_searched_for_what_workers_import(raw: Path, tmp_path: Path, run: Run) -> None:
    for module in ("numpy", "pyarrow", "rocov2_build", "rocov2_shared.errors"):
        (tmp_path / f"{module}.py").write_text("open('imported', 'w'); raise RuntimeError")
    assert run(SCRIPT, "raw", *ANY).returncode == 0
    assert not (tmp_path / "imported").exists()


def start(folder: Path, environment: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    """The command in a process group of its own, as a terminal starts it: Ctrl-C then reaches the workers too."""
    command = [sys.executable, str(PROJECT / "scripts" / f"{SCRIPT}.py"), *arguments]
    return subprocess.Popen(
        command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def interrupt(process: subprocess.Popen[str], folder: Path) -> None:
    """Press Ctrl-C: the command says so, and that it resumes if it has finished any file in `folder`."""
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=HANG_SECONDS)
    assert "Traceback" not in told
    assert "KeyboardInterrupt" not in told
    begun = any(folder.glob("rocov2.building/*/facts/*.json"))
    hint = " Run the same command again to resume where this one stopped." if begun else ""
    assert told.endswith(f"\nInterrupted.{hint}\n")
    assert process.returncode == 130


def test_interrupted_as_the_workers_start(raw: Path, environment: dict[str, str], tmp_path: Path) -> None:
    process = start(tmp_path, environment, "raw", *ANY)
    assert process.stderr
    assert any(line.startswith("Tables") for line in process.stderr)
    time.sleep(0.1)
    interrupt(process, tmp_path)


def test_interrupted_and_gone_on_with(tmp_path: Path, run: Run, environment: dict[str, str]) -> None:
    release = make_raw(60, 8, 8)
    for number, image in enumerate(image for images in release.splits.values() for image in images):
        image.data = jpeg(700, 700, "RGB", seed=number % 5, quality=98)  # large enough to take a while
    release.write(tmp_path / "raw")
    options = ("raw", "rocov2", "--release", "any", "--workers", "1", "--max-shard-size", "300KB")
    process = start(tmp_path, environment, *options)
    building = tmp_path / "rocov2.building"
    while process.poll() is None and sum(1 for _ in building.glob("*/facts/*.json")) < 3:
        time.sleep(0.01)
    interrupt(process, tmp_path)
    assert not (tmp_path / "rocov2").exists()
    recorded = [path.stem.replace("--", "/") for path in building.glob("*/facts/*.json")]
    assert len(recorded) >= 3
    (repository,) = building.glob("*/repository")
    written = {path: (repository / path).stat().st_mtime_ns for path in recorded}
    assert run(SCRIPT, *options).returncode == 0
    assert {path: (tmp_path / "rocov2" / path).stat().st_mtime_ns for path in recorded} == written
    assert run(SCRIPT, "raw", "undisturbed", *options[2:]).returncode == 0
    assert files_of(tmp_path / "rocov2") == files_of(tmp_path / "undisturbed")

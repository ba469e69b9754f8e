"""The wheel, built and installed into an environment of its own: every command works from a folder without the project."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

import rocov2
from rocov2_commands.verbs import VERBS
from tests.conftest import PROJECT
from tests.support.raw import RawRelease, make_raw

pytestmark = pytest.mark.slow

PACKAGES = ("rocov2_shared", "rocov2_build", "rocov2_tasks", "rocov2_commands")

Done = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the working tree."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=PROJECT, check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


class Environment:
    """An environment with the wheel, and an empty folder where its commands are started.

    It finds the packages that this environment has, but not the project: an editable installation is a .pth file, and those
    of a folder that is itself added by one are not read.
    """

    def __init__(self, wheel: Path, root: Path) -> None:
        self.folder = root / "folder"
        self.folder.mkdir()
        subprocess.run([sys.executable, "-m", "venv", root / "venv"], check=True)
        (site,) = (root / "venv").glob("lib/python*/site-packages")
        paths = dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))
        (site / "dependencies.pth").write_text("".join(f"{path}\n" for path in paths))
        self.site, self.bin = site, root / "venv" / "bin"
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING", "PYTHON"))}
        self._variables = kept | {"HF_HOME": str(root / "hf_home"), "HF_HUB_OFFLINE": "1"}
        install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps"]
        done = self.call("python", *install, wheel)
        assert done.returncode == 0, done.stderr

    def call(self, program: str, *arguments: object) -> Done:
        """Start a program of the environment in the folder."""
        return subprocess.run(
            [self.bin / program, *map(str, arguments)],
            cwd=self.folder,
            env=self._variables,
            capture_output=True,
            text=True,
            check=False,
        )

    def succeed(self, *arguments: object) -> Done:
        """`rocov2 ARGUMENTS`, which has to succeed."""
        done = self.call("rocov2", *arguments)
        assert done.returncode == 0, done.stderr
        return done


@pytest.fixture(scope="module")
def raw() -> RawRelease:
    return make_raw(12, 4, 4)


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment(wheel, tmp_path_factory.mktemp("installed"))


@pytest.fixture(scope="module")
def built(installed: Environment, raw: RawRelease) -> Environment:
    """The environment, with `rocov2/` in its folder: built by the installed command, with worker processes and pictures."""
    raw.write(installed.folder / "raw")
    done = installed.succeed("convert", "raw", "--release", "any", "--workers", "2")
    assert 'Use: load_dataset("rocov2")' in done.stderr
    return installed


def test_the_wheel_has_the_modules_the_card_and_the_licence(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    (metadata,) = {name.partition("/")[0] for name in names} - {"rocov2.py", *PACKAGES}
    assert metadata == f"rocov2_hub-{rocov2.__version__}.dist-info"
    modules = {
        path.relative_to(PROJECT).as_posix() for package in PACKAGES for path in (PROJECT / package).rglob("*.py")
    }
    texts = {f"rocov2_build/card/{name}.md" for name in ("template", "front_page", "LICENSE")}
    texts |= {f"rocov2_tasks/explorer/{name}" for name in ("script.js", "style.css")}
    assert {name for name in names if not name.startswith(metadata)} == {"rocov2.py"} | modules | texts
    assert f"{metadata}/licenses/LICENSE" in names


def test_a_verb_is_started_from_an_empty_folder(installed: Environment) -> None:
    listed = installed.succeed("--help").stdout.partition("Commands:\n")[2]
    assert [line.split()[0] for line in listed.splitlines()] == list(VERBS)
    assert installed.succeed("--version").stdout == f"rocov2 {rocov2.__version__}\n"
    for verb in ("score", "baseline"):
        assert installed.succeed(verb, "--help").stdout.startswith(f"Usage: rocov2 {verb} [OPTIONS] ")


def test_the_module_is_found_beside_a_folder_of_its_name(built: Environment) -> None:
    program = (
        "import rocov2, rocov2_build; print(rocov2.__version__, rocov2.__file__, rocov2_build.__file__, sep='\\n')"
    )
    done = built.call("python", "-c", program)
    assert done.returncode == 0, done.stderr
    places = [built.site / "rocov2.py", built.site / "rocov2_build" / "__init__.py"]
    assert done.stdout.splitlines() == [rocov2.__version__, *map(str, places)]
    assert (built.folder / "rocov2").is_dir()


def test_workers_import_nothing_from_the_working_directory(built: Environment) -> None:
    for name in ("numpy", "pyarrow", "rocov2_commands", "rocov2_build"):
        (built.folder / f"{name}.py").write_text("open('imported', 'w'); raise RuntimeError")
    options = ("--release", "any", "--workers", "2", "--no-pictures", "--quiet")
    built.succeed("convert", "raw", "again", *options)
    for name in ("numpy", "pyarrow", "rocov2_commands", "rocov2_build"):
        (built.folder / f"{name}.py").unlink()
    assert not (built.folder / "imported").exists()
    shards = sorted(path.relative_to(built.folder / "again") for path in built.folder.glob("again/data/*.parquet"))
    assert shards
    for shard in shards:
        assert (built.folder / "again" / shard).read_bytes() == (built.folder / "rocov2" / shard).read_bytes()


def test_a_raw_release_is_converted_and_passes_the_check(built: Environment, raw: RawRelease) -> None:
    repository = built.folder / "rocov2"
    project = json.loads((repository / "conversion.json").read_bytes())["project"]
    assert project == {"name": "rocov2-hub", "version": rocov2.__version__}
    assert (repository / "README.md").read_text().startswith("---\n")
    assert list((repository / "assets").glob("*.png"))
    assert built.succeed("check").stdout.startswith("rocov2 ")


def test_what_is_missing_is_installed_without_a_clone(installed: Environment) -> None:
    done = installed.call(
        "python", "-I", "-c", "from rocov2_shared.errors import how_to_install; print(how_to_install('card'))"
    )
    assert done.stdout == "install the extra card: pip install 'rocov2-hub[card]'\n"


def test_it_is_shown_and_previewed(built: Environment, raw: RawRelease) -> None:
    assert f"  train: {len(raw.splits['train'])} rows\n" in built.succeed("show").stdout
    assert built.succeed("preview").stdout.startswith("rocov2.preview/index.html: ")
    assert (built.folder / "rocov2.preview" / "index.html").is_file()


def test_it_is_exported(built: Environment) -> None:
    done = built.succeed("export", "rocov2", "tars", "--format", "webdataset", "--split", "test")
    assert done.stderr.endswith("Done      tars: 4 images for webdataset.\n")
    assert list((built.folder / "tars").glob("test-*.tar"))


def test_a_submission_is_scored(built: Environment, raw: RawRelease) -> None:
    with (built.folder / "submission.csv").open("w", newline="") as file:
        rows = [[image.id, ";".join(image.cuis)] for image in raw.splits["test"]]
        csv.writer(file).writerows([["ID", "CUIs"], *rows])
    done = built.succeed("score", "submission.csv", "rocov2", "--json")
    assert json.loads(done.stdout)["scores"]["concept_f1"] == 1.0


@pytest.mark.skipif(not find_spec("duckdb"), reason="the extra explore is not installed")
def test_a_space_is_written_with_its_licence(built: Environment) -> None:
    (built.site / "LICENSE").write_text("Of a package that has put it there.")
    built.succeed("explore", "org/rocov2", "--space", "space")
    space = built.folder / "space"
    assert (space / "LICENSE").read_text() == (PROJECT / "LICENSE").read_text()
    assert (space / "rocov2.py").is_file()
    assert {"script.js", "style.css"} <= {path.name for path in (space / "rocov2_tasks" / "explorer").iterdir()}
    assert {path.name for path in space.iterdir() if path.is_dir()} == {"rocov2_shared", "rocov2_tasks"}

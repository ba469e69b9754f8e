"""The documentation is true: its Python runs against the sample, its links lead somewhere, every option is told."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from rocov2_build.convert import Options, convert
from tests.conftest import PROJECT, Run

PAGES = sorted(path for path in [*PROJECT.glob("*.md"), *PROJECT.glob("docs/*.md")] if path.is_file())
BLOCKS = [
    pytest.param(block, id=f"{page.name}-{number}")
    for page in PAGES
    for number, block in enumerate(re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL), 1)
]
TORCH_BLOCKS = [
    pytest.param(block, id=f"{page.name}-{number}")
    for page in PAGES
    for number, block in enumerate(
        re.findall(r"^```python torch\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL), 1
    )
]
SCRIPTS = sorted(path.stem for path in (PROJECT / "scripts").glob("*.py"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sample built into rocov2/, as `make sample` leaves it."""
    folder = tmp_path_factory.mktemp("docs")
    convert(Options(raw=PROJECT / "sample", output=folder / "rocov2", release="any", quiet=True))
    return folder


@pytest.mark.parametrize("block", BLOCKS)
def test_python_blocks_run(block: str, folder: Path, environment: dict[str, str]) -> None:
    # Threads of pyarrow can abort the interpreter's ordinary end after a stream that was left early.
    program = f"{block}\nimport os, sys\nsys.stdout.flush()\nos._exit(0)"
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
@pytest.mark.parametrize("block", TORCH_BLOCKS)
def test_python_blocks_with_torch_run(block: str, folder: Path, environment: dict[str, str]) -> None:
    test_python_blocks_run(block, folder, environment)


def test_there_are_blocks_to_run() -> None:
    assert len(BLOCKS) >= 5


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_option_is_in_the_readme(script: str, run: Run) -> None:
    readme = (PROJECT / "README.md").read_text()
    help_text = run(script, "--help").stdout
    options = set(re.findall(r"--[a-z][a-z-]+", help_text.partition("Options:")[2]))
    assert options
    for option in options:
        assert option in readme, f"{option} of {script}.py is not documented"
    assert f"{script}.py" in readme


def test_every_option_in_the_readme_exists(run: Run) -> None:
    known = set().union(*(re.findall(r"--[a-z][a-z-]+", run(script, "--help").stdout) for script in SCRIPTS))
    table = (PROJECT / "README.md").read_text().partition("| option of")[2].partition("\n\n")[0]
    assert set(re.findall(r"--[a-z][a-z-]+", table)) <= known


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_lead_to_files(page: Path) -> None:
    for link in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text()):
        assert (page.parent / link).exists(), link


def test_every_make_target_of_the_readme_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        assert set(re.findall(r"`?\bmake ([a-z-]+)`", page.read_text())) <= targets


def test_ci_calls_the_commands_of_the_readme() -> None:
    ci = (PROJECT / ".ci" / "run").read_text()
    for command in ("make sample", "make test"):
        assert command in ci
        assert command in (PROJECT / "README.md").read_text()

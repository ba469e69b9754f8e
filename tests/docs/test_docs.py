"""The documentation is true: its Python runs on the sample, its links lead to files, and every option is documented."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rocov2_build.convert import Conversion, convert
from rocov2_commands.group import load_verb
from rocov2_commands.verbs import VERBS
from tests.conftest import PROJECT, Run
from tests.support.blocks import RECIPE_PAGES, find_blocks, run_block

TEMPLATE = PROJECT / "rocov2_build" / "card" / "template.md"
"""The card of a built repository."""
PAGES = sorted(path for path in [*PROJECT.glob("*.md"), *PROJECT.glob("docs/*.md"), TEMPLATE] if path.is_file())


def blocks(kind: str) -> list[Any]:
    """The blocks of a kind, by page and number: `python`, `python torch`, or `python torchrun` (on several processes)."""
    return [
        pytest.param(block, id=f"{page.name}-{number}")
        for page in PAGES
        if page.name not in RECIPE_PAGES  # they are run, and what comes out looked at, elsewhere
        for number, block in enumerate(find_blocks(page.read_text(), kind), 1)
    ]


BLOCKS, TORCH_BLOCKS, TORCHRUN_BLOCKS = blocks("python"), blocks("python torch"), blocks("python torchrun")
WITH_TORCH = ("torch", "torchdata", "accelerate", "lightning")
"""What a block may import that `make test-torch` installs."""
SCRIPTS = sorted(path.stem for path in (PROJECT / "scripts").glob("*.py"))


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample, built as `make sample` does it."""
    repository = tmp_path_factory.mktemp("docs") / "rocov2"
    convert(Conversion(raw=PROJECT / "sample", output=repository, release="any", quiet=True))
    return repository


@pytest.fixture
def folder(sample: Path, tmp_path: Path) -> Path:
    """A folder with the sample in rocov2/, as `make sample` leaves it; what a block writes there is seen by no other."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "rocov2").symlink_to(sample)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("block", BLOCKS)
def test_python_blocks_run(block: str, folder: Path, environment: dict[str, str]) -> None:
    run_block(block, folder, environment)


def blocks_with_output() -> list[Any]:
    """Return the blocks that a page shows with their output, which is the next block, of the kind `text`."""
    # Without DOTALL, so that lines are matched one by one: otherwise the search takes for ever on a long page.
    pattern = re.compile(
        r"^```python\n((?:(?!```).*\n)*)```\n((?:(?!```).*\n)*)```text\n((?:(?!```).*\n)*)```", re.MULTILINE
    )
    return [
        pytest.param(block, output, id=f"{page.name}-{number}")
        for page in PAGES
        for number, (block, _, output) in enumerate(pattern.findall(page.read_text()), 1)
    ]


WITH_OUTPUT = blocks_with_output()


@pytest.mark.parametrize(("block", "output"), WITH_OUTPUT)
def test_blocks_print_the_output_that_is_shown(
    block: str, output: str, folder: Path, environment: dict[str, str]
) -> None:
    assert run_block(block, folder, environment) == output


def need_what_it_imports(block: str) -> None:
    """Leave the test out where something is missing."""
    for name in WITH_TORCH:
        if re.search(rf"^(import|from) .*\b{name}\b", block, re.MULTILINE):
            pytest.importorskip(name, reason=f"{name} is not installed: make test-torch")


@pytest.mark.torch
@pytest.mark.parametrize("block", TORCH_BLOCKS)
def test_python_blocks_with_torch_run(block: str, folder: Path, environment: dict[str, str]) -> None:
    need_what_it_imports(block)
    run_block(block, folder, environment)


@pytest.mark.torch
@pytest.mark.parametrize("block", TORCHRUN_BLOCKS)
def test_python_blocks_on_several_processes_run(block: str, folder: Path, environment: dict[str, str]) -> None:
    need_what_it_imports(block)
    for ranks in (2, 1):
        # The second run finds what the first has written.
        run_block(block, folder, environment, ranks)


def test_there_are_blocks_to_run() -> None:
    assert len(BLOCKS) >= 10
    assert len(TORCH_BLOCKS) >= 5
    assert len(TORCHRUN_BLOCKS) >= 2
    assert "README.md-1" in [block.id for block in WITH_OUTPUT]


def test_no_block_of_python_is_left_out_by_a_slip() -> None:
    for page in PAGES:
        kinds = set(re.findall(r"^```(py.*)$", page.read_text(), re.MULTILINE))
        more = (
            {"python recipes", "python trainers", "python energon", "python torch"}
            if page.name in RECIPE_PAGES
            else {"python torch", "python torchrun", "python notest"}
        )
        assert kinds <= {"python"} | more, page.name


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_option_is_in_the_reference(script: str, run: Run) -> None:
    page = (PROJECT / "docs" / "commands.md").read_text()
    help_text = run(script, "--help").stdout
    options = set(re.findall(r"--[a-z][a-z-]+", help_text.partition("Options:")[2].partition("Examples:")[0]))
    assert options
    verb = next(name for name, verb in VERBS.items() if verb.alias == f"python scripts/{script}.py")
    section = page.partition(f"## rocov2 {verb}\n")[2].partition("\n## ")[0]
    for option in options - {"--help"}:
        assert option in section, f"{option} of {script}.py is not documented"
    assert f"{script}.py" in page


def used_options(text: str) -> Iterator[tuple[str, str]]:
    """Verb and option of every command line in a text, whichever way it is started."""
    starts = {verb: (f"rocov2 {verb}", VERBS[verb].alias.split("/")[-1].removeprefix("python -m ")) for verb in VERBS}
    for verb, (command, alias) in starts.items():
        for line in re.findall(rf"(?:{command}|{re.escape(alias)}) ([^`|#\n]*)", text):
            yield from ((verb, option) for option in re.findall(r"(?<!\S)--[a-z][a-z-]+", line))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_option_in_a_command_line_exists(page: Path) -> None:
    for verb, option in used_options(page.read_text()):
        assert option in {name for parameter in load_verb(verb).params for name in parameter.opts}, (verb, option)


def test_options_in_command_lines_are_found() -> None:
    text = "python scripts/export.py a b --format x --seed 1\n`rocov2 score s --json` --other\n-m rocov2_tasks.explore --port"
    assert [*used_options(text)] == [
        ("export", "--format"),
        ("export", "--seed"),
        ("score", "--json"),
        ("explore", "--port"),
    ]


def test_the_readme_names_every_page_of_the_docs() -> None:
    readme = (PROJECT / "README.md").read_text()
    for page in PROJECT.glob("docs/*.md"):
        assert f"| [docs/{page.name}](docs/{page.name}) | " in readme


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_lead_to_files(page: Path) -> None:
    for link in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text()):
        assert (page.parent / link).exists(), link


def test_every_test_that_a_page_names_exists() -> None:
    for page in PAGES:
        for name in re.findall(r"`(?:tests/)?([\w/*]*test_[\w*]+\.py)", page.read_text()):
            assert [*PROJECT.glob(f"tests/**/{name}")], f"{page.name}: {name}"


def test_every_make_target_of_the_readme_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        assert set(re.findall(r"`?\bmake ([a-z-]+)`", page.read_text())) <= targets


def test_ci_calls_the_commands_of_the_readme() -> None:
    ci = (PROJECT / ".ci" / "run").read_text()
    for command in ("make sample", "make test", "make test-torch"):
        assert command in ci
        assert command in (PROJECT / "README.md").read_text()

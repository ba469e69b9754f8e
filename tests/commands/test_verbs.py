"""The table of verbs, and what every verb does before it does any work."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

import rocov2
from rocov2_build.raw.releases import RAW_SPLITS
from rocov2_commands import choices
from rocov2_commands.group import group, load_verb
from rocov2_commands.verbs import VERBS
from rocov2_shared.errors import how_to_install
from rocov2_shared.resuming import resumable
from rocov2_shared.terminal import run
from rocov2_tasks.scoring.submission import SECOND_COLUMN
from tests.conftest import PROJECT

pytestmark = pytest.mark.slow

SLOW = {"datasets", "pyarrow", "pandas", "PIL", "numpy", "rocov2", "distributed", "duckdb", "huggingface_hub"}
"""Packages that take long to import."""


def call(*arguments: str, cwd: Path = PROJECT) -> tuple[subprocess.CompletedProcess[str], set[str]]:
    """Start `rocov2 ARGUMENTS`; the result, and the modules that it imported."""
    program = (
        "import sys; from rocov2_commands.main import main; sys.argv[0] = 'rocov2'\n"
        "try: main()\n"
        "finally: print('MODULES', *sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )
    done.stdout, _, modules = done.stdout.partition("MODULES")
    return done, set(modules.split())


def test_the_list_of_verbs_has_one_line_each_and_imports_no_verb() -> None:
    done, modules = call("--help")
    assert done.returncode == 0
    lines = done.stdout.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in lines] == list(VERBS)
    assert [line.split(maxsplit=1)[1] for line in lines] == [verb.summary for verb in VERBS.values()]
    assert not [name for name in VERBS if f"rocov2_commands.{name}" in modules]
    assert not SLOW & modules


def test_there_is_a_module_for_each_verb() -> None:
    others = {"__init__", "__main__", "choices", "command", "group", "main", "paths", "reference", "verbs", "showing"}
    assert {path.stem for path in (PROJECT / "rocov2_commands").glob("*.py")} - others == set(VERBS)


ALL = """
import contextlib, io, json, sys
from rocov2_commands.main import main
from rocov2_commands.verbs import VERBS

ends = {}
for verb in VERBS:
    for option in ("--help", "--no-such-option"):
        sys.argv = ["rocov2", verb, option]
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                main()
            except SystemExit as stop:
                ends[f"{verb} {option}"] = stop.code, out.getvalue(), err.getvalue()
print(json.dumps({"ends": ends, "modules": list(sys.modules)}))
"""


@pytest.fixture(scope="module")
def answers() -> dict[str, Any]:
    """What each verb answers to --help and to a wrong option, all of them in one process; and what that imported."""
    done = subprocess.run([sys.executable, "-c", ALL], cwd=PROJECT, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("name", VERBS)
def test_help_has_an_example(name: str, answers: dict[str, Any]) -> None:
    code, told, _ = answers["ends"][f"{name} --help"]
    assert code == 0
    assert told.startswith(f"Usage: rocov2 {name} [OPTIONS]")
    assert VERBS[name].summary in " ".join(told.split())
    assert f"\nExamples:\n  rocov2 {name} " in told


@pytest.mark.parametrize("name", VERBS)
def test_a_wrong_option_is_wrong_usage(name: str, answers: dict[str, Any]) -> None:
    code, out, told = answers["ends"][f"{name} --no-such-option"]
    assert (code, out) == (2, "")
    assert told.startswith(f"Usage: rocov2 {name} [OPTIONS]")
    assert "No such option" in told


def test_help_and_a_wrong_option_import_nothing_slow(answers: dict[str, Any]) -> None:
    assert SLOW.isdisjoint(answers["modules"])


@pytest.mark.parametrize("name", VERBS)
def test_every_option_says_what_it_does(name: str) -> None:
    for parameter in load_verb(name).params:
        if isinstance(parameter, click.Option):
            assert parameter.help
            assert parameter.help[0].isupper() or parameter.help.split(":")[0].islower()
            assert parameter.help.endswith(".")


@pytest.mark.parametrize("name", VERBS)
def test_examples_are_right_usage(name: str) -> None:
    command = load_verb(name)
    assert command.examples
    for example in command.examples:
        command.make_context(name, shlex.split(example))


@pytest.mark.parametrize("name", VERBS)
def test_the_alias_is_called_as_before(name: str, tmp_path: Path) -> None:
    kind, _, program = VERBS[name].alias.removeprefix("python ").rpartition(" ")
    start = [kind, program] if kind else [str(PROJECT / program)]
    done = subprocess.run(
        [sys.executable, *start, "--help"],
        cwd=PROJECT if kind else tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    shown = VERBS[name].alias if kind else Path(program).name
    assert done.stdout.startswith(f"Usage: {shown} [OPTIONS]")
    assert f"\nExamples:\n  {VERBS[name].alias} " in done.stdout


def test_the_version_is_that_of_the_module() -> None:
    done, _ = call("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"rocov2 {rocov2.__version__}\n", "")


def test_an_unknown_verb_is_wrong_usage() -> None:
    done, _ = call("convrt", "raw")
    assert done.returncode == 2
    assert done.stderr.startswith("Usage: rocov2 [OPTIONS] COMMAND [ARGS]...\n")
    assert "No such command 'convrt'" in done.stderr


def test_a_fault_is_one_message(tmp_path: Path) -> None:
    done, _ = call("check", "nowhere", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: nowhere is not a folder: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("verb", ["download", "convert", "score"])
def test_an_interruption_says_whether_there_is_something_to_resume(
    verb: str, begun: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from rocov2_commands.main import main

    def interrupt(*_: object, **__: object) -> None:
        with resumable(lambda: begun):
            raise KeyboardInterrupt

    monkeypatch.setattr(load_verb(verb), "invoke", interrupt)
    monkeypatch.setattr(sys, "argv", ["rocov2", verb, "x"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 130
    hint = " Run the same command again to resume where this one stopped." if begun else ""
    assert capsys.readouterr().err == f"\nInterrupted.{hint}\n"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [("shwo", " Did you mean 'show'?"), ("CHECK", " Did you mean 'check'?"), ("xyzzy", ""), ("--shwo", "")],
)
def test_a_misspelt_verb_is_wrong_usage_and_names_the_nearest(
    wrong: str, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["rocov2", wrong, "rocov2"])
    with pytest.raises(SystemExit) as stop:
        run(group)
    assert stop.value.code == 2
    what = "option" if wrong.startswith("--") else "command"
    assert capsys.readouterr().err.endswith(f"\nError: No such {what} {wrong!r}.{told}\n")


def test_the_preview_without_its_package_names_its_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "rocov2_build.preview", raising=False)
    monkeypatch.setitem(sys.modules, "markdown_it", None)
    monkeypatch.setattr(sys, "argv", ["rocov2", "preview"])
    with pytest.raises(SystemExit) as stop:
        run(group)
    assert stop.value.code == 1
    told = f"Error: the preview needs the package markdown-it-py: {how_to_install('card')}\n"
    assert capsys.readouterr().err == told


def test_choices_that_are_repeated_are_those_of_the_project() -> None:
    assert list(choices.SPLITS) == list(rocov2.SPLITS)
    assert list(RAW_SPLITS) == list(rocov2.SPLITS.values())
    assert [name for name, config in rocov2.CONFIGS.items() if "image" in config.features] == list(choices.CONFIGS)
    assert list(choices.TASKS) == list(SECOND_COLUMN)

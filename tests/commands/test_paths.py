"""Folders on the command line: `~` means the same for every command and every library behind it."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from rocov2_commands.group import load_verb
from rocov2_commands.paths import FolderPath
from rocov2_commands.verbs import VERBS


@pytest.mark.parametrize(
    ("given", "path"), [("~/a", "/home/me/a"), ("~", "/home/me"), ("a/~", "a/~"), ("~nobody-of-this-name/a",) * 2]
)
def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch, given: str, path: str) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert FolderPath().convert(given, None, None) == Path(path)


@pytest.mark.parametrize("verb", VERBS)
def test_every_folder_of_a_command_is_such_a_path(verb: str) -> None:
    paths = [parameter.type for parameter in load_verb(verb).params if isinstance(parameter.type, click.Path)]
    assert all(isinstance(path, FolderPath) or path.allow_dash for path in paths)

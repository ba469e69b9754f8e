"""The walls and floors of the house: which package, and which room of a package, may import which."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CORE, SHARED, BUILD, TASKS, COMMANDS = "rocov2", "rocov2_shared", "rocov2_build", "rocov2_tasks", "rocov2_commands"

MAY_IMPORT = {
    CORE: {CORE},
    SHARED: {SHARED},
    BUILD: {BUILD, SHARED, CORE},
    TASKS: {TASKS, SHARED, CORE},
    COMMANDS: {COMMANDS, TASKS, BUILD, SHARED, CORE},
}
"""By package, what its modules may import of the project."""

ALIASES = {
    "rocov2_build.preview": "preview",
    "rocov2_tasks.score": "score",
    "rocov2_tasks.baseline": "baseline",
    "rocov2_tasks.explore": "explore",
}
"""Doors that `python -m` starts as a command: their last lines import `rocov2_commands.main`, and nothing else does."""

DOORS = "doors"
FLOORS: dict[str, list[set[str]]] = {
    BUILD: [
        {"worker"},
        {"raw"},
        {"shards", "facts"},
        {"engine"},
        {"card"},
        {"checks", "hub"},
        {DOORS},
    ],
    TASKS: [
        {"arguments"},
        {"stream", "shaping"},
        {"metrics", "pretraining"},  # doors, on which the scoring is built
        {"scoring", "formats", "explorer"},
        {DOORS},
    ],
}
"""The rooms of a wing from the ground up: each imports itself and rooms of lower floors. A module at the top of a wing that
has no floor of its own is a door."""


def imported(tree: ast.AST) -> Iterator[str]:
    """Names of what a module imports, anywhere in it: for `from a import b` both `a.b` and, if that is not a module, `a`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if is_module(inner) else str(node.module)


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


FILES = [ROOT / f"{CORE}.py", *(path for package in MAY_IMPORT for path in sorted((ROOT / package).rglob("*.py")))]
IMPORTS = {
    module_name(path): {
        name for name in imported(ast.parse(path.read_text(encoding="utf-8"))) if name.partition(".")[0] in MAY_IMPORT
    }
    for path in FILES
}


def room(module: str) -> str:
    """The room of a module of a wing, for instance `raw` of `rocov2_build.raw.tables`; "" for the wing itself."""
    wing, *rest = module.split(".")
    if not rest:
        return ""
    named = set().union(*FLOORS[wing])
    return rest[0] if rest[0] in named or (ROOT / wing / rest[0]).is_dir() else DOORS


def test_the_walk_finds_imports_in_functions_and_modules_named_by_their_package() -> None:
    source = "import rocov2\ndef f():\n    from rocov2_build.raw import releases\n    from rocov2_build import FORMAT_VERSION"
    assert [*imported(ast.parse(source))] == ["rocov2", "rocov2_build.raw.releases", "rocov2_build"]
    assert {"rocov2", "rocov2_build.raw.release", "rocov2_build.worker.task"} <= IMPORTS["rocov2_build.shards.tasks"]


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_only_what_its_place_allows(package: str) -> None:
    for module, names in IMPORTS.items():
        if module.partition(".")[0] == package:
            names = names - {"rocov2_commands.main"} if module in ALIASES else names
            assert {name.partition(".")[0] for name in names} <= MAY_IMPORT[package], module


@pytest.mark.parametrize(("module", "verb"), ALIASES.items())
def test_an_alias_imports_the_commands_only_when_it_is_started(module: str, verb: str) -> None:
    source = ROOT.joinpath(*module.split(".")).with_suffix(".py").read_text(encoding="utf-8")
    body, _, start = source.partition('if __name__ == "__main__":\n')
    assert start == f'    from rocov2_commands.main import run_verb\n\n    run_verb("{verb}")\n'
    assert COMMANDS not in body


def test_importing_the_shared_room_imports_nothing() -> None:
    tree = ast.parse((ROOT / SHARED / "__init__.py").read_text(encoding="utf-8"))
    assert not any(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.walk(tree))


def test_workers_import_themselves_and_the_shared_room() -> None:
    for module, names in IMPORTS.items():
        if module.startswith(f"{BUILD}.worker"):
            assert all(name.startswith((f"{BUILD}.worker.", f"{SHARED}.")) for name in names), module


@pytest.mark.parametrize("wing", FLOORS)
def test_every_room_has_a_floor(wing: str) -> None:
    rooms = {room(module) for module in IMPORTS if module.startswith(f"{wing}.")}
    assert rooms == set().union(*FLOORS[wing])


@pytest.mark.parametrize("wing", FLOORS)
def test_no_import_runs_up(wing: str) -> None:
    floor = {name: number for number, rooms in enumerate(FLOORS[wing]) for name in rooms} | {"": -1}
    for module, names in IMPORTS.items():
        if not module.startswith(f"{wing}."):
            continue
        for name in names:
            if name.startswith(wing) and room(name) != room(module):
                assert floor[room(name)] < floor[room(module)], f"{module} imports {name}"


def test_no_modules_import_each_other_in_a_circle() -> None:
    # A package counts as its __init__ alone, which its modules do not import.
    TopologicalSorter({module: names & IMPORTS.keys() for module, names in IMPORTS.items()}).prepare()


def test_every_message_goes_through_the_terminal() -> None:
    """Elsewhere nothing is printed: a name from outside would reach the terminal as it is."""
    for package in (SHARED, BUILD, TASKS, COMMANDS):
        for path in (ROOT / package).rglob("*.py"):
            calls = [node.func for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, ast.Call)]
            printing = [
                ast.unparse(call) for call in calls if ast.unparse(call) in {"print", "click.echo", "click.secho"}
            ]
            assert printing == (["click.echo"] if path.stem == "terminal" else []), path

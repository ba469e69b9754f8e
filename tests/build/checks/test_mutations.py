"""Random mutations of every kind of file: each is found, or hurts no reader, and none ends in an exception."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from rocov2_build.check import check_repository
from tests.conftest import Seeds
from tests.support.breaking import edit_card, listed
from tests.support.environments import VERSIONS
from tests.support.mutation_readers import differing_readers, read_with_datasets, read_with_the_project
from tests.support.mutations import KINDS, Outcome, build_for_mutations, check_mutation, mutations

SEEDS = 3
MOST_PASSING = 0.05
"""Share of the mutations that may pass, each with a reason."""

kinds = pytest.mark.parametrize(
    ("kind", "recorded"), KINDS, ids=[f"{kind}{'-recorded' if recorded else ''}" for kind, recorded in KINDS]
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_for_mutations(tmp_path_factory.mktemp("mutations"))


Checked = Callable[[str, bool], list[Outcome]]


@pytest.fixture(scope="module")
def checked(built: Path, tmp_path_factory: pytest.TempPathFactory, seeds: Seeds) -> Checked:
    """The outcomes of all mutations of a kind, each made once; the folders of those that pass are kept."""
    known: dict[tuple[str, bool], list[Outcome]] = {}

    def check(kind: str, recorded: bool) -> list[Outcome]:
        if (kind, recorded) not in known:
            outcomes = []
            for mutation in mutations(kind, seeds(SEEDS), recorded):
                folder = tmp_path_factory.mktemp("mutated")
                outcomes.append(check_mutation(built, folder, mutation))
                if not outcomes[-1].passes:
                    shutil.rmtree(folder)
            known[kind, recorded] = outcomes
        return known[kind, recorded]

    return check


@kinds
def test_a_mutation_is_found_at_its_root_or_hurts_no_reader(checked: Checked, kind: str, recorded: bool) -> None:
    for outcome in checked(kind, recorded):
        if outcome.violations:
            assert outcome.names_root, (outcome.done, outcome.violations[0])
        elif outcome.result != "found":
            assert outcome.done.harmless, (outcome.done, outcome.violations)


def test_few_mutations_pass(checked: Checked) -> None:
    outcomes = [outcome for kind in KINDS for outcome in checked(*kind)]
    passing = [outcome.done for outcome in outcomes if outcome.passes]
    assert len(passing) <= MOST_PASSING * len(outcomes), passing


@pytest.fixture(scope="module")
def passing(checked: Checked) -> dict[str, Path]:
    return {str(outcome.mutation): outcome.root for kind in KINDS for outcome in checked(*kind) if outcome.passes}


def test_what_passes_gives_the_same_rows_to_the_stream_and_the_explorer(built: Path, passing: dict[str, Path]) -> None:
    right = read_with_the_project(built)
    for name, root in passing.items():
        assert differing_readers(right, read_with_the_project(root)) == [], name


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
def test_what_passes_gives_the_same_rows_to_datasets(
    built: Path, passing: dict[str, Path], version: str, tmp_path: Path
) -> None:
    answers = read_with_datasets({"": built} | passing, version, tmp_path)
    for name in passing:
        assert differing_readers(answers[""], answers[name]) == [], name


def test_a_seed_makes_one_mutation(built: Path, tmp_path: Path) -> None:
    for kind, recorded in KINDS:
        done = []
        for number in range(2):
            root = Path(shutil.copytree(built, tmp_path / f"{number}", symlinks=True))
            done.append(next(mutations(kind, [7], recorded))(root))
            shutil.rmtree(root)
        assert done[0] == done[1]


def test_a_long_pattern_takes_no_time(built: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(built, tmp_path / "rocov2"))
    edit_card(root, lambda metadata: listed(metadata, "default")["data_files"][0].update(path="[" * 100_000))
    assert {violation.key for violation in check_repository(root, fast=True)} == {"configs[1].data_files[0].path"}

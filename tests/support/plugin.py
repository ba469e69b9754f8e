"""What every run of pytest has here: random inputs by seed, slow modules first, failures as they happen."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.examples import load_profile

SLOWEST_MODULES = 10
"""Modules that the end of a run lists with their time."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of tests with random inputs."""
    group = parser.getgroup("random inputs")
    group.addoption("--runs", type=int, default=1, help="multiply the number of random inputs (default: 1)")
    group.addoption(
        "--seed", type=int, help="seed of random inputs (default: the same inputs for one run, any for more)"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Choose the seed, and pass it to Hypothesis."""
    option = config.option
    if option.runs != 1 and option.seed is None:
        option.seed = random.SystemRandom().randrange(2**32)
    if option.seed is not None:
        option.hypothesis_seed = str(option.seed)
    load_profile(option.runs, is_fixed=option.seed is None)
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Report(config), "rocov2-report")


def pytest_report_header(config: pytest.Config) -> str | list[str]:
    """Show what repeats a run."""
    option = config.option
    return f"random inputs: --runs {option.runs} --seed {option.seed}" if option.seed is not None else []


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests with random inputs (by Hypothesis, or with the fixture `seeds`) and those in a browser."""
    for item in items:
        if " at 0x" in item.nodeid:
            raise pytest.UsageError(f"{item.nodeid}: the id of a test must be the same in every process, give ids=")
        test = getattr(item, "obj", None)
        if getattr(test, "is_hypothesis_test", False) or "seeds" in getattr(item, "fixturenames", ()):
            item.add_marker("random")
        if "chrome" in getattr(item, "fixturenames", ()):
            item.add_marker("slow")
    if hasattr(config, "workerinput"):  # slow modules first, so that no process waits for the last one of them
        slow = {item.path for item in items if item.get_closest_marker("slow")}
        items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def seeds(pytestconfig: pytest.Config) -> Callable[[int], range]:
    """Seeds of random inputs: `seeds(200)` gives 200, times `--runs`, from `--seed` on."""
    option = pytestconfig.option
    first = option.seed or 0
    return lambda number: range(first, first + number * option.runs)


class _Report:
    """Prints a failure when it happens, and at the end the time of the slowest modules."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.seconds: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid.partition("::")[0]] += report.duration  # type: ignore[assignment]
        if report.failed:
            terminal: Any = self.config.pluginmanager.getplugin("terminalreporter")
            terminal.ensure_newline()
            terminal.section(f"{report.nodeid} ({report.when})", red=True)
            terminal.line(report.longreprtext)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        terminalreporter.section(f"slowest {SLOWEST_MODULES} modules")
        for module, seconds in self.seconds.most_common(SLOWEST_MODULES):
            terminalreporter.line(f"{seconds:7.1f}s {module}")

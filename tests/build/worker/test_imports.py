"""What worker processes import: little, so that they start fast."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import pytest

import rocov2_build.worker

MODULES = [module.name for module in pkgutil.walk_packages(rocov2_build.worker.__path__, "rocov2_build.worker.")]
SLOW = {"click", "datasets", "pandas", "rocov2"}


def test_all_modules_are_found() -> None:
    assert {"rocov2_build.worker.task", "rocov2_build.worker.write"} <= set(MODULES)


@pytest.mark.parametrize("module", MODULES)
def test_importing_a_module_of_the_workers_loads_nothing_slow(module: str) -> None:
    program = f"import sys, {module}\nprint(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert module in loaded
    assert SLOW.isdisjoint(loaded)

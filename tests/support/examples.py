"""How many inputs Hypothesis makes: as many as a test wants in `make test`, more of them with `--runs`."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

DEFAULT = 100


def load_profile(runs: int, is_fixed: bool) -> None:
    """Set what every test by Hypothesis has in common.

    Args:
        runs: multiplies the number of inputs.
        is_fixed: make the same inputs each time.
    """
    # A fixture of pytest is made once for all inputs of a test; tests that write into `tmp_path` clear it themselves.
    unneeded = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    settings.register_profile(
        "rocov2",
        max_examples=DEFAULT * runs,
        derandomize=is_fixed,
        deadline=None,  # a busy machine is no failure
        print_blob=True,
        suppress_health_check=unneeded,
    )
    settings.load_profile("rocov2")


def examples(number: int) -> settings:
    """A decorator that sets the number of inputs, times `--runs`."""
    assert settings.default is not None
    return settings(max_examples=number * settings.default.max_examples // DEFAULT)

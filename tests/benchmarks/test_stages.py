"""The stages of a conversion that are timed are functions that exist."""

from __future__ import annotations

from benchmarks.conversion.stages import STAGES


def test_every_stage_is_a_function_of_its_owner() -> None:
    assert [stage for stage, (owner, name) in STAGES.items() if not callable(getattr(owner, name, None))] == []

"""The search for cycles is paused, and goes on as it was."""

from __future__ import annotations

import gc

import pytest

from rocov2_shared.gc_pause import collector_paused


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_as_it_was_also_after_an_error(enabled: bool) -> None:
    before = gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    try:
        with pytest.raises(KeyError, match="False"), collector_paused():
            raise KeyError(gc.isenabled())
        assert gc.isenabled() == enabled
    finally:
        (gc.enable if before else gc.disable)()

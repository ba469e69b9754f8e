"""Limits of memory."""

from __future__ import annotations

import pytest

from rocov2_shared import memory
from rocov2_shared.errors import UserError

resource = pytest.importorskip("resource")


@pytest.mark.parametrize(("limit", "enough"), [(2_599_999_999, False), (2_600_000_000, True), (-1, True)])
def test_a_low_limit_of_address_space_is_refused(limit: int, enough: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "usable_processors", lambda: 2)
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (limit if kind == resource.RLIMIT_AS else 0, -1))
    if enough:
        memory.require_address_space()
        return
    told = (
        r"^the limit of address space \(ulimit -v\) is 2.6 GB, but .* needs 2.6 GB: raise it, e.g. ulimit -v 2539063$"
    )
    with pytest.raises(UserError, match=told):
        memory.require_address_space()

"""A small value that the workers of a DataLoader see change, also when they stay from one epoch to the next."""

from __future__ import annotations

import json
import sys
from typing import Any

_ROOM = 2048


class Shared:
    """Holds a value of plain JSON; once shared, in memory that processes of torch have in common."""

    def __init__(self, value: dict[str, Any]) -> None:
        self._tensor: Any = None
        self._value = value

    def share(self) -> None:
        """Move it to shared memory. Only where the program has imported torch."""
        if self._tensor is None:
            self._tensor = sys.modules["torch"].zeros(_ROOM, dtype=sys.modules["torch"].uint8).share_memory_()
            self.set(self._value)

    def get(self) -> dict[str, Any]:
        """The value, a copy of it."""
        if self._tensor is None:
            return dict(self._value)
        value: dict[str, Any] = json.loads(bytes(self._tensor.numpy()).rstrip(b"\0"))
        return value

    def set(self, value: dict[str, Any]) -> None:
        """Change the value. It is not read at the same time: workers read it when an epoch begins."""
        self._value = dict(value)
        if self._tensor is not None:
            self._tensor.numpy()[:] = list(json.dumps(value).encode().ljust(_ROOM, b"\0"))

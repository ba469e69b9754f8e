"""A small value whose changes the workers of a DataLoader see, also persistent workers."""

from __future__ import annotations

import json
import sys
from typing import Any

_ROOM = 2048


class Shared:
    """A value of plain JSON; once shared, it is in memory that torch shares between processes."""

    def __init__(self, value: dict[str, Any]) -> None:
        self._tensor: Any = None
        self._value = value

    def share(self) -> None:
        """Move the value to shared memory. The program must have imported torch."""
        if self._tensor is None:
            self._tensor = sys.modules["torch"].zeros(_ROOM, dtype=sys.modules["torch"].uint8).share_memory_()
            self.set(self._value)

    def get(self) -> dict[str, Any]:
        """Return a copy of the value."""
        if self._tensor is None:
            return dict(self._value)
        value: dict[str, Any] = json.loads(bytes(self._tensor.numpy()).rstrip(b"\0"))
        return value

    def set(self, value: dict[str, Any]) -> None:
        """Change the value. Nothing reads it at the same time: workers read it when an epoch begins."""
        self._value = dict(value)
        if self._tensor is not None:
            self._tensor.numpy()[:] = list(json.dumps(value).encode().ljust(_ROOM, b"\0"))

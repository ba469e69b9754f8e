"""JPEGs for the browser, which asks for them one by one: those of a page are read together, before it asks."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from rocov2_tasks.explorer.collection import Collection

_PAGES = 4
"""Pages whose images are read at the same time."""

_KEPT = 200
"""Images that are kept after they were read: some pages, about 20 MB."""

Key = tuple[str, str, int]
"""Configuration, split, and number of the row in it."""


class Pictures:
    """The JPEGs of a collection; its methods may be called from several threads."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self._pool = ThreadPoolExecutor(_PAGES, "pictures")
        self._lock = threading.Lock()
        self._known: OrderedDict[Key, tuple[Future[list[bytes]], int]] = OrderedDict()

    def close(self) -> None:
        """Begin to read no more images."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def expect(self, config: str, rows: Sequence[dict[str, Any]]) -> None:
        """Start to read the images of rows, without waiting for them."""
        with self._lock:
            new = [row for row in rows if (config, row["split"], row["row"]) not in self._known]
            if new:
                future = self._pool.submit(self._collection.images, new, config)
                for place, row in enumerate(new):
                    self._known[config, row["split"], row["row"]] = future, place
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)

    def read(self, config: str, split: str, row: int) -> bytes:
        """Return the JPEG of a row.

        Raises:
            ValueError: the files have changed.
            ConnectionError: the Hub does not answer.
        """
        key = config, split, row
        wanted = {"split": split, "row": row}
        self.expect(config, [wanted])
        with self._lock:
            known = self._known.get(key)
        if known is None:
            return self._collection.images([wanted], config)[0]
        future, place = known
        try:
            return future.result()[place]
        except Exception as error:
            with self._lock:
                self._known.pop(key, None)
            if isinstance(error, ValueError):  # perhaps of another image of the page
                return self._collection.images([wanted], config)[0]
            raise

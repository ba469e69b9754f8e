"""Ranges of bytes of files on the Hub: asked for again where they do not come, and never one by one where they are near."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from typing import Any

import fsspec
from huggingface_hub import HfApi

GAP = 128 * 1024
"""Two ranges that are nearer than so many bytes are fetched as one."""

ATTEMPTS = 5
"""How often a range is asked for; before each further time the wait doubles."""

FIRST_WAIT = 0.5
"""Seconds before the second attempt."""

FIRST_STEP = 1_000_000
"""Bytes that are fetched at first where only the beginning of a range may be needed; then twice as many, and so on."""

SILENT = "The Hub does not answer, try again"
SILENT_SECONDS = 2.0
"""For so long after it was silent, it is not waited for: others who wait for the same need not wait in turn."""

Ranges = Sequence[tuple[int, int]]


def join_ranges(ranges: Ranges) -> list[tuple[int, int]]:
    """Ranges (start, end) in order, near ones joined."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if joined and start - joined[-1][1] <= GAP:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


class RemoteFiles:
    """Fetches ranges of the files under `root`; may be used from several threads.

    Args:
        root: `hf://datasets/ORG/NAME@COMMIT`.
        patience: None to ask again and again, as for training, which has the time. With somebody waiting, the seconds after
            which a range that has not come is given up, unless the Hub still answers: then the line is slow, not broken.
    """

    def __init__(self, root: str, patience: float | None = None) -> None:
        self._root, self._patience = root, patience
        self._files: Any = fsspec.url_to_fs(root)[0]
        self._silent_until = 0.0

    def fetch(self, path: str, start: int, end: int) -> bytes:
        """The bytes of a file from `start` to `end`, in one request.

        Raises:
            FileNotFoundError: there is no such file.
            ConnectionError: they did not come, though asked for again and again, or for as long as there is patience.
        """
        if self._patience is None:
            return self._fetch(path, start, end, ATTEMPTS)
        if time.monotonic() < self._silent_until:
            raise ConnectionError(SILENT)
        came: Future[bytes] = Future()

        def ask() -> None:
            try:
                came.set_result(self._fetch(path, start, end, 1))
            except BaseException as error:
                came.set_exception(error)

        # The client of the Hub cannot be told to stop: its thread is left alone, and does not hold the end of the program up.
        threading.Thread(target=ask, daemon=True).start()
        while not wait([came], self._patience).done:
            if not answers(self._root, self._patience / 2):
                self._silent_until = time.monotonic() + SILENT_SECONDS
                raise ConnectionError(SILENT)
        try:
            return came.result()
        except ConnectionError as error:
            raise ConnectionError(SILENT) from error

    def _fetch(self, path: str, start: int, end: int, attempts: int) -> bytes:
        problem: object = None
        for attempt in range(attempts):
            if attempt:
                time.sleep(FIRST_WAIT * 2 ** (attempt - 1))
            try:
                data: bytes = self._files.cat_file(f"{self._root}/{path}", start, end, cache_type="none")
            except FileNotFoundError:
                raise
            except Exception as error:  # of requests or httpx, by the version of huggingface_hub
                status = getattr(getattr(error, "response", None), "status_code", 500)
                if 400 <= status < 500 and status not in (408, 429):
                    raise
                problem = error
                continue
            if len(data) == end - start:
                return data
            problem = f"{len(data):,} of {end - start:,} bytes came"
        raise ConnectionError(
            f"{self._root}/{path}: bytes {start:,} to {end:,} did not come in {attempts} attempts, last: {problem}. No "
            "sample is lost: go on from the last state when the network is back"
        )


def split_root(root: str) -> tuple[str, str]:
    """`ORG/NAME` and commit of `hf://datasets/ORG/NAME@COMMIT`."""
    name, _, commit = root.removeprefix("hf://datasets/").partition("@")
    return name, commit


def answers(root: str, seconds: float) -> bool:
    """Whether the Hub tells of the dataset `hf://datasets/ORG/NAME@COMMIT` within so many seconds, asked once."""
    name, commit = split_root(root)
    try:
        HfApi().dataset_info(name, revision=commit or None, timeout=seconds)
    except Exception:  # whatever it is, no image comes from there
        return False
    return True


class Held:
    """Some ranges of a file, in memory; what is read beside them, before `end`, is fetched, each time twice as much ahead."""

    def __init__(self, fetch: Callable[[int, int], bytes], end: int) -> None:
        self._fetch, self._end = fetch, end
        self._parts: list[tuple[int, bytes]] = []
        self._step = FIRST_STEP
        self._lock = threading.Lock()

    def hold(self, start: int, end: int) -> None:
        """Fetch a range."""
        self._parts.append((start, self._fetch(start, end)))

    def read(self, place: int, size: int) -> bytes:
        """Bytes from a place on; fewer where the ranges end."""
        end = min(place + size, self._end)
        parts = []
        with self._lock:
            while place < end:
                start, data = next(
                    ((start, data) for start, data in self._parts if start <= place < start + len(data)), (-1, b"")
                )
                if start < 0:
                    following = min((start for start, _ in self._parts if start > place), default=self._end)
                    self.hold(place, min(max(end, place + self._step), following))
                    self._step *= 2
                    continue
                parts.append(data[place - start : end - start])
                place += len(parts[-1])
        return parts[0] if len(parts) == 1 else b"".join(parts)


class HeldFile(io.RawIOBase):
    """Held ranges as a file of `size` bytes, for pyarrow."""

    def __init__(self, held: Held, size: int) -> None:
        super().__init__()
        self._held, self._size, self._at = held, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def read(self, size: int = -1) -> bytes:
        data = self._held.read(self._at, size if size >= 0 else self._size - self._at)
        self._at += len(data)
        return data

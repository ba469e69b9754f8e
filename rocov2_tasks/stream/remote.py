"""Ranges of bytes of files on the Hub: requested again after a failure, and near ranges in one request."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from typing import Any

import fsspec
from huggingface_hub import HfApi

from rocov2 import LONGEST_PAUSE, Repository, asked_pause, wait_for_hub
from rocov2_shared.sizes import format_count
from rocov2_tasks.stream.costs import Costs

GAP = 128 * 1024
"""Ranges with a gap of at most this many bytes are fetched as one."""

ATTEMPTS = 5
"""How often a range is requested; the wait doubles before each further attempt, unless the Hub asks for a pause."""

FIRST_WAIT = 0.5
"""Seconds before the second attempt."""

FIRST_STEP = 1_000_000
"""Bytes of the first request if only the beginning of a range may be needed; each next request has twice as many."""

SILENT = "The Hub does not answer, try again"
SILENT_SECONDS = 2.0
"""Seconds after a silent Hub during which requests fail at once: readers of the same data do not wait in turn."""

Ranges = Sequence[tuple[int, int]]


def join_ranges(ranges: Ranges) -> list[tuple[int, int]]:
    """Return ranges (start, end) in order, near ones joined."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if joined and start - joined[-1][1] <= GAP:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


class RemoteFiles:
    """Fetches ranges of the files of a repository; may be used from several threads.

    Args:
        repository: a dataset on the Hub; of a folder nothing can be fetched.
        patience: None to try `ATTEMPTS` times, for training. If a person waits: seconds after which a missing range is given
            up, unless the Hub still answers other requests: then the line is slow, not broken.
        costs: counts requests and bytes.
    """

    def __init__(self, repository: Repository, patience: float | None = None, costs: Costs | None = None) -> None:
        self._repository, self._patience, self._costs = repository, patience, costs or Costs()
        self._files: Any = fsspec.url_to_fs(repository.root)[0]
        self._silent_until = 0.0

    def fetch(self, path: str, start: int, end: int) -> bytes:
        """Return the bytes of a file from `start` to `end`, in one request.

        Raises:
            FileNotFoundError: the file is missing.
            ConnectionError: all attempts failed, the Hub asks for too long a pause, or patience ran out.
        """
        if self._patience is None:
            return self._fetch(path, start, end, ATTEMPTS)
        if time.monotonic() < self._silent_until:
            raise ConnectionError(SILENT)
        answer: Future[bytes] = Future()

        def ask() -> None:
            try:
                answer.set_result(self._fetch(path, start, end, 1))
            except BaseException as error:
                answer.set_exception(error)

        # The Hub's client cannot be stopped: its thread is abandoned, and as a daemon does not delay the end of the program.
        threading.Thread(target=ask, daemon=True).start()
        while not wait([answer], self._patience).done:
            if not answers(self._repository, self._patience / 2):
                self._silent_until = time.monotonic() + SILENT_SECONDS
                raise ConnectionError(SILENT)
        try:
            return answer.result()
        except ConnectionError as error:
            raise ConnectionError(SILENT) from error

    def _fetch(self, path: str, start: int, end: int, attempts: int) -> bytes:
        problem: object = None
        pause = 0.0
        for attempt in range(attempts):
            if pause:
                wait_for_hub(pause)
            elif attempt:
                time.sleep(FIRST_WAIT * 2 ** (attempt - 1))
            pause = 0.0
            self._costs.add(requests=1)
            try:
                data: bytes = self._files.cat_file(f"{self._repository.root}/{path}", start, end, cache_type="none")
            except FileNotFoundError:
                raise
            except Exception as error:  # of requests or httpx, by the version of huggingface_hub
                status = getattr(getattr(error, "response", None), "status_code", 500)
                if 400 <= status < 500 and status not in (408, 429):
                    raise
                problem, pause = error, asked_pause(error)
                if pause > LONGEST_PAUSE:
                    attempts = attempt + 1
                    break
                continue
            self._costs.add(bytes_read=len(data))
            if len(data) == end - start:
                return data
            problem = f"received {len(data):,} of {end - start:,} bytes"
        raise ConnectionError(
            f"{self._repository.root}/{path}: {format_count(attempts, 'attempt')} to read bytes {start:,} to {end:,} failed, "
            f"last: {problem}. No sample is lost: resume from the last state when the network is back"
        )


def answers(repository: Repository, seconds: float) -> bool:
    """Return whether the Hub answers one request about a dataset of it within `seconds`."""
    try:
        HfApi().dataset_info(str(repository.repo_id), revision=repository.commit, timeout=seconds)
    except Exception:  # whatever it is, no image can be read
        return False
    return True


class Held:
    """Ranges of a file in memory. Reading outside of them, before `end`, fetches more, each time twice as much ahead."""

    def __init__(self, fetch: Callable[[int, int], bytes], end: int) -> None:
        self._fetch, self._end = fetch, end
        self._parts: list[tuple[int, bytes]] = []
        self._step = FIRST_STEP
        self._lock = threading.Lock()

    def hold(self, start: int, end: int) -> None:
        """Fetch a range and keep it."""
        self._parts.append((start, self._fetch(start, end)))

    def read(self, offset: int, size: int) -> memoryview:
        """Return `size` bytes from an offset on; fewer at `end`. They are not copied if they are of one range."""
        end = min(offset + size, self._end)
        parts: list[memoryview] = []
        with self._lock:
            while offset < end:
                start, data = next(
                    ((start, data) for start, data in self._parts if start <= offset < start + len(data)), (-1, b"")
                )
                if start < 0:
                    following = min((start for start, _ in self._parts if start > offset), default=self._end)
                    self.hold(offset, min(max(end, offset + self._step), following))
                    self._step *= 2
                    continue
                parts.append(memoryview(data)[offset - start : end - start])
                offset += len(parts[-1])
        return parts[0] if len(parts) == 1 else memoryview(b"".join(parts))


class HeldFile(io.RawIOBase):
    """Presents held ranges as a file of `size` bytes, for pyarrow."""

    def __init__(self, held: Held, size: int) -> None:
        super().__init__()
        self._held, self._size, self._offset = held, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._offset

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._offset = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._offset, io.SEEK_END: self._size}[whence]
        return self._offset

    def read(self, size: int = -1) -> bytes:
        data = bytes(self._held.read(self._offset, size if size >= 0 else self._size - self._offset))
        self._offset += len(data)
        return data

"""One way to read the training split, measured in a process of its own: what `benchmarks/reading/run.py` starts.

    python benchmarks/reading/measure_reader.py '{"reader": "webdataset", "data": "DIR/webdataset", "decode": "pillow"}'

Prints one line of JSON, with what was read and what it took; imports are done before the clock starts.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.reading.peers import READERS
from benchmarks.reading.readers import SIDE, Batch, Job, Reader

SETTLE = 0.5
"""Seconds after the first batch at which is counted what a reader went on to read by itself."""


class Content:
    """What was read, in any order: so that a reader that loses or repeats images, or decodes others, is found out."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self.keys: list[str] = []
        self.level = 0

    def add(self, batch: Batch) -> None:
        keys = list(batch["image_id" if "image_id" in self._job.columns else "caption"])
        self.keys += keys
        if "image" not in self._job.columns:
            return
        images = batch["image"]
        if len(images) != len(keys):
            raise ValueError(f"{len(images)} images, {len(keys)} ids")
        if self._job.decode == "bytes":
            self.level += sum(map(len, images))
            return
        if tuple(images.shape[1:]) != (SIDE, SIDE, 3) or "uint8" not in str(images.dtype):
            raise ValueError(f"images are {images.dtype} {tuple(images.shape)}")
        self.level += int(images[:, SIDE // 2, SIDE // 3].sum())

    def facts(self) -> dict[str, Any]:
        keys = "\n".join(sorted(self.keys)).encode()
        return {"images": len(self.keys), "keys": hashlib.sha256(keys).hexdigest(), "level": self.level}


def spent() -> tuple[float, float, int, int]:
    """Seconds of clock and processors, bytes read and of them from the disk: of this process, and workers that ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    counts = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    processor = sum(usage.ru_utime + usage.ru_stime for usage in usages)
    return time.perf_counter(), processor, int(counts["rchar"]), int(counts["read_bytes"])


def read_epoch(reader: Reader) -> dict[str, Any]:
    """The first epoch with opening, then the others."""
    begin = spent()
    reader.open()
    content, first = Content(reader.job), None
    for batch in reader.batches(0):
        first = first or spent()
        content.add(batch)
    end = spent()
    again = []
    for epoch in range(1, reader.job.epochs):
        start, other = time.perf_counter(), Content(reader.job)
        for batch in reader.batches(epoch):
            other.add(batch)
        again.append(time.perf_counter() - start)
        if other.facts() != content.facts():
            raise ValueError(f"epoch {epoch} gave {other.facts()}, the first gave {content.facts()}")
    assert first is not None
    facts = content.facts()
    return {
        **facts,
        "seconds": end[0] - begin[0],
        "rate": facts["images"] / (end[0] - begin[0]),
        "later rate": facts["images"] / statistics.median(again) if again else None,
        "processor": end[1] - begin[1],
        "first seconds": first[0] - begin[0],
        "first read": first[2] - begin[2],
        "read": end[2] - begin[2],
        "disk": end[3] - begin[3],
    }


def read_first(reader: Reader) -> dict[str, Any]:
    """The first batch, and no more."""
    begin = spent()
    reader.open()
    batches = reader.batches(0)
    content = Content(reader.job)
    content.add(next(batches))
    first = spent()
    time.sleep(SETTLE)
    return {
        **content.facts(),
        "first seconds": first[0] - begin[0],
        "first read": first[2] - begin[2],
        "settled read": spent()[2] - begin[2],
    }


def interrupt(reader: Any) -> dict[str, Any]:
    """An epoch whose state is taken in the middle: the state, and the keys that come behind it."""
    reader.open()
    rest = Content(reader.job)
    state = None
    for number, batch in enumerate(reader.batches(0), 1):
        if state is not None:
            rest.add(batch)
        if number == reader.job.batches:
            state = pickle.dumps(reader.state()).hex()
    return {"state": state, "rest": rest.keys}


def read_resumed(reader: Any) -> dict[str, Any]:
    """The rest of an epoch that another process began."""
    job = json.dumps(asdict(reader.job) | {"task": "interrupt"})
    done = subprocess.run([sys.executable, __file__, job], stdout=subprocess.PIPE, text=True, check=True)
    other = json.loads(done.stdout.splitlines()[-1])
    state = pickle.loads(bytes.fromhex(other["state"]))  # noqa: S301 (made by the line above)
    content = Content(reader.job)
    begin = spent()
    reader.open()
    reader.load(state)
    batches = reader.batches(0)
    content.add(next(batches))
    first = spent()
    for batch in batches:
        content.add(batch)
    return {
        **content.facts(),
        "exact": content.keys == other["rest"],
        "first seconds": first[0] - begin[0],
        "first read": first[2] - begin[2],
    }


TASKS = {"epoch": read_epoch, "first": read_first, "resume": read_resumed, "interrupt": interrupt}


def main() -> None:
    """Read the job from the command line, print what came out."""
    given = json.loads(sys.argv[1])
    job = Job(**given | {"columns": tuple(given.get("columns", Job.columns))})
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-job.processors :])
    print(json.dumps(TASKS[job.task](READERS[job.reader](job))))


if __name__ == "__main__":
    main()

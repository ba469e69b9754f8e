"""What `run.py` measures, the goals, and how both are shown: data, and functions from results to Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.reading.readers import Job

PEERS = ("datasets", "datasets-map", "webdataset", "mosaicml", "litdata")
NAMES = {
    "stream": "**`PretrainingStream`**",
    "stream-torch": "`PretrainingStream` through a DataLoader of torch",
    "memory": "limit: the JPEGs in memory, decoded and no more",
    "pyarrow": "bare pyarrow, `iter_batches`",
    "datasets": "datasets, streaming",
    "datasets-map": "datasets, map-style",
    "webdataset": "webdataset",
    "mosaicml": "mosaicml-streaming",
    "litdata": "litdata",
}
TITLES = {
    "one": "Decoded, one processor",
    "two": "Decoded, two processors",
    "same": "Decoded by the stream's decoder, one processor",
    "bytes": "The JPEGs as they are, one processor",
    "first": "The first batch of 8, decoded",
    "captions": "The captions of a whole training split, no images",
    "resume": "Going on in the middle of an epoch",
    "hub": "From a Hub 20 ms away, two threads decode; the server shares the two processors",
}
SHOWN = {
    "images/s": "rate",
    "images/s, later epochs": "later rate",
    "all, images/s": "all",
    "processor s": "processor",
    "first batch s": "first seconds",
    "MB read until then": "first read",
    "and half a second later": "settled read",
    "MB read": "read",
    "MB of all processes": "tree",
    "of these not of files": "private",
    "requests for data per 1,000 images": "requests",
    "requests in all": "all requests",
    "goes on exactly": "exact",
}
"""Column of a table -> field of a result; a table has those that its part knows."""

FIELDS = {
    "one": ("rate", "all", "processor", "first seconds", "tree", "private"),
    "two": ("rate", "all", "processor", "first seconds", "tree", "private"),
    "same": ("rate", "all", "processor", "first seconds", "tree", "private"),
    "bytes": ("rate", "later rate", "all", "processor", "read", "tree", "private"),
    "first": ("first seconds", "first read", "settled read", "tree"),
    "captions": ("rate", "later rate", "processor", "read", "tree"),
    "resume": ("exact", "first seconds", "first read"),
    "hub": ("rate", "all", "first seconds", "requests", "all requests", "tree"),
}
SIZES = "sizes of the repository"
"""Key of a result that no run gives: the share of the bytes."""
MAPPED = ("datasets-map", "litdata")
"""Readers that map their files: what they read is not counted by the kernel."""


@dataclass(frozen=True)
class Run:
    """One line of a table: a job, of which the data are still to be named."""

    part: str
    job: Job
    how: str = ""

    @property
    def key(self) -> str:
        """Its name: part, reader, and what distinguishes it."""
        return " ".join(filter(None, (self.part, self.job.reader, self.how)))

    @property
    def data(self) -> str:
        """The data that it reads."""
        if self.job.reader in ("webdataset", "mosaicml", "litdata"):
            return self.job.reader
        if self.part == "captions":
            return "tiny"
        return "shards" if self.job.reader == "datasets" and self.job.decoders > 1 else "rocov2"


def runs() -> Iterator[Run]:
    """All that is measured."""
    for part, processors in (("one", 1), ("two", 2)):
        for decode in ("exact", "fast"):
            yield Run(part, Job("stream", "", decode, processors=processors, shuffle=True), f"`{decode}`, shuffled")
        for decode, how in (("exact", "`exact`"), ("pillow", "by Pillow"), ("fast", "`fast`")):
            yield Run(part, Job("memory", "", decode, processors=processors), how)
        for peer in PEERS:
            yield Run(part, Job(peer, "", "pillow", processors=processors), "as it ships")
        stream = Job("stream", "", "exact", processors=processors, shuffle=True, name="small")
        yield Run(part, stream, "`exact`, shuffled, of `small`")
        yield Run(part, Job("datasets", "", "pillow", processors=processors, name="small"), "as it ships, of `small`")
    yield Run("same", Job("stream", "", "fast", shuffle=True), "`fast`, shuffled")
    yield Run("same", Job("stream-torch", "", "fast", shuffle=True), "`fast`, shuffled")
    for peer in PEERS:
        yield Run("same", Job(peer, "", "fast"), "with `fast`")
    for shuffle in (True, False):
        yield Run("bytes", Job("stream", "", epochs=6, shuffle=shuffle), "shuffled" if shuffle else "in order")
    for reader in ("pyarrow", *PEERS):
        yield Run("bytes", Job(reader, "", epochs=6))
    first = Job("stream", "", "exact", task="first", batch=8)
    for how, job in (
        ("shuffled", replace(first, shuffle=True)),
        ("in order", first),
        ("in order, of `small`", replace(first, name="small")),
    ):
        yield Run("first", job, how)
    for peer in PEERS:
        yield Run("first", Job(peer, "", "pillow", task="first", batch=8), "in order")
    for reader, name in (
        ("stream", "text"),
        ("pyarrow", "text"),
        ("stream", "default"),
        ("pyarrow", "default"),
        ("datasets", "default"),
    ):
        yield Run("captions", Job(reader, "", name=name, columns=("caption",), epochs=6), f"of `{name}`")
    yield Run("resume", Job("stream", "", "exact", task="resume", shuffle=True), "shuffled")
    yield Run("resume", Job("datasets", "", "pillow", task="resume"), "in order")
    for peer in ("mosaicml", "litdata"):
        yield Run("resume", Job(peer, "", "pillow", task="resume", shuffle=True), "shuffled")
    for data, how in (("", "`fast`, from the folder"), ("org/name", "`fast`, from the Hub")):
        yield Run("hub", Job("stream", data, "fast", processors=2, shuffle=True), how)
    yield Run("hub", Job("stream", "org/name", "fast", processors=2), "`fast`, in order, from the Hub")
    yield Run("hub", Job("datasets", "org/name", "pillow", processors=2, threads=1), "as it ships, from the Hub")


@dataclass(frozen=True)
class Goal:
    """A number that a run should reach: by itself, or as a ratio to the best of others.

    Attributes:
        text: what it says.
        run: key of the run.
        field: of its result; bytes count as MB.
        sign, limit: `>=` or `<=` a number.
        beside: keys of the others.
    """

    text: str
    run: str
    field: str
    sign: str
    limit: float
    beside: tuple[str, ...] = ()


def _goals() -> Iterator[Goal]:
    for part, count in (("one", "one processor"), ("two", "two processors")):
        shipped = tuple(f"{part} {peer} as it ships" for peer in PEERS)
        exact, fast = f"{part} stream `exact`, shuffled", f"{part} stream `fast`, shuffled"
        small, streaming = f"{part} stream `exact`, shuffled, of `small`", f"{part} datasets as it ships"
        text = "`small` / `default`, images/s"
        yield Goal(f"{text}, datasets streaming, {count}", f"{streaming}, of `small`", "rate", ">=", 3.5, (streaming,))
        yield Goal(f"{text}, `exact`, {count}", small, "rate", ">=", 4, (exact,))
        text = "`exact` of `small` / datasets streaming of `default`, images/s"
        yield Goal(f"{text}, {count}", small, "rate", ">=", 4.5, (streaming,))
        memory = (f"{part} memory `exact`", f"{part} memory by Pillow")
        yield Goal(f"`exact` / the same pixels in memory, {count}", exact, "rate", ">=", 0.95, memory)
        yield Goal(f"`exact` / the fastest peer as it ships, {count}", exact, "rate", ">=", 1, shipped)
        yield Goal(f"`fast` / the fastest peer as it ships, {count}", fast, "rate", ">=", 2.6, shipped)
    same = tuple(f"same {peer} with `fast`" for peer in PEERS)
    yield Goal("`fast` / the fastest peer with `fast`", "same stream `fast`, shuffled", "rate", ">=", 0.95, same)
    yield Goal("bytes of `small` / of `default`", SIZES, "share", "<=", 0.25)
    run = "first stream in order, of `small`"
    yield Goal("MB read before the first batch of 8 of `small`, in order", run, "first read", "<=", 0.5)
    there, datasets = "hub stream `fast`, from the Hub", "hub datasets as it ships, from the Hub"
    yield Goal(
        "`fast`: from the Hub / from the folder", there, "rate", ">=", 1, ("hub stream `fast`, from the folder",)
    )
    for how, run in (("in order", "hub stream `fast`, in order, from the Hub"), ("shuffled", there)):
        yield Goal(f"requests for data, {how}: the stream / datasets", run, "requests", "<=", 1, (datasets,))
    yield Goal("MB of memory, from the Hub", there, "tree", "<=", 450)
    for decode in ("exact", "fast"):
        text = f"MB of memory, `{decode}`, shuffled, two processors"
        yield Goal(text, f"two stream `{decode}`, shuffled", "tree", "<=", 450)
    run, text = "bytes stream in order", "JPEGs, in order / bare pyarrow, later epochs"
    yield Goal(text, run, "later rate", ">=", 1.3, ("bytes pyarrow",))
    run, text = "bytes stream shuffled", "JPEGs, shuffled / map-style datasets, later epochs"
    yield Goal(text, run, "later rate", ">=", 0.5, ("bytes datasets-map",))
    run, text = "captions stream of `text`", "captions of `text`, in order / bare pyarrow, later epochs"
    yield Goal(text, run, "later rate", ">=", 0.5, ("captions pyarrow of `text`",))


GOALS = tuple(_goals())
BYTES = ("first read", "settled read", "read", "tree", "private")
Results = Mapping[str, Sequence[Mapping[str, Any]]]


def value_of(results: Sequence[Mapping[str, Any]], field: str) -> float | None:
    """Median over the rounds; bytes as MB."""
    values = [result[field] for result in results if result.get(field) is not None]
    return statistics.median(values) / (1e6 if field in BYTES else 1) if values else None


def _cell(run: Run, results: Sequence[Mapping[str, Any]], field: str) -> str:
    if field == "all":
        return " ".join(f"{result['rate']:,.0f}" for result in results)
    if field == "exact":
        return "yes" if all(result["exact"] for result in results) else "**no**"
    if field.endswith("read") and run.job.reader in MAPPED:
        return "mapped"
    value = value_of(results, field)
    if value is None:
        return ""
    places = 0 if value >= 100 else 1 if value >= 10 else 3 if field == "first seconds" else 2
    return f"{value:,.{places}f}"


def tables(results: Results, order: Sequence[Run]) -> Iterator[str]:
    """The results, part by part, as Markdown."""
    names = {field: title for title, field in SHOWN.items()}
    for part, title in TITLES.items():
        of_part = [run for run in order if run.part == part and results.get(run.key)]
        if not of_part:
            continue
        yield f"### {title}\n"
        yield f"| method | {' | '.join(names[field] for field in FIELDS[part])} |"
        yield "| --- " * (len(FIELDS[part]) + 1) + "|"
        for run in of_part:
            cells = [_cell(run, results[run.key], field) for field in FIELDS[part]]
            yield f"| {', '.join(filter(None, (NAMES[run.job.reader], run.how)))} | {' | '.join(cells)} |"
        yield ""


def goals(results: Results) -> Iterator[str]:
    """The goals beside what was found, as Markdown."""
    yield "| | goal | measured | reached |\n| --- | --- | --- | --- |"
    for goal in GOALS:
        found = value_of(results.get(goal.run, ()), goal.field)
        text = goal.text
        if goal.beside:
            others = {key: value for key in goal.beside if (value := value_of(results.get(key, ()), goal.field))}
            if not others or found is None:
                continue
            best = (max if goal.sign == ">=" else min)(others, key=lambda key: others[key])
            found /= others[best]
            if len(goal.beside) > 1:
                _, reader, *how = best.split(" ", 2)
                text += f" ({', '.join([NAMES[reader], *how])})"
        if found is None:
            continue
        met = found >= goal.limit if goal.sign == ">=" else found <= goal.limit
        yield f"| {text} | {goal.sign} {goal.limit:g} | **{found:.2f}** | {'yes' if met else 'no'} |"


def beside_peers(results: Results) -> Iterator[str]:
    """Where a peer is level with the stream or ahead of it, in sentences."""
    here, there = "hub stream `fast`, from the Hub", "hub datasets as it ships, from the Hub"
    comparisons = [
        (here, (there,), "rate"),
        (here, (there,), "requests"),
        *((goal.run, goal.beside, goal.field) for goal in GOALS if len(goal.beside) > 1),
        *(("first stream " + how, tuple(f"first {peer} in order" for peer in PEERS), "first seconds")
          for how in ("in order", "shuffled")),
        ("resume stream shuffled", tuple(
            f"resume {peer}" for peer in ("datasets in order", "mosaicml shuffled", "litdata shuffled")
        ), "first seconds"),
        ("captions stream of `default`", ("captions datasets of `default`", "captions pyarrow of `default`"), "rate"),
    ]  # fmt: skip
    for run, others, field in comparisons:
        ours = value_of(results.get(run, ()), field)
        for other in others:
            theirs = value_of(results.get(other, ()), field)
            if ours and theirs:
                ratio = theirs / ours if field.endswith("rate") else ours / theirs
                if ratio >= 0.95:
                    how = "ahead of" if ratio > 1.05 else "level with"
                    yield f"- {field}: `{other}` is {how} `{run}`: {ratio:.2f} times as good."

"""What `run.py` measures, the goals, and how both are shown: data, and functions from results to Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.reading.readers import Job

PEERS = ("datasets", "datasets-map", "webdataset", "mosaicml", "litdata")
NAMES = {
    "stream": "**`PretrainingStream`**",
    "stream-torch": "`PretrainingStream` through a DataLoader of torch",
    "memory": "limit: JPEGs in memory, the stream's decoder alone",
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
    "bytes": "The JPEGs as they are, one processor",
    "first": "The first batch of 8, decoded",
    "captions": "Captions alone, no images",
    "resume": "Going on in the middle of an epoch",
    "hub": "From a Hub 20 ms away, one thread decodes; the server shares the two processors",
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
    "bytes": ("rate", "later rate", "all", "processor", "read", "tree", "private"),
    "first": ("first seconds", "first read", "settled read", "tree"),
    "captions": ("rate", "processor", "read", "tree"),
    "resume": ("exact", "first seconds", "first read"),
    "hub": ("rate", "all", "first seconds", "requests", "all requests", "tree"),
}
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
        return "shards" if self.job.reader == "datasets" and self.job.decoders > 1 else "rocov2"


def runs() -> Iterator[Run]:
    """All that is measured."""
    for part, processors in (("one", 1), ("two", 2)):
        for decode in ("exact", "fast"):
            yield Run(part, Job("stream", "", decode, processors=processors, shuffle=True), f"`{decode}`, shuffled")
            yield Run(
                part, Job("stream-torch", "", decode, processors=processors, shuffle=True), f"`{decode}`, shuffled"
            )
        yield Run(part, Job("memory", "", "fast", processors=processors), "`fast`")
        for peer in PEERS:
            yield Run(part, Job(peer, "", "pillow", processors=processors), "as it ships")
        for peer in PEERS:
            yield Run(part, Job(peer, "", "fast", processors=processors), "with `fast`")
    for shuffle in (True, False):
        yield Run("bytes", Job("stream", "", epochs=6, shuffle=shuffle), "shuffled" if shuffle else "unshuffled")
    for reader in ("pyarrow", *PEERS):
        yield Run("bytes", Job(reader, "", epochs=6))
    for shuffle in (True, False):
        job = Job("stream", "", "exact", task="first", batch=8, shuffle=shuffle)
        yield Run("first", job, "shuffled" if shuffle else "unshuffled")
    for peer in PEERS:
        yield Run("first", Job(peer, "", "pillow", task="first", batch=8), "unshuffled")
    for reader, name in (("stream", "default"), ("stream", "text"), ("pyarrow", "default"), ("datasets", "default")):
        shuffle = reader == "stream"
        yield Run("captions", Job(reader, "", name=name, columns=("caption",), shuffle=shuffle), f"of `{name}`")
    yield Run("resume", Job("stream", "", "exact", task="resume", shuffle=True), "shuffled")
    yield Run("resume", Job("datasets", "", "pillow", task="resume"), "unshuffled")
    for peer in ("mosaicml", "litdata"):
        yield Run("resume", Job(peer, "", "pillow", task="resume", shuffle=True), "shuffled")
    for data, how in (("", "`fast`, from the folder"), ("org/name", "`fast`, from the Hub")):
        yield Run("hub", Job("stream", data, "fast", processors=2, threads=1, shuffle=True), how)
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
        same = tuple(f"{part} {peer} with `fast`" for peer in PEERS)
        exact, fast = f"{part} stream `exact`, shuffled", f"{part} stream `fast`, shuffled"
        yield Goal(f"`exact` / the fastest peer as it ships, {count}", exact, "rate", ">=", 1.3, shipped)
        yield Goal(f"`fast` / the fastest peer as it ships, {count}", fast, "rate", ">=", 2.6, shipped)
        yield Goal(f"`fast` / decoding in memory, {count}", fast, "rate", ">=", 0.83, (f"{part} memory `fast`",))
        yield Goal(f"`fast` / litdata with `fast`, {count}", fast, "rate", ">=", 0.95, (f"{part} litdata with `fast`",))
        yield Goal(f"`fast` / the fastest peer with `fast`, {count}", fast, "rate", ">=", 0.95, same)
    for how in ("shuffled", "unshuffled"):
        run = f"bytes stream {how}"
        yield Goal(f"JPEGs, {how} / bare pyarrow, with opening", run, "rate", ">=", 0.95, ("bytes pyarrow",))
        yield Goal(f"JPEGs, {how} / bare pyarrow, later epochs", run, "later rate", ">=", 0.95, ("bytes pyarrow",))
        yield Goal(
            f"JPEGs, {how} / the fastest peer, later epochs",
            run,
            "later rate",
            ">=",
            0.95,
            tuple(f"bytes {peer}" for peer in PEERS),
        )
    yield Goal("MB read for the first batch, unshuffled", "first stream unshuffled", "settled read", "<=", 2)
    yield Goal("MB read for the first batch, shuffled", "first stream shuffled", "settled read", "<=", 64)
    for reader, how in (("stream", ""), ("stream-torch", ", with torch")):
        for decode in ("exact", "fast"):
            text = f"MB of memory, `{decode}`, shuffled, two processors{how}"
            yield Goal(text, f"two {reader} `{decode}`, shuffled", "tree", "<=", 450)
    for name in ("default", "text"):
        yield Goal(f"MB read for the captions of `{name}`", f"captions stream of `{name}`", "read", "<=", 1)
    here, there = "hub stream `fast`, from the folder", "hub stream `fast`, from the Hub"
    yield Goal("`fast`: from the Hub / from the folder", there, "rate", ">=", 0.95, (here,))
    yield Goal(
        "requests for data: the stream / datasets",
        there,
        "requests",
        "<=",
        1,
        ("hub datasets as it ships, from the Hub",),
    )


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
    yield "| | goal | found | met |\n| --- | --- | --- | --- |"
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
                text += f" ({NAMES[best.split()[1]]})"
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
        *(("first stream " + how, tuple(f"first {peer} unshuffled" for peer in PEERS), "first seconds")
          for how in ("unshuffled", "shuffled")),
        ("resume stream shuffled", tuple(
            f"resume {peer}" for peer in ("datasets unshuffled", "mosaicml shuffled", "litdata shuffled")
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

"""What a probe is given, and how what it read is judged. Only the standard library: it runs in the environment of each tool.

A probe is a function `probe(case) -> Findings`. It reads the repository as a user of its tool would and hands over what it
got. The words of docs/tools.md are made here, from comparisons with the truth, so that no probe states an outcome by hand.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from glob import glob
from pathlib import Path
from typing import Any

from benchmarks.tools.probes.memory import resident
from benchmarks.tools.probes.values import as_list, describe_error, describe_null, format_channels, plain

Findings = dict[str, Any]
"""Aspect -> outcome in a few words; `traps`: what was read by mistake -> what came."""
Row = Mapping[str, Any]

EQUAL = "equal"
_PERIOD = 0.02
_LABELS = ("modality", "region", "direction")


class Case:
    """The repository, the truth about it, and a folder to write in."""

    def __init__(self, description: Mapping[str, Any]) -> None:
        self.root = Path(description["repository"])
        """The repository of small files with every kind of value."""
        self.heavy = Path(description["heavy"])
        """A repository of the same layout whose train has larger images, to see what reading costs in memory."""
        self.tars = Path(description["tars"])
        """The export to tars."""
        self.hub: str = description.get("hub", "")
        """Address of a stand-in of the Hub that serves the repository as `org/rocov2`."""
        self.writing: dict[str, str] = description.get("writing", {})
        """Variables that lead the clients of the Hub to another stand-in, which takes uploads under `org/`."""
        self._patterns: dict[str, dict[str, str]] = description["patterns"]
        self.names: dict[str, list[str]] = description["names"]
        self._truth: dict[str, list[dict[str, Any]]] = description["rows"]
        self.vocabulary: int = description["vocabulary"]

    def pattern(self, split: str = "train", config: str = "default", root: Path | None = None) -> str:
        """The glob of the files of a split, absolute, up to `.parquet`: some tools go by the end of the name."""
        pattern = str((root or self.root) / self._patterns[config][split])
        return pattern if pattern.endswith(".parquet") else f"{pattern}.parquet"

    def files(self, split: str = "train", config: str = "default", root: Path | None = None) -> list[str]:
        """The files of a split in order, absolute."""
        return sorted(glob(self.pattern(split, config, root)))

    @property
    def configurations(self) -> list[str]:
        """All configurations of the repository."""
        return list(self._patterns)

    @property
    def splits(self) -> list[str]:
        """The splits of `default`."""
        return list(self._patterns["default"])

    @property
    def heavy_files(self) -> list[str]:
        """The files of train of the heavy repository."""
        return self.files(root=self.heavy)

    def rows(self, split: str = "train") -> list[dict[str, Any]]:
        """The rows of a split of `default` as they must come: labels as numbers, an image as SHA-256, mode, means."""
        return self._truth[split]

    # What came, compared with the truth.

    def judge(self, rows: Iterable[Row], split: str = "train") -> Findings:
        """Judge rows with any of the columns: images, order, texts, null labels, label names, lists."""
        rows = list(rows)
        found: Findings = {"order": self.judge_order([row["image_id"] for row in rows], split)}
        if "image" in rows[0]:
            found["images"] = self.judge_images({row["image_id"]: row["image"] for row in rows}, split)
        if "caption" in rows[0]:
            found["texts"] = self.judge_texts({row["image_id"]: row["caption"] for row in rows}, split)
        if "region" in rows[0]:
            found["nulls"] = self.judge_nulls({row["image_id"]: row["region"] for row in rows}, split)
        if "modality" in rows[0]:
            found["labels"] = self.judge_labels({row["image_id"]: row["modality"] for row in rows}, split)
        if "cuis" in rows[0]:
            found["lists"] = self.judge_lists(
                {row["image_id"]: (row["cuis"], row.get("manual_cuis")) for row in rows}, split
            )
        return found

    def judge_order(self, ids: Sequence[Any], split: str = "train") -> str:
        """How the ids came: `of the files`, `another`, or how many are missing or repeated."""
        expected = [row["image_id"] for row in self.rows(split)]
        ids = [plain(id) for id in ids]
        if ids == expected:
            return "of the files"
        if sorted(map(str, ids)) == sorted(expected):
            return "another"
        counts = Counter(ids)
        missing = sum(id not in counts for id in expected)
        again = sum(count - 1 for count in counts.values())
        others = sum(id not in set(expected) for id in counts)
        return f"{missing} of {len(expected)} missing, {again} repeated, {others} others"

    def judge_images(self, images: Mapping[str, Any], split: str = "train") -> str:
        """Whether the JPEGs are those of the release, byte for byte; `images`: bytes, or a mapping with them, by id."""
        wrong: Counter[str] = Counter()
        expected = self.rows(split)
        for row in expected:
            value = images.get(row["image_id"])
            if isinstance(value, Mapping):
                value = value.get("bytes")
            if isinstance(value, (bytearray, memoryview)):
                value = bytes(value)
            if not isinstance(value, bytes):
                wrong[f"{type(value).__name__} instead of bytes"] += 1
            elif hashlib.sha256(value).hexdigest() != row["sha256"]:
                wrong["differ"] += 1
        return EQUAL if not wrong else "; ".join(f"{n} of {len(expected)}: {what}" for what, n in wrong.items())

    def judge_texts(self, captions: Mapping[str, Any], split: str = "train") -> str:
        """Whether the captions are those of the release, with `NA`, `null`, blanks and line ends."""
        pairs = [(row["caption"], plain(captions.get(row["image_id"]))) for row in self.rows(split)]
        wrong = [f"{before!r} came as {after!r}" for before, after in pairs if before != after]
        return EQUAL if not wrong else f"{len(wrong)} differ: {wrong[0]}"

    def judge_nulls(self, regions: Mapping[str, Any], split: str = "train") -> str:
        """What a null label became, and whether the labels beside it are right."""
        nulls: Counter[str] = Counter()
        others: Counter[str] = Counter()
        for row in self.rows(split):
            raw = regions.get(row["image_id"])
            if row["region"] is None:
                nulls[describe_null(raw)] += 1
            else:
                others[self._describe_label("region", row["region"], raw)] += 1
        words = " or ".join(nulls)
        return words if set(others) <= {"numbers"} else f"{words}; beside it {' or '.join(others)}"

    def judge_labels(self, values: Mapping[str, Any], split: str = "train", column: str = "modality") -> str:
        """Whether the labels are right, and numbers or names."""
        return " or ".join(
            Counter(self._describe_label(column, row[column], values.get(row["image_id"])) for row in self.rows(split))
        )

    def _describe_label(self, column: str, expected: int, raw: Any) -> str:
        value = plain(raw)
        if isinstance(value, str) and value == self.names[column][expected]:
            return "names"
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return f"wrong ({value!r} for {expected})"
        if value != expected:
            return f"wrong ({value} for {expected})"
        return "floats" if isinstance(value, float) else "numbers"

    def judge_lists(self, lists: Mapping[str, tuple[Any, Any]], split: str = "train") -> str:
        """Type of a list, whether its entries are right, and whether an empty one stays empty; `lists`: cuis, manual_cuis."""
        kinds: dict[str, None] = {}
        wrong = 0
        empty = ""
        for row in self.rows(split):
            cuis, manual = lists.get(row["image_id"], (None, None))
            kinds[type(cuis).__name__] = None
            wrong += as_list(cuis) != row["cuis"]
            if manual is not None and not row["manual_cuis"]:
                empty = "" if as_list(manual) == [] else f"; an empty one came as {plain(manual)!r}"
            elif manual is not None:
                wrong += as_list(manual) != row["manual_cuis"]
        return " or ".join(kinds) + (f"; {wrong} differ" if wrong else "") + empty

    def judge_pixels(self, pixels: Mapping[str, Any], split: str = "train") -> str:
        """What became of grey, colour and turned pictures; `pixels`: arrays [height, width(, channels)] or channels first."""
        expected = {row["image_id"]: row for row in self.rows(split)}
        grey, colour, turned = (dict[str, None]() for _ in range(3))
        for id, array in pixels.items():
            row = expected[id]
            shape, sides = tuple(map(int, array.shape)), (row["height"], row["width"])
            if len(shape) == 3 and shape[0] in (1, 3) and shape[1:] in (sides, sides[::-1]):
                shape, array = (*shape[1:], shape[0]), array.transpose(1, 2, 0) if hasattr(array, "strides") else array
                first = True
            else:
                first = False
            channels = shape[2] if len(shape) == 3 else 1
            scale = 255.0 if float(array.max()) <= 1.0 and max(row["means"]) > 2 else 1.0
            if channels == 3:
                means = [
                    float((array[index] if first and array.shape[0] == 3 else array[..., index]).mean()) * scale
                    for index in range(3)
                ]
            else:
                means = [float(array.mean()) * scale]
            if row["turned"]:
                upright, stored = sides, sides[::-1]
                turned["upright" if shape[:2] == upright else "as stored" if shape[:2] == stored else str(shape)] = None
                continue
            size = "" if shape[:2] == sides else ", transposed" if shape[:2] == sides[::-1] else ", another size"
            if row["mode"] == "L":
                width = format_channels(channels)
                near = all(abs(mean - row["means"][0]) < 1.5 for mean in means[:3])
                grey[width + size + ("" if near or size else ", other values")] = None
            elif channels == 3:
                near = all(abs(a - b) < 1.5 for a, b in zip(means, row["means"], strict=True))
                swapped = all(abs(a - b) < 1.5 for a, b in zip(means, row["means"][::-1], strict=True))
                colour[("RGB" if near or size else "BGR" if swapped else "3 channels, other values") + size] = None
            else:
                colour[f"{format_channels(channels)}{size}"] = None
        if any("transposed" in words for words in [*grey, *colour]):
            turned = {{"upright": "as stored", "as stored": "upright"}.get(words, words): None for words in turned}
        words = [f"grey: {' or '.join(grey) or 'none'}", f"colour: {' or '.join(colour) or 'none'}"]
        return "; ".join([*words, f"turned: {' or '.join(turned)}"] if turned else words)

    def judge_mixture(self, read: Callable[[], Sequence[Any]]) -> str:
        """What a tool makes of a folder: `read` gives the ids (None where a row has none) or raises."""
        try:
            ids = [plain(id) for id in read()]
        except Exception as error:
            return describe_error(error)
        counts = Counter(id for id in ids if isinstance(id, str))
        known = {row["image_id"]: split for split in self.splits for row in self.rows(split)}
        splits = [split for split in self.splits if any(known.get(id) == split for id in counts)]
        times = Counter(counts[id] for id in known if counts[id])
        without = len(ids) - sum(counts.values())
        words = [f"{len(ids)} rows", f"{' + '.join(splits) or 'no split'}"]
        if set(times) - {1}:
            words.append("an image up to " + f"{max(times)} times")
        if without:
            words.append(f"{without} rows without image_id")
        expected = len(self.rows("train"))
        return ", ".join(words) + (" (right)" if len(ids) == expected and splits == ["train"] else "")

    def measure(self, read: Callable[[list[str]], object]) -> dict[str, float]:
        """Peak memory over that before, while `read` goes through the images of the heavy files; with child processes."""
        files = self.heavy_files
        before, peak, done = resident(), 0, threading.Event()

        def watch() -> None:
            nonlocal peak
            while not done.wait(_PERIOD):
                peak = max(peak, resident())

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        begin = time.monotonic()
        read(files)
        seconds = time.monotonic() - begin
        peak = max(peak, resident())
        done.set()
        watcher.join()
        size = sum(os.path.getsize(file) for file in files)
        megabytes = {"files_mb": size, "over_mb": peak - before, "peak_mb": peak}
        return {name: round(value / 1e6) for name, value in megabytes.items()} | {"seconds": round(seconds, 1)}


def load(path: str) -> Case:
    """The case that the runner wrote down."""
    return Case(json.loads(Path(path).read_text(encoding="utf-8")))

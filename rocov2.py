"""ROCOv2 for `datasets`: what the dataset is, the builder that reads a built repository, and `load()`.

This one module needs only `datasets` and what it brings, and runs on datasets 2.21, 3.x, 4.x and 5.x. On 2.x and 3.x it
is also a loading script: `load_dataset("path/to/rocov2.py", data_dir="path/to/repository", trust_remote_code=True)`.

Source of the data: Rückert et al., ROCOv2: Radiology Objects in COntext Version 2, an Updated Multimodal Image Dataset,
Scientific Data 11, 688 (2024), https://doi.org/10.1038/s41597-024-03496-6
"""

# The script loader of datasets < 4 reads the imports as text: one module a line, none of the project's own.
from __future__ import annotations

import atexit
import contextlib
import ctypes
import dataclasses
import email.utils
import functools
import gc
import hashlib
import http.client
import json
import logging
import os
import queue
import re
import socket
import sys
import threading
import time
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, ClassVar

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
from datasets.table import table_cast
from huggingface_hub import HfApi, hf_hub_download, try_to_load_from_cache
from huggingface_hub.errors import (
    GatedRepoError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

__version__ = "0.1.0"

HOMEPAGE = "https://doi.org/10.1038/s41597-024-03496-6"

DESCRIPTION = (
    "ROCOv2 (Radiology Objects in COntext, version 2): radiology images from open-access articles with captions, UMLS "
    "concepts, imaging modality and, for X-rays, body region and direction."
)

CITATION = """\
@article{rueckert2024rocov2,
  title   = {{ROCOv2}: Radiology Objects in COntext Version 2, an Updated Multimodal Image Dataset},
  author  = {R{\\"u}ckert, Johannes and Bloch, Louise and Br{\\"u}ngel, Raphael and Idrissi-Yaghir, Ahmad and
             Sch{\\"a}fer, Henning and Schmidt, Cynthia S. and Koitka, Sven and Pelka, Obioma and Ben Abacha, Asma and
             G. Seco de Herrera, Alba and M{\\"u}ller, Henning and Horn, Peter A. and Nensa, Felix and
             Friedrich, Christoph M.},
  journal = {Scientific Data},
  volume  = {11},
  pages   = {688},
  year    = {2024},
  doi     = {10.1038/s41597-024-03496-6}
}
"""

# Label name -> UMLS concept (CUI), in label order. The six modalities are codes of the release's manual list; an image
# without any (several modalities in one picture) is `combined`.
MODALITIES = {
    "CT": "C0040405",
    "X-ray": "C1306645",
    "MRI": "C0024485",
    "ultrasound": "C0041618",
    "angiography": "C0002978",
    "PET": "C0032743",
    "combined": None,
}
REGIONS = {
    "chest": "C0817096",
    "cranium": "C0037303",
    "lower extremity": "C0023216",
    "abdomen": "C0000726",
    "pelvis": "C0030797",
    "upper extremity": "C1140618",
    "spine": "C0037949",
    "breast": "C0006141",
}
DIRECTIONS = {"AP": "C1999039", "PA": "C1996865", "sagittal": "C0205129", "transverse": "C0205106"}

# Column of labels -> its labels, as above.
LABELS: dict[str, Mapping[str, str | None]] = {"modality": MODALITIES, "region": REGIONS, "direction": DIRECTIONS}

# Licence of an image -> whether it allows commercial use. The release has the first two; the project's sample has all.
LICENSES = {"CC BY": True, "CC BY-NC": False, "MIT": True, "BSD-3-Clause": True, "Apache-2.0": True}

LICENSE = "by image: see the column `license`"


def label_name(feature: datasets.ClassLabel, label: int) -> str:
    """Return the name of a label to show; a number that no name has, as in a damaged file, is shown with a mark.

    >>> label_name(FEATURES["modality"], 7)
    '7 (no such label)'
    """
    known = 0 <= label < feature.num_classes
    return str(feature.int2str(label)) if known else f"{label} (no such label)"


# Split of the repository -> its name in the raw release's files and image ids.
SPLITS = {"train": "train", "validation": "valid", "test": "test"}

VOCABULARY_SPLIT = "vocabulary"


@dataclasses.dataclass(frozen=True)
class Column:
    """One column of the files.

    Attributes:
        feature: its type for `datasets`.
        text: what it contains, one line of Markdown.
        nullable: whether a row may have no value in it.
    """

    feature: Any
    text: str
    nullable: bool = False

    @classmethod
    def of_strings(cls, text: str, nullable: bool = False) -> Column:
        """A column of strings."""
        return cls(datasets.Value("string"), text, nullable)

    @classmethod
    def of_labels(cls, name: str, text: str, nullable: bool = False) -> Column:
        """A column of `LABELS`."""
        return cls(datasets.ClassLabel(names=list(LABELS[name])), text, nullable)


# Everything about a column is in its row: features, the card's schema table, croissant.json and the checks use it.
COLUMNS = {
    "image": Column(
        datasets.Image(), "the picture; in the file its JPEG, byte for byte as released, with the path `<image_id>.jpg`"
    ),
    "image_id": Column.of_strings("id of the release, such as `ROCOv2_2023_train_000001`; ids have holes"),
    "caption": Column.of_strings("caption as released: not stripped, not cleaned"),
    "cuis": Column(
        datasets.Sequence(datasets.Value("string")),
        "UMLS concepts (CUIs), the curated ones first, then those found in the caption; never empty",
    ),
    "modality": Column.of_labels(
        "modality", "imaging modality, from the curated concepts; `combined` where several are in one picture"
    ),
    "concept_names": Column(
        datasets.Sequence(datasets.Value("string")),
        "UMLS name of each of `cuis`; the CUI itself if the release has no name for it",
    ),
    "manual_cuis": Column(
        datasets.Sequence(datasets.Value("string")),
        "the concepts curated by hand: modality, and for X-rays body region and direction; empty for `combined`",
    ),
    "region": Column.of_labels("region", "X-ray: body region, if the curated concepts have one", nullable=True),
    "direction": Column.of_labels("direction", "X-ray: direction, if the curated concepts have one", nullable=True),
    "license": Column.of_strings("licence of this image"),
    "attribution": Column.of_strings("whom to credit for this image"),
    "pmcid": Column.of_strings("article in PubMed Central"),
    "url": Column.of_strings("link to the article"),
    "article_in_other_split": Column(
        datasets.Value("bool"), "whether another split contains an image of the same article"
    ),
    "width": Column(datasets.Value("int32"), "pixels, as `datasets` decodes the image"),
    "height": Column(datasets.Value("int32"), "pixels, as `datasets` decodes the image"),
}
VOCABULARY_COLUMNS = {
    "cui": Column.of_strings("UMLS concept (CUI)"),
    "name": Column.of_strings("its name in the release's mapping, if that has one", nullable=True),
    "kind": Column.of_strings(
        f"{', '.join(list(LABELS)[:-1])} or {list(LABELS)[-1]}: codes of the curated lists; concept: all others"
    ),
    **{split: Column(datasets.Value("int32"), f"number of images in {split} that have it") for split in SPLITS},
}


def _features(columns: Mapping[str, Column]) -> datasets.Features:
    return datasets.Features({name: column.feature for name, column in columns.items()})


FEATURES = _features(COLUMNS)
TEXT_FEATURES = datasets.Features({name: feature for name, feature in FEATURES.items() if name != "image"})
VOCABULARY_FEATURES = _features(VOCABULARY_COLUMNS)


@dataclasses.dataclass(frozen=True)
class Group:
    """What the images of a shard have in common.

    Attributes:
        commercial: whether their licences allow commercial use.
        apart: whether no other split of the release has an image of their articles.
    """

    commercial: bool
    apart: bool


# Group of the shards of images, as it is in their names.
GROUPS = {
    "commercial-apart": Group(commercial=True, apart=True),
    "commercial-shared": Group(commercial=True, apart=False),
    "noncommercial-apart": Group(commercial=False, apart=True),
    "noncommercial-shared": Group(commercial=False, apart=False),
}


@dataclasses.dataclass(frozen=True)
class ConfigFacts:
    """One configuration of the repository.

    Attributes:
        patterns: by split, its files relative to the repository: a glob, or the path of the one file.
        columns: its columns by name, in file order.
        summary: what a reader gets, in one line.
        absent: why a repository may not have it; empty if every repository has it.
        needs: a split without whose rows it is left out; empty if any split will do.
    """

    patterns: Mapping[str, str]
    columns: Mapping[str, Column]
    summary: str
    absent: str = ""
    needs: str = ""

    @functools.cached_property
    def features(self) -> datasets.Features:
        """Its columns as features of `datasets`."""
        return _features(self.columns)

    @property
    def splits(self) -> list[str]:
        """Names of the splits that this configuration can have (it lists those that have rows)."""
        return list(self.patterns)

    @property
    def folder(self) -> str:
        """The folder of its files, relative to the repository."""
        return next(iter(self.patterns.values())).partition("/")[0]

    def files(self, split: str) -> str:
        """Return the pattern of the files of one split: a glob, or the path of its one file."""
        return self.patterns[split]

    def split_of(self, path: str) -> str | None:
        """Return the split that the file at `path`, relative to the repository, belongs to; None if it is not of this config.

        The whole path must match the pattern, in which `*` matches no slash.
        """
        for split, pattern in self.patterns.items():
            if path.endswith(".parquet") and fnmatchcase(path, pattern) and path.count("/") == pattern.count("/"):
                return split
        return None


def _for_splits(pattern: str) -> dict[str, str]:
    return {split: pattern.format(split=split) for split in SPLITS}


_SCALED_COLUMNS = {
    **COLUMNS,
    "image": dataclasses.replace(
        COLUMNS["image"],
        text="the picture, scaled down, as a JPEG; in the file with the path `<image_id>.jpg`",
    ),
}
_TEXT_COLUMNS = {name: COLUMNS[name] for name in TEXT_FEATURES}
CONFIGS = {
    "default": ConfigFacts(_for_splits("data/{split}-*"), COLUMNS, "every image with all its columns"),
    "commercial": ConfigFacts(
        _for_splits("data/{split}-*-commercial-*"),
        COLUMNS,
        "only the images whose licence allows commercial use",
        absent="none of its rows may be used commercially",
    ),
    "apart": ConfigFacts(
        _for_splits("data/{split}-*") | {"train": "data/train-*-apart.parquet"},
        COLUMNS,
        "train without the articles that validation or test has, too; validation and test whole",
        absent="it has no row of train whose article is in no other split",
        needs="train",
    ),
    "small": ConfigFacts(
        _for_splits("small/{split}-*"),
        _SCALED_COLUMNS,
        "the rows of default in the same order, each picture scaled down",
        absent="it was built with --small none",
    ),
    "mini": ConfigFacts(
        _for_splits("mini/{split}.parquet"),
        _SCALED_COLUMNS,
        "a few rows of small, drawn at random, for tutorials and tests",
        absent="it was built with --small none",
    ),
    "text": ConfigFacts(
        _for_splits("text/{split}.parquet"), _TEXT_COLUMNS, "the rows of default in the same order, without images"
    ),
    "vocabulary": ConfigFacts(
        {VOCABULARY_SPLIT: "vocabulary/vocabulary.parquet"},
        VOCABULARY_COLUMNS,
        "one row per concept: name, kind, images per split",
    ),
}
FOLDERS = tuple(dict.fromkeys(config.folder for config in CONFIGS.values()))

_SHARD = re.compile(
    rf"(?P<folder>\w+)/(?P<split>\w+)-(?P<index>\d{{5}})-of-(?P<total>\d{{5}})-(?P<group>{'|'.join(GROUPS)})\.parquet"
)


def shard_path(split: str, index: int, total: int, group: str, config: str = "default") -> str:
    """Return the path of a shard of images, relative to the repository; `index` counts from 0 to `total` - 1."""
    return f"{CONFIGS[config].folder}/{split}-{index:05d}-of-{total:05d}-{group}.parquet"


def scaled_path(path: str) -> str:
    """Return the path of the file with the rows of the shard of `default` at `path`, whose pictures are scaled down."""
    return f"{CONFIGS['small'].folder}/{path.partition('/')[2]}"


def shard_group(path: str) -> str | None:
    """Return the group of `GROUPS` that the shard at `path` contains; None if it is not a shard of images."""
    shard = _SHARD.fullmatch(path)
    return shard["group"] if shard else None


def splits_of(path: str) -> dict[str, str]:
    """Return the splits that the file at `path` belongs to, by configuration; the one that has all of its rows first."""
    found = ((name, config.split_of(path)) for name, config in CONFIGS.items())
    return {name: split for name, split in found if split}


def owner_of(path: str) -> tuple[str, str] | None:
    """Return the configuration that has all rows of the file at `path`, and the split; None if none has the file."""
    return next(iter(splits_of(path).items()), None)


def files_by_config(paths: Iterable[str]) -> dict[str, dict[str, list[str]]]:
    """Return the files among `paths` by configuration and split, for the configurations that a repository with them has."""
    owned = [(path, splits_of(path)) for path in paths]
    found: dict[str, dict[str, list[str]]] = {}
    for name, config in CONFIGS.items():
        files = {split: [path for path, splits in owned if splits.get(name) == split] for split in config.splits}
        files = {split: each for split, each in files.items() if each}
        if files and (not config.needs or config.needs in files):
            found[name] = files
    return found


_HUB = "hf://datasets/"
_HUB_PATH = re.compile(rf"(?:{_HUB})?(?P<id>[\w-][\w.-]*/[\w.-]+?)(?:@(?P<revision>[^/@]+))?/?")
_BUILD = "rocov2 convert RAW"

# On the Hub a file system reads 5 MiB at a time by default: next to a text column, most of that is image bytes.
_SMALL_READS = {"hf": {"block_size": 1 << 16}}

HUB_SECONDS = 10.0
"""How long to wait for the Hub's answer about a dataset: a silent network or name server would hold a program for minutes."""

_RECORDS = ("conversion.json", "dataset_infos.json")

_logger = logging.getLogger(__name__)

_TRIES = 5
"""How often a request is made while the Hub limits them."""

LONGEST_PAUSE = 900.0
"""Seconds; if the Hub asks for a longer pause, the request fails."""

_LIMIT = re.compile(r";\s*([rt])\s*=\s*(\d{1,9})(?!\d)", re.ASCII)


def asked_pause(error: BaseException) -> float:
    """Return the seconds that the Hub asks to wait, at most a day, in the answer (429, 503) behind an error; else 0.

    The headers are `Retry-After` (seconds or a date) and `RateLimit`, such as `"api";r=0;t=124`: no request left for 124 s.
    """
    response = getattr(_find_answer(error), "response", None)
    if response is None or response.status_code not in (429, 503):
        return 0.0
    value = (response.headers.get("Retry-After") or "").strip()
    pause = 0.0
    if value.isascii() and value.isdigit():
        pause = float(value)
    elif value:
        with contextlib.suppress(TypeError, ValueError, OverflowError):
            pause = email.utils.mktime_tz(email.utils.parsedate_tz(value)) - time.time()  # type: ignore[arg-type]
    for item in (response.headers.get("RateLimit") or "").split(","):
        limit = {name: int(number) for name, number in _LIMIT.findall(item)}
        if limit.get("r") == 0 and limit.get("t"):
            pause = max(pause, limit["t"] + 1.0)  # the server rounds to whole seconds
    return min(max(pause, 0.0), 86_400.0)


def _find_answer(error: BaseException | None) -> BaseException | None:
    """Return the error among the causes of `error` that has an answer of the Hub."""
    while error is not None and getattr(getattr(error, "response", None), "headers", None) is None:
        error = error.__cause__ or error.__context__
    return error


def wait_for_hub(seconds: float) -> None:
    """Wait, and log a warning with the seconds that are left: at once, and then every minute."""
    while seconds > 0:
        _logger.warning("the Hub limits requests: the next one is made in %.0f s", seconds)
        time.sleep(min(seconds, 60.0))
        seconds -= 60.0


def patiently(call: Callable[[], Any]) -> Any:
    """Return what `call` returns; it is called again after each pause that the Hub asks for, up to `LONGEST_PAUSE`."""
    for _ in range(_TRIES - 1):
        try:
            return call()
        except Exception as error:  # of requests or httpx, by the version of huggingface_hub
            pause = asked_pause(error)
            if not 0 < pause <= LONGEST_PAUSE:
                raise
        wait_for_hub(pause)
    return call()


def is_of_hub(path: str) -> bool:
    """Return whether `path` names a dataset on the Hub: it has the form of such a name, and no folder has it."""
    return _parse_hub(os.path.expanduser(path)) is not None


def _parse_hub(path: str) -> re.Match[str] | None:
    """Return the parts `id` and `revision` of the name of a dataset on the Hub; None for other names, and for folders."""
    found = _HUB_PATH.fullmatch(path)
    # After a stream of this module's builder `os.path.isdir` is that of `datasets`, which asks the Hub about hf://.
    return found if found and (path.startswith(_HUB) or not os.path.isdir(path)) else None


def _within(seconds: float, call: Callable[[], Any]) -> Any:
    """Return what `call` returns, or raise TimeoutError after `seconds`.

    The limits of HTTP clients leave out the time that the system takes to resolve a name.
    """
    outcome: queue.Queue[tuple[Any, BaseException | None]] = queue.Queue()

    def run() -> None:
        try:
            outcome.put((call(), None))
        except BaseException as error:
            outcome.put((None, error))

    threading.Thread(target=run, daemon=True).start()
    try:
        value, error = outcome.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"no answer within {seconds:g} s") from None
    if error is not None:
        raise error
    return value


@dataclasses.dataclass(frozen=True)
class Repository:
    """A built repository: a folder, or a dataset on the Hub at one commit.

    If the Hub cannot be reached, or offline mode is on, `root` of a dataset on the Hub is the folder of its snapshot in the
    cache of huggingface_hub, if there is one.

    Attributes:
        root: absolute folder, or `hf://datasets/ORG/NAME@COMMIT`.
        identity: the commit, or of a folder a hash of its `conversion.json` and of size and times of its shards. It changes
            whenever the content does. Caches go by it.
        files: its files, relative to `root`.
        counts: rows by split, by configuration, as its `dataset_infos.json` states them.
        source: `hf://datasets/ORG/NAME@COMMIT` if `root` is the folder of its snapshot, else empty.
        problem: why the snapshot is read instead of the Hub, else empty.
    """

    root: str
    identity: str
    files: tuple[str, ...]
    counts: dict[str, dict[str, int]]
    source: str = ""
    problem: str = ""

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str] | Repository | None,
        revision: str | None = None,
        token: bool | str | None = None,
    ) -> Repository:
        """Find the repository that `path` names: a folder, `ORG/NAME` or `hf://datasets/ORG/NAME[@REVISION]`.

        Raises:
            FileNotFoundError: there is none, or it was not made by `rocov2 convert`.
            PermissionError: the dataset on the Hub is gated, or the token is refused.
            ConnectionError: the Hub cannot be reached, or offline mode is on, and the cache has no snapshot.
            ValueError: its `dataset_infos.json` is damaged.
        """
        if isinstance(path, Repository):
            return path
        if not path:
            raise FileNotFoundError(
                f"no repository given: pass data_dir=, the folder that `{_BUILD}` made, or ORG/NAME"
            )
        path = os.path.expanduser(os.fspath(path))
        hub = _parse_hub(path)
        if hub:
            return cls._open_hub(hub["id"], hub["revision"] or revision, token)
        if os.path.isdir(path):
            return cls._open_folder(os.path.abspath(path))
        raise FileNotFoundError(
            f"no folder {path!r} in {os.getcwd()}: build it with `{_BUILD} {path}` (`make sample` builds a small one into "
            "rocov2), go to the directory that holds it, or name a dataset on the Hub as ORG/NAME"
        )

    @classmethod
    def _open_folder(cls, root: str) -> Repository:
        if os.path.isfile(os.path.join(root, os.path.basename(root) + ".py")):
            raise FileNotFoundError(
                f"{root} holds {os.path.basename(root)}.py: it is a clone of the project, not a built repository, and "
                f"`datasets` would take that file for a loading script. Rename the clone (it is called rocov2-hub), go into "
                f"it, run `{_BUILD}` and load the folder rocov2 that this makes"
            )
        files = _files_of(root)
        _require_built(root, files)
        counts = _read_counts(os.path.join(root, "dataset_infos.json"))
        return cls(root, _identify(root, files), tuple(files), counts)

    @classmethod
    def _open_hub(cls, repo_id: str, revision: str | None, token: bool | str | None) -> Repository:
        try:
            if datasets.config.HF_HUB_OFFLINE:  # of either variable: huggingface_hub knows only its own
                raise OfflineModeIsEnabled
            api = HfApi(token=token)
            ask = functools.partial(api.dataset_info, repo_id, revision=revision, timeout=HUB_SECONDS + 1)
            info = patiently(lambda: _within(HUB_SECONDS, ask))
            files = [sibling.rfilename for sibling in info.siblings or []]
            if all(name in files for name in _RECORDS):
                # Both are then in the cache, where they are found by this revision when the Hub cannot be reached.
                _, infos = (_download(repo_id, name, revision, str(info.sha), token) for name in _RECORDS)
        except Exception as error:  # of requests or httpx, by the version of huggingface_hub
            if isinstance(error, OSError) and error.filename is not None:
                raise  # the cache cannot be written
            problem = _explain(error, repo_id, revision)
            if not isinstance(problem, ConnectionError):
                raise problem from error
            snapshot = cls._open_snapshot(repo_id, revision, str(problem))
            if snapshot is None:
                raise ConnectionError(
                    f"no folder {repo_id!r} in {os.getcwd()}, {problem}, and the cache has no copy. "
                    f"{_how_to_download(repo_id, revision)}"
                ) from error
            if not isinstance(error, OfflineModeIsEnabled):
                _logger.warning("%s: the cache is used, commit %s", problem, snapshot.commit)
            return snapshot
        _require_built(_name(repo_id, revision), files)
        return cls(f"{_HUB}{repo_id}@{info.sha}", str(info.sha), tuple(files), _read_counts(infos))

    @classmethod
    def _open_snapshot(cls, repo_id: str, revision: str | None, problem: str) -> Repository | None:
        paths = [
            try_to_load_from_cache(repo_id, name, repo_type="dataset", revision=revision or "main") for name in _RECORDS
        ]
        conversion, infos = (path if isinstance(path, str) else "" for path in paths)
        if not conversion or not infos:
            return None
        root = os.path.dirname(conversion)
        commit = os.path.basename(root)
        files = {*_files_of(root), *_recorded_files(conversion)}
        source = f"{_HUB}{repo_id}@{commit}"
        return cls(root, commit, tuple(sorted(files)), _read_counts(infos), source, problem)

    def shards(self, config: str, split: str) -> list[str]:
        """Files of one split of a configuration, in reading order, relative to `root`.

        Raises:
            FileNotFoundError: a file of the split is missing, also from a snapshot, or files of two builds are mixed.
        """
        found = self._shards(config, split)
        self.require(found)
        return found

    def require(self, files: Iterable[str]) -> None:
        """Raise FileNotFoundError if the snapshot that is read instead of the Hub does not contain all of `files`."""
        missing = [file for file in files if self.source and not os.path.isfile(os.path.join(self.root, file))]
        if missing:
            named = ", ".join(missing[:8]) + (f" and {len(missing) - 8} more" if len(missing) > 8 else "")
            raise FileNotFoundError(
                f"{self.problem}, and the snapshot in the cache is incomplete, missing {named}. {self.remedy}"
            )

    def _shards(self, config: str, split: str) -> list[str]:
        pattern = CONFIGS[config].files(split)
        if "*" not in pattern:
            self._require([pattern] if pattern not in self.files else [], split)
            return [pattern]
        folder = CONFIGS[config].folder
        found = ((file, _SHARD.fullmatch(file)) for file in self.files)
        shards = {
            file: match for file, match in found if match and (match["folder"], match["split"]) == (folder, split)
        }
        total = max((int(match["total"]) for match in shards.values()), default=1)
        by_index = {int(match["index"]): file for file, match in shards.items() if int(match["total"]) == total}
        self._require([shard_path(split, i, total, "*", config) for i in range(total) if i not in by_index], split)
        if len(by_index) != len(shards):
            raise FileNotFoundError(
                f"{self.root}: the shards of split {split!r} come from several builds, found {sorted(shards)}: "
                f"{self.remedy}"
            )
        return [by_index[i] for i in sorted(by_index) if CONFIGS[config].split_of(by_index[i]) == split]

    def _require(self, missing: Sequence[str], split: str) -> None:
        if missing:
            raise FileNotFoundError(
                f"{self.root}: split {split!r} is incomplete, missing {', '.join(missing)}: {self.remedy}"
            )

    @property
    def remote(self) -> bool:
        """Whether it is read from the Hub."""
        return self.root.startswith(_HUB)

    @property
    def repo_id(self) -> str | None:
        """`ORG/NAME` of a dataset on the Hub, also if its snapshot is read; None for a folder."""
        source = self.source or self.root
        return source[len(_HUB) :].partition("@")[0] if source.startswith(_HUB) else None

    @property
    def commit(self) -> str | None:
        """Commit of a dataset on the Hub, also if its snapshot is read; None for a folder."""
        return self.identity if self.repo_id else None

    @property
    def remedy(self) -> str:
        """What to do when a file of it is missing or damaged."""
        if self.source:
            return _how_to_download(str(self.repo_id), self.commit)
        if self.remote:
            return "report it to its publisher, or use another revision"
        return f"build it again with `{_BUILD} {self.root} --overwrite`, or download it again"

    def check(self, config: str, split: Any = None, columns: Sequence[str] | None = None) -> None:
        """Hold a reader's request against what the repository has.

        Raises:
            ValueError: unknown configuration, split or column; says what there is.
            FileNotFoundError: a file of the configuration is missing.
        """
        if config not in self.counts:
            raise ValueError(
                f"no config {config!r} in {self.root}: it has {', '.join(self.counts)}"
                + (f" ({CONFIGS[config].absent})" if config in CONFIGS and CONFIGS[config].absent else "")
            )
        check_split(split, self.counts[config])
        check_columns(columns, config)
        for name in self.counts[config]:
            self._shards(config, name)


def _name(repo_id: str, revision: str | None) -> str:
    return repo_id + (f"@{revision}" if revision else "")


def _how_to_download(repo_id: str, revision: str | None) -> str:
    option = f" --revision {revision}" if revision else ""
    return f"When the Hub can be reached, download it first: `hf download {repo_id} --repo-type dataset{option}`"


def _download(repo_id: str, file: str, revision: str | None, commit: str, token: bool | str | None) -> str:
    """Download a file at `commit` into the cache, where `revision` then leads to it, and return its path."""
    path: str = ""
    for wanted in (revision, commit):  # the second time, the branch has moved on
        if os.path.basename(os.path.dirname(path)) != commit:
            options = {"repo_type": "dataset", "revision": wanted, "token": token}
            path = patiently(functools.partial(hf_hub_download, repo_id, file, **options))
    return path


def _explain(error: Exception, repo_id: str, revision: str | None) -> OSError:
    """Return what a failed request about a dataset means: ConnectionError if a copy in the cache may stand in for it."""
    where = _name(repo_id, revision)
    nowhere = f"no folder {repo_id!r} in {os.getcwd()}, and"
    status = getattr(getattr(error, "response", None), "status_code", None)
    message = " ".join((getattr(error, "server_message", None) or "").split())[:500]
    reason = f" ({message})" if message else ""
    login = "log in with `hf auth login` or pass token="
    if isinstance(error, OfflineModeIsEnabled):
        return ConnectionError(
            f"offline mode (HF_HUB_OFFLINE or HF_DATASETS_OFFLINE) keeps the Hub from being asked for {where!r}"
        )
    if isinstance(error, GatedRepoError):
        page = f"{datasets.config.HF_ENDPOINT}/datasets/{repo_id}"
        return PermissionError(
            f"the dataset {where!r} on the Hub is gated ({status}): ask for access at {page}, then {login}"
        )
    if isinstance(error, RevisionNotFoundError):
        return FileNotFoundError(
            f"the dataset {repo_id!r} on the Hub has no revision {revision!r}: check the name of the branch, tag or commit"
        )
    if isinstance(error, RepositoryNotFoundError) and status == 401:
        return FileNotFoundError(
            f"{nowhere} the Hub shows no dataset {where!r} without a login (401): check the name, or, if it is private, "
            f"{login}"
        )
    if isinstance(error, RepositoryNotFoundError):
        return FileNotFoundError(
            f"neither a folder {repo_id!r} in {os.getcwd()} nor a dataset {where!r} on the Hub: build one with "
            f"`{_BUILD} FOLDER`, or check the name (a private dataset needs `hf auth login` or token=)"
        )
    if type(error).__name__ == "HFValidationError":
        return FileNotFoundError(f"{nowhere} {repo_id!r} cannot be the name of a dataset on the Hub: {error}")
    if status == 401:
        return PermissionError(f"the Hub refuses the token (401), asked for {where!r}{reason}: {login}")
    if status == 403:
        return PermissionError(
            f"the Hub refuses to show the dataset {where!r} (403, {message or 'access denied'}): use another account or token"
        )
    if status is not None:
        return ConnectionError(
            f"the Hub answers {status} {http.client.responses.get(status, '')} when asked for {where!r}{reason}"
        )
    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None:
        causes.append(cause)
    cause = next((cause for cause in causes if isinstance(cause, TimeoutError) or getattr(cause, "errno", None)), error)
    reason = str(getattr(cause, "strerror", None) or cause or type(cause).__name__).partition("\n")[0]
    if isinstance(cause, socket.gaierror):
        reason = f"its name cannot be resolved, {reason}: is there a network?"
    return ConnectionError(f"the Hub {datasets.config.HF_ENDPOINT} cannot be reached for {where!r} ({reason})")


def _files_of(root: str) -> list[str]:
    return [
        os.path.relpath(os.path.join(folder, name), root).replace(os.sep, "/")
        for folder, _, names in os.walk(root)
        for name in names
    ]


def _recorded_files(conversion: str) -> list[str]:
    """Return the Parquet files that a `conversion.json` records; none if it is damaged, which its readers report."""
    try:
        with open(conversion, encoding="utf-8") as file:
            return [str(name) for name in json.load(file)["files"]]
    except (KeyError, TypeError, ValueError):
        return []


def _require_built(where: str, files: Sequence[str]) -> None:
    missing = [name for name in _RECORDS if name not in files]
    if missing:
        raise FileNotFoundError(
            f"{where} is not a built repository, missing {' and '.join(missing)}: make one with `{_BUILD} FOLDER` and name "
            "that folder"
        )


def _identify(root: str, files: Iterable[str]) -> str:
    with open(os.path.join(root, "conversion.json"), "rb") as conversion:
        digest = hashlib.sha256(conversion.read())
    for file in sorted(file for file in files if owner_of(file)):
        stat = os.stat(os.path.join(root, file))
        # ctime shows a repair that restores the file's own time, such as `cp -p` or `rsync -a`.
        digest.update(repr((file, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)).encode())
    return digest.hexdigest()[:16]


def _read_counts(path: str) -> dict[str, dict[str, int]]:
    try:
        with open(path, encoding="utf-8") as file:
            infos = json.load(file)
        counts = {
            config: {split: int(size["num_examples"]) for split, size in info["splits"].items()}
            for config, info in infos.items()
        }
        if not counts or not all(counts.values()):
            raise ValueError("no split")
        return counts
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        found = error if isinstance(error, ValueError) else "it has another form"
        raise ValueError(
            f"{path} is damaged, expected the number of rows of each split ({found}): build the repository again with "
            f"`{_BUILD} --overwrite`, or download that file again"
        ) from error


def check_split(split: Any, known: Iterable[str]) -> None:
    """Raise ValueError when `split` (a name, `train[:10%]`, `train+test`, or a list of these) names none of `known`."""
    for part in split if isinstance(split, (list, tuple)) else [split]:
        names = re.findall(r"(?:^|\+)\s*([^+\[\s]+)", str(part)) if isinstance(part, (str, datasets.NamedSplit)) else []
        for name in names:
            if name not in (*known, "all"):
                renamed = [split for split, raw in SPLITS.items() if raw == name and split in known]
                hint = f" (the release's {name!r} is called {renamed[0]!r} here)" if renamed else ""
                raise ValueError(f"no split {name!r}{hint}: there are {', '.join(known)}")


def check_columns(columns: Sequence[str] | None, config: str) -> None:
    """Raise ValueError if `columns` is not a list, is empty, or has names that `config` lacks."""
    known = list(CONFIGS[config].features)
    if columns is not None and (isinstance(columns, str) or not columns or not set(columns) <= set(known)):
        raise ValueError(f"columns={columns!r}: expected a list of some of {', '.join(known)}")


def _leaves_images_out(columns: Sequence[str] | None) -> bool:
    return columns is not None and "image" not in columns


@dataclasses.dataclass
class Rocov2Config(datasets.BuilderConfig):
    """Configuration of `Rocov2`. `columns`: the columns to read, None for all."""

    columns: list[str] | None = None


class Rocov2(datasets.ArrowBasedBuilder):
    """Builder over a built repository: `Rocov2(data_dir="rocov2", config_name="default")`, map-style and streaming.

    Args:
        data_dir: folder made by `rocov2 convert`, `ORG/NAME`, `hf://datasets/ORG/NAME[@REVISION]`, or an opened one.
        config_name: one of `CONFIGS`.
        columns: the columns to read, None for all.
        cache_dir, token, hash, **options: as `datasets.DatasetBuilder`.

    Raises:
        FileNotFoundError: no repository at `data_dir`, or one of its files is missing.
        ValueError: unknown configuration, split or column; or `dataset_infos.json` is damaged.
    """

    BUILDER_CONFIG_CLASS = Rocov2Config
    BUILDER_CONFIGS: ClassVar = [
        Rocov2Config(name=name, description=config.summary) for name, config in CONFIGS.items()
    ]
    DEFAULT_CONFIG_NAME = "default"

    def __init__(
        self,
        cache_dir: str | None = None,
        data_dir: str | os.PathLike[str] | Repository | None = None,
        token: bool | str | None = None,
        hash: str | None = None,
        **options: Any,
    ) -> None:
        self._repository = Repository.open(data_dir, token=token)
        # The cache of `datasets` must follow the data: an absolute place and what is there now, not just this code.
        identity = f"{hash}-{self._repository.identity}" if hash else self._repository.identity
        if _leaves_images_out(options.get("columns")):
            options.setdefault("storage_options", _SMALL_READS)
        place = self._repository.source or self._repository.root
        super().__init__(cache_dir, data_dir=place, token=token, hash=identity, **options)

    # datasets 2.x and 3.x would read the counts of a dataset_infos.json beside this module, which is another build's.
    def get_exported_dataset_info(self) -> datasets.DatasetInfo:
        return datasets.DatasetInfo()

    def _info(self) -> datasets.DatasetInfo:
        config = self.config
        self._repository.check(config.name, columns=config.columns)
        splits = datasets.SplitDict(dataset_name=self.dataset_name)
        for split, rows in self._repository.counts[config.name].items():
            splits.add(datasets.SplitInfo(split, num_examples=rows, dataset_name=self.dataset_name))
        features = CONFIGS[config.name].features
        return datasets.DatasetInfo(
            description=DESCRIPTION,
            features=datasets.Features(
                {name: features[name] for name in features if name in (config.columns or features)}
            ),
            homepage=HOMEPAGE,
            license=LICENSE,
            citation=CITATION,
            splits=splits,
        )

    def _split_generators(self, dl_manager: Any) -> list[datasets.SplitGenerator]:
        generators = []
        for split in self._repository.counts[self.config.name]:
            shards = self._repository.shards(self.config.name, split)
            urls = [f"{self._repository.root}/{shard}" for shard in shards]
            files = patiently(functools.partial(dl_manager.download, urls))
            generators.append(
                datasets.SplitGenerator(name=split, gen_kwargs={"files": files, "row_groups": [None] * len(files)})
            )
        return generators

    def _generate_more_gen_kwargs(self, files: list[str], row_groups: list[Any]) -> Iterator[dict[str, Any]]:
        """Row groups as shards of their own: what `IterableDataset.reshard()` of datasets >= 4 asks for."""
        for file, groups in zip(files, row_groups):
            if groups is None:
                with open(file, "rb") as stream:
                    groups = range(pq.ParquetFile(stream).num_row_groups)
            yield {"files": [file] * len(groups), "row_groups": [(group,) for group in groups]}

    def _generate_tables(self, files: list[str], row_groups: list[Any]) -> Iterator[tuple[str, pa.Table]]:
        schema = self.info.features.arrow_schema
        for number, (file, groups) in enumerate(zip(files, row_groups)):
            with open(file, "rb") as stream:
                # pre_buffer joins the ranges of a row group: few large requests instead of many small ones.
                parquet = pq.ParquetFile(stream, pre_buffer=True)
                for group in range(parquet.num_row_groups) if groups is None else groups:
                    yield f"{number}-{group}", table_cast(parquet.read_row_group(group, columns=schema.names), schema)

    def as_dataset(self, split: Any = None, *arguments: Any, **options: Any) -> Any:
        check_split(split, self._repository.counts[self.config.name])
        return super().as_dataset(split, *arguments, **options)

    def as_streaming_dataset(self, split: Any = None, *arguments: Any, **options: Any) -> Any:
        check_split(split, self._repository.counts[self.config.name])
        return super().as_streaming_dataset(split, *arguments, **options)


def load(
    path: str | os.PathLike[str] = "rocov2",
    name: str = "default",
    split: Any = None,
    streaming: bool = False,
    columns: Sequence[str] | None = None,
    **options: Any,
) -> Any:
    """Load a built repository: `datasets.load_dataset` after a check that says what is wrong and what to do.

    Without the Hub, a dataset of it comes from the caches: a copy prepared by an earlier load, or a snapshot.

    Args:
        path: folder, `ORG/NAME` on the Hub, or `hf://datasets/ORG/NAME[@REVISION]`.
        name: one of `CONFIGS`.
        split: `train`, `validation`, `test`, or any split expression of `datasets`; None gives all, in a dictionary.
        streaming: read on demand instead of preparing a copy in the cache.
        columns: the columns to read, None for all; the others' bytes are not read (of a Hub dataset: when streaming).
        **options: passed on to `datasets.load_dataset` (`revision`, `token`, `cache_dir`, `num_proc`, ...).

    Returns:
        `Dataset` or `IterableDataset`; by split in a `DatasetDict` or `IterableDatasetDict` when `split` is None.

    Raises:
        FileNotFoundError: no repository at `path`, or one of its files is missing.
        PermissionError: the dataset on the Hub is gated, or the token is refused.
        ConnectionError: the Hub cannot be reached, or offline mode is on, and the caches have no copy.
        ValueError: unknown configuration, split or column; or `dataset_infos.json` is damaged.
    """
    if name not in CONFIGS:
        raise ValueError(f"no config {name!r}: there are {', '.join(CONFIGS)}")
    check_columns(columns, name)
    revision = options.pop("revision", None)
    if columns is not None:
        options["columns"] = list(columns)
    path = os.path.expanduser(path)
    hub = _parse_hub(path)
    try:
        repository = Repository.open(path, revision, options.get("token"))
    except (ConnectionError, FileNotFoundError, PermissionError) as error:
        # As `load_dataset` does, also for a dataset that is no longer visible: return what an earlier load has prepared.
        if hub and (isinstance(error, ConnectionError) or isinstance(error.__cause__, RepositoryNotFoundError)):
            prepared = _find_prepared(hub["id"], name, options)
            asked = hub["revision"] or revision or ""
            if prepared and not (re.fullmatch("[0-9a-f]{40}", asked) and prepared.hash != asked):
                check_split(split, prepared.info.splits or ())
                if not datasets.config.HF_HUB_OFFLINE:
                    where = _name(hub["id"], asked)
                    _logger.warning(
                        "%r cannot be read from the Hub: its prepared copy is used, commit %s", where, prepared.hash
                    )
                return _load_prepared(hub["id"], name, split=split, streaming=streaming, **options)
        raise
    repository.check(name, split, columns)
    if hub and repository.remote:
        if streaming and _leaves_images_out(columns):
            options.setdefault("storage_options", _SMALL_READS)
        options |= {"split": split, "streaming": streaming, "revision": repository.commit}
        return patiently(lambda: _load_remote(hub["id"], name, **options))
    if hub:
        prepared = _find_prepared(hub["id"], name, options)
        files = [file for part in repository.counts[name] for file in repository._shards(name, part)]
        complete = all(os.path.isfile(os.path.join(repository.root, file)) for file in files)
        if prepared and (prepared.hash == repository.commit or not (complete or hub["revision"] or revision)):
            return _load_prepared(hub["id"], name, split=split, streaming=streaming, **options)
        repository.require(files)
        return _load_snapshot(repository, name, split, streaming, options)
    if not streaming:
        # The cache of `datasets` goes by the card alone, so it would return what a shard was before it was repaired. Each
        # description gets a folder of its own there, and none of them reaches the `info` of a dataset.
        options.setdefault("description", repository.identity)
    return datasets.load_dataset(repository.root, name, split=split, streaming=streaming, **options)


def _load_remote(repo_id: str, name: str, **options: Any) -> Any:
    try:
        return datasets.load_dataset(repo_id, name, **options)
    except FileNotFoundError:
        # All files are there: fsspec says that a file is missing if the Hub limits the request that looks for it. If it
        # still does, the next call raises the Hub's answer, with the pause that it asks for.
        return datasets.load_dataset(repo_id, name, **options)


def _find_prepared(repo_id: str, name: str, options: Mapping[str, Any]) -> Any:
    """Return the builder of the copy that was prepared last, whose `hash` is its commit; None if there is none."""
    chosen = {key: options[key] for key in ("cache_dir", "columns", "features") if key in options}
    verbosity = datasets.logging.get_verbosity()
    datasets.logging.set_verbosity_error()  # what is found is reported when it is loaded
    try:
        with _without_hub():
            return datasets.load_dataset_builder(repo_id, name, **chosen)
    except (OSError, ValueError):
        return None
    finally:
        datasets.logging.set_verbosity(verbosity)


def _load_prepared(repo_id: str, name: str, **options: Any) -> Any:
    with _without_hub():
        return datasets.load_dataset(repo_id, name, **options)


def _load_snapshot(repository: Repository, name: str, split: Any, streaming: bool, options: dict[str, Any]) -> Any:
    # Not by `load_dataset`: 2.x takes no notice of links, and all versions need the files of every configuration.
    in_memory = bool(options.pop("keep_in_memory", False))
    of_preparing = ("download_mode", "num_proc", "verification_mode")
    preparing = {key: options.pop(key) for key in of_preparing if key in options}
    builder = Rocov2(data_dir=repository, config_name=name, **options)
    if streaming:
        return builder.as_streaming_dataset(split)
    builder.download_and_prepare(**preparing)
    return builder.as_dataset(split, in_memory=in_memory)


@contextlib.contextmanager
def _without_hub() -> Iterator[None]:
    """Let `datasets` use its cache at once: it would try to reach the Hub for half a minute."""
    before = datasets.config.HF_HUB_OFFLINE
    datasets.config.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        datasets.config.HF_HUB_OFFLINE = before


_LONGEST_END = 30.0
"""Seconds that the end of a program waits for a read of pyarrow, such as one from a slow network."""

_IDLE_ROUNDS = 5
"""Counts of no task in a row until the end: on a busy machine a task can move from pool to pool while it is counted."""


def _count_arrow_tasks() -> int:
    """Return how many tasks the thread pools of pyarrow run or have queued; 0 where pyarrow does not reveal it."""
    try:
        library = ctypes.CDLL(pa.lib.__file__)
        count = library._ZN5arrow8internal10ThreadPool11GetNumTasksEv
        pools = [library._ZN5arrow8internal16GetCpuThreadPoolEv, library._ZN5arrow2io8internal15GetIOThreadPoolEv]
    except (AttributeError, OSError):  # another platform's names of C++ functions
        return 0
    count.argtypes, count.restype = [ctypes.c_void_p], ctypes.c_int
    for pool in pools:
        pool.restype = ctypes.c_void_p
    return sum(count(pool()) for pool in [*pools, *pools])  # twice: a task of one pool starts one of the other


def _end_streams() -> None:
    """Close the Parquet streams of `datasets` that are still open, and wait until pyarrow's threads have nothing to do.

    `datasets` 3 to 5 read Parquet streams with a scanner of pyarrow whose threads read ahead from a Python file, to its end.
    If such a thread asks for the lock of an interpreter that is ending, CPython ends the thread. That unwinds frames of C++,
    which aborts the process ("terminate called without an active exception"), or pyarrow waits forever for the thread.
    """
    parquet = sys.modules.get("datasets.packaged_modules.parquet.parquet")
    if parquet is not None:
        code = parquet.Parquet._generate_tables.__code__
        streams = [each for each in gc.get_objects() if type(each) is types.GeneratorType and each.gi_code is code]
        while streams:
            with contextlib.suppress(Exception):  # one that runs in another thread
                streams.pop().close()
    deadline = time.monotonic() + _LONGEST_END
    idle = 0
    while idle < _IDLE_ROUNDS and time.monotonic() < deadline:
        idle = 0 if _count_arrow_tasks() else idle + 1
        time.sleep(0.001)


atexit.register(_end_streams)

"""Loads built repositories with the `datasets` of the interpreter that runs it, and reports every value that came out.

Needs only `datasets` and Pillow. Reads a list of cases as JSON from stdin, writes a list of answers as JSON to stdout. An
answer is `{"error": [type, message]}`, or by split what `_describe_split` says.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import datasets
import huggingface_hub

DECODED_ROWS = 3
_IMAGE = datasets.Image(decode=False)


@dataclass
class Case:
    """One load.

    Attributes:
        call: `load_dataset`; `load`, that of rocov2.py; `builder`, the class Rocov2; or `snapshot`, which downloads only.
        path: what is loaded.
        module: the folder that holds rocov2.py, for `load` and `builder`.
        name, split, streaming, options: arguments of the call; `options` of a builder are the class's.
        num_proc: processes that prepare a builder's data.
        cwd: directory to be in.
        cache: the cache (default: a fresh one).
        copies: files that are overwritten before, each with the content of another.
    """

    call: str
    path: str
    module: str = ""
    name: str | None = None
    split: str | None = None
    streaming: bool = False
    options: dict[str, Any] = field(default_factory=dict)
    num_proc: int | None = None
    cwd: str = "."
    cache: str | None = None
    copies: dict[str, str] = field(default_factory=dict)


def answer(case: Case, cache: str) -> dict[str, Any]:
    """Load as the case says, and describe what came out."""
    try:
        loaded = _load(case, case.cache or cache)
        by_split = loaded if isinstance(loaded, dict) else {str(case.split): loaded}
        return {split: _describe_split(data) for split, data in by_split.items()}
    except Exception as error:
        return {"error": [type(error).__name__, str(error)]}


def _load(case: Case, cache: str) -> Any:
    if case.call == "snapshot":
        huggingface_hub.snapshot_download(case.path, repo_type="dataset", **case.options)
        return {}
    if case.call == "load_dataset":
        options: dict[str, Any] = {"split": case.split, "streaming": case.streaming, **case.options}
        return datasets.load_dataset(case.path, case.name, cache_dir=cache, **options)
    rocov2 = _import_rocov2(case.module)
    if case.call == "load":
        named = {} if case.name is None else {"name": case.name}
        options = {"split": case.split, "streaming": case.streaming, **named, **case.options}
        return rocov2.load(case.path, cache_dir=cache, **options)
    builder = rocov2.Rocov2(data_dir=case.path, config_name=case.name, cache_dir=cache, **case.options)
    if case.streaming:
        return builder.as_streaming_dataset(case.split)
    builder.download_and_prepare(num_proc=case.num_proc)
    return builder.as_dataset(case.split)


def _import_rocov2(folder: str) -> Any:
    sys.modules.pop("rocov2", None)
    sys.path.insert(0, folder)
    try:
        return importlib.import_module("rocov2")
    finally:
        sys.path.remove(folder)


def _describe_split(data: Any) -> dict[str, Any]:
    features = data.features
    images = [name for name, feature in features.items() if isinstance(feature, datasets.Image)]
    plain = data
    for name in images:
        plain = plain.cast_column(name, _IMAGE)
    decoded = data.take(DECODED_ROWS) if isinstance(data, datasets.IterableDataset) else _head(data)
    info = data.info
    return {
        "features": {name: describe_feature(feature) for name, feature in features.items()},
        "expected_rows": {split: facts.num_examples for split, facts in (info.splits or {}).items()},
        "description": info.description,
        "dataset_size": info.dataset_size,
        "rows": [_plain_row(row, features) for row in plain],
        "decoded": [[*row[name].size, row[name].mode] for row in decoded for name in images],
    }


def _head(data: Any) -> Iterator[dict[str, Any]]:
    return (data[number] for number in range(min(DECODED_ROWS, len(data))))


def describe_feature(feature: Any) -> str:
    """The feature in words that are the same for every version of `datasets`."""
    if isinstance(feature, datasets.ClassLabel):
        return f"label: {', '.join(feature.names)}"
    if isinstance(feature, datasets.Value):
        return str(feature.dtype)
    if isinstance(feature, datasets.Image):
        return "image" if feature.decode and feature.mode is None else repr(feature)
    if isinstance(feature, list):
        return f"list of {describe_feature(feature[0])}"
    if type(feature).__name__ in ("List", "Sequence") and feature.length == -1:
        return f"list of {describe_feature(feature.feature)}"
    return repr(feature)


def _plain_row(row: dict[str, Any], features: Any) -> dict[str, Any]:
    """The row with labels by their names, and an image as its path and the SHA-256 of its bytes."""

    def plain(feature: Any, value: Any) -> Any:
        if isinstance(feature, datasets.ClassLabel) and value is not None:
            return feature.int2str(value)
        if isinstance(feature, datasets.Image) and value is not None:
            return [value["path"], hashlib.sha256(value["bytes"]).hexdigest()]
        return value

    return {name: plain(features[name], value) for name, value in row.items()}


def answers(cases: Iterable[Case]) -> Iterator[dict[str, Any]]:
    """The answers, each made in the directory and with the cache that its case wants."""
    home = os.getcwd()
    for case in cases:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as cache:
            for target, source in case.copies.items():
                shutil.copyfile(source, target)
            os.chdir(case.cwd)
            yield answer(case, cache)
            os.chdir(home)


if __name__ == "__main__":
    datasets.disable_progress_bars()
    with contextlib.redirect_stdout(sys.stderr):
        reported = json.dumps(list(answers(Case(**case) for case in json.load(sys.stdin))))
    print(reported, flush=True)
    # Threads of pyarrow can abort the interpreter's ordinary end after a stream that was left early
    # (https://github.com/huggingface/datasets/issues/7566); all is said by now.
    os._exit(0)

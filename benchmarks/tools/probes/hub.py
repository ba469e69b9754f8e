"""`datasets` and pandas over the Hub, and what is new in their newest versions."""

from __future__ import annotations

import hashlib
import os
import time
from typing import Any

from benchmarks.tools.probes.case import Case, Findings
from benchmarks.tools.probes.values import attempt


def datasets(case: Case) -> Findings:
    os.environ.update(case.writing)  # before the import: the library reads them once
    import datasets as library

    library.disable_progress_bars()
    root = str(case.root)

    def stream(config: str = "default", split: str = "train", **options: Any) -> Any:
        return library.load_dataset(root, config, split=split, streaming=True, **options)

    raw = library.load_dataset(root, split="train").cast_column("image", library.Image(decode=False))
    expected = case.rows()
    found = case.judge(list(raw))
    features = library.load_dataset(root, split="train").features
    pictures = {row["image_id"]: _array(row["image"]) for row in stream()}
    return found | {
        "names": "ClassLabel" if features["modality"].names == case.names["modality"] else "wrong",
        "pixels": case.judge_pixels(pictures),
        "splits": ", ".join(library.get_dataset_split_names(root)),
        "configurations": attempt(lambda: _count_all(case, library)),
        "filters=": attempt(lambda: _filters(case, stream)),
        "columns=": attempt(lambda: _columns(stream)),
        "reshard": attempt(lambda: _reshard(case, stream)),
        "decode(num_threads=)": attempt(lambda: _decode(case, stream)),
        "push_to_hub of a stream": attempt(lambda: _push(case, library, stream)),
        "traps": {
            "load_dataset('parquet', data_dir='rocov2/data')": case.judge_mixture(
                lambda: library.load_dataset("parquet", data_dir=str(case.root / "data"), split="train")["image_id"]
            ),
            "load_dataset('rocov2/data')": case.judge_mixture(
                lambda: library.load_dataset(str(case.root / "data"), split="train")["image_id"]
            ),
            "load_dataset('rocov2/small')": case.judge_mixture(
                lambda: library.load_dataset(str(case.root / "small"), split="train")["image_id"]
            ),
        },
        "rows": f"{len(raw)} of {len(expected)}",
        "memory": case.measure(lambda files: sum(1 for _ in _bytes_of_heavy(case, library))),
    }


def _array(picture: Any) -> Any:
    import numpy

    return numpy.asarray(picture)


def _bytes_of_heavy(case: Case, library: Any) -> Any:
    data = library.load_dataset(str(case.heavy), split="train", streaming=True)
    return data.cast_column("image", library.Image(decode=False))


def _count_all(case: Case, library: Any) -> str:
    counts = {
        config: {split: sum(1 for _ in data) for split, data in library.load_dataset(str(case.root), config).items()}
        for config in library.get_dataset_config_names(str(case.root))
    }
    missing = set(case.configurations) - set(counts)
    return ", ".join(f"{config} {sum(splits.values())}" for config, splits in counts.items()) + (
        f"; missing {', '.join(sorted(missing))}" if missing else ""
    )


def _filters(case: Case, stream: Any) -> str:
    chest = case.names["region"].index("chest")
    expected = {
        "region == chest": {row["image_id"] for row in case.rows() if row["region"] == chest},
        "region != chest": {row["image_id"] for row in case.rows() if row["region"] not in (None, chest)},
        "image_id": {case.rows()[3]["image_id"]},
        "license": {row["image_id"] for row in case.rows() if row["license"] == "CC BY"},
    }
    filters = {
        "region == chest": [("region", "==", chest)],
        "region != chest": [("region", "!=", chest)],
        "image_id": [("image_id", "==", case.rows()[3]["image_id"])],
        "license": [("license", "==", "CC BY")],
    }
    wrong = [
        name
        for name, condition in filters.items()
        if {row["image_id"] for row in stream(filters=condition, columns=["image_id"])} != expected[name]
    ]
    concept = attempt(lambda: len(list(stream(filters=[("cuis", "in", ["C0817096"])], columns=["image_id"]))))
    by_name = attempt(lambda: len(list(stream(filters=[("region", "==", "chest")], columns=["image_id"]))))
    return (
        "right for labels by number and texts (null rows are left out by ==, != and in)"
        if not wrong
        else f"wrong: {wrong}"
    ) + f"; by label name: {by_name}; on a list: {concept}"


def _columns(stream: Any) -> str:
    data = stream(columns=["caption", "image_id"])
    return f"order {list(next(iter(data)))}, features {list(data.features or {})}"


def _reshard(case: Case, stream: Any) -> str:
    data = stream()
    parts = data.reshard()
    same = case.judge_order([row["image_id"] for row in parts.select_columns(["image_id"])])
    return f"{data.num_shards} shards become {parts.num_shards}; order {same}"


def _decode(case: Case, stream: Any) -> str:
    seconds = {}
    for threads in (0, 2):
        begin = time.monotonic()
        data = stream().decode(num_threads=threads)
        pictures = {row["image_id"]: _array(row["image"]) for row in data}
        seconds[threads] = time.monotonic() - begin
    return f"{len(pictures)} images with 2 threads; {case.judge_pixels(pictures)}"


def _push(case: Case, library: Any, stream: Any) -> str:
    """Streams that are pushed under other names to a stand-in of the Hub, and read back."""
    free = [("license", "==", "CC BY")]
    kinds = {
        "a whole one": lambda: stream(),
        "filters=": lambda: stream(filters=free),
        ".filter()": lambda: stream().filter(lambda row: row["license"] == "CC BY"),
    }
    return "; ".join(
        f"{name}: {attempt(lambda number=number, make=make: _push_one(case, library, make(), f'org/derived-{number}'))}"
        for number, (name, make) in enumerate(kinds.items())
    )


def _push_one(case: Case, library: Any, data: Any, name: str) -> str:
    data.push_to_hub(name, num_shards=2)
    back = library.load_dataset(name, split="train").cast_column("image", library.Image(decode=False))
    kept = {row["image_id"]: row["sha256"] for row in case.rows()}
    same = sum(hashlib.sha256(row["image"]["bytes"]).hexdigest() == kept[row["image_id"]] for row in back)
    labels = (
        "names kept" if getattr(back.features["modality"], "names", None) == case.names["modality"] else "names lost"
    )
    return f"{len(back)} rows, {same} JPEGs equal, {labels}"


def python(case: Case) -> Findings:
    """The project itself with this Python and the newest libraries: build the sample, check it, load it, stream it."""
    import importlib.metadata as metadata
    import subprocess
    import sys
    from pathlib import Path

    project = Path(__file__).resolve().parents[3]

    def run(*arguments: str) -> str:
        command = [sys.executable, "-W", "error::DeprecationWarning:rocov2", "-m", "rocov2_commands", *arguments]
        done = subprocess.run(
            command,
            env=os.environ | {"PYTHONPATH": str(project)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError((done.stderr or done.stdout).strip().splitlines()[-1])
        return done.stdout + done.stderr

    built = attempt(
        lambda: bool(run("convert", str(project / "sample"), "rocov2", "--release", "any", "--quiet")) or "built"
    )
    checked = attempt(lambda: bool(run("check", "rocov2")) and "passed")
    sys.path.insert(0, str(project))
    import rocov2
    from rocov2_tasks.pretraining import PretrainingStream

    rows = rocov2.load(str(case.root), split="train").cast_column("image", rocov2.datasets.Image(decode=False))
    stream = PretrainingStream(str(case.root), decode="bytes", shuffle=False)
    streamed = {row["image_id"]: row["image"] for row in stream}
    names = ("datasets", "pyarrow", "pandas", "Pillow", "numpy", "huggingface_hub", "duckdb", "polars")
    return case.judge(list(rows)) | {
        "convert": built,
        "check": checked,
        "PretrainingStream": case.judge_images(streamed),
        "versions": ", ".join(f"{name} {metadata.version(name)}" for name in names),
    }

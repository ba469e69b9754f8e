"""Tools that people look through a dataset with."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

from benchmarks.tools.probes.case import Case, Findings
from benchmarks.tools.probes.values import attempt, format_channels


def _load(case: Case, config: str = "default") -> Any:
    import datasets

    datasets.disable_progress_bars()
    return datasets.load_dataset(str(case.root), config, split="train")


def spotlight(case: Case) -> Findings:
    from renumics.spotlight.data_source import create_datasource

    columns = ("image_id", "image", "caption", "cuis", "manual_cuis", "modality", "region")

    def read(source: Any) -> Any:
        data = create_datasource(source)
        values = {name: attempt(lambda name=name: list(data.get_column_values(name))) for name in columns}
        failed = {name: value for name, value in values.items() if isinstance(value, str)}
        if "image_id" in failed:
            return failed
        rows = [
            {name: values[name][index] for name in columns if name not in failed}
            for index in range(len(values["image_id"]))
        ]
        return (
            case.judge(rows)
            | failed
            | {"types": str(data.semantic_dtypes.get("region", data.intermediate_dtypes["region"]))}
        )

    import pyarrow.dataset as ds

    found = attempt(lambda: read(_load(case)))
    arrow = attempt(lambda: read(ds.dataset(case.files())))
    return (found if isinstance(found, dict) else {"error": found}) | {
        "pyarrow dataset": arrow if isinstance(arrow, str) else arrow.get("nulls", str(arrow)),
        "reads": "what `datasets` loads, or a dataset of PyArrow",
    }


def cleanvision(case: Case) -> Findings:
    from cleanvision import Imagelab

    data = _load(case)
    lab = Imagelab(hf_dataset=data, image_key="image")
    lab.find_issues(n_jobs=1, verbose=False)
    grey = {row["image_id"] for row in case.rows() if row["mode"] == "L"}
    flagged = {data[int(index)]["image_id"] for index in lab.issues.index[lab.issues["is_grayscale_issue"]]}
    counts = {row["issue_type"]: row["num_images"] for row in lab.issue_summary.to_dict("records") if row["num_images"]}
    return {
        "reads": "what `datasets` loads",
        "images": "decoded",
        "pixels": "grey ones are reported as an issue, all of them"
        if flagged == grey
        else f"{len(flagged)} reported as grey",
        "issues": ", ".join(f"{name} {count}" for name, count in counts.items()),
    }


def embedding_atlas(case: Case) -> Findings:
    program = str(Path(sys.executable).with_name("embedding-atlas"))

    def export(*inputs: str) -> Any:
        done = subprocess.run(
            [program, *inputs, "--disable-projection", "--export-application", "atlas.zip"],
            capture_output=True,
            text=True,
            check=False,
            timeout=200,
        )
        if done.returncode or not Path("atlas.zip").exists():
            raise RuntimeError((done.stderr or done.stdout).strip().splitlines()[-1])
        import pyarrow.parquet as pq

        with zipfile.ZipFile("atlas.zip") as archive:
            (name,) = [name for name in archive.namelist() if name.endswith(".parquet")]
            table = pq.read_table(io.BytesIO(archive.read(name)))
        os.remove("atlas.zip")
        return table

    table = export(*case.files())
    text = attempt(lambda: export(*case.files(config="text")).num_rows)
    return case.judge(table.to_pylist()) | {
        "text": f"{text} rows",
        "traps": {"rocov2": case.judge_mixture(lambda: export(str(case.root))["image_id"].to_pylist())},
        "names": "none: labels are numbers, also in the page",
    }


def datachain(case: Case) -> Findings:
    import datachain as dc
    import datasets

    names = ("image_id", "caption", "modality", "region", "cuis", "manual_cuis")

    def rows(chain: Any) -> list[dict[str, Any]]:
        return [dict(zip(names, row, strict=True)) for row in chain.to_iter(*names)]

    def cast(data: Any) -> Any:
        for column in case.names:
            data = data.cast_column(column, datasets.Value("int64"))
        return data

    pictures = attempt(lambda: list(dc.read_hf(cast(_load(case))).to_iter("image_id", "image")))
    images = pictures if isinstance(pictures, str) else case.judge_images({id: picture.img for id, picture in pictures})
    found = attempt(lambda: case.judge(rows(dc.read_hf(cast(_load(case, "text"))))))
    plain = attempt(lambda: len(list(dc.read_parquet(case.pattern(config="text")).to_iter("image_id"))))
    by_name = attempt(lambda: len(list(dc.read_hf(_load(case, "text")).to_iter("image_id"))))
    cast_nulls = found["nulls"] if isinstance(found, dict) else found
    return (found if isinstance(found, dict) else {"read_hf": found}) | {
        "images": images,
        "nulls": f"{by_name if isinstance(by_name, str) else 'read'}; labels cast to int64: {cast_nulls}",
        "read_parquet": f"{plain} rows" if isinstance(plain, int) else plain,
        "read_hf, labels not cast": f"{by_name} rows" if isinstance(by_name, int) else by_name,
    }


def fiftyone(case: Case) -> Findings:
    os.environ["FIFTYONE_DO_NOT_TRACK"] = "true"
    import datasets
    import fiftyone as fo

    dataset = fo.Dataset("rocov2")
    Path("jpegs").mkdir()
    samples = []
    for row in _load(case).cast_column("image", datasets.Image(decode=False)):
        path = Path("jpegs", f"{row['image_id']}.jpg").resolve()
        path.write_bytes(row["image"]["bytes"])
        names = {column: None if row[column] is None else case.names[column][row[column]] for column in case.names}
        labels = {column: fo.Classification(label=name) if name else None for column, name in names.items()}
        samples.append(
            fo.Sample(
                filepath=str(path),
                image_id=row["image_id"],
                caption=row["caption"],
                cuis=row["cuis"],
                manual_cuis=row["manual_cuis"],
                tags=["train"],
                **labels,
            )
        )
    dataset.add_samples(samples, progress=False)
    dataset.compute_metadata(progress=False)
    sizes = {row["image_id"]: (row["width"], row["height"], row["turned"]) for row in case.rows()}
    seen = {s.image_id: (s.metadata.width, s.metadata.height) for s in dataset}
    turned = {"upright" if seen[id] == (w, h) else "as stored" for id, (w, h, turn) in sizes.items() if turn}
    channels = {row["image_id"]: row["mode"] for row in case.rows()}
    grey = {s.metadata.num_channels for s in dataset if channels[s.image_id] == "L"}
    rows = [
        {
            "image_id": sample.image_id,
            "image": Path(sample.filepath).read_bytes(),
            "caption": sample.caption,
            "modality": sample.modality.label,
            "region": sample.region.label if sample.region else sample.region,
            "cuis": sample.cuis,
            "manual_cuis": sample.manual_cuis,
        }
        for sample in dataset
    ]
    return case.judge(rows) | {
        "pixels": f"grey: {' or '.join(map(format_channels, sorted(grey)))} in its metadata; turned: {' or '.join(turned)}",
        "reads": "JPEG files that are written out",
        "count_values": attempt(lambda: f"null among the labels: {dataset.count_values('region.label').get(None)}"),
    }


def argilla(case: Case) -> Findings:
    import argilla as rg

    os.environ["HF_HUB_OFFLINE"] = "0"
    made = attempt(
        lambda: rg.Settings(
            fields=[rg.TextField(name="caption")],
            questions=[rg.LabelQuestion(name="region", labels=case.names["region"])],
        )
    )
    record = attempt(
        lambda: rg.Record(fields={"caption": case.rows()[0]["caption"]}, suggestions=[rg.Suggestion("region", None)])
    )
    return {
        "nulls": f"a suggestion of None: {record if isinstance(record, str) else 'accepted'}",
        "settings": made if isinstance(made, str) else "made",
        "from_hub": attempt(lambda: str(rg.Settings.from_hub("org/rocov2"))),
    }

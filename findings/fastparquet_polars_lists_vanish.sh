#!/usr/bin/env bash
# fastparquet 2026.9.0: the lists of a file that Polars wrote are read as None, or as bare text where all have one entry.
#
# Expected: the lists, or an error. The file is valid: pyarrow and Polars read it alike, and fastparquet reads the same table when
# pyarrow wrote it.
# Seen: as soon as one list has two entries, the column contains None in every row. If every list has one entry, it contains the
# entry and not a list. Neither comes with a warning, and the text column of the file is right.
# Why it matters: a column of UMLS concepts looks as if no picture had any. One meets it with
# `pandas.read_parquet(engine="fastparquet")` after a table was cut down in Polars.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check fastparquet==2026.9.0 polars==2.1.0 pandas==3.1.1 pyarrow==26.0.1
cd "$folder"
venv/bin/python - <<'PROGRAM'
from importlib.metadata import version

import fastparquet
import polars
import pyarrow.parquet as pq


def read(writer: str, lists: list[list[str]]) -> list[object]:
    numbers = [str(number) for number in range(len(lists))]
    polars.DataFrame({"image_id": numbers, "cuis": lists}).write_parquet("polars.parquet")
    pq.write_table(pq.read_table("polars.parquet"), "pyarrow.parquet")
    assert pq.read_table(f"{writer}.parquet")["cuis"].to_pylist() == lists
    frame = fastparquet.ParquetFile(f"{writer}.parquet").to_pandas()
    assert frame["image_id"].tolist() == numbers
    return frame["cuis"].tolist()


print("fastparquet", version("fastparquet"), "polars", version("polars"), "pyarrow", version("pyarrow"))
single, several = [["C0040405"], ["C0817096"]], [["C0040405"], ["C0817096", "C0024485"], ["C0040405"]]
for lists in (single, several):
    print(f"written: {lists}, read from Polars: {read('polars', lists)}, from pyarrow: {read('pyarrow', lists)}")
assert read("polars", single) == ["C0040405", "C0817096"] and read("polars", several) == [None] * 3
assert read("pyarrow", single) == single and read("pyarrow", several) == several
PROGRAM

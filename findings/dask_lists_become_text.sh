#!/usr/bin/env bash
# Dask 2026.8.0: `from_pandas` turns lists of concepts into the text of their `repr`.
#
# Expected: a column of lists stays a column of lists. The option `dataframe.convert-string` is documented as converting
# string-like data to pyarrow strings, and a list is not string-like.
# Seen: the column becomes `string`, ["C0040405", "C0817096"] becomes the one text "['C0040405', 'C0817096']", and
# `explode` returns that text as one concept. `read_parquet` keeps lists, so the same table differs by how it came in.
# Why it matters: a picture has a list of UMLS concepts. Counts per concept come out as counts per combination, the number of
# concepts of a row is the length of a text (24 here, not 2), and no step reports an error.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "dask[dataframe]==2026.8.0" pandas==3.1.1 pyarrow==26.0.1
cd "$folder"
venv/bin/python - <<'PROGRAM'
from importlib.metadata import version

import dask
import dask.dataframe
import pandas

pictures = pandas.DataFrame({"image_id": ["1", "2"], "cuis": [["C0040405", "C0817096"], []]})
frame = dask.dataframe.from_pandas(pictures, npartitions=1)
seen = {
    "type": str(frame.dtypes["cuis"]),
    "values": frame.compute()["cuis"].tolist(),
    "exploded": frame.explode("cuis").compute()["cuis"].tolist(),
    "lengths": frame["cuis"].map(len, meta=("cuis", "int64")).compute().tolist(),
}
print("dask", version("dask"), seen)
text = "['C0040405', 'C0817096']"
assert seen == {"type": "string", "values": [text, "[]"], "exploded": [text, "[]"], "lengths": [len(text), 2]}

with dask.config.set({"dataframe.convert-string": False}):
    kept = dask.dataframe.from_pandas(pictures, npartitions=1).compute()["cuis"].tolist()
pictures.to_parquet("pictures.parquet")
read = [list(value) for value in dask.dataframe.read_parquet("pictures.parquet").compute()["cuis"]]
print("without convert-string:", kept, "by read_parquet:", read)
assert kept == read == [["C0040405", "C0817096"], []]
PROGRAM

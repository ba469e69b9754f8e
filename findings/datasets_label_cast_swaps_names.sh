#!/usr/bin/env bash
# datasets 5.2.0: casting a label column to the same names in another order gives every picture another name.
#
# Expected: `cast_column("modality", ClassLabel(names=["MR", "CT"]))` of a column with the names ["CT", "MR"] keeps the names and
# changes the numbers, as a cast from text does. A cast to text returns the names.
# Seen: the numbers stay, so CT becomes MR and MR becomes CT. The cast to text returns "0" and "1". Neither says anything.
# Why it matters: `concatenate_datasets` refuses two releases whose names are in another order, and its message leads to a cast. The
# combined set then has wrong modalities in one half. `align_labels_with_mapping` is the call that is needed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check datasets==5.2.0 pyarrow==26.0.1
cd "$folder"
HF_HUB_OFFLINE=1 HF_HOME="$folder/home" venv/bin/python - <<'PROGRAM'
from importlib.metadata import version

from datasets import ClassLabel, Dataset, Features, Value, concatenate_datasets, disable_progress_bars

disable_progress_bars()


def release(names: list[str]) -> Dataset:
    return Dataset.from_dict({"modality": names}, features=Features({"modality": ClassLabel(names=names)}))


def names_of(dataset: Dataset) -> list[str]:
    return [dataset.features["modality"].int2str(label) for label in dataset["modality"]]


first, second = release(["CT", "MR"]), release(["MR", "CT"])
try:
    concatenate_datasets([first, second])
except ValueError as error:
    print("concatenate_datasets:", error)
else:
    raise AssertionError("two orders of names were concatenated")
seen = {
    "before": names_of(first),
    "cast": names_of(first.cast_column("modality", second.features["modality"])),
    "aligned": names_of(first.align_labels_with_mapping({"MR": 0, "CT": 1}, "modality")),
    "as text": first.cast_column("modality", Value("string"))["modality"][:],
}
print("datasets", version("datasets"), seen)
assert seen == {"before": ["CT", "MR"], "cast": ["MR", "CT"], "aligned": ["CT", "MR"], "as text": ["0", "1"]}
PROGRAM

#!/usr/bin/env bash
# datasets 5.2.0: the loader "webdataset" drops every field that is missing in the first five samples of a tar.
#
# Expected: a field that only some samples have is a column with null in the others. So it is for one that the loader knows: a
# sample without it gets None. A mixture among the first five samples is an error.
# Seen: with a mask in the samples from the sixth on, the column does not exist and the masks are gone, without a message. The same
# happens to a key of the JSON file, and pictures that are named .jpeg from the sixth on are None in the column `jpg`.
# Why it matters: most radiographs have no mask, no report and no second view. Whether the few that exist are read depends on the
# order of the tar.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check datasets==5.2.0 pyarrow==26.0.1 pillow==13.0.0 numpy==2.4.6
cd "$folder"
HF_HUB_OFFLINE=1 HF_HOME="$folder/home" venv/bin/python - <<'PROGRAM'
import io
import json
import tarfile
from importlib.metadata import version

from datasets import disable_progress_bars, load_dataset
from PIL import Image

disable_progress_bars()


def encode(form: str) -> bytes:
    file = io.BytesIO()
    Image.new("L", (8, 8)).save(file, form)
    return file.getvalue()


def read(name: str, late: dict[str, bytes], early: dict[str, bytes]) -> list[dict]:
    with tarfile.open(name, "w") as tar:
        for number in range(8):
            fields = {"txt": b"caption"} | (early if number < 5 else late)
            for extension, data in fields.items():
                member = tarfile.TarInfo(f"figure{number}.{extension}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
    return list(load_dataset("webdataset", data_files=name, split="train", streaming=True))


picture, mask = encode("JPEG"), encode("PNG")
with_mask = read("mask.tar", late={"jpg": picture, "mask.png": mask}, early={"jpg": picture})
with_key = read(
    "key.tar",
    late={"jpg": picture, "json": json.dumps({"view": "PA", "modality": "XR"}).encode()},
    early={"jpg": picture, "json": json.dumps({"view": "PA"}).encode()},
)
with_name = read("name.tar", late={"jpeg": picture}, early={"jpg": picture})
print("datasets", version("datasets"), "the last of 8 samples:")
for rows in (with_mask, with_key, with_name):
    print({name: value for name, value in rows[-1].items() if not name.startswith("__")})
assert "mask.png" not in with_mask[-1] and with_key[-1]["json"] == {"view": "PA"} and with_name[-1]["jpg"] is None
assert with_name[0]["jpg"] is not None
PROGRAM

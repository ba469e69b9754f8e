#!/usr/bin/env bash
# pycocoevalcap 1.2: CIDEr of captions that equal their references is 0 if all pictures share the words.
#
# Expected: a caption that is equal to its reference gets the highest score, which is 10 in this implementation.
# Seen: 10 for two pictures with different references, and 0.0 for a single picture and for two pictures with the same
# reference. A word that occurs in the references of every picture of the call has the weight log(1) = 0.
# Why it matters: figures of a case series carry one caption, and scores are often broken down by modality or computed on a small
# sample. Then a perfect system can get 0, and a part's score is not comparable with the score of the whole.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pycocoevalcap==1.2 numpy==2.4.6
cd "$folder"
venv/bin/python - <<'PROGRAM'
from importlib.metadata import version

from pycocoevalcap.cider.cider import Cider

cases = {
    "two references": ["axial scan of the chest", "sagittal view of a knee"],
    "one picture": ["axial scan of the chest"],
    "one reference twice": ["axial scan of the chest"] * 2,
}
scores = {}
for name, captions in cases.items():
    references = {number: [caption] for number, caption in enumerate(captions)}
    scores[name] = round(float(Cider().compute_score(references, references)[0]), 6)
print("pycocoevalcap", version("pycocoevalcap"), "captions equal to their references:", scores)
assert scores == {"two references": 10.0, "one picture": 0.0, "one reference twice": 0.0}
PROGRAM

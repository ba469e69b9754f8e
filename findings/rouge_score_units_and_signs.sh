#!/usr/bin/env bash
# rouge_score 0.1.2: a caption with another unit, sign or decimal point gets the perfect score.
#
# Expected: "5 µm" and "5 m", "-50 HU" and "50 HU", or "1.5 cm" and "1 5 cm" are different statements, and a score of word
# overlap is below 1 for each pair.
# Seen: ROUGE-1 and ROUGE-L are 1.0 for all of them. The tokeniser drops every character outside a-z and 0-9: the micro
# sign, Greek letters, the minus sign and the decimal point leave no trace. "T2*" and "T2" are equal for the same reason.
# Why it matters: -50 HU is fat and 50 HU is soft tissue. ROUGE-1 is one of the measures by which captions of radiographs are
# ranked, and these errors are exactly those that it cannot see.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check rouge_score==0.1.2 nltk==3.10.4 numpy==2.4.6
cd "$folder"
venv/bin/python - <<'PROGRAM'
from importlib.metadata import version

from rouge_score.rouge_scorer import RougeScorer

scorer = RougeScorer(["rouge1", "rougeL"])
print("rouge_score", version("rouge_score"))
for truth, prediction in (
    ("Crystals of 5 µm in the synovial fluid", "Crystals of 5 m in the synovial fluid"),
    ("Attenuation of -50 HU", "Attenuation of 50 HU"),
    ("Nodule of 1.5 cm", "Nodule of 1 5 cm"),
    ("Loss of signal on T2* images", "Loss of signal on T2 images"),
    ("Raised β-hCG", "Raised hCG"),
):
    scores = {name: score.fmeasure for name, score in scorer.score(truth, prediction).items()}
    print(f"{truth!r} against {prediction!r}: {scores}")
    assert scores == {"rouge1": 1.0, "rougeL": 1.0}
PROGRAM

#!/usr/bin/env bash
# mlcroissant 1.1.1: a misspelt key of the responsible-AI vocabulary passes validation, and its statement is lost.
#
# Expected: `mlcroissant.Dataset` (and `mlcroissant validate`) reports a key that the vocabulary does not contain, at least as a
# warning. It does so for a missing `license` or `version`.
# Seen: `rai:dataBias` instead of `rai:dataBiases` gives no error and no warning. `metadata.data_biases` is None.
# Why it matters: these keys carry what a user of medical data has to know, such as biases, personal data and the cases for
# which the set is unfit. A file passes every check that is available and states none of it to a program.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check mlcroissant==1.1.1 pandas==3.1.1 numpy==2.4.6
cd "$folder"
venv/bin/python - <<'PROGRAM'
import logging

logging.disable(logging.WARNING)

from importlib.metadata import version

import mlcroissant

STATEMENT = "Rare findings are over-represented."


def describe(key: str, **left_out: None) -> mlcroissant.Metadata:
    document = {
        "@context": {
            "@language": "en",
            "@vocab": "https://schema.org/",
            "sc": "https://schema.org/",
            "cr": "http://mlcommons.org/croissant/",
            "rai": "http://mlcommons.org/croissant/RAI/",
            "dct": "http://purl.org/dc/terms/",
            "citeAs": "cr:citeAs",
            "conformsTo": "dct:conformsTo",
            "recordSet": "cr:recordSet",
        },
        "@type": "sc:Dataset",
        "name": "radiographs",
        "description": "Radiographs with captions.",
        "conformsTo": ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"],
        "license": "https://creativecommons.org/licenses/by/4.0/",
        "url": "https://example.org/radiographs",
        "version": "1.0.0",
        "datePublished": "2026-01-01",
        "citeAs": "Radiographs, 2026",
        "creator": {"@type": "sc:Person", "name": "Example"},
        key: STATEMENT,
    }
    return mlcroissant.Dataset({name: value for name, value in document.items() if name not in left_out}).metadata


right, misspelt, unlicensed = describe("rai:dataBiases"), describe("rai:dataBias"), describe("rai:dataBiases", license=None)
print("mlcroissant", version("mlcroissant"))
for name, metadata in (("right", right), ("misspelt", misspelt), ("without license", unlicensed)):
    print(f"{name}: biases {metadata.data_biases}, report {metadata.issues.report()!r}")
assert right.data_biases == [STATEMENT] and right.issues.report() == ""
assert misspelt.data_biases is None and misspelt.issues.report() == ""
assert "license" in unlicensed.issues.report()
PROGRAM

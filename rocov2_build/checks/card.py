"""Rules of the documents: each says of the files what the build would write for them, and is the one that the build wrote."""

from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

from rocov2_build.card.documents import PICTURES, record_document
from rocov2_build.checks.descriptions import Descriptions
from rocov2_build.checks.json_files import describe_absence, read_card, read_content, read_json
from rocov2_build.checks.records import Records
from rocov2_build.checks.viewer import MAX_PATTERN, check_metadata
from rocov2_build.checks.violations import Check
from rocov2_shared.conversion import CARD, DOCUMENTS, NAME
from rocov2_shared.json_values import Fault, differences

_ATTRIBUTES = ".gitattributes"
_COUNTS = re.compile(r"\.splits\b|\.(download|dataset)_size$")


def check_card(check: Check, expected: Descriptions) -> None:
    """Compare the card's YAML and dataset_infos.json with what they must say.

    Args:
        check: collects the violations.
        expected: what the documents must say.
    """
    metadata = read_card(check, CARD)
    if metadata is not None:
        told = check_metadata(check, metadata)
        faults = differences(expected.card, metadata)
        _add(check, CARD, [fault for fault in faults if _top(fault.key) not in told], _card_rule)
    infos = read_json(check, "dataset_infos.json")
    if infos is not None:
        _add(check, "dataset_infos.json", list(differences(expected.infos, infos)), _info_rule)


def check_croissant(check: Check, expected: Descriptions) -> None:
    """Compare croissant.json with what it must say."""
    found = read_json(check, "croissant.json")
    if found is not None and expected.croissant is not None:
        check.add_faults("croissant", "croissant.json", differences(expected.croissant, found))


def _add(check: Check, file: str, faults: list[Fault], rule_of: Callable[[str], str]) -> None:
    for rule in dict.fromkeys(rule_of(fault.key) for fault in faults):
        check.add_faults(rule, file, [fault for fault in faults if rule_of(fault.key) == rule])


def _top(key: str) -> str:
    return re.split(r"[.\[]", key, maxsplit=1)[0]


def _card_rule(key: str) -> str:
    return {"configs": "configs", "dataset_info": _info_rule(key)}.get(_top(key), "card")


def _info_rule(key: str) -> str:
    if ".features" in key:
        return "card-features"
    # Without further key it is the description of a whole configuration that is missing, or one too many.
    return "counts" if _COUNTS.search(key) or not re.search(r"\.\w+$", key.partition(".")[2] or key) else "card"


def check_documents(check: Check, records: Records) -> None:
    """Compare the documents with the hashes that `conversion.json` records, and .gitattributes with what it is for.

    Args:
        check: collects the violations; a document that breaks another rule is not reported again.
        records: what `conversion.json` records.
    """
    content = read_content(check, _ATTRIBUTES)
    if content is not None:
        _check_attributes(check, content.decode(errors="replace"))
    if records.content is None:
        return
    told, documents = check.broken(), records.content["documents"]
    pictures = {file for file in check.files if fnmatchcase(file, PICTURES)}
    for name in sorted((documents.keys() | pictures) - told):
        if name not in documents:
            check.add("changed-file", name, expected=f"an entry in {NAME}", found="none")
        elif name not in check.files:
            check.add("changed-file", name, expected="the file", found=describe_absence(check.root / name))
        elif (content := read_content(check, name)) is not None:
            expected: Any = documents[name]
            found = record_document(name, content)
            if found != expected:
                sizes = [
                    f"{record['bytes']:,} bytes with the SHA-256 {record['sha256']}" for record in (expected, found)
                ]
                check.add("changed-file", name, expected=sizes[0], found=sizes[1])


def _check_attributes(check: Check, text: str) -> None:
    lines = [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    wanted = [(file, "text", "-text") for file in (*DOCUMENTS, NAME)]
    wanted += [(f"a.{kind}", "filter", "filter=lfs") for kind in ("parquet", "png")]
    wrong: dict[str, tuple[str, str]] = {}
    for file, attribute, expected in wanted:
        # The last line that sets an attribute counts; patterns without a slash match names in every folder.
        values = [
            word
            for pattern, *words in lines
            if len(pattern) <= MAX_PATTERN and fnmatchcase(file, pattern)
            for word in words
            if re.fullmatch(rf"[-!]?{attribute}(=.*)?", word)
        ]
        if values[-1:] != [expected]:
            name = f"*{file[1:]}" if file.startswith("a.") else file
            wrong.setdefault(expected, (name, (values or ["none"])[-1]))
    for expected, (name, found) in wrong.items():
        check.add("attributes", _ATTRIBUTES, expected=f"{expected} for {name}", found=found)

"""What a list of curated concepts means: the labels of its image. The conversion and the check derive them here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rocov2 import LABELS, MODALITIES
from rocov2_shared.ids import is_cui

_CODES = {column: {cui: label for label, cui in enumerate(labels.values()) if cui} for column, labels in LABELS.items()}
_DEFAULTS = dict.fromkeys(_CODES) | {"modality": list(MODALITIES).index("combined")}
"""By column, the label of an image whose curated concepts name none."""

MANUAL_CODES = frozenset(cui for codes in _CODES.values() for cui in codes)
"""All codes that a list of curated concepts may contain."""


class Meaning(NamedTuple):
    """What a list of curated concepts means.

    Attributes:
        named: by column, every label that a code of the list names, in its order.
        unknown: well-formed codes that name none.
    """

    named: dict[str, list[int]]
    unknown: list[str]

    @property
    def labels(self) -> dict[str, int | None]:
        """Return the label of each column: the first that is named, else the column's default."""
        return {column: named[0] if named else _DEFAULTS[column] for column, named in self.named.items()}


def read_meaning(manual: Sequence[str]) -> Meaning:
    """Return what a list of curated concepts means."""
    return Meaning(
        {
            column: list(dict.fromkeys(codes[code] for code in manual if code in codes))
            for column, codes in _CODES.items()
        },
        [code for code in manual if code not in MANUAL_CODES and is_cui(code)],
    )


class CodeFault(NamedTuple):
    """Why no release can have a list of curated concepts; `code` is of the catalogue of problems."""

    code: str
    expected: str
    found: str


def find_code_faults(manual: Sequence[str], meaning: Meaning) -> list[CodeFault]:
    """Return what is wrong with a list of curated concepts: unknown codes, two modalities, or codes without a modality."""
    modalities, codes = meaning.named["modality"], ";".join(manual)
    faults = []
    if meaning.unknown:
        faults.append(CodeFault("unknown-manual-code", f"one of {len(MANUAL_CODES)} codes", meaning.unknown[0]))
    if len(modalities) > 1:
        faults.append(CodeFault("two-modalities", "one modality", codes))
    if manual and not modalities:
        faults.append(CodeFault("no-modality", "a modality, or an empty list", codes))
    return faults

"""The documents of a repository: its files beside the Parquet files, as `conversion.json` records them.

`conversion.json` itself is no document, nor is `.gitattributes`, to which the Hub adds lines.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from rocov2_build.card.naming import card_in_a_folder
from rocov2_shared.conversion import CARD, DOCUMENTS, DocumentRecord

PICTURES = "assets/*.png"
"""Pattern of the card's pictures."""


def record_document(name: str, content: bytes) -> DocumentRecord:
    """Return what `conversion.json` records of a document; of the card, as it is before publishing names the repository."""
    if name == CARD:
        content = card_in_a_folder(content.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def record_documents(root: Path) -> dict[str, DocumentRecord]:
    """Return what `conversion.json` records of the documents of the repository in the folder `root`."""
    pictures = sorted(path.relative_to(root).as_posix() for path in root.glob(PICTURES))
    return {name: record_document(name, (root / name).read_bytes()) for name in (*DOCUMENTS, *pictures)}

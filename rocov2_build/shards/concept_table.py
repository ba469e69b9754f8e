"""One row per concept: its name, what kind it is, and how many images of each split have it."""

from __future__ import annotations

from collections import Counter

import pandas as pd
import pyarrow as pa

from rocov2 import LABELS, SPLITS

_KINDS = {cui: kind for kind, labels in LABELS.items() for cui in labels.values() if cui}


def count_concepts(rows: pd.DataFrame, names: dict[str, str], schema: pa.Schema) -> pa.Table:
    """The table of the vocabulary.

    Args:
        rows: the images built, with `split` and `cuis`.
        names: canonical names by CUI, of the release's mapping.
        schema: of the result: `cui`, `name` (null where the mapping has none), `kind` (`modality`, `region`, `direction`:
            codes of the manual lists; else `concept`), and the number of images of each split.

    Returns:
        Every concept of the mapping or of an image, the commonest first.
    """
    counts = {
        split: Counter(cui for cuis in rows.loc[rows["split"] == split, "cuis"] for cui in set(cuis))
        for split in SPLITS
    }
    total: Counter[str] = sum(counts.values(), Counter(dict.fromkeys(names, 0)))
    cuis = sorted(names.keys() | total.keys(), key=lambda cui: (-total[cui], cui))
    columns = {
        "cui": cuis,
        "name": [names.get(cui) for cui in cuis],
        "kind": [_KINDS.get(cui, "concept") for cui in cuis],
        **{split: [counts[split][cui] for cui in cuis] for split in SPLITS},
    }
    return pa.table(columns, schema=schema)

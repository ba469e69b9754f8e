"""What images share within a split and across splits: an article, a caption, their bytes, their looks."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from rocov2_build.facts.columns import Columns, Numbers, encode
from rocov2_build.facts.hash_pairs import BITS, THRESHOLD, are_flat, link, similar_pairs, unpack_hashes
from rocov2_build.worker.task import FileFacts

MAX_GROUPS, MAX_IDS = 500, 10
"""How many groups of images are listed, and how many ids of each: those in several splits first, then the largest."""

Counts = npt.NDArray[np.int64]


def pair_name(one: str, other: str) -> str:
    """How two splits are called together: `train-test`."""
    return f"{one}-{other}"


def count_shared(counts: Counts, columns: Columns) -> dict[str, Any]:
    """How many images share a key.

    Args:
        counts: images by key and split.
        columns: tells the splits.

    Returns:
        `groups`, `images`: keys that several images have, and these images. `within`: the same inside of each split.
        `across`: by pair of splits the keys that both have, and each one's `images` that have them.
    """
    across = {}
    for (i, one), (j, other) in combinations(enumerate(columns.splits), 2):
        both = (counts[:, i] > 0) & (counts[:, j] > 0)
        images = {one: int(counts[both, i].sum()), other: int(counts[both, j].sum())}
        across[pair_name(one, other)] = {"groups": int(both.sum()), "images": images}
    return {
        **_repeated(counts.sum(axis=1)),
        "within": {split: _repeated(counts[:, i]) for i, split in enumerate(columns.splits)},
        "across": across,
    }


def _repeated(counts: Counts) -> dict[str, int]:
    several = counts > 1
    return {"groups": int(several.sum()), "images": int(counts[several].sum())}


def find_duplicates(columns: Columns, files: list[FileFacts]) -> dict[str, Any]:
    """Images with the same bytes (`exact`), and those with other bytes that look alike (`near`).

    `near` is None when not every image was decoded, so that nothing is known of their looks.

    Args:
        columns: the repository's rows.
        files: its shards of images, in the order of the rows.
    """
    shards = [file for split in columns.splits for file in files if file.path.startswith(f"data/{split}-")]
    contents, known = encode(pa.array([digest for file in shards for digest in file.images], pa.string()))
    counts = columns.count(contents, len(known))
    ids = columns.read("image_id")
    exact = count_shared(counts, columns)
    _add_pairs(exact, (counts.T @ counts - np.diag(counts.sum(axis=0))).astype(np.int64), columns)
    exact["listed"] = _list_groups(contents, counts, counts.sum(axis=1) > 1, ids)
    decoded = all(len(file.perceptual) == file.rows for file in shards)
    return {"exact": exact, "near": _find_similar(columns, shards, contents, counts, ids) if decoded else None}


def _find_similar(
    columns: Columns, shards: list[FileFacts], contents: Numbers, counts: Counts, ids: pa.Array
) -> dict[str, Any]:
    looks, known = encode(pa.array([value for file in shards for value in file.perceptual], pa.string()))
    hashes = unpack_hashes(known.to_pylist())
    flat = are_flat(hashes)
    width = counts.shape[1]
    # Images with the same bytes are one content; contents with the same hash are one look. Looks are compared.
    look_of = np.zeros(len(counts), dtype=np.int64)
    look_of[contents] = looks
    seen = _sum_by(look_of, counts, len(hashes))
    variants = _sum_by(look_of, counts > 0, len(hashes))
    labels = np.arange(len(hashes))
    partner = np.zeros((len(hashes), width), dtype=bool)  # whether another look that is near has images of a split
    products = np.zeros((width, width), dtype=np.int64)
    structured = np.flatnonzero(~flat)
    for block in similar_pairs(hashes[structured]):
        left, right = structured[block[0]], structured[block[1]]
        link(labels, (left, right))
        products += seen[left].T @ seen[right] + seen[right].T @ seen[left]
        for split in range(width):
            partner[left[seen[right, split] > 0], split] = True
            partner[right[seen[left, split] > 0], split] = True
    same, own = seen[structured], counts[~flat[look_of]]
    products += same.T @ same - own.T @ own  # pairs of contents with one look
    near = partner[look_of] | ((variants[look_of] - (counts > 0) > 0) & ~flat[look_of, None])
    images = counts.T @ near  # of a split, with a candidate in another
    wanted = (np.bincount(labels[look_of], minlength=len(hashes)) > 1) & ~flat
    by_group = _sum_by(labels, seen, len(hashes))
    result: dict[str, Any] = {
        "bits": BITS,
        "distance": THRESHOLD,
        "flat": int(seen[flat].sum()),
        "groups": int(wanted.sum()),
        "images": int(by_group[wanted].sum()),
        "within": {split: {"images": int(images[i, i])} for i, split in enumerate(columns.splits)},
        "across": {
            pair_name(one, other): {"images": {one: int(images[i, j]), other: int(images[j, i])}}
            for (i, one), (j, other) in combinations(enumerate(columns.splits), 2)
        },
    }
    _add_pairs(result, products, columns)
    return result | {"listed": _list_groups(labels[looks], by_group, wanted, ids)}


def _sum_by(keys: Numbers, counts: npt.NDArray[Any], number: int) -> Counts:
    """Sums of rows of `counts` by key, [number, splits]."""
    sums = np.zeros((number, counts.shape[1]), dtype=np.int64)
    np.add.at(sums, keys, counts)
    return sums


def _add_pairs(shared: dict[str, Any], products: Counts, columns: Columns) -> None:
    """Add numbers of pairs; `products` holds each pair of images twice: [i, j] and [j, i], or twice in [i, i]."""
    for i, split in enumerate(columns.splits):
        shared["within"][split]["pairs"] = int(products[i, i]) // 2
    for (i, one), (j, other) in combinations(enumerate(columns.splits), 2):
        shared["across"][pair_name(one, other)]["pairs"] = int(products[i, j])


def _list_groups(keys: Numbers, counts: Counts, wanted: npt.NDArray[np.bool_], ids: pa.Array) -> list[list[str]]:
    """Ids of the images of each wanted group: those in several splits first, then the largest, then in order of the rows."""
    rows = np.flatnonzero(wanted[keys])
    rows = rows[np.argsort(keys[rows], kind="stable")]
    members = np.split(rows, np.flatnonzero(np.diff(keys[rows])) + 1) if len(rows) else []
    members.sort(key=lambda group: (-int((counts[keys[group[0]]] > 0).sum()), -len(group), int(group[0])))
    listed: list[list[str]] = [ids.take(pa.array(group[:MAX_IDS])).to_pylist() for group in members[:MAX_GROUPS]]
    return listed

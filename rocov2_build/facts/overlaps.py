"""What images have in common within a split and across splits: article, caption, bytes, appearance."""

from __future__ import annotations

from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from rocov2 import CONFIGS
from rocov2_build.facts.columns import Columns, Numbers, encode
from rocov2_build.facts.hash_pairs import BITS, THRESHOLD, are_flat, link, similar_pairs, unpack_hashes
from rocov2_build.worker.task import PERCEPTUAL_DIGITS, FileFacts

MAX_GROUPS, MAX_IDS = 500, 10
"""Number of groups of images that are listed, and of ids of each: those in several splits first, then the largest."""

Counts = npt.NDArray[np.int64]


def pair_name(one: str, other: str) -> str:
    """Return the name of a pair of splits: `train-test`."""
    return f"{one}-{other}"


def count_shared(counts: Counts, columns: Columns) -> dict[str, Any]:
    """Count the images that share a key.

    Args:
        counts: images by key and split.
        columns: for the names of the splits.

    Returns:
        `groups`, `images`: number of keys that several images have, and of these images. `within`: the same in each split.
        `across`: by pair of splits, the number of keys that both have, and of the `images` of each that have them.
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
    """Find images with the same bytes (`exact`), and images with other bytes that look alike (`near`).

    `near` is None if some images were not decoded.

    Args:
        columns: the repository's rows.
        files: its shards of images, in the order of the rows.
    """
    shards = [file for split in columns.splits for file in files if CONFIGS["default"].split_of(file.path) == split]
    contents, known = encode(pa.array([digest for file in shards for digest in file.image_hashes], pa.string()))
    counts = columns.count(contents, len(known))
    ids = columns.read("image_id")
    exact = count_shared(counts, columns)
    _add_pairs(exact, (counts.T @ counts - np.diag(counts.sum(axis=0))).astype(np.int64), columns)
    exact["listed"] = _list_groups(contents, counts, counts.sum(axis=1) > 1, ids)
    decoded = all(len(file.perceptual) == file.rows * PERCEPTUAL_DIGITS for file in shards)
    return {"exact": exact, "near": _find_similar(columns, shards, contents, counts, ids) if decoded else None}


class _Looks(NamedTuple):
    """The images by perceptual hash. Images with the same bytes are one content, contents with the same hash are one look.

    Attributes:
        hashes: [look, 32], from `unpack_hashes`.
        flat: whether a look has no structure, so that it is compared with no other, [look].
        of_image: look of each image.
        of_content: look of each content.
        images: number of images, [look, splits].
        contents: number of contents, [look, splits].
    """

    hashes: npt.NDArray[np.uint8]
    flat: npt.NDArray[np.bool_]
    of_image: Numbers
    of_content: Numbers
    images: Counts
    contents: Counts


class _Near(NamedTuple):
    """What the comparison of the looks gives.

    Attributes:
        groups: group of each look.
        has_partner: whether another near look has images of a split, [look, splits].
        pairs: number of images of near looks by split of the one and of the other, [splits, splits]; each pair twice.
    """

    groups: npt.NDArray[np.int64]
    has_partner: npt.NDArray[np.bool_]
    pairs: Counts


def _find_similar(
    columns: Columns, shards: list[FileFacts], contents: Numbers, counts: Counts, ids: pa.Array
) -> dict[str, Any]:
    looks = _group_by_look(shards, contents, counts)
    near = _compare_looks(looks)
    images = _count_candidates(looks, near, counts)
    number = len(looks.flat)
    wanted = (np.bincount(near.groups[looks.of_content], minlength=number) > 1) & ~looks.flat
    by_group = _sum_by(near.groups, looks.images, number)
    result: dict[str, Any] = {
        "bits": BITS,
        "distance": THRESHOLD,
        "flat": int(looks.images[looks.flat].sum()),
        "groups": int(wanted.sum()),
        "images": int(by_group[wanted].sum()),
        "within": {split: {"images": int(images[i, i])} for i, split in enumerate(columns.splits)},
        "across": {
            pair_name(one, other): {"images": {one: int(images[i, j]), other: int(images[j, i])}}
            for (i, one), (j, other) in combinations(enumerate(columns.splits), 2)
        },
    }
    _add_pairs(result, near.pairs + _count_pairs_of_one_look(looks, counts), columns)
    return result | {"listed": _list_groups(near.groups[looks.of_image], by_group, wanted, ids)}


def _group_by_look(shards: list[FileFacts], contents: Numbers, counts: Counts) -> _Looks:
    of_image, known = encode(pa.array([value for file in shards for value in file.perceptual_hashes], pa.string()))
    hashes = unpack_hashes(known.to_pylist())
    of_content = np.zeros(len(counts), dtype=np.int64)
    of_content[contents] = of_image
    images, variants = (_sum_by(of_content, part, len(hashes)) for part in (counts, counts > 0))
    return _Looks(hashes, are_flat(hashes), of_image, of_content, images, variants)


def _compare_looks(looks: _Looks) -> _Near:
    splits = looks.images.shape[1]
    groups = np.arange(len(looks.flat))
    has_partner = np.zeros(looks.images.shape, dtype=bool)
    pairs = np.zeros((splits, splits), dtype=np.int64)
    structured = np.flatnonzero(~looks.flat)
    for block in similar_pairs(looks.hashes[structured]):
        left, right = structured[block[0]], structured[block[1]]
        link(groups, (left, right))
        one, other = looks.images[left], looks.images[right]
        pairs += one.T @ other + other.T @ one
        for split in range(splits):
            has_partner[left[other[:, split] > 0], split] = True
            has_partner[right[one[:, split] > 0], split] = True
    return _Near(groups, has_partner, pairs)


def _count_pairs_of_one_look(looks: _Looks, counts: Counts) -> Counts:
    """Return the numbers of pairs of images that have one look but different bytes, [splits, splits]; each pair twice."""
    same, own = looks.images[~looks.flat], counts[~looks.flat[looks.of_content]]
    pairs: Counts = same.T @ same - own.T @ own
    return pairs


def _count_candidates(looks: _Looks, near: _Near, counts: Counts) -> Counts:
    """Return the numbers of images of one split that have a candidate in another, [splits, splits]."""
    of_content = looks.of_content
    others = looks.contents[of_content] - (counts > 0) > 0  # another content of the same look
    has_candidate = near.has_partner[of_content] | (others & ~looks.flat[of_content, None])
    images: Counts = counts.T @ has_candidate
    return images


def _sum_by(keys: Numbers, counts: npt.NDArray[Any], number: int) -> Counts:
    """Return the sums of rows of `counts` by key, [number, splits]."""
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
    """Return the ids of each wanted group: those in several splits first, then the largest, then in order of the rows."""
    rows = np.flatnonzero(wanted[keys])
    rows = rows[np.argsort(keys[rows], kind="stable")]
    members = np.split(rows, np.flatnonzero(np.diff(keys[rows])) + 1) if len(rows) else []
    members.sort(key=lambda group: (-int((counts[keys[group[0]]] > 0).sum()), -len(group), int(group[0])))
    listed: list[list[str]] = [ids.take(pa.array(group[:MAX_IDS])).to_pylist() for group in members[:MAX_GROUPS]]
    return listed

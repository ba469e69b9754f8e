"""The search for similar hashes: it misses none, finds each once, and leaves flat pictures out."""

from __future__ import annotations

import random
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rocov2_build.facts import hash_pairs
from rocov2_build.facts.hash_pairs import THRESHOLD, are_flat, link, similar_pairs, unpack_hashes
from rocov2_build.worker.phash import hash_distance, perceptual_hash
from tests.support.examples import examples


def found(hashes: list[str], threshold: int) -> list[tuple[int, int]]:
    """Pairs as the search yields them, each in order; one that is found twice stands twice."""
    pairs: list[tuple[int, int]] = []
    for left, right in similar_pairs(unpack_hashes(hashes), threshold):
        pairs += zip(left.tolist(), right.tolist(), strict=True)
    return sorted((min(pair), max(pair)) for pair in pairs)


def compared(hashes: list[str], threshold: int) -> list[tuple[int, int]]:
    """The same by comparing each with each."""
    return [
        (i, j) for (i, one), (j, other) in combinations(enumerate(hashes), 2) if hash_distance(one, other) <= threshold
    ]


def flip(value: str, places: list[int]) -> str:
    number = int(value, 16)
    for place in places:
        number ^= 1 << place
    return f"{number:064x}"


@st.composite
def clusters(draw: st.DrawFn) -> list[str]:
    """A few hashes and variants of them, from equal to far."""
    seeds = draw(st.lists(st.integers(0, 2**256 - 1), min_size=1, max_size=4))
    hashes = []
    for seed in seeds:
        for places in draw(st.lists(st.lists(st.integers(0, 255), max_size=40), max_size=6)):
            hashes.append(flip(f"{seed:064x}", places))  # noqa: PERF401 (clearer so)
    return hashes


@examples(150)
@given(clusters(), st.integers(0, 63))
def test_finds_exactly_what_comparing_each_with_each_finds(hashes: list[str], threshold: int) -> None:
    assert found(hashes, threshold) == compared(hashes, threshold)


@pytest.mark.parametrize("threshold", [0, 15, 16, 24, 31, 32, 47, 48, 63])
def test_bits_spread_in_the_worst_way_for_bands(threshold: int) -> None:
    base = f"{random.Random(1).getrandbits(256):064x}"
    places = hash_pairs._DIAGONALS.reshape(16, 16)
    # Bit after bit into another band: no band is nearer than the mean of all. Bits are counted from the right in `flip`.
    spread = [255 - int(places[i % 16, i // 16]) for i in range(64)]
    hashes = [base, *(flip(base, spread[:count]) for count in range(1, 64))]
    assert found(hashes, threshold) == compared(hashes, threshold)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    source = random.Random(2)
    base = source.getrandbits(256)
    hashes = [flip(f"{base:064x}", source.sample(range(256), source.randrange(20))) for _ in range(60)]
    expected = compared(hashes, THRESHOLD)
    assert len(expected) > 500
    for block, rows in ((1, 1), (7, 5), (1 << 17, 1 << 13)):
        monkeypatch.setattr(hash_pairs, "_BLOCK", block)
        monkeypatch.setattr(hash_pairs, "_ROWS", rows)
        assert found(hashes, THRESHOLD) == expected


def test_each_bit_is_in_one_band_and_each_band_has_all_rows_and_columns() -> None:
    assert sorted(hash_pairs._DIAGONALS.tolist()) == list(range(256))
    for band in hash_pairs._DIAGONALS.reshape(16, 16):
        assert sorted(band // 16) == sorted(band % 16) == list(range(16))


@pytest.mark.parametrize("threshold", [-1, 64])
def test_a_threshold_out_of_range_is_refused(threshold: int) -> None:
    with pytest.raises(ValueError, match="expected 0 to 63"):
        next(similar_pairs(unpack_hashes(["0" * 64]), threshold))


def test_few_hashes() -> None:
    assert found([], THRESHOLD) == found(["ab" * 32], THRESHOLD) == []
    assert found(["ab" * 32] * 3, 0) == [(0, 1), (0, 2), (1, 2)]


def test_flat_pictures_are_known() -> None:
    grey = np.tile(np.arange(64, dtype=np.uint8), (48, 1))
    noise = np.frombuffer(random.Random(3).randbytes(64 * 48), dtype=np.uint8).reshape(48, 64)
    pictures = {
        "black": np.zeros((48, 64), dtype=np.uint8),
        "white": np.full((48, 64), 255, dtype=np.uint8),
        "a ramp": grey,
        "a line of pixels": noise[:, :1],
        "noise": noise,
        "a ramp with a spot": np.where(noise[:1] * 0 + np.indices((48, 64)).sum(axis=0) == 50, 255, grey).astype(
            np.uint8
        ),
    }
    flat = are_flat(unpack_hashes([perceptual_hash(picture) for picture in pictures.values()]))
    assert dict(zip(pictures, flat.tolist(), strict=True)) == {
        "black": True,
        "white": True,
        "a ramp": True,
        "a line of pixels": True,
        "noise": False,
        "a ramp with a spot": False,
    }


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30))), st.integers(1, 5))
def test_linked_positions_have_the_least_of_their_group(pairs: list[tuple[int, int]], calls: int) -> None:
    labels = np.arange(31)
    for call in range(calls):
        part = np.array(pairs[call::calls], dtype=np.int64).reshape(-1, 2)
        link(labels, (part[:, 0], part[:, 1]))
    expected = list(range(31))
    for _ in range(31):
        for one, other in pairs:
            expected[one] = expected[other] = min(expected[one], expected[other])
    assert labels.tolist() == expected

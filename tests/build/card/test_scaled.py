"""What the card says of the small pictures: the numbers of the measurement, and of the build."""

from __future__ import annotations

import re
from typing import Any

from rocov2_build.card.contents import Contents, SplitSize
from rocov2_build.card.scaled import DISTANCES, small_block
from tests.conftest import PROJECT


def contents(small: int | None, **plan: Any) -> Contents:
    sizes = {"default": {"train": SplitSize(9, 4_000_000, 1), "test": SplitSize(1, 2_000_000, 1)}}
    if small:
        sizes["small"] = {"train": SplitSize(9, 1_000_000, 1), "test": SplitSize(1, 500_000, 1)}
    return Contents(sizes, "1", None, dict.fromkeys(sizes, "0"), plan={"small": small, **plan})


def test_the_distances_are_those_of_the_measurement() -> None:
    page = (PROJECT / "docs/choosing.md").read_text()
    rows = re.findall(r"^\| real, 158 \| (\d+) × \d+ \| ([\d.]+) \| (\d+) \| ([\d.]+) dB \|", page, re.MULTILINE)
    assert {int(size): (float(mean), int(most), float(psnr)) for size, mean, most, psnr in rows} == DISTANCES
    text = small_block(contents(256))
    for distance in DISTANCES.values():
        assert (
            f"by {distance.mean} of 255 levels on average (99 % of the pixels by {distance.most} at most, PSNR "
            f"{distance.psnr} dB)" in text
        )


def test_sizes_and_side_are_those_of_the_build() -> None:
    text = small_block(contents(256))
    assert text.startswith("### Small pictures\n")
    assert "1.5 MB instead of 6.0 MB" in text
    assert "shorter side has 256 pixels" in text
    assert "adaptations" in text


def test_other_sides_were_not_measured() -> None:
    text = small_block(contents(128))
    assert "shorter side has 128 pixels" in text
    assert "Use `default` above 128 pixels" in text
    assert "PSNR" not in text


def test_without_small_pictures_nothing_is_said() -> None:
    assert small_block(contents(None)) == ""
    assert small_block() == ""

"""The benchmark of small pictures: it counts what it says, and takes the small pictures that a conversion makes."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner
from PIL import Image

from benchmarks.conversion import small
from rocov2_build.worker import scale
from rocov2_build.worker.jpeg import inspect
from tests.support.raw import jpeg


def test_it_compares_the_pictures_that_are_scaled_and_counts_the_bytes_of_all(tmp_path: Path) -> None:
    pictures = [jpeg(300, 280), jpeg(320, 300, "RGB"), jpeg(40, 32, "RGB")]
    for number, data in enumerate(pictures):
        (tmp_path / f"{number}.jpg").write_bytes(data)
    result = CliRunner().invoke(small.main, [str(tmp_path), "--rounds", "1"])
    assert result.exit_code == 0, result.output
    made = [inspect(data, "none", scale.SIDE).small for data in pictures]
    mean = sum(len(picture.data) for picture in made if picture) / len(pictures)
    share = mean * len(pictures) / sum(map(len, pictures))
    assert f"| all, 2 of 3 | {scale.QUALITY} | {mean:,.0f} | {share:.3f} | " in result.output
    assert f"| grey, 1 of 1 | {scale.QUALITY} | " in result.output
    assert "| decoded whole, Lanczos | " in result.output


def test_distances_of_known_pictures() -> None:
    distance = small.Distance()
    one = small.view(Image.new("L", (9, 9), 100), 10)
    distance.add(one, one)
    assert distance.row() == "0.00 | 0 | ∞ | 0.00"
    distance.add(one, one + 10)
    assert distance.row() == "5.00 | 10 | 31.1 | 10.00"  # 20 log10(255) - 10 log10(50)


def test_other_qualities_leave_the_chosen_one_as_it_is() -> None:
    picture = small.look_at(jpeg(300, 280))
    assert len(small.encoded(picture, 95)) > len(small.encoded(picture, 85))
    assert small.encoded(picture, scale.QUALITY) == getattr(
        inspect(picture.data, "none", scale.SIDE).small, "data", None
    )

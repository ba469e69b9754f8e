"""Sizes and counts, read and written: commands and arguments of functions take the same words for the same number."""

from __future__ import annotations

import click
import pytest

from rocov2_shared.sizes import format_count, format_size, parse_size
from rocov2_shared.terminal import Size
from rocov2_tasks.arguments import number_of_bytes


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("300MB", 300_000_000),
        ("8mb", 8_000_000),
        ("1.5GB", 1_500_000_000),
        ("64KiB", 65_536),
        ("8MiB", 8_388_608),
        ("8mib", 8_388_608),
        ("2G", 2_000_000_000),
        ("1TB", 10**12),
        ("4096", 4096),
        ("512B", 512),
        (" 7 kB ", 7000),
        ("9007199254740993", 9007199254740993),
        ("1" + "0" * 400, 2**63 - 1),
    ],
)
def test_a_size_is_the_same_number_in_a_command_and_in_an_argument(text: str, size: int) -> None:
    assert parse_size(text) == size
    assert Size().convert(text, None, None) == size
    assert number_of_bytes("window", text) == size


@pytest.mark.parametrize("text", ["", "MB", "-3MB", "0", "0.5B", "3PB", "3 4MB", "1e3", "0.0GB", "nan", "\u0663MB"])
def test_an_invalid_size_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(
        ValueError, match=r"^invalid size '.*': use a number above 0 with a unit, e\.g\. 300MB or 8MiB$"
    ):
        parse_size(text)
    with pytest.raises(click.BadParameter, match="300MB"):
        Size().convert(text, None, None)
    with pytest.raises(ValueError, match=r"^window='.*': expected a number of bytes"):
        number_of_bytes("window", text)


@pytest.mark.parametrize("value", [0, -1, 1.5, None, b"1", True])
def test_an_argument_that_is_no_positive_integer_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="expected a number of bytes"):
        number_of_bytes("window", value)  # type: ignore[arg-type]


def test_an_integer_is_a_number_of_bytes() -> None:
    assert number_of_bytes("window", 4096) == 4096


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1_000, "1.0 kB"),
        (71_400, "71 kB"),
        (6_323_004_731, "6.3 GB"),
        (5 * 10**12, "5000 GB"),
    ],
)
def test_sizes_are_shown(size: int, text: str) -> None:
    assert format_size(size) == text


@pytest.mark.parametrize(
    ("count", "nouns", "text"),
    [
        (0, ("problem",), "0 problems"),
        (1, ("problem",), "1 problem"),
        (2, ("problem",), "2 problems"),
        (79_789, ("image",), "79,789 images"),
        (1, ("repository", "repositories"), "1 repository"),
        (3, ("repository", "repositories"), "3 repositories"),
    ],
)
def test_counts_agree_with_their_noun(count: int, nouns: tuple[str, ...], text: str) -> None:
    assert format_count(count, *nouns) == text

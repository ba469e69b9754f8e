"""Text from outside, made safe to show."""

from __future__ import annotations

import pytest

from rocov2_shared.printable import is_utf8, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Röntgen – “5 cm” 肺.jpg", "Röntgen – “5 cm” 肺.jpg"),
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("\x9b31m\x7f", r"\x9b31m\x7f"),
        ("a\nb\tc\r", r"a\nb\tc\r"),
        ("a\u2028b\u202ec", r"a\u2028b\u202ec"),
        ("caf\udce9.zip", r"caf\udce9.zip"),
        ("", ""),
    ],
)
def test_what_is_not_printable_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(shown) == shown
    assert isinstance(shown.encode(), bytes)


def test_some_characters_may_be_kept() -> None:
    assert printable("a\n\tb\x1b", keep="\n\t") == "a\n\tb\\x1b"


def test_names_that_are_not_utf8() -> None:
    assert is_utf8("Röntgen\n")
    assert not is_utf8("caf\udce9")

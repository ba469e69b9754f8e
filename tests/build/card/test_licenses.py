"""LICENSE.md and the licences of the card: those of the build."""

from __future__ import annotations

import re
from typing import Any

import pytest

import rocov2
from rocov2_build.card.contents import Contents, SplitSize
from rocov2_build.card.licenses import known_licenses, license_table, license_text


def contents(release: str | None, *configs: str, licenses: tuple[str, ...] = ()) -> Contents:
    sizes = {config: {"train": SplitSize(4, 1, 1)} for config in ("default", *configs)}
    facts: dict[str, Any] = {"license": {name: {"train": 1} for name in licenses}}
    return Contents(sizes, release, None, dict.fromkeys(sizes, "0" * 64), facts if licenses else None)


def named(text: str) -> list[str]:
    return re.findall(r"^- `(.+?)`: ", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("built", "names"),
    [
        (None, ["CC BY", "CC BY-NC"]),
        (contents("2.0.1"), ["CC BY", "CC BY-NC"]),
        (contents(None), list(rocov2.LICENSES)),
        (contents(None, licenses=("CC BY",)), ["CC BY"]),
        (contents("sample", licenses=("CC BY-NC", "MIT")), ["CC BY-NC", "MIT"]),
    ],
)
def test_the_licences_that_occur_are_named(built: Contents | None, names: list[str]) -> None:
    text = license_text(built)
    assert named(text) == names
    for name in names:
        (line,) = [line for line in text.splitlines() if line.startswith(f"- `{name}`: ")]
        assert line.endswith(
            "Commercial use is allowed." if rocov2.LICENSES[name] else "Only non-commercial use is allowed."
        )
    assert ("version of the Creative Commons" in text) == any(name.startswith("CC") for name in names)
    assert ("sample release" in text) == (built is None)
    assert "<!--" not in text
    assert "\n\n\n" not in text


def test_only_configurations_that_were_built_are_named() -> None:
    assert "`commercial`" not in license_text(contents("1"))
    assert "`commercial` contains only" in license_text(contents("1", "commercial"))


def test_small_pictures_are_called_adaptations() -> None:
    assert "adaptations" not in license_text(contents("1"))
    assert "`small` and `mini` are adaptations: scaled down" in license_text(contents("1", "small", "mini"))


def test_numbers_and_shares_of_licences() -> None:
    facts = {"images": {"train": 4}, "license": {"CC BY": {"train": 3}, "CC BY-NC": {"train": 1}}}
    assert license_table(facts).splitlines()[2:] == ["| CC BY | yes | 3 (75.0 %) |", "| CC BY-NC | no | 1 (25.0 %) |"]


def test_the_known_licences_in_words() -> None:
    assert known_licenses() == (
        "Images of the releases are under CC BY or CC BY-NC, some of the sample also under MIT, BSD-3-Clause, Apache-2.0. "
        "All but CC BY-NC allow commercial use."
    )

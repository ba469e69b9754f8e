"""conversion.json: one writer and one reader, whose error says which file is damaged, how, and what to do."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from rocov2_shared.conversion import ConversionRecord, DamagedConversionError, read_conversion, write_conversion
from rocov2_shared.errors import UserError

CONVERSION = ConversionRecord(
    project={"name": "rocov2-hub", "version": "0"},
    release=None,
    partial=True,
    part="--limit 1",
    rows_sha256={"default": "0"},
    files={},
    image_modes={"L": 1},
    warnings={},
    noted=[],
    left_out=[],
    versions={},
    plan={"format": 1},
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_conversion(tmp_path, CONVERSION)
    for root in (str(tmp_path), tmp_path.as_uri()):
        assert read_conversion(root, lambda content: content, "") == CONVERSION
    assert list(json.loads((tmp_path / "conversion.json").read_bytes())) == list(ConversionRecord.__annotations__)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("{", "Expecting property name"),
        ("null", "it has another form"),
        ("[]", "it has another form"),
        ('{"plan": 1}', "it has another form"),
        ("{}", "'plan' is missing"),
        ('{"plan": {}}', "'format' is missing"),
    ],
)
def test_damage_is_reported_with_its_remedy(tmp_path: Path, content: str, found: str) -> None:
    (tmp_path / "conversion.json").write_text(content)
    path = re.escape(f"{tmp_path}/conversion.json")
    expected = rf"^{path} is damaged, expected the plan \({found}.*\): build it again$"
    with pytest.raises(DamagedConversionError, match=expected) as error:
        read_conversion(str(tmp_path), lambda content: content["plan"]["format"], "build it again", "the plan")
    assert isinstance(error.value, UserError)
    assert isinstance(error.value, ValueError)


def test_a_missing_file_is_not_damage(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"conversion\.json"):
        read_conversion(str(tmp_path), lambda content: content, "")

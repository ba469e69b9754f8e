"""Filters: what a text asks for, what is refused, and how values stand in copied code."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import pytest

from rocov2_tasks.explorer.filters import Filter, lower, python_code, sql_code, terms


def test_small_letters_are_those_of_duckdb() -> None:
    duckdb = pytest.importorskip("duckdb")
    # Letters that Unicode has had since 3.2: every version of both knows them.
    letters = [
        chr(code) for code in range(1, 0x110000) if unicodedata.ucd_3_2_0.category(chr(code)) not in ("Cn", "Cs")
    ]
    text = " ".join(letters) + " ΟΔΟΣ İstanbul"
    assert duckdb.execute("SELECT lower(?)", [text]).fetchall() == [(lower(text),)]


def test_text_is_words_and_phrases() -> None:
    assert terms('Axial  "Pleural Space" axial x') == ["axial", "pleural space", "x"]
    assert terms('  "" " " ') == []
    assert terms('5" tube "Open to the end') == ['5"', "tube", "open to the end"]
    assert terms("a\0b \ud800") == ["a", "b", "?"]


@pytest.mark.parametrize(
    "text", ["“Pleural Space” x", "„Pleural Space“ x", "« Pleural Space » x", "”Pleural Space” x", '“Pleural Space" x']
)
def test_quotes_of_any_shape_make_phrases(text: str) -> None:
    assert terms(text) == ["pleural space", "x"]
    assert terms(text.split(" x")[0][:-1]) == ["pleural space"]
    assert terms("patient’s 5”") == ["patient’s", "5”"]


def test_words_that_are_ids_ask_for_what_they_name() -> None:
    text = 'axial rocov2_2023_TEST_000001 ROCOv2_2023_valid_000002 pmc12 c0040405 "PMC13" PMC c12 rocov2_2023_test_1'
    assert terms(text) == ["axial", "pmc13", "pmc", "c12", "rocov2_2023_test_1"]
    sql = sql_code(Filter(text=text, cuis=("C0040405",)), ["f"])
    assert "image_id IN ('ROCOv2_2023_test_000001', 'ROCOv2_2023_valid_000002')\n" in sql
    assert "pmcid IN ('PMC12')\n" in sql
    assert sql.count("list_contains(cuis, 'C0040405')") == sql.count("list_contains") == 1


@pytest.mark.parametrize(
    ("most", "message"),
    [
        ({"text": " ".join(map(str, range(64)))}, "text: at most 64 words and phrases, got 65"),
        ({"text": "x" * 1_998}, "text: at most 2,000 characters, got 2,001"),
        ({"cuis": ("C0040405",) * 64}, "cuis: at most 64 concepts, got 65"),
    ],
    ids=["words", "characters", "concepts"],
)
def test_more_than_can_be_searched_for_is_refused(most: dict[str, Any], message: str) -> None:
    Filter(**most)
    ((field, value),) = most.items()
    more: dict[str, Any] = {
        field: (*value, "C0040406") if field == "cuis" else value + (" on" if " " in value else "xxx")
    }
    with pytest.raises(ValueError, match=re.escape(message)):
        Filter(**more)


def test_copied_sql_ends_before_the_note_of_its_last_condition() -> None:
    assert sql_code(Filter(modalities=("CT",)), ["f"]).endswith("WHERE modality IN (0);  -- CT\n")
    assert sql_code(Filter(), ["f"]).endswith("]);\n")


def test_values_are_quoted_in_copied_sql() -> None:
    sql = sql_code(Filter(text="it's"), ["a'b.parquet"])
    assert "'a''b.parquet'" in sql
    assert "contains(lower(caption), 'it''s')" in sql


def test_labels_are_named_in_copied_code() -> None:
    filter = Filter(modalities=("MRI",), regions=("chest", "pelvis"))
    for code, mark in ((sql_code(filter, ["f"]), "--"), (python_code(filter, "'f'", ["train"]), "#")):
        assert re.search(rf"2.*{mark} MRI$", code, re.MULTILINE)
        assert re.search(rf"0, 4.*{mark} chest, pelvis$", code, re.MULTILINE)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"splits": ("valid",)}, "splits: unknown 'valid', expected one of train, validation, test"),
        ({"modalities": ("CT", "x-ray")}, "modalities: unknown 'x-ray', expected one of CT, X-ray"),
        ({"regions": ("knee",)}, "regions: unknown 'knee', expected one of chest"),
        ({"licenses": ("GPL",)}, "licenses: unknown 'GPL', expected one of CC BY"),
        ({"cuis": ("C0040405", "chest")}, "cuis: 'chest' is not a CUI, expected C and seven digits"),
    ],
)
def test_what_cannot_be_is_refused_by_name(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        Filter(**fields)

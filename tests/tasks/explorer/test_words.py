"""Words: what a text asks for, and that DuckDB and Python find the same captions with it."""

from __future__ import annotations

import re
import unicodedata

import pytest

from rocov2_tasks.explorer.words import PYTHON, SQL, inner_stars, lower, pattern_of, terms

LETTERS = [chr(code) for code in range(1, 0x110000) if unicodedata.ucd_3_2_0.category(chr(code)) not in ("Cn", "Cs")]
"""Letters that Unicode has had since 3.2: every version of DuckDB and of Python knows them."""


def test_small_letters_are_those_of_duckdb() -> None:
    duckdb = pytest.importorskip("duckdb")
    text = " ".join(LETTERS) + " ΟΔΟΣ İstanbul"
    assert duckdb.execute("SELECT lower(?)", [text]).fetchall() == [(lower(text),)]


@pytest.mark.parametrize("part", ["begin", "letters", "spaces"])
def test_letters_and_spaces_are_the_same_for_duckdb_and_python(part: str) -> None:
    duckdb = pytest.importorskip("duckdb")
    sql, python = (f"^{getattr(syntax, part)}x" for syntax in (SQL, PYTHON))
    if part == "begin":
        sql, python = SQL.begin + "x", PYTHON.begin + "x"
    texts = [f"{letter}x" for letter in LETTERS]
    found = duckdb.execute("SELECT regexp_matches(x, ?) FROM (SELECT unnest(?) AS x)", [sql, texts]).fetchall()
    assert [match for (match,) in found] == [re.search(python, text) is not None for text in texts]


def test_text_is_words_and_phrases() -> None:
    assert terms('Axial  "Pleural Space" axial x') == ["axial", "pleural space", "x"]
    assert terms('  "" " " ') == []
    assert terms('5" tube "Open  to\nthe end') == ['5"', "tube", "open to the end"]
    assert terms("a\0b \ud800") == ["a", "b", "?"]
    assert terms('Pneumo* * ** "* *" **x') == ["pneumo*", "**x"]


@pytest.mark.parametrize(
    "text", ["“Pleural Space” x", "„Pleural Space“ x", "« Pleural Space » x", "”Pleural Space” x", '“Pleural Space" x']
)
def test_quotes_of_any_shape_make_phrases(text: str) -> None:
    assert terms(text) == ["pleural space", "x"]
    assert terms(text.split(" x")[0][:-1]) == ["pleural space"]
    assert terms("patient’s 5”") == ["patient’s", "5”"]


def test_words_that_are_ids_are_not_searched_in_captions() -> None:
    text = (
        'axial rocov2_2023_TEST_000001 ROCOv2_2023_valid_000002 pmc12 c0040405 "PMC13" PMC c12 rocov2_2023_test_1 pmc1*'
    )
    assert terms(text) == ["axial", "pmc13", "pmc", "c12", "rocov2_2023_test_1", "pmc1*"]


@pytest.mark.parametrize(
    ("term", "found", "left_out"),
    [
        (
            "ct",
            ["CT", "a CT.", "CT/MRI", "CT-guided", "(ct)", "pet_ct", "x\nCT\ny"],
            ["projection", "CTs", "ct2", "éct"],
        ),
        ("pet*", ["PET", "petrous", "FDG-PET/CT"], ["carpet", "spet"]),
        ("*graphy", ["Angiography", "graphy"], ["graphical", "angiographys"]),
        ("*pro*", ["projection", "anteroprojection"], ["pr o"]),
        ("hydro*sis", ["hydronephrosis", "hydrosis"], ["hydro nephrosis", "hydronephrosis2", "xhydrosis"]),
        ("pleural space", ["the pleural\r\nspace", "Pleural\xa0 Space."], ["pleural spaces", "pleuralspace"]),
        ("contrast enhanc*", ["contrast  enhancement"], ["contrastenhanced", "x contrast-enhanced"]),
        ("t2-weighted", ["T2-weighted"], ["t2 weighted", "pt2-weighted"]),
        ("(", ["a(b"], ["ab"]),
        ("5%", ["5%x", "15 5%"], ["15%", "5 %"]),
        ("c++", ["c++"], ["c+", "ccc"]),
        ("a.c", ["a.c"], ["abc"]),
        ("ödem", ["ÖDEM", "(Ödem)"], ["ödeme"]),
        ("οδοσ", ["ΟΔΟΣ"], ["ΟΔΟΣΟ"]),
        ("10", ["10", "x 10 mm"], ["100", "10²", "10mm"]),
    ],
)
def test_a_term_is_found_as_whole_words_and_stars_are_any_letters(
    term: str, found: list[str], left_out: list[str]
) -> None:
    duckdb = pytest.importorskip("duckdb")
    for captions, expected in ((found, True), (left_out, False)):
        for caption in captions:
            assert bool(re.search(pattern_of(term, PYTHON), lower(caption))) is expected, caption
            query = "SELECT regexp_matches(lower(?), ?)"
            assert duckdb.execute(query, [caption, pattern_of(term, SQL)]).fetchall() == [(expected,)], caption


def test_only_stars_inside_of_a_word_make_its_pattern_longer() -> None:
    assert [inner_stars(term) for term in ("ct", "*ct**", "a*b", "*a**b*c*")] == [0, 0, 1, 2]
    assert pattern_of("**ct**", SQL) == pattern_of("*ct*", SQL) == "ct"

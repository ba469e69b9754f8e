"""Filters: what is refused, and how values are written in copied code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rocov2_tasks.explorer.filters import Filter, python_code, sql_code


def test_words_that_are_ids_ask_for_what_they_name() -> None:
    text = 'axial rocov2_2023_TEST_000001 ROCOv2_2023_valid_000002 pmc12 c0040405 "PMC13" PMC c12 rocov2_2023_test_1'
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
        ({"text": "*a*b*c* d*e*f*g*h*i*j"}, "text: at most 8 * inside of words, got 9"),
    ],
    ids=["words", "characters", "concepts", "stars"],
)
def test_more_than_can_be_searched_for_is_refused(most: dict[str, Any], message: str) -> None:
    Filter(**most)
    ((field, value),) = most.items()
    longer = value + ("*k" if "*" in value else " on" if " " in value else "xxx") if field == "text" else None
    more: dict[str, Any] = {field: longer or (*value, "C0040406")}
    with pytest.raises(ValueError, match=re.escape(message)):
        Filter(**more)


@pytest.mark.parametrize(
    "filter", [Filter(), Filter(modalities=("CT",)), Filter(text="*/ a*/ /*b -- ; 'c'"), Filter(text="a\x85b\u2028 x")]
)
def test_copied_sql_ends_with_its_semicolon_and_runs_as_a_relation(filter: Filter, tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    sql = sql_code(filter, [str(tmp_path / "it's.parquet")])
    assert sql.endswith(";\n")
    table = pa.table({"caption": ["x", "*/ a*/ /*b -- ; 'c'", "a\x85b\u2028 x"], "modality": [0, 1, 2]})
    pq.write_table(table, tmp_path / "it's.parquet")
    relation = duckdb.connect().sql(sql)
    relation.show()
    found = relation.select("caption").fetchall()
    names: dict[str, Any] = {}
    code = python_code(filter, "'parquet', data_files='f'", ["train"])
    exec(code[: code.index("rows = ")], names)  # noqa: S102
    rows = table.to_pylist()
    wanted = names.get("wanted", lambda **columns: True)
    columns = wanted.__code__.co_varnames[: wanted.__code__.co_argcount]
    assert [caption for (caption,) in found] == [
        row["caption"] for row in rows if wanted(**{column: row[column] for column in columns})
    ]


def test_values_are_quoted_in_copied_sql() -> None:
    sql = sql_code(Filter(text="it's"), ["a'b.parquet"])
    assert "'a''b.parquet'" in sql
    assert r"regexp_matches(lower(caption), '(^|[^\p{L}\p{N}])it''s([^\p{L}\p{N}]|$)')" in sql


def test_labels_are_named_in_copied_code() -> None:
    filter = Filter(modalities=("MRI",), regions=("chest", "pelvis"))
    for code, begin, end in (
        (sql_code(filter, ["f"]), r"/\*", r" \*/;?"),
        (python_code(filter, "'f'", ["train"]), "#", ""),
    ):
        assert re.search(rf"2.*{begin} MRI{end}$", code, re.MULTILINE)
        assert re.search(rf"0, 4.*{begin} chest, pelvis{end}$", code, re.MULTILINE)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"splits": ("valid",)}, "splits: unknown 'valid', expected one of train, validation, test"),
        ({"modalities": ("CT", "x-ray")}, "modalities: unknown 'x-ray', expected one of CT, X-ray"),
        ({"regions": ("knee",)}, "regions: unknown 'knee', expected one of chest"),
        ({"directions": ("up",)}, "directions: unknown 'up', expected one of AP"),
        ({"licenses": ("GPL",)}, "licenses: unknown 'GPL', expected one of CC BY"),
        ({"cuis": ("C0040405", "chest")}, "cuis: 'chest' is not a CUI, expected C and seven digits"),
    ],
)
def test_what_cannot_be_is_refused_by_name(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        Filter(**fields)

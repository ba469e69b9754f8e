"""Wrong rows: one value that no conversion writes, in a repository whose records, hashes, footers and texts agree with it."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rocov2 import CONFIGS, SPLITS
from tests.support.breaking import follow, read_rows, write_rows
from tests.support.row_changes import (
    Change,
    add_concept,
    all_but_last,
    double_row,
    drop_row,
    edit_row,
    end_cuis_with,
    has_names,
    is_xray,
    link_to,
    lose_key,
    move_curated,
    of_another_row,
    one_more,
    repeat_concept,
    repeat_row,
    set_id,
    set_image,
    set_to,
    swap_rows,
    swap_rows_of_text,
)


@dataclass(frozen=True)
class WrongRows:
    """One kind of wrong rows: `WRONG_ROWS[3](root)` spoils the repository in the folder `root`.

    Attributes:
        kind: kind of the file that is changed: `data`, `text` or `vocabulary`.
        name: what is wrong, in a few words.
        rule: the rule that finds it.
        change: changes the rows of a file.
        splits: splits whose files may be changed.
    """

    kind: str
    name: str
    rule: str
    change: Change
    splits: tuple[str, ...] = tuple(SPLITS)

    def __call__(self, root: Path, seed: int = 0) -> str:
        """Spoil a repository; `seed` chooses the file and the rows. Returns what the message has to name."""
        chosen = random.Random(seed)
        files = [
            path.relative_to(root).as_posix()
            for path in sorted((root / self.kind).glob("*.parquet"))
            if self.kind == "vocabulary" or path.name.startswith(self.splits)
        ]
        for file in chosen.sample(files, len(files)):
            rows = read_rows(root, file)
            try:
                named = self.change(rows, chosen)
            except (IndexError, ValueError):  # no row of the file, or too few, can be changed so
                continue
            write_rows(root, file, rows)
            if self.kind == "data":
                follow(root, file)
            return named
        raise LookupError(f"no file of {root} has rows for: {self.name}")


def _nulls(columns: dict[str, Any], kind: str) -> list[WrongRows]:
    return [WrongRows(kind, f"no {name}", "null", set_to(name, None)) for name, known in columns.items() if known]


_TEXT_COLUMNS = {name: not column.nullable for name, column in CONFIGS["text"].columns.items() if name != "image_id"}
_XRAY, _CT, _CHEST = "C1306645", "C0040405", "C0817096"

WRONG_ROWS = (
    WrongRows("data", "path of another row", "image-path", of_another_row),
    WrongRows("data", "empty path", "image-path", set_image("path", "")),
    WrongRows("data", "path in a folder", "image-path", set_image("path", "../x.jpg")),
    WrongRows("data", "no path", "null", set_image("path", None)),
    WrongRows("data", "no image", "null", set_to("image", None)),
    WrongRows("data", "no bytes", "null", set_image("bytes", None)),
    WrongRows("data", "empty bytes", "image", set_image("bytes", b"")),
    WrongRows("data", "bytes that are not a JPEG", "image", set_image("bytes", b"GIF89a")),
    WrongRows("data", "other width", "image-size", set_to("width", lambda row: row["width"] + 1)),
    WrongRows("data", "height of nothing", "image-size", set_to("height", 0)),
    WrongRows("data", "negative width", "image-size", set_to("width", -1)),
    *_nulls(_TEXT_COLUMNS, "data"),
    WrongRows("data", "no id", "null", set_id(lambda _: None)),
    WrongRows(
        "data", "id of another split", "image-id", set_id(lambda old: old.replace("_train_", "_valid_")), ("train",)
    ),
    WrongRows(
        "data", "id of train in test", "image-id", set_id(lambda old: old.replace("_test_", "_train_")), ("test",)
    ),
    WrongRows(
        "data",
        "id with the split's own name",
        "image-id",
        set_id(lambda old: old.replace("_valid_", "_validation_")),
        ("validation",),
    ),
    WrongRows("data", "id of five digits", "image-id", set_id(lambda old: old[:-6] + old[-5:])),
    WrongRows("data", "id of seven digits", "image-id", set_id(lambda old: old[:-6] + "0" + old[-6:])),
    WrongRows("data", "id of other digits", "image-id", set_id(lambda old: old[:-1] + "\u0663")),
    WrongRows("data", "id in small letters", "image-id", set_id(str.lower)),
    WrongRows("data", "id with a path", "image-id", set_id(lambda old: f"../{old}")),
    WrongRows("data", "id twice", "duplicate-id", repeat_row),
    WrongRows("data", "blank caption", "empty-value", set_to("caption", " \n\t")),
    WrongRows("data", "empty caption", "empty-value", set_to("caption", "")),
    WrongRows("data", "empty attribution", "empty-value", set_to("attribution", "")),
    WrongRows(
        "data", "no concepts", "empty-value", edit_row(lambda row: row.update(cuis=[], concept_names=[]), has_names)
    ),
    WrongRows("data", "null among cuis", "null", set_to("cuis", lambda row: [None, *row["cuis"][1:]])),
    WrongRows(
        "data",
        "null among concept_names",
        "null",
        set_to("concept_names", lambda row: [None, *row["concept_names"][1:]]),
    ),
    WrongRows("data", "null among manual_cuis", "null", set_to("manual_cuis", lambda row: [*row["manual_cuis"], None])),
    *(
        WrongRows("data", f"{name} {code!r}", "cui", end_cuis_with(code))
        for name, code in {
            "short concept": "C004040",
            "empty concept": "",
            "concept in a small letter": "c0040405",
            "concept with a blank": "C0040405 ",
            "two concepts in one": "C0040405;C1306645",
            "concept with other digits": "C٠١٢٣٤٥٦",
        }.items()
    ),
    WrongRows(
        "data", "malformed curated concept", "cui", set_to("manual_cuis", lambda row: [*row["manual_cuis"], "C1"])
    ),
    WrongRows("data", "a name too few", "concept-names", set_to("concept_names", all_but_last("concept_names"))),
    WrongRows(
        "data", "a name too many", "concept-names", set_to("concept_names", lambda row: [*row["concept_names"], "more"])
    ),
    WrongRows("data", "a concept too few", "concept-names", set_to("cuis", all_but_last("cuis"), has_names)),
    WrongRows(
        "data",
        "names in another order",
        "concept-names",
        set_to("concept_names", lambda row: row["concept_names"][::-1], has_names),
    ),
    WrongRows(
        "data",
        "another name",
        "concept-names",
        set_to("concept_names", lambda row: ["Chests", *row["concept_names"][1:]]),
    ),
    WrongRows(
        "data", "empty name", "concept-names", set_to("concept_names", lambda row: ["", *row["concept_names"][1:]])
    ),
    WrongRows(
        "data",
        "the CUI for a known name",
        "concept-names",
        edit_row(
            lambda row: row["concept_names"].__setitem__(0, row["cuis"][0]),
            lambda row: row["concept_names"][0] != row["cuis"][0],
        ),
    ),
    WrongRows("data", "another modality", "curated", set_to("modality", lambda row: (row["modality"] + 1) % 7)),
    WrongRows("data", "another region", "curated", set_to("region", lambda row: 7 if row["region"] == 0 else 0)),
    WrongRows(
        "data",
        "no region of a list with one",
        "curated",
        set_to("region", None, lambda row: row["region"] is not None),
        ("train",),
    ),
    WrongRows(
        "data", "another direction", "curated", set_to("direction", lambda row: 3 if row["direction"] == 0 else 0)
    ),
    WrongRows(
        "data",
        "other curated concepts",
        "curated",
        set_to("manual_cuis", [_XRAY, _CHEST], lambda row: not is_xray(row)),
    ),
    WrongRows("data", "two modalities", "curated", set_to("manual_cuis", [_XRAY, _CT])),
    WrongRows("data", "curated concepts without a modality", "curated", set_to("manual_cuis", [_CHEST])),
    WrongRows(
        "data",
        "unknown curated concept",
        "curated",
        set_to("manual_cuis", lambda row: [*row["manual_cuis"], "C0000001"]),
    ),
    *(
        WrongRows("data", f"{name} {value}", "label", set_to(name, value))
        for name, value in (
            ("modality", 7),
            ("modality", -1),
            ("region", 8),
            ("direction", 2**40),
            ("direction", -(2**63)),
        )
    ),
    WrongRows("data", "unknown licence", "license", set_to("license", "CC0")),
    WrongRows(
        "data",
        "licence of the other group",
        "license",
        set_to("license", lambda row: "CC BY" if "NC" in row["license"] else "CC BY-NC"),
    ),
    WrongRows("data", "licence in other letters", "license", set_to("license", lambda row: row["license"].lower())),
    *(
        WrongRows("data", f"article {value!r}", "source", set_to("pmcid", value))
        for value in ("", "PMC", "pmc1", "12345", "PMC1 ", "PMC1\n", "PMC١")
    ),
    *(
        WrongRows("data", f"link {value!r}", "source", link_to(value))
        for value in (
            "",
            "none",
            "javascript:alert(1)//{}",
            "ftp://ncbi.nlm.nih.gov/{}",
            "https://{}",
            "https:///{}",
            "https://a b/{}",
            "https://ncbi.nlm.nih.gov/{}?x=1",
            "https://ncbi.nlm.nih.gov/{}0",
            "https://ncbi.nlm.nih.gov/x{}",
            " https://ncbi.nlm.nih.gov/{}",
            "https://ncbi.nlm.nih.gov/{}\n",
        )
    ),
    WrongRows("data", "another article than the link", "source", set_to("pmcid", "PMC99999999")),
    WrongRows(
        "data",
        "other flag of the article",
        "article",
        set_to("article_in_other_split", lambda row: not row["article_in_other_split"]),
    ),
    WrongRows("data", "rows of train in another order", "row-order", swap_rows, ("train",)),
    WrongRows("data", "rows of test in another order", "release-order", swap_rows, ("validation", "test")),
    WrongRows("data", "concept twice in a list", "concept-lists", edit_row(repeat_concept, has_names)),
    WrongRows(
        "data",
        "curated concepts last",
        "concept-lists",
        edit_row(move_curated, lambda row: len(row["cuis"]) > 1 and bool(row["manual_cuis"])),
    ),
    *(
        WrongRows("text", f"other {name} in text", "text-order", set_to(name, value))
        for name, value in (
            ("caption", "other"),
            ("cuis", ["C0000001"]),
            ("width", 1),
            ("region", 3),
            ("url", "https://a.b/PMC1"),
            ("license", "MIT"),
        )
    ),
    WrongRows("text", "rows of text in another order", "text-order", swap_rows_of_text),
    WrongRows("text", "a row of text too few", "text-order", drop_row),
    WrongRows("text", "a row of text too many", "text-order", double_row),
    WrongRows("vocabulary", "no cui", "null", lose_key),
    *_nulls({"kind": True, "train": True, "test": True}, "vocabulary"),
    WrongRows("vocabulary", "concept of another form", "cui", set_to("cui", "C1")),
    WrongRows("vocabulary", "concept missing", "vocabulary", drop_row),
    WrongRows("vocabulary", "concept twice", "vocabulary", double_row),
    WrongRows("vocabulary", "concept of no image without a name", "vocabulary", add_concept),
    WrongRows("vocabulary", "empty name", "vocabulary", set_to("name", " ")),
    WrongRows(
        "vocabulary",
        "another kind",
        "vocabulary",
        set_to("kind", lambda row: "region" if row["kind"] != "region" else "concept"),
    ),
    *(WrongRows("vocabulary", f"other count of {split}", "vocabulary", one_more(split)) for split in SPLITS),
    WrongRows("vocabulary", "concepts in another order", "vocabulary", swap_rows),
    WrongRows("vocabulary", "another name", "concept-names", set_to("name", "another", lambda row: row["train"] > 0)),
    WrongRows(
        "vocabulary",
        "no name of a named concept",
        "concept-names",
        set_to("name", None, lambda row: row["train"] > 0 and row["name"] is not None),
    ),
)
"""Every kind."""

"""Changes of the rows of one file; each returns the id or the concept of the row that a check has to name."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any

from rocov2 import SPLITS

Row = dict[str, Any]
Change = Callable[[list[Row], random.Random], str]


def set_to(column: str, value: Any | Callable[[Row], Any], fits: Callable[[Row], bool] = lambda row: True) -> Change:
    """Give one row that `fits` another value in a column."""

    def change(rows: list[Row], chosen: random.Random) -> str:
        row = chosen.choice([row for row in rows if fits(row)])
        row[column] = value(row) if callable(value) else value
        return str(row.get("image_id", row.get("cui")))

    return change


def lose_key(rows: list[Row], chosen: random.Random) -> str:
    row = chosen.choice(rows)
    row["cui"] = None
    return f"row {rows.index(row)}"


def set_image(part: str, value: Any) -> Change:
    return set_to("image", lambda row: row["image"] | {part: value})


def set_id(value: Callable[[str], str | None]) -> Change:
    """Give one row another id, in `image_id` and in the path of its image."""

    def change(rows: list[Row], chosen: random.Random) -> str:
        row = chosen.choice(rows)
        new = value(row["image_id"])
        row["image_id"] = new
        row["image"] = row["image"] | {"path": f"{new}.jpg"}
        return f"row {rows.index(row)}" if new is None else new

    return change


def of_another_row(rows: list[Row], chosen: random.Random) -> str:
    one, other = chosen.sample(range(len(rows)), 2)
    rows[one]["image"] = rows[one]["image"] | {"path": rows[other]["image"]["path"]}
    return str(rows[one]["image_id"])


def repeat_row(rows: list[Row], chosen: random.Random) -> str:
    one, other = chosen.sample(range(len(rows)), 2)
    rows[one] = copy.deepcopy(rows[other])
    return str(rows[one]["image_id"])


def swap_rows(rows: list[Row], chosen: random.Random) -> str:
    first = chosen.randrange(len(rows) - 1)
    rows[first], rows[first + 1] = rows[first + 1], rows[first]
    return str(rows[first + 1].get("image_id", rows[first].get("cui")))


def swap_rows_of_text(rows: list[Row], chosen: random.Random) -> str:
    swap_rows(rows, chosen)
    return "text"


def drop_row(rows: list[Row], chosen: random.Random) -> str:
    return str(rows.pop(chosen.randrange(len(rows))).get("cui", "text"))


def double_row(rows: list[Row], chosen: random.Random) -> str:
    row = chosen.choice(rows)
    rows.append(copy.deepcopy(row))
    return str(row.get("cui", "text"))


def add_concept(rows: list[Row], chosen: random.Random) -> str:
    rows.append(rows[-1] | {"cui": "C9999999", "name": None, "kind": "concept"} | dict.fromkeys(SPLITS, 0))
    return "C9999999"


def repeat_concept(row: Row) -> None:
    row["cuis"].append(row["cuis"][0])
    row["concept_names"].append(row["concept_names"][0])


def move_curated(row: Row) -> None:
    for name in ("cuis", "concept_names"):
        row[name].append(row[name].pop(0))


def edit_row(edit: Callable[[Row], None], fits: Callable[[Row], bool]) -> Change:
    def change(rows: list[Row], chosen: random.Random) -> str:
        row = chosen.choice([row for row in rows if fits(row)])
        edit(row)
        return str(row["image_id"])

    return change


def end_cuis_with(code: str) -> Change:
    return set_to("cuis", lambda row: [*row["cuis"][:-1], code])


def link_to(url: str) -> Change:
    return set_to("url", lambda row: url.format(row["pmcid"]))


def one_more(column: str) -> Change:
    return set_to(column, lambda row: row[column] + 1)


def has_names(row: Row) -> bool:
    return len(row["cuis"]) > 1


def is_xray(row: Row) -> bool:
    return bool(row["modality"] == 1)


def all_but_last(name: str) -> Callable[[Row], Any]:
    return lambda row: row[name][:-1]

"""The card's pictures, for which matplotlib has to be installed (the extra `card`)."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rocov2_build.card.blocks import Picture


def can_draw() -> bool:
    """Whether matplotlib is there."""
    return find_spec("matplotlib") is not None


def draw_pictures(repository: Path, facts: dict[str, Any]) -> tuple[Picture | None, list[Picture]]:
    """Draw the contact sheet and the charts into `assets/` of a repository.

    Args:
        repository: its folder.
        facts: content of its `facts.json`.

    Returns:
        The contact sheet, None where no image can be shown; and the charts.
    """
    from rocov2_build.card.charts import write_charts  # slow to import
    from rocov2_build.card.contact_sheet import write_sheet

    (repository / "assets").mkdir(exist_ok=True)
    return write_sheet(repository), write_charts(repository, facts)

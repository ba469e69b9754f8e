"""What a card describes: the contents of a repository, as plain data."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import Any

from rocov2_build.card.markdown import escape_markdown
from rocov2_build.raw.releases import LATEST, SAMPLE

_RELEASE_NAMES = {SAMPLE: SAMPLE, None: "unknown release"}


@dataclass
class SplitSize:
    """One split of a configuration: rows, bytes of its files, and bytes of its columns before compression."""

    rows: int = 0
    download: int = 0
    uncompressed: int = 0


@dataclass(frozen=True)
class Picture:
    """A picture of the card: its file in the repository, and its alternative text."""

    path: str
    alternative: str

    def markdown(self) -> str:
        """Return the picture as Markdown; its text may contain captions, and is shown as it is."""
        return f"![{escape_markdown(self.alternative)}]({self.path})"

    def html(self, width: int) -> str:
        """Return the picture as HTML, `width` pixels wide where there is room: Markdown knows no width."""
        alternative = html.escape(" ".join(self.alternative.split()))
        return f'<img src="{self.path}" alt="{alternative}" width="{width}">'


@dataclass(frozen=True)
class Contents:
    """The contents of a repository, for its card.

    Attributes:
        sizes: by configuration and split, those that have rows.
        release: name of the release, `sample`, or None.
        part: options that made it a part of the release (`--limit 100`), None for the whole.
        identity: by configuration, hash of its rows.
        facts: its numbers, as in `facts.json`; None if nothing is built.
        plan: everything that decided the bytes of its files, as in `conversion.json`.
        first: its first row, without the image.
        sheet: the contact sheet, None if there is none.
        shown: the rows of the images on the sheet, in its order.
        charts: the other pictures.
        turned: number of images that their metadata turn.
        left_out: number of images of the release that were left out, since they are at fault.
    """

    sizes: dict[str, dict[str, SplitSize]]
    release: str | None
    part: str | None = None
    identity: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] | None = None
    plan: dict[str, Any] = field(default_factory=dict)
    first: dict[str, Any] | None = None
    sheet: Picture | None = None
    shown: list[dict[str, Any]] = field(default_factory=list)
    charts: list[Picture] = field(default_factory=list)
    turned: int = 0
    left_out: int = 0

    @property
    def partial(self) -> bool:
        """Whether this is only a part of a release, or the sample."""
        return self.part is not None or self.release == SAMPLE

    @property
    def title(self) -> str:
        """The addition to the title if this is not the whole latest release."""
        marks = [
            "" if self.release == LATEST else _RELEASE_NAMES.get(self.release, f"release {self.release}"),
            "partial" if self.partial else "",
        ]
        return f" ({', '.join(filter(None, marks))})" if any(marks) else ""

    @property
    def splits(self) -> list[str]:
        """The splits of the images that have rows."""
        return list(self.sizes.get("default", {}))

    @property
    def images(self) -> int:
        """Number of images."""
        return sum(size.rows for size in self.sizes.get("default", {}).values())

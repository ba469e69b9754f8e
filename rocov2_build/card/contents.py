"""What a card describes: the contents of a repository, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rocov2_build.card.markdown import escape_markdown
from rocov2_build.raw.releases import LATEST, SAMPLE


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


@dataclass(frozen=True)
class Contents:
    """The contents of a repository, for its card.

    Attributes:
        sizes: by configuration and split, those that have rows.
        release: name of the release, `sample`, or None.
        part: options that made it a part of the release (`--limit 100`), None for the whole.
        identity: by configuration, hash of its rows.
        facts: its numbers, as in `facts.json`; None if nothing is built.
        inputs: by file of the raw release, what identifies its content (`RawRelease.files`).
        examples: the contact sheet, None if there is none.
        charts: the other pictures.
        turned: number of images that their metadata turn.
    """

    sizes: dict[str, dict[str, SplitSize]]
    release: str | None
    part: str | None = None
    identity: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] | None = None
    inputs: dict[str, dict[str, int | str]] = field(default_factory=dict)
    examples: Picture | None = None
    charts: list[Picture] = field(default_factory=list)
    turned: int = 0

    @property
    def partial(self) -> bool:
        """Whether this is only a part of a release, or the sample."""
        return self.part is not None or self.release == SAMPLE

    @property
    def title(self) -> str:
        """The addition to the title if this is not the whole latest release."""
        marks = [
            "" if self.release == LATEST else self.release or "unknown release",
            "partial" if self.partial else "",
        ]
        return f" ({', '.join(filter(None, marks))})" if any(marks) else ""

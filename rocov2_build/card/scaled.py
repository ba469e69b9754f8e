"""What the card says of the small pictures: what was changed, how far they are from the full ones, when not to use them."""

from __future__ import annotations

from typing import NamedTuple

from rocov2_build.card.contents import Contents
from rocov2_build.worker.scale import SIDE
from rocov2_shared.sizes import format_size


class Distance(NamedTuple):
    """How far a small picture is from the full one, both read at one size, in levels of 0 to 255.

    Attributes:
        mean: mean difference.
        most: what 99 % of the pixels differ by at most.
        psnr: peak signal-to-noise ratio in dB.
    """

    mean: float
    most: int
    psnr: float


DISTANCES = {224: Distance(1.06, 7, 42.4), 336: Distance(1.68, 15, 36.7)}
"""By the side to which both are scaled, for small pictures with a shorter side of 256 pixels, measured by
`benchmarks/conversion/small.py` on 160 figures of open-access articles. `docs/choosing.md` has the whole table."""


_GAIN = ", and a training that waits for decoding gets two and a half to four times as many images"
"""`docs/streaming.md` and `docs/choosing.md` have the measurements."""


def small_block(contents: Contents | None = None) -> str:
    """Return the section on the small pictures; empty if there are none.

    Args:
        contents: of the repository, None for the project's page, which has a page of its own on them.
    """
    if contents is None or "small" not in contents.sizes:
        return ""
    side = contents.plan.get("small", SIDE)
    bytes_ = {config: sum(size.download for size in contents.sizes[config].values()) for config in ("default", "small")}
    return "\n\n".join(
        [
            "### Small pictures",
            "`small` has the rows of `default` in the same order, `mini` a few of them. Their pictures are scaled so that "
            f"the shorter side has {side} pixels (Lanczos; orientation applied, grey stays grey, no metadata) and encoded "
            "again as JPEG; one that is as small already keeps its bytes. "
            f"{format_size(bytes_['small'])} instead of {format_size(bytes_['default'])}"
            f"{_GAIN if side == SIDE else ''}. `width` and `height` are those of the small picture. "
            "**They are adaptations** in the sense of the Creative Commons licences: if you share one, say that it was "
            "changed, beside the credit.",
            f"{_distances() if side == SIDE else ''}Use `default` above {side} pixels, for findings of a few pixels and text "
            "in the picture, to crop, to measure, and for results that others compare at a higher resolution; say which "
            "configuration was used.",
        ]
    )


def _distances() -> str:
    parts = (
        f"at {size} pixels by {it.mean} of 255 levels on average (99 % of the pixels by {it.most} at most, PSNR {it.psnr} dB)"
        for size, it in DISTANCES.items()
    )
    return f"Read at the same size, they differ from the full pictures {' and '.join(parts)}, on 160 figures of this kind. "

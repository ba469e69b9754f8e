"""Rules of the images: each opens, in a mode that the viewer can show, and has the size that its row gives."""

from __future__ import annotations

import io
from typing import NamedTuple

import pyarrow as pa
from PIL import Image

from rocov2_build.checks.viewer import SAVED_MODES
from rocov2_build.checks.violations import Check
from rocov2_build.worker.jpeg import inspect
from rocov2_build.worker.member import BadImageError
from rocov2_build.worker.verification import Verification


def check_modes(check: Check, image_modes: dict[str, int]) -> None:
    """Check the modes of the images, by the counts that `conversion.json` records."""
    for mode, count in image_modes.items():
        if mode not in SAVED_MODES:
            found = f"{count} of mode {mode}"
            check.add("image-mode", "conversion.json", expected=f"images of mode {', '.join(SAVED_MODES)}", found=found)


def check_turned(check: Check, turned: object) -> None:
    """Check that no image is turned by its metadata, by the count that `conversion.json` records."""
    if turned:
        check.add("turned-image", "conversion.json", expected="no turned image", found=turned)


class ImageFault(NamedTuple):
    """An image that breaks a rule."""

    rule: str
    image_id: str
    expected: str
    found: str


def inspect_images(table: pa.Table, verify: Verification) -> list[ImageFault]:
    """Return the images of a row group that do not open, have a wrong mode, or another size than their row gives.

    Args:
        table: rows with `image`, `image_id`, `width` and `height`.
        verify: how much of each image is read.
    """
    faults = []
    for row in table.select(["image", "image_id", "width", "height"]).to_pylist():
        data, image_id = (row["image"] or {}).get("bytes") or b"", str(row["image_id"])
        try:
            image = inspect(data, verify)
        except BadImageError as error:
            mode = _other_mode(data) if error.code == "not-a-jpeg" else None
            if mode is None or mode in SAVED_MODES:
                faults.append(ImageFault("image", image_id, error.expected, error.found))
            else:
                expected = f"an image of mode {', '.join(SAVED_MODES)}"
                faults.append(ImageFault("image-mode", image_id, expected, f"one of mode {mode}"))
            continue
        if None not in (row["width"], row["height"]) and (row["width"], row["height"]) != (image.width, image.height):
            found = f"{row['width']} x {row['height']}"
            faults.append(ImageFault("image-size", image_id, f"{image.width} x {image.height}", found))
    return faults


def _other_mode(data: bytes) -> str | None:
    """Return the mode of an image of another format than JPEG; None if it does not open."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return image.mode
    except Exception:  # Pillow's plugins raise various exceptions on damaged images
        return None

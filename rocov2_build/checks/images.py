"""Rules of the images: each opens, in a mode that the viewer can show, and has the size that its row gives."""

from __future__ import annotations

import io

import pyarrow as pa
from PIL import Image

from rocov2_build.checks.viewer import SAVED_MODES
from rocov2_build.checks.violations import Check
from rocov2_build.worker.jpeg import inspect
from rocov2_build.worker.member import BadImageError


def check_modes(check: Check, image_modes: dict[str, int]) -> None:
    """Check the modes of the images, by the counts that `conversion.json` records."""
    for mode, count in image_modes.items():
        if mode not in SAVED_MODES:
            found = f"{count} of mode {mode}"
            check.add("image-mode", "conversion.json", expected=f"images of mode {', '.join(SAVED_MODES)}", found=found)


def decode_images(check: Check, file: str, table: pa.Table) -> None:
    """Decode the images of a row group, and compare their sizes with their rows."""
    for row in table.select(["image", "image_id", "width", "height"]).to_pylist():
        where = f"{file} {row['image_id']}"
        data = (row["image"] or {}).get("bytes") or b""
        try:
            image = inspect(data)
        except BadImageError as error:
            mode = _other_mode(data) if error.code == "not-a-jpeg" else None
            if mode is None or mode in SAVED_MODES:
                check.add("image", where, expected=error.expected, found=error.found)
            else:
                expected = f"an image of mode {', '.join(SAVED_MODES)}"
                check.add("image-mode", where, expected=expected, found=f"one of mode {mode}")
            continue
        if (row["width"], row["height"]) != (image.width, image.height):
            found = f"{row['width']} x {row['height']}"
            check.add("image-size", where, expected=f"{image.width} x {image.height}", found=found)


def _other_mode(data: bytes) -> str | None:
    """Return the mode of an image of another format than JPEG; None if it does not open."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return image.mode
    except Exception:  # Pillow's plugins raise various exceptions on damaged images
        return None

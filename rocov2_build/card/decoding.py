"""Pictures of a built repository as readers see them, for the contact sheet and the preview."""

from __future__ import annotations

import io

from PIL import Image, ImageOps

from rocov2_build.worker.jpeg import inspect
from rocov2_build.worker.member import BadImageError


def decode(data: bytes) -> Image.Image:
    """Return the picture of a JPEG in RGB, its orientation applied.

    A build with `--verify none` or `markers` has decoded nothing, and a stranger's repository may contain anything. So the
    JPEG is verified here, its header before a decoder gets it.

    Raises:
        BadImageError: the JPEG is damaged, or of a kind that not every reader decodes.
    """
    inspect(data)
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
            return ImageOps.exif_transpose(image).convert("RGB")
    except Exception as error:  # Pillow raises various exceptions on damage
        raise BadImageError("damaged-jpeg", "a JPEG that decodes", f"{type(error).__name__}: {error}") from error

"""How much of each image is checked: the choices of `--verify` and their words."""

from __future__ import annotations

import enum


class Verification(enum.StrEnum):
    """How much of each image is checked; equal to its name on the command line."""

    STRICT = "strict"  # a strict decode
    MARKERS = "markers"  # the markers up to the end marker
    NONE = "none"  # the header alone

    @property
    def result(self) -> str:
        """Return what is known of the images of a finished build."""
        return _RESULTS[self]


_RESULTS = {
    Verification.STRICT: "every image verified",
    Verification.MARKERS: "every image complete up to its end marker",
    Verification.NONE: "images not verified",
}

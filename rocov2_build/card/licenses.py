"""The licences of the images, for the card and LICENSE.md."""

from __future__ import annotations

from typing import Any

import rocov2
from rocov2_build.card.contents import Contents
from rocov2_build.card.tables import format_share, markdown_table
from rocov2_build.card.texts import LICENSE, fill, read_text
from rocov2_build.raw.releases import LATEST, RELEASES

_TEXTS = {
    "CC BY": "Creative Commons Attribution, <https://creativecommons.org/licenses/by/4.0/>",
    "CC BY-NC": "Creative Commons Attribution-NonCommercial, <https://creativecommons.org/licenses/by-nc/4.0/>",
    "MIT": "MIT License, <https://spdx.org/licenses/MIT.html>",
    "BSD-3-Clause": "BSD 3-Clause License, <https://spdx.org/licenses/BSD-3-Clause.html>",
    "Apache-2.0": "Apache License 2.0, <https://spdx.org/licenses/Apache-2.0.html>",
}
_USE = {True: "Commercial use is allowed.", False: "Only non-commercial use is allowed."}


def license_table(facts: dict[str, Any]) -> str:
    """Return the licences of the images with their numbers as Markdown."""
    counted: dict[str, dict[str, int]] = facts["license"]
    images: dict[str, int] = facts["images"]
    rows = [
        [name, _commercial_use(name), *(format_share(counts[split], images[split]) for split in images)]
        for name, counts in counted.items()
    ]
    return markdown_table(["licence", "commercial use", *images], rows)


def known_licenses() -> str:
    """Return the licences that an image of a release, or of the sample, may have, in words."""
    of_releases = {name for release in RELEASES.values() for name in release.licenses}
    released = [name for name in rocov2.LICENSES if name in of_releases]
    others = [name for name in rocov2.LICENSES if name not in of_releases]
    closed = [name for name, is_commercial in rocov2.LICENSES.items() if not is_commercial]
    return (
        f"Images of the releases are under {' or '.join(released)}, some of the sample also under {', '.join(others)}. All "
        f"but {' and '.join(closed)} allow commercial use."
    )


def _commercial_use(name: str) -> str:
    return "yes" if rocov2.LICENSES[name] else "no"


def license_text(contents: Contents | None = None) -> str:
    """Return LICENSE.md.

    Args:
        contents: of the repository, None for the project, which describes the latest release.
    """
    names = _names(contents)
    licenses = "\n".join(f"- `{name}`: {_TEXTS[name]}. {_USE[rocov2.LICENSES[name]]}" for name in names)
    configs = contents.sizes if contents else rocov2.CONFIGS
    blocks = {
        "licenses": licenses,
        "versions": _VERSIONS if any(name.startswith("CC ") for name in names) else "",
        "commercial": _COMMERCIAL if "commercial" in configs else "",
        "adapted": _ADAPTED if "small" in configs else "",
        "sample": "" if contents else _SAMPLE,
    }
    return fill(read_text(LICENSE), blocks)


def _names(contents: Contents | None) -> list[str]:
    if contents and contents.facts:
        return list(contents.facts["license"])
    release = RELEASES.get((contents.release if contents else LATEST) or "")
    return list(release.licenses if release else rocov2.LICENSES)


_VERSIONS = """\
The release does not state the version of the Creative Commons licences; the page of each article does. The links above are to
the current version."""
_COMMERCIAL = """\
The configuration `commercial` contains only the images whose licence allows commercial use."""
_ADAPTED = """\
The pictures of the configurations `small` and `mini` are adaptations: scaled down, turned upright, encoded again as JPEG,
without the metadata of the original (one that is as small already is unchanged). If you share one, say so. The pictures of
the other configurations are unchanged."""
_SAMPLE = """\
The sample release of the project rocov2-hub also has images under MIT, BSD-3-Clause and Apache-2.0. It is not part of
ROCOv2."""

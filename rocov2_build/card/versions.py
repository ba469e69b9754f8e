"""Which release a repository contains, what was done to it, and whom to ask, for its card."""

from __future__ import annotations

import importlib.metadata

import rocov2
from rocov2_build.card.contents import Contents
from rocov2_build.raw.releases import LATEST, RELEASES, SAMPLE, Release
from rocov2_shared.conversion import NAME
from rocov2_shared.sizes import format_count, format_size

PROJECT = "rocov2-hub"

_VERIFIED = {
    "strict": ", decoded strictly and copied",
    "markers": ", read to its last marker and copied; it was not decoded",
    "none": " and copied; it was not decoded",
}
"""What `--verify` did to a picture."""


def build_notice(contents: Contents) -> str:
    """Return what the repository contains, in a sentence or two."""
    rows = f"{format_count(contents.images, 'image')} ({_counts(contents)})"
    if contents.release == SAMPLE:
        text = (
            f"**This is the project's sample, not ROCOv2**: {rows}, openly licensed scans in the form of a release, to try "
            "the tools on. What this page says of articles, concepts, leakage and limits describes ROCOv2."
        )
    else:
        text = f"This repository contains {rows}{_articles(contents)} {_source(contents)}."
    if contents.part:
        text += f" **It is a part of the release** (built with `{contents.part}`)."
    return f"{text} The hash of its rows is `{contents.identity['default'][:12]}`."


def _counts(contents: Contents) -> str:
    return ", ".join(f"{size.rows:,} {split}" for split, size in contents.sizes["default"].items())


def _articles(contents: Contents) -> str:
    if not contents.facts:
        return ""
    return f" from {format_count(contents.facts['articles']['articles']['all'], 'article')}"


def _source(contents: Contents) -> str:
    if contents.release is None:
        return "of a release that is none of the published ones"
    return f"of release {_linked(RELEASES[contents.release])}"


def _linked(release: Release) -> str:
    return f"{release.name} ([{release.doi}]({release.url}))"


def release_table(contents: Contents | None = None) -> str:
    """Return the published releases as a table; the one in the repository is marked.

    Args:
        contents: of the repository, None for the project's page.
    """
    splits = list(rocov2.SPLITS)
    lines = [f"| version of the release | images | {' | '.join(splits)} | note |", "| --- " * (len(splits) + 3) + "|"]
    for release in RELEASES.values():
        counts = [sum(release.images.values()), *(release.images[split] for split in splits)]
        notes = [release.note]
        if contents and contents.release == release.name:
            notes.insert(0, "a part of it is here" if contents.part else "**this repository**")
        lines.append(f"| {' | '.join([_linked(release), *(f'{count:,}' for count in counts), '; '.join(notes)])} |")
    return "\n".join(lines)


def versions_block(contents: Contents) -> str:
    """Return what this build is, what it changed, and whom to ask, as a list."""
    release = "the sample" if contents.release == SAMPLE else "the release"
    parts = ", ".join(f"`{config}` `{sha256[:12]}`" for config, sha256 in contents.identity.items())
    changes = []
    if contents.part:
        changes.append(f"only a part of its rows is here (`{contents.part}`)")
    if contents.left_out:
        faulty = format_count(contents.left_out, "image was", "images were")
        changes.append(f"{faulty} left out as faulty, `{NAME}` lists them with the reason")
    differences = "; ".join(changes) or "none, every image is here"
    lines = [
        f"- **Changes** against {release}: {differences}. Captions and concepts are as released.",
        f"- **This build**: rows {parts}; made with {PROJECT} {rocov2.__version__}{_code()}. Other rows have other hashes.",
        "- On the Hub each published build has a tag; `load_dataset(..., revision=TAG)` returns to it.",
        "- **Questions and corrections** of this repository: open a discussion here. Errors of the data themselves "
        "(captions, concepts, licences): also tell the authors of ROCOv2, through the page of the release.",
    ]
    return "\n".join(lines)


def _code() -> str:
    """Return where the code is, if the installed project names its address."""
    try:
        urls = importlib.metadata.metadata(PROJECT).get_all("Project-URL") or []
    except importlib.metadata.PackageNotFoundError:
        return ""
    addresses = dict(url.split(", ", 1) for url in urls)
    return f" ({addresses['Repository']})" if "Repository" in addresses else ""


def cited_block(contents: Contents | None = None) -> str:
    """Return what to cite: the paper, and the release that the repository contains.

    Args:
        contents: of the repository, None for the project's page, which names the latest release.
    """
    release = RELEASES.get((contents.release if contents else LATEST) or "")
    paper = f"The paper: [{rocov2.HOMEPAGE.removeprefix('https://doi.org/')}]({rocov2.HOMEPAGE})."
    return f"{paper} The data: release {_linked(release)}." if release else paper


def method_block(contents: Contents) -> str:
    """Return how the JPEGs were checked and how the files are cut."""
    verified = _VERIFIED[contents.plan.get("verify", "strict")]
    small = ""
    if contents.plan.get("small"):
        versions = ", ".join(f"{name} {version}" for name, version in contents.plan.get("scalers", {}).items())
        small = f" The pictures of `small` and `mini` were made with {versions}."
    shard, group = (format_size(contents.plan[key]) for key in ("max_shard_size", "row_group_size"))
    return (
        f"Each JPEG was compared with its CRC-32{verified}. Row groups have about {group} of images, shards at "
        f"most about {shard}.{small}"
    )


def input_table(contents: Contents) -> str:
    """Return the files of the raw release with what identifies their content, as Markdown."""
    inputs = contents.plan.get("inputs", {})
    if not inputs:
        return ""
    lines = ["| file of the release | images | bytes of images | SHA-256 or fingerprint |", "| --- | --- | --- | --- |"]
    for name, recorded in sorted(inputs.items()):
        counts = [f"{recorded[key]:,}" if key in recorded else "" for key in ("images", "bytes")]
        lines.append(f"| {name} | {' | '.join(counts)} | `{recorded.get('sha256') or recorded['fingerprint']}` |")
    about = (
        "A table has its SHA-256, images have a fingerprint: the SHA-256 of their ids, sizes and CRC-32, which does not "
        "depend on the order or the compression in the zip."
    )
    return "\n".join([*lines, "", about])

"""Texts that would become markup, code or paths if they were not escaped; all of them are harmless."""

from __future__ import annotations

from tests.support.raw import RawRelease, make_raw

TEXTS = [
    "$\\frac{$",
    "${x}",
    "<b>x</b>",
    '<img src="x.png" onerror="x()">',
    '"><i>q</i>',
    "| a | b |",
    "# head",
    "<!-- x -->",
    "<!-- block: sizes -->",
    "](x)",
    "![x](y.png)",
    "[x](javascript:x)",
    "../x",
    "'quotes\" `code`",
    "*a* _b_ ~~c~~ \\",
    "&lt;b&gt; &amp;",
    "https://example.org/x www.example.org a@example.org",
    "- item",
    "1. item",
    "---",
    "{x!r} {0} %s %(x)s",
]


def make_hostile() -> RawRelease:
    """A release in which captions, names of concepts and attributions are such texts."""
    release = make_raw(len(TEXTS) * 2, 4, 4, side=200)
    for number, image in enumerate(image for images in release.splits.values() for image in images):
        text = TEXTS[number % len(TEXTS)]
        cui = f"C99{number % len(TEXTS):05d}"
        release.names[cui] = text
        image.caption = f"{text} of a picture with a caption"
        image.cuis = [*image.manual, cui]
        image.attribution = f"{image.attribution.partition(' M')[0]} {text} ({2000 + number})"
    return release

"""Tables as the release has them: articles with images in any split, licences, captions, curated and other concepts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from random import Random

from benchmarks.synthetic import figures
from rocov2_build.raw.releases import RELEASES

RELEASE = RELEASES["2.0.1"]
MODALITIES = ("C0040405", "C1306645", "C0024485", "C0041618", "C0002978", "C0032743", "")
REGIONS = ("C0817096", "C0037303", "C0023216", "C0000726", "C0030797", "C1140618", "C0037949", "C0006141")
DIRECTIONS = ("C1999039", "C1996865", "C0205129", "C0205106")
X_RAY, X_RAYS = "C1306645", 16_603
WITH_REGION, WITH_DIRECTION = 16_224 / X_RAYS, 12_401 / X_RAYS
WORDS = 6_000
_OPENINGS = (
    "CT scan of the", "Axial CT of the", "Chest X-ray shows", "MRI of the", "Ultrasound image of the",
    "Contrast-enhanced", "Magnetic resonance imaging of", "Computed tomography showing", "The",
    "Panoramic radiograph of", "T2-weighted", "Coronary",
)  # fmt: skip
_SMALL_WORDS = (
    "of", "the", "with", "and", "in", "a", "showing", "right", "left", "to", "is", "shows", "on", "at", "image",
    "lesion", "mass", "from", "an", "by", "white", "arrow", "no", "both", "lower", "upper", "lung", "bone", "after",
    "view", "axial", "large", "or", "was", "for", "neck", "wall", "are", "spine", "as", "side", "brain", "knee",
    "liver", "cyst", "T1", "level", "signal", "up",
)  # fmt: skip
_SYLLABLES = (
    "ar", "cer", "co", "de", "di", "em", "en", "fe", "gas", "hy", "in", "la", "le", "lo", "me", "mi", "ne", "no", "os", "pa",
    "pe", "phy", "pleu", "pneu", "pul", "ra", "re", "ri", "ro", "sa", "si", "ste", "ta", "te", "ti", "to", "tra", "va", "ver",
)  # fmt: skip
_ENDINGS = ("al", "ar", "ic", "itis", "ion", "oma", "osis", "ed", "", "s", "ous")
_REPEATED = ("Chest X-ray.", "Initial panoramic radiograph.", "Final panoramic radiograph.", "CT scan.")
_SPECIAL = ("“{}”", "{} – {}", "{} × 3 cm", "{} ≥ 5°", "the patient’s {}", "{} ± 2 µm")


@dataclass(frozen=True)
class Row:
    """What the tables say of an image."""

    caption: str
    cuis: list[str]
    manual: list[str]
    pmcid: str
    attribution: str


def draw_articles(images: int, random: Random) -> Iterator[tuple[str, str]]:
    """Yield an article's id and attribution for each image, in an order that keeps no article together."""
    sizes = range(1, len(figures.ARTICLE_SIZES) + 1)
    articles: list[tuple[str, str]] = []
    known = set[int]()
    while len(articles) < images:
        year = round(2023 - 17 * random.random() ** 1.7)
        number = 1_900_000 + (year - 2006) * 500_000 + random.randrange(500_000)
        if year == 2006:  # ids of seven digits began in that year
            number //= random.choice((1, 5))
        if number in known:
            continue
        known.add(number)
        license = "CC BY" if random.random() < figures.COMMERCIAL else "CC BY-NC"
        name = _name(random).capitalize()
        article = f"PMC{number}", f"{license} {name} et al. ({year})"
        articles += [article] * random.choices(sizes, figures.ARTICLE_SIZES)[0]
    del articles[images:]
    random.shuffle(articles)
    yield from articles


class Writer:
    """Draws rows."""

    def __init__(self, random: Random) -> None:
        self._random = random
        words = dict.fromkeys(_SMALL_WORDS)
        while len(words) < WORDS:
            words[_name(random) + random.choice(_ENDINGS)] = None
        self._words = list(words)
        self._word_weights = list(accumulate(1 / (rank + 3) for rank in range(len(words))))
        self._automatic = [f"C{8_000_000 + rank:07d}" for rank in range(figures.CONCEPTS)]
        self._popularity = list(accumulate(1 / (rank + 3) for rank in range(figures.CONCEPTS)))
        assert RELEASE.train_manual is not None
        self._manual = dict(RELEASE.train_manual)

    def names(self, used: set[str]) -> list[tuple[str, str]]:
        """Return the mapping of the concepts that were used, without those that the release does not name."""
        unnamed = set(self._automatic[-figures.UNNAMED :])
        names = {}
        for number, cui in enumerate(sorted(used - unnamed)):
            first, second = self._words[len(_SMALL_WORDS) + number], self._words[-1 - number]
            names[cui] = f"{first.capitalize()}, {second}" if number % 15 == 0 else f"{first.capitalize()} {second}"
        return list(names.items())

    def row(self, pmcid: str, attribution: str) -> Row:
        """Return the row of an image of this article."""
        random = self._random
        code = random.choices(MODALITIES, [self._manual[code] for code in MODALITIES])[0]
        manual = [code] if code else []
        if code == X_RAY:
            if random.random() < WITH_REGION:
                manual += random.choices(REGIONS, [self._manual[region] for region in REGIONS])
            if random.random() < WITH_DIRECTION:
                manual += random.choices(DIRECTIONS, [self._manual[direction] for direction in DIRECTIONS])
        number = min(1 + int(random.expovariate(figures.AUTOMATIC_RATE)), figures.MOST_AUTOMATIC)
        found = random.choices(self._automatic, cum_weights=self._popularity, k=number)
        return Row(self._caption(), list(dict.fromkeys([*manual, *found])), manual, pmcid, attribution)

    def _caption(self) -> str:
        random = self._random
        if random.random() < figures.REPEATED_CAPTION:
            return random.choice(_REPEATED)
        mean, deviation, most = figures.CAPTION_WORDS
        length = max(1, min(most, round(random.lognormvariate(mean, deviation))))
        words = random.choices(self._words, cum_weights=self._word_weights, k=length)
        if random.random() < figures.NOT_ASCII:
            place = random.randrange(length)
            words[place] = random.choice(_SPECIAL).replace("{}", words[place])
        opening = random.choice(_OPENINGS).split()[:length]
        words[: len(opening)] = opening
        for place in range(9, length, 13):
            words[place] += random.choice((",", ".", ";", " (arrow)"))
        text = " ".join(words) + "."
        if random.random() < figures.LEADING_SPACE:
            text = f" {text}"
        return f"{text} " if random.random() < figures.TRAILING_SPACE else text


def _name(random: Random) -> str:
    return "".join(random.choices(_SYLLABLES, k=random.choice((1, 2, 2, 2, 3, 4))))

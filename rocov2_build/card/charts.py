"""The card's charts, drawn from `facts.json`.

Their ground is transparent and their ink has medium brightness, so that they are readable on a light and on a dark page.
Letters are large enough for charts that are shown 360 pixels wide: two side by side, or one on a telephone.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("agg")

from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from rocov2_build.card.contact_sheet import ACCENT, INK
from rocov2_build.card.contents import Picture
from rocov2_build.facts.articles import UNKNOWN
from rocov2_shared.files import write_whole

COLORS = {"train": ACCENT, "validation": "#d9822b", "test": "#2fa37c"}
_GRID = "#7a7f8740"
_STYLE = {
    "text.parse_math": False,  # a name of a concept may contain dollar signs
    "font.size": 22,
    "axes.titlesize": 26,
    "axes.labelsize": 22,
    "xtick.labelsize": 20,
    "ytick.labelsize": 20,
    "legend.fontsize": 20,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.grid": True,
    "grid.color": _GRID,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "figure.dpi": 100,
}


def _percent(axis: Any) -> None:
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0%}"))


def _thousands(axis: Any) -> None:
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def _add_legend(axes: Axes) -> None:
    """Add the legend above the chart, where it covers nothing."""
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0.1, handlelength=1.2, columnspacing=1)


def _share(count: int, whole: int) -> str:
    return f"{count / whole:.1%}"


def _bars(axes: Axes, counted: dict[str, dict[str, int]], images: dict[str, int]) -> str:
    """Draw the shares of each split as bars, the first name at the top, and return those of the first split in words."""
    names, splits = list(counted), list(images)
    height = 0.8 / len(splits)
    for number, split in enumerate(splits):
        offsets = [index + height * (number - (len(splits) - 1) / 2) for index in range(len(names))]
        shares = [counted[name][split] / images[split] for name in names]
        axes.barh(offsets, shares, height * 0.92, label=split, color=COLORS[split])
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    _percent(axes.xaxis)
    axes.set_xlabel("share of the split's images")
    if len(splits) > 1:
        _add_legend(axes)
    first = splits[0]
    return f"Of {first}: " + ", ".join(f"{name} {_share(counted[name][first], images[first])}" for name in names)


def _modalities(axes: Axes, facts: dict[str, Any]) -> str:
    return _bars(axes, facts["modality"], facts["images"])


def _regions(axes: Axes, facts: dict[str, Any]) -> str:
    splits = {split: count for split, count in facts["modality"]["X-ray"].items() if count}
    shown = {name: counts for name, counts in facts["region"].items() if name != "none"}
    if not any(sum(counts.values()) for counts in shown.values()):
        return ""
    words = _bars(axes, shown, splits)
    axes.set_xlabel("share of the split's X-rays")
    return words


def _years(axes: Axes, facts: dict[str, Any]) -> str:
    years = {year: sum(counts.values()) for year, counts in facts["articles"]["years"].items() if year != UNKNOWN}
    if not years:
        return ""
    total = sum(years.values())
    span = range(int(min(years)), int(max(years)) + 1)
    axes.bar(span, [years.get(str(year), 0) / total for year in span], 0.8, color=ACCENT)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    axes.set_xlabel("year in the attribution")
    axes.set_ylabel("share of the images")
    axes.grid(axis="x", visible=False)
    _percent(axes.yaxis)
    year, count = max(years.items(), key=lambda item: item[1])
    return f"Images of {span[0]} to {span[-1]}, most of {year}: {_share(count, total)}"


def _frequencies(axes: Axes, facts: dict[str, Any]) -> str:
    frequencies = facts["concepts"]["frequencies"]
    axes.loglog(range(1, len(frequencies) + 1), frequencies, color=ACCENT, linewidth=3)
    axes.set_xlabel("concepts, the commonest first")
    axes.set_ylabel("images")
    for axis in (axes.xaxis, axes.yaxis):
        _thousands(axis)
        axis.set_minor_formatter(NullFormatter())  # an axis of less than a decade would have formulas as labels
    rare = facts["concepts"]["in_at_most"]["10"]
    return (
        f"Images per concept on logarithmic axes: the commonest of {len(frequencies):,} concepts is in {frequencies[0]:,} "
        f"images, {rare:,} concepts are in at most 10"
    )


def _edges(histogram: dict[str, list[int]]) -> list[int]:
    """Return the edges of the bins up to the last one with rows; the open last bin is drawn as wide as the others."""
    counts = [histogram[split] for split in histogram if split != "from"]
    used = max(
        (index + 1 for index in range(len(histogram["from"])) if any(split[index] for split in counts)), default=1
    )
    edges = [*histogram["from"], 2 * histogram["from"][-1] - histogram["from"][-2]]
    return edges[: used + 1]


def _steps(axes: Axes, histogram: dict[str, list[int]], images: dict[str, int], label: str) -> None:
    """Draw the distribution of each split as shares; the open last bin is marked."""
    edges = _edges(histogram)
    for split, count in images.items():
        shares = [rows / count for rows in histogram[split][: len(edges) - 1]]
        axes.stairs(shares, edges, label=split, color=COLORS[split], linewidth=3)
    if len(edges) > len(histogram["from"]):
        ticks = [edge for edge in edges[:-1] if edge % (edges[-2] // 5 or 1) == 0]
        axes.set_xticks(ticks, [f"{tick:,}{'+' if tick == edges[-2] else ''}" for tick in ticks])
    axes.set_xlabel(label)
    axes.set_ylabel("share of the split")
    _percent(axes.yaxis)
    if len(images) > 1:
        _add_legend(axes)


def _captions(axes: Axes, facts: dict[str, Any]) -> str:
    _steps(axes, facts["captions"]["histogram"]["words"], facts["images"], "words of a caption")
    words = facts["captions"]["words"]["all"]
    return f"Half of the captions have {words['p25']} to {words['p75']} words, the median is {words['median']}"


def _concepts(axes: Axes, facts: dict[str, Any]) -> str:
    _steps(axes, facts["concepts"]["histogram"], facts["images"], "concepts of an image")
    concepts = facts["concepts"]["per_image"]["all"]
    return f"Concepts per image: {concepts['mean']} on average, at most {concepts['max']}"


def _sizes(axes: Axes, facts: dict[str, Any]) -> str:
    for name, color in (("width", ACCENT), ("height", COLORS["validation"])):
        histogram = facts["sizes"]["histogram"][name]
        edges = _edges(histogram)
        totals = [sum(histogram[split][index] for split in facts["images"]) for index in range(len(edges) - 1)]
        axes.stairs([total / sum(totals) for total in totals], edges, label=name, color=color, linewidth=3)
    axes.set_xlabel("pixels")
    axes.set_ylabel("share of the images")
    _thousands(axes.xaxis)
    _percent(axes.yaxis)
    _add_legend(axes)
    sides = {name: facts["sizes"][name]["all"] for name in ("width", "height")}
    return "; ".join(
        f"{name}: median {side['median']:,}, {side['min']:,} to {side['max']:,}" for name, side in sides.items()
    )


_TOGETHER = 8
"""Number of concepts whose pairs are drawn: their names and numbers are legible on a telephone."""


def _together(axes: Axes, facts: dict[str, Any]) -> str:
    concepts = facts["concepts"]
    shown = range(min(len(concepts["commonest"]), _TOGETHER))
    names = [concepts["commonest"][index]["name"] or concepts["commonest"][index]["cui"] for index in shown]
    short = [name if len(name) <= 20 else f"{name[:19]}…" for name in names]
    counts = concepts["together"]["images"]
    shares = [[counts[row][column] / counts[row][row] for column in shown] for row in shown]
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(shown, short, rotation=55, ha="right", rotation_mode="anchor")
    axes.set_yticks(shown, short)
    axes.grid(visible=False)
    for row in shown:
        for column in shown:
            share = shares[row][column]
            if share >= 0.01:
                color = "#ffffff" if share > 0.5 else "#1b3a5c"
                axes.text(column, row, f"{share:.0%}".rstrip("%"), ha="center", va="center", color=color, fontsize=20)
    axes.figure.colorbar(image, ax=axes, format=FuncFormatter(lambda value, _: f"{value:.0%}"), pad=0.02)
    return "For the commonest concepts: how many percent of the images with the concept of a row also have that of a column"


_CHARTS: dict[str, tuple[str, float, Callable[[Axes, dict[str, Any]], str]]] = {
    "modalities": ("Imaging modality", 6.2, _modalities),
    "regions": ("Body region of the X-rays", 6.2, _regions),
    "captions": ("Length of the captions", 5.0, _captions),
    "concepts": ("Concepts per image", 5.0, _concepts),
    "frequencies": ("How often a concept occurs", 8.0, _frequencies),
    "together": ("Concepts that come together", 8.0, _together),
    "sizes": ("Size of the images", 5.0, _sizes),
    "years": ("Year of the articles", 5.0, _years),
}
"""By file name: title, height in hundreds of pixels (all are 1,000 wide), and the function that draws it and returns it
in words ("" if there is nothing to draw)."""


def write_charts(repository: Path, facts: dict[str, Any]) -> list[Picture]:
    """Draw every chart into `assets/` of a repository.

    Args:
        repository: its folder.
        facts: content of its `facts.json`.
    """
    charts = []
    with matplotlib.rc_context(_STYLE):
        for name, (title, height, draw) in _CHARTS.items():
            figure, axes = pyplot.subplots(figsize=(10, height), layout="constrained")
            try:
                words = draw(axes, facts)
                if not words:
                    continue
                axes.set_title(title, loc="left", pad=56 if axes.get_legend() else 14)
                path = f"assets/{name}.png"
                with write_whole(repository / path) as file:
                    figure.savefig(file, format="png", transparent=True, metadata={"Software": None})
            finally:
                pyplot.close(figure)
            charts.append(Picture(path, f"{title}. {words}."))
    return charts

"""The charts: what they draw is what facts.json says, and what stands for them says it in words."""

from __future__ import annotations

import json
import re
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot
from PIL import Image

from rocov2_build.card.charts import _CHARTS, _STYLE, write_charts
from rocov2_build.card.contents import Picture
from rocov2_build.card.describe import can_draw
from rocov2_build.convert import Conversion, convert
from tests.conftest import PROJECT
from tests.support.raw import make_raw

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("charts") / "rocov2"
    convert(Conversion(PROJECT / "sample", output, release="any", pictures=True, quiet=True))
    return output


def test_the_card_shows_every_picture_with_a_text(repository: Path) -> None:
    card = (repository / "README.md").read_text(encoding="utf-8")
    shown = {path: text for text, path in re.findall(r"^!\[(.+)\]\((assets/.+\.png)\)$", card, re.MULTILINE)}
    shown |= dict(re.findall(r'^<img src="(assets/.+\.png)" alt="(.+)" width="360">$', card, re.MULTILINE))
    files = {path.relative_to(repository).as_posix() for path in repository.glob("assets/*")}
    assert set(shown) == files
    assert 6 <= len(files) <= 9
    assert all(len(text) > 20 for text in shown.values())


def test_pictures_are_large_enough_for_a_telephone_and_have_no_ground(repository: Path) -> None:
    for path in repository.glob("assets/*.png"):
        with Image.open(path) as picture:
            assert picture.width >= 1000
            if path.stem == "contact_sheet":
                continue
            alpha = np.asarray(picture.convert("RGBA"))[:, :, 3]
        assert (alpha == 0).mean() > 0.05, path.name
        assert alpha.max() == 255


def test_the_words_are_the_numbers(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    facts = json.loads((repository / "facts.json").read_text())
    texts = {Path(chart.path).stem: chart.alternative for chart in write_charts(repository, facts)}
    share = facts["modality"]["CT"]["train"] / facts["images"]["train"]
    assert f"CT {share:.1%}" in texts["modalities"]
    assert f"median is {facts['captions']['words']['all']['median']}" in texts["captions"]
    assert f"{facts['concepts']['frequencies'][0]:,} images" in texts["frequencies"]
    assert f"{facts['concepts']['per_image']['all']['mean']} on average" in texts["concepts"]
    xrays = facts["modality"]["X-ray"]["train"]
    regions = {name: counts["train"] for name, counts in facts["region"].items() if name != "none"}
    assert any(regions.values())
    for name, count in regions.items():
        assert f"{name} {count / xrays:.1%}" in texts["regions"]
    facts["region"] = {name: dict.fromkeys(counts, 0) for name, counts in facts["region"].items()}
    assert "assets/regions.png" not in {chart.path for chart in write_charts(tmp_path, facts)}


def test_a_release_of_a_few_images_can_be_drawn(tmp_path: Path) -> None:
    raw = make_raw(train=3, valid=1, test=1).write(tmp_path / "raw")
    convert(Conversion(raw, tmp_path / "rocov2", release="any", splits=("train",), pictures=True, quiet=True))
    assert (tmp_path / "rocov2" / "assets" / "modalities.png").is_file()


def test_the_same_facts_give_the_same_pictures(repository: Path, tmp_path: Path) -> None:
    facts = json.loads((repository / "facts.json").read_text())
    (tmp_path / "assets").mkdir()
    write_charts(tmp_path, facts)
    for path in tmp_path.glob("assets/*.png"):
        assert path.read_bytes() == (repository / "assets" / path.name).read_bytes(), path.name


def test_markup_in_a_text_is_made_plain() -> None:
    assert Picture("a.png", "x [y](z)\n<b> `c` *d*").markdown() == r"![x \[y\](z) \<b\> \`c\` \*d\*](a.png)"


def test_without_matplotlib_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert can_draw()
    monkeypatch.setattr("rocov2_build.convert.can_draw", lambda: False)
    raw = make_raw(train=2, valid=1, test=1).write(tmp_path / "raw")
    convert(Conversion(raw, tmp_path / "rocov2", release="any", pictures=True))
    assert "the card has no pictures, since matplotlib is missing" in capsys.readouterr().err
    assert not (tmp_path / "rocov2" / "assets").exists()


def test_no_legend_covers_a_chart_and_no_label_is_a_formula(repository: Path) -> None:
    facts = json.loads((repository / "facts.json").read_text())
    facts["concepts"]["frequencies"] = [60, 40, 30, 20]  # less than a decade
    with matplotlib.rc_context(_STYLE):
        for name, (_, height, draw) in _CHARTS.items():
            figure, axes = pyplot.subplots(figsize=(10, height), layout="constrained")
            draw(axes, facts)
            figure.canvas.draw()
            labels = [*axes.get_xticklabels(which="both"), *axes.get_yticklabels(which="both")]
            assert not any("$" in label.get_text() for label in labels), name
            if legend := axes.get_legend():
                assert not legend.get_window_extent().overlaps(axes.get_window_extent().padded(-1)), name
            pyplot.close(figure)

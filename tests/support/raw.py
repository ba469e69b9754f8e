"""Raw releases for tests: every quirk of the real one, made in memory and written where a test wants it."""

from __future__ import annotations

import csv
import hashlib
import io
import random
import tempfile
import zipfile
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from rocov2_build.convert import Conversion
from rocov2_build.shards.plan import Layout
from tests.support.repositories import convert_here

HEADERS = {"captions": ["ID", "Caption"], "concepts": ["ID", "CUIs"], "concepts_manual": ["ID", "CUIs"]}
LICENSE_HEADER = ["ID", "PMCID", "Attribution", "Link"]
MAPPING_HEADER = ["CUI", "Canonical name"]

# Manual lists with what they mean: modality, region, direction. All modalities, regions and directions occur.
MANUAL = [
    (["C0040405"], "CT", None, None),
    (["C1306645", "C0817096", "C1999039"], "X-ray", "chest", "AP"),
    ([], "combined", None, None),
    (["C0024485"], "MRI", None, None),
    (["C1306645", "C0037303", "C0205129"], "X-ray", "cranium", "sagittal"),
    (["C0041618"], "ultrasound", None, None),
    (["C0002978"], "angiography", None, None),
    (["C1306645", "C1996865"], "X-ray", None, "PA"),
    (["C0032743"], "PET", None, None),
    (["C1306645", "C0000726"], "X-ray", "abdomen", None),
    (["C1306645", "C0023216", "C0205106"], "X-ray", "lower extremity", "transverse"),
    (["C1306645"], "X-ray", None, None),
    (["C1306645", "C0030797"], "X-ray", "pelvis", None),
    (["C1306645", "C1140618"], "X-ray", "upper extremity", None),
    (["C1306645", "C0037949"], "X-ray", "spine", None),
    (["C1306645", "C0006141"], "X-ray", "breast", None),
]
AUTOMATIC = ["C0034606", "C0497156", "C1699633", "C0817096", "C1266909"]  # the last one has no name in the mapping
NAMES = {
    "C0040405": "X-Ray Computed Tomography",
    "C1306645": "Plain x-ray",
    "C0024485": "Magnetic Resonance Imaging",
    "C0041618": "Ultrasonography",
    "C0002978": "angiogram",
    "C0032743": "Positron-Emission Tomography",
    "C0817096": "Chest",
    "C0034606": "Radionuclide Imaging",
    "C0497156": "Lymphadenopathy",
    "C1699633": "PET/CT scan",
    "C0016522": "Foramen Ovale, Patent",
    "C1999039": "Anterior-Posterior",
}
CAPTIONS = [
    "CT chest axial view showing a huge ascending aortic aneurysm (*).",
    " leading blank",
    "trailing blank ",
    'Oedema around the "symphysis", spreading cranially, dorsally',
    "the “string of pearls” sign – 3 × 4 cm",
    "NA",
    "null",
    "None",
    "nan",
    " x ",
    "two\r\nlines",
    "one\nline break",
    "'single'",
    "comma, only",
]


def jpeg(
    width: int = 40,
    height: int = 32,
    mode: str = "L",
    seed: int = 0,
    progressive: bool = False,
    orientation: int | None = None,
    quality: int = 85,
) -> bytes:
    """A JPEG with some structure and noise; `orientation` is an EXIF one."""
    noise = random.Random(seed)
    channels = len(Image.new(mode, (1, 1)).getbands())
    small = Image.frombytes(mode, (8, 8), bytes(noise.randrange(256) for _ in range(64 * channels)))
    picture = small.resize((width, height), Image.Resampling.BICUBIC)
    options = {}
    if orientation is not None:
        exif = Image.Exif()
        exif[0x0112] = orientation
        options["exif"] = exif.tobytes()
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality, progressive=progressive, **options)
    return buffer.getvalue()


@dataclass
class RawImage:
    """One image of a release; tests change its fields to make faults."""

    id: str
    data: bytes
    caption: str
    cuis: list[str]
    manual: list[str]
    pmcid: str
    attribution: str
    link: str
    modality: str
    region: str | None
    direction: str | None


@dataclass
class RawRelease:
    """A release in memory: images by the release's split names, and the mapping."""

    splits: dict[str, list[RawImage]]
    names: dict[str, str] = field(default_factory=lambda: dict(NAMES))

    def image(self, split: str, position: int) -> RawImage:
        """Image at a position of a split."""
        return self.splits[split][position]

    def write(
        self,
        folder: Path,
        *,
        unpacked: bool = False,
        line_end: str = "\r\n",
        reverse_members: bool = False,
        compression: int = zipfile.ZIP_DEFLATED,
    ) -> Path:
        """Write the 14 files; `unpacked` writes folders of images instead of zips."""
        folder.mkdir(parents=True, exist_ok=True)
        for split, images in self.splits.items():
            for name, value in (
                ("captions", lambda image: image.caption),
                ("concepts", lambda image: ";".join(image.cuis)),
                ("concepts_manual", lambda image: ";".join(image.manual)),
            ):
                rows = [[image.id, value(image)] for image in images]
                write_csv(folder / f"{split}_{name}.csv", [HEADERS[name], *rows], line_end)
            members = [(f"{split}/{image.id}.jpg", image.data) for image in images]
            if unpacked:
                (folder / split).mkdir()
                for name, data in members:
                    (folder / name).write_bytes(data)
            else:
                write_zip(folder / f"{split}_images.zip", members[::-1] if reverse_members else members, compression)
        write_csv(folder / "cui_mapping.csv", [MAPPING_HEADER, *map(list, self.names.items())], line_end, last=False)
        images = [image for split in self.splits.values() for image in split]
        rows = [[image.id, image.pmcid, image.attribution, image.link] for image in images]
        write_csv(folder / "license_information.csv", [LICENSE_HEADER, *rows], line_end)
        return folder

    def build(
        self,
        output: Path,
        *,
        shard: int = 300_000_000,
        row_group: int = 8_000_000,
        small: int | None = None,
        **options: Any,
    ) -> Path:
        """Convert the release to the repository `output`, in this process.

        Args:
            output: folder to make.
            shard, row_group: largest sizes, in bytes of images.
            small: shorter side of the pictures of `small` and `mini`; without it there are none.
            options: those of `Conversion`.
        """
        with tempfile.TemporaryDirectory() as folder:
            settings: dict[str, Any] = {"release": "any", "quiet": True} | options
            layout = Layout(shard, row_group, small)
            convert_here(Conversion(self.write(Path(folder, "raw")), output, layout=layout, **settings))
        return output


def write_csv(path: Path, rows: list[list[str]], line_end: str = "\r\n", last: bool = True) -> None:
    """Write a table as the release does; `last`: whether a line end follows the last row."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=line_end).writerows(rows)
    content = text.getvalue() if last else text.getvalue().removesuffix(line_end)
    path.write_bytes(content.encode())


def write_zip(path: Path, members: list[tuple[str, bytes]], compression: int = zipfile.ZIP_DEFLATED) -> None:
    """Write a zip with fixed times."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data, compression)


def make_raw(
    train: int = 20,
    valid: int = 6,
    test: int = 6,
    *,
    seed: int = 0,
    noncommercial: bool = True,
    shared: bool = True,
    side: int = 40,
) -> RawRelease:
    """A release whose images differ in everything that rows have; ids have holes, some articles are in two splits.

    Args:
        train, valid, test: numbers of images.
        seed: of the pictures.
        noncommercial: whether every third image is CC BY-NC.
        shared: whether some articles are in several splits; otherwise the shards have two groups at most.
        side: width of the pictures in pixels, about.
    """
    splits: dict[str, list[RawImage]] = {}
    number = 0
    for split, count in (("train", train), ("valid", valid), ("test", test)):
        images = []
        for position in range(count):
            manual, modality, region, direction = MANUAL[position % len(MANUAL)]
            automatic = [cui for cui in AUTOMATIC[: 1 + position % len(AUTOMATIC)] if cui not in manual]
            license = "CC BY-NC" if noncommercial and position % 3 == 2 else "CC BY"
            # Articles of train come again elsewhere; if not, two images of an article are in one split.
            pmcid = f"PMC{number // 2 if split == 'train' else position if shared else 100_000 + number}"
            images.append(
                RawImage(
                    id=f"ROCOv2_2023_{split}_{position + position // 3 + 1:06d}",
                    data=jpeg(side + position, side - 8, "L" if position % 10 < 7 else "RGB", seed * 10_000 + number),
                    caption=CAPTIONS[number % len(CAPTIONS)],
                    cuis=[*manual, *automatic],
                    manual=list(manual),
                    pmcid=pmcid,
                    attribution=f"{license} Müller et al. ({2000 + number % 23})",
                    link=f"https://www.ncbi.nlm.nih.gov/pmc/articles/{pmcid}",
                    modality=modality,
                    region=region,
                    direction=direction,
                )
            )
            number += 1
        splits[split] = images
    return RawRelease(splits)


Rows = list[dict[str, Any]]


def expected_rows(raw: RawRelease, repository: Path, limit: int | None = None) -> dict[str, dict[str, Rows]]:
    """What readers have to see of a release, by configuration and split: worked out anew, by nothing of the project.

    Labels are names; an image is its path and the SHA-256 of its bytes. How the groups of shards alternate is read from
    the names of the shards of `repository`, which was built with `limit`. The pictures are smaller than those of `small`.
    """
    seen = {(image.pmcid, split) for split, images in raw.splits.items() for image in images}
    articles = [pmcid for pmcid, _ in seen]
    default: dict[str, list[RawImage]] = {}
    for split, name in (("train", "train"), ("valid", "validation"), ("test", "test")):
        groups = [path.stem.split("-", 4)[4] for path in sorted((repository / "data").glob(f"{name}-*"))]
        parts = {}
        for group in set(groups):
            images = [
                image
                for image in raw.splits[split][:limit]
                if ("-NC" in image.attribution) == (group[0] == "n")
                and (articles.count(image.pmcid) > 1) == group.endswith("shared")
            ]
            if split == "train":
                images.sort(key=lambda image: hashlib.sha256(image.id.encode()).digest())
            cuts = [len(images) * i // groups.count(group) for i in range(groups.count(group) + 1)]
            parts[group] = iter([images[start:end] for start, end in pairwise(cuts)])
        if groups:
            default[name] = [image for group in groups for image in next(parts[group])]
    rows = {
        name: [_expected_row(image, raw.names, articles.count(image.pmcid) > 1) for image in images]
        for name, images in default.items()
    }
    free = {name: [row for row in part if row["license"] == "CC BY"] for name, part in rows.items()}
    apart = rows | {"train": [row for row in rows.get("train", []) if not row["article_in_other_split"]]}
    return {
        "default": rows,
        **({"commercial": {name: part for name, part in free.items() if part}} if any(free.values()) else {}),
        **({"apart": apart} if apart["train"] else {}),
        **({"small": rows, "mini": rows} if (repository / "small").exists() else {}),
        "text": {name: [{k: v for k, v in row.items() if k != "image"} for row in part] for name, part in rows.items()},
        "vocabulary": {"vocabulary": _expected_vocabulary(default, raw.names)},
    }


def _expected_row(image: RawImage, names: dict[str, str], in_other_split: bool) -> dict[str, Any]:
    license = "CC BY-NC" if "-NC" in image.attribution else "CC BY"
    width, height = ImageOps.exif_transpose(Image.open(io.BytesIO(image.data))).size
    return {
        "image": [f"{image.id}.jpg", hashlib.sha256(image.data).hexdigest()],
        "image_id": image.id,
        "caption": image.caption,
        "cuis": image.cuis,
        "modality": image.modality,
        "concept_names": [names.get(cui, cui) for cui in image.cuis],
        "manual_cuis": image.manual,
        "region": image.region,
        "direction": image.direction,
        "license": license,
        "attribution": image.attribution.removeprefix(license + " "),
        "pmcid": image.pmcid,
        "url": image.link,
        "article_in_other_split": in_other_split,
        "width": width,
        "height": height,
    }


def _expected_vocabulary(splits: dict[str, list[RawImage]], names: dict[str, str]) -> Rows:
    kinds: dict[str, str] = {}
    for manual, _, region, direction in MANUAL:
        kinds |= dict.fromkeys(manual[:1], "modality")
        kinds |= {manual[1]: "region"} if region else {}
        kinds |= {manual[-1]: "direction"} if direction else {}
    rows = []
    for cui in {*names, *(cui for images in splits.values() for image in images for cui in image.cuis)}:
        counts = {
            split: sum(cui in image.cuis for image in splits.get(split, []))
            for split in ("train", "validation", "test")
        }
        rows.append({"cui": cui, "name": names.get(cui), "kind": kinds.get(cui, "concept"), **counts})
    return sorted(rows, key=lambda row: (-row["train"] - row["validation"] - row["test"], row["cui"]))

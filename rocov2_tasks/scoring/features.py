"""Plain features of a picture, without any training: a thumbnail, a histogram and colour."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rocov2_tasks.pretraining import PretrainingStream

Floats = npt.NDArray[np.float32]

SIDE = 32
"""Pixels of a side of the thumbnail."""

BINS = 32
"""Number of grey levels of the histogram."""

_BATCH = 256
_GREY = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R 601, as Pillow's convert("L")


def read_features(repository: str, split: str, limit: int | None = None) -> tuple[list[str], Floats]:
    """Return image ids and features of a split, in the order of its rows; of at most `limit` images.

    Raises:
        FileNotFoundError: there is no repository, or one of its files is missing.
        DamagedImageError: an image cannot be decoded; the message names it.
    """
    stream = PretrainingStream(
        repository,
        split=split,
        columns=["image_id", "image"],
        image_size=SIDE,
        resample="box",
        decode="scaled",
        shuffle=False,
        rank=0,
        world_size=1,
        batch_size=_BATCH,
    )
    ids: list[str] = []
    parts: list[Floats] = []
    for batch in stream:
        ids += batch["image_id"]
        parts.append(describe(batch["image"]))
        if limit is not None and len(ids) >= limit:
            break
    return ids[:limit], np.concatenate(parts)[:limit]


def describe(pixels: npt.NDArray[np.uint8]) -> Floats:
    """Return features of small pictures, each of length 1, so that their product is a similarity.

    The thumbnail is normalized for brightness and contrast, the histogram contains square roots of shares (so that its length
    is 1, too), and colour is the distance between the channels.

    Args:
        pixels: uint8 [images, height, width, 3].

    Returns:
        float32 [images, height * width + BINS + 1].
    """
    grey = pixels.astype(np.float32) @ _GREY
    flat = grey.reshape(len(grey), -1)
    thumbnail = _to_length_1(flat - flat.mean(axis=1, keepdims=True))
    bins = np.minimum(flat * (BINS / 256), BINS - 1).astype(np.int64) + BINS * np.arange(len(flat))[:, None]
    counts = np.bincount(bins.ravel(), minlength=BINS * len(flat)).reshape(len(flat), BINS)
    histogram = np.sqrt(counts / flat.shape[1])
    colour = (pixels.max(axis=3).astype(np.float32) - pixels.min(axis=3)).mean(axis=(1, 2))[:, None] / 255
    return _to_length_1(np.concatenate([thumbnail, histogram, np.sqrt(colour)], axis=1)).astype(np.float32)


def _to_length_1(rows: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1)

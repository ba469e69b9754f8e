"""Random changes to the bytes of one Parquet file: of one part of it, or of its length."""

from __future__ import annotations

import struct
from pathlib import Path
from random import Random

import pyarrow.parquet as pq

from rocov2_build.worker.parquet import IMAGE_BYTES
from tests.support.fuzz import damage
from tests.support.mutation import Done

_UNREAD = {
    "page index": "it concerns only the viewer: no reader of rows takes the page index",
    "footer": "it is a number in the footer that no reader of rows takes",
}
_COPIES = "readers find all pages by the last footer, and skip the bytes between them"


def _choose_part(path: Path, random: Random, has_images: bool) -> tuple[str, int, int]:
    """Return the name of a part of a Parquet file, and where it begins and ends."""
    with pq.ParquetFile(path) as parquet:
        footer = parquet.metadata
        columns = [
            footer.row_group(n).column(i) for n in range(footer.num_row_groups) for i in range(footer.num_columns)
        ]
    size = path.stat().st_size
    begin = size - 8 - footer.serialized_size
    chunks = [
        (column.path_in_schema, start, start + column.total_compressed_size)
        for column in columns
        for start in [column.dictionary_page_offset or column.data_page_offset]
    ]
    pages = [chunk for chunk in chunks if has_images or chunk[0] != IMAGE_BYTES]
    rest = max(end for *_, end in chunks)
    others = [("magic", 0, 4), ("page index", rest, begin), ("footer", begin, size - 8), ("end", size - 8, size)]
    return random.choice([random.choice(pages), random.choice(pages), random.choice(pages), *others])


def of_part(path: Path, random: Random, has_images: bool = True) -> Done:
    """Change a few bits or bytes of one part of a file, of the same size."""
    content = bytearray(path.read_bytes())
    name, begin, end = _choose_part(path, random, has_images)
    at = random.randrange(begin, end)
    kind = random.choice(["bit", "bit", "byte", "zeros", "random"])
    length = min(random.choice([1, 2, 8, 64]), end - at)
    before = bytes(content)
    while bytes(content) == before:
        if kind == "bit":
            content[at] ^= 1 << random.randrange(8)
        elif kind == "byte":
            content[at] = random.randrange(256)
        elif kind == "zeros" and any(content[at : at + length]):
            content[at : at + length] = bytes(length)
        else:
            content[at : at + length] = random.randbytes(length)
    path.write_bytes(content)
    return Done(f"{kind} in {name} at {at:,}", harmless=_UNREAD.get(name, ""))


def of_part_but_images(path: Path, random: Random) -> Done:
    """Change a few bits of one part of a file, but not of its pictures: one whose hash is recorded is another release."""
    return of_part(path, random, has_images=False)


def of_length(path: Path, random: Random) -> Done:
    """Cut a file, or add bytes to it."""
    content = path.read_bytes()
    at = random.randrange(len(content))
    kind = random.choice(["cut", "cut a little", "append", "twice", "insert", "cut the beginning"])
    changed = {
        "cut": content[:at],
        "cut a little": content[: -random.randrange(1, 9)],
        "append": content + random.randbytes(random.choice([1, 8, 1000])),
        "twice": content + content,
        "insert": content[:at] + b"\0" + content[at:],
        "cut the beginning": content[random.randrange(1, 5) :],
    }[kind]
    path.write_bytes(changed)
    return Done(kind, harmless=_COPIES if kind in ("twice", "insert") else "")


def of_footer(path: Path, random: Random) -> Done:
    """Damage the footer of a Parquet file."""
    content = bytearray(path.read_bytes())
    size = struct.unpack("<I", content[-8:-4])[0]
    start = len(content) - 8 - size
    footer = bytes(content[start:-8])
    kind = random.choice(["bytes", "bytes", "length", "text"])
    if kind == "bytes":
        footer = damage(footer, random)
    elif kind == "text":
        words = [b'{"info"', b'"Sequence"', b"image", b"caption", b"ClassLabel", b"content_defined_chunking"]
        old = random.choice(words)
        new = random.choice([b"\xff", b"[", b"{", b"\0", b'"', b"\xef\xbb\xbf"])
        footer = footer.replace(old, new * len(old))
    if footer == bytes(content[start:-8]):
        size = random.choice([0, 1, size - 1, size + 1, 2**31, 2**32 - 1, len(content), size // 2])
    else:
        size = len(footer)
    path.write_bytes(bytes(content[:start]) + footer + struct.pack("<I", size) + b"PAR1")
    return Done(f"footer, {kind}", harmless=_UNREAD["footer"])

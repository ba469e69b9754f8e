"""Random changes to the names of files: removed, added, renamed, exchanged, linked, in other folders."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

import rocov2
from rocov2_shared.files import list_files
from tests.support.breaking import describe_again, follow, read_rows, rehash, write_rows
from tests.support.mutation import Done
from tests.support.repositories import facts_of

_UNREAD = "no reader looks for a file of this name, and no pattern matches it"
_SHARD = "data/test-00000-of-00002-commercial-shared.parquet"


def _choose(root: Path, random: Random, ending: str = "") -> Path:
    return root / random.choice([file for file in list_files(root) if file.endswith(ending)])


def _relative(root: Path, *paths: Path) -> tuple[str, ...]:
    return tuple(path.relative_to(root).as_posix() for path in paths)


def remove(root: Path, random: Random) -> Done:
    """Remove a file."""
    path = _choose(root, random)
    path.unlink()
    return Done("removed", _relative(root, path))


def duplicate(root: Path, random: Random) -> Done:
    """Copy a file to another name beside it."""
    path = _choose(root, random)
    stem, ending = path.stem, path.suffix
    name = random.choice(
        [
            f"{stem} (1){ending}",
            f"{stem}-copy{ending}",
            f"{path.name}.bak",
            f"{path.name}~",
            f"{stem}{ending.upper()}",
            f".{path.name}",
        ]
    )
    other = path.with_name(name)
    if other.exists():
        other = path.with_name(f"copy of {path.name}")
    shutil.copy(path, other)
    return Done("copied", _relative(root, other), harmless="" if path.suffix == ".parquet" else _UNREAD)


def rename(root: Path, random: Random) -> Done:
    """Give a file another name, or move it to another folder."""
    path = _choose(root, random)
    other = random.choice(
        [
            path.with_name(path.name.swapcase()),
            path.with_name(path.name.capitalize() if path.name != path.name.capitalize() else path.name.upper()),
            path.with_name(f"{path.name}.tmp"),
            path.with_name(path.name[:-1]),
            path.with_name(f" {path.name}"),
            path.with_name(path.name.replace("0000", "000").replace(".", "_", 1)),
            root / "more" / path.name,
            root / f"moved-{path.name}",
        ]
    )
    if other == path:
        other = path.with_name(f"{path.name}.old")
    other.parent.mkdir(exist_ok=True)
    path.rename(other)
    return Done(f"renamed to {other.name}", _relative(root, path, other))


def exchange(root: Path, random: Random) -> Done:
    """Exchange the content of two files of a kind."""
    ending = random.choice([".parquet", ".parquet", ".json"])
    one, other = random.sample([root / file for file in list_files(root) if file.endswith(ending)], 2)
    contents = one.read_bytes(), other.read_bytes()
    other.write_bytes(contents[0])
    one.write_bytes(contents[1])
    return Done(f"exchanged {one.name} and {other.name}", _relative(root, one, other))


def exchange_names(root: Path, random: Random) -> Done:
    """Exchange two shards of one split, or of two."""
    one, other = random.sample(sorted((root / "data").glob("*.parquet")), 2)
    parked = root / "parked"
    one.rename(parked)
    other.rename(one)
    parked.rename(other)
    return Done(f"exchanged {one.name} and {other.name}", _relative(root, one, other))


MATCHED = [
    *(
        "data/train-more.parquet",
        "data/test-00002-of-00002-commercial-shared.parquet",
        "data/validation-x-commercial-shared.parquet",
    ),
    *("data/train-more.csv", "data/train-more.json", "data/train-more.txt", "data/test-.arrow", "data/train-x.PARQUET"),
    *("data/train-more.zip", "data/train-x.parquet.gz", "data/test-notes", "data/validation-00000-of-00001.parquet"),
    *("data/train-\n.parquet", "data/train-\udcff.parquet", "data/test-' OR 1.parquet", "data/train-*.parquet"),
    *("data/train.parquet", "data/more.parquet", "text/more.parquet", "vocabulary/more.parquet", "more.parquet"),
    *(
        "data/.train-x.parquet",
        "small/train-00000-of-00001.parquet",
        "data/more/train-x.parquet",
        "text/train-1.parquet",
    ),
    *("rocov2.py", "data/x.py", ".huggingface.yaml", "state.json"),
]
"""Names of files that some reader takes, or may take."""

IGNORED = [
    *("notes.txt", "data/notes.txt", "data/metadata.csv", "metadata.jsonl", "dataset_info.json"),
    *(".gitignore", ".cache/huggingface/download/README.md.metadata", "data/README.md", "assets/more.txt", "x"),
    *(
        "croissant.json.bak",
        "README.txt",
        "__pycache__/x.pyc",
        "text/train.csv",
        "vocabulary/vocabulary.json",
        "Makefile",
    ),
]
"""Names of files that no reader takes."""


def add_matched(root: Path, random: Random) -> Done:
    """Add a file that a reader may take for one of the repository."""
    name = random.choice(MATCHED)
    content = random.choice([b"", b"x", (root / _SHARD).read_bytes(), (root / _SHARD).read_bytes()])
    if name.endswith(".yaml"):
        content = random.choice([b"configs: []\n", b"configs:\n- config_name: default\n  data_files: text/*.parquet\n"])
    path = Path(os.fsdecode(os.fsencode(root / name)))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return Done(f"added {name!r} of {len(content):,} bytes", (name,))


def add_ignored(root: Path, random: Random) -> Done:
    """Add a file that no reader takes."""
    name = random.choice(IGNORED)
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(random.choice([b"", b"x", b"{}", b"image_id\nx\n"]))
    return Done(f"added {name}", (name,), harmless=_UNREAD)


def add_folder(root: Path, random: Random) -> Done:
    """Add a folder, empty or not."""
    name = random.choice(
        [
            "more",
            "data/more",
            "data/train-more",
            "data/train-x.parquet",
            "Data",
            "text/train",
            "small",
            "rocov2",
            "rocov2.py",
        ]
    )
    (root / name).mkdir(parents=True)
    inside = random.choice([None, "x.txt", "x.parquet"])
    if inside is not None:
        content = (root / _SHARD).read_bytes() if inside.endswith(".parquet") else b"x"
        (root / name / inside).write_bytes(content)
    is_read = inside is not None and inside.endswith(".parquet")
    return Done(f"folder {name} with {inside}", (f"{name}/{inside}",), harmless="" if is_read else _UNREAD)


def link(root: Path, random: Random) -> Done:
    """Put a link in the place of a file: to the same content, to another file, or to nothing."""
    path = _choose(root, random)
    kind = random.choice(["the same", "another", "nothing", "itself", "a folder"])
    outside = root.parent / "outside"
    outside.mkdir(exist_ok=True)
    target = {
        "the same": outside / path.name,
        "another": _choose(root, random, path.suffix),
        "nothing": outside / "nothing",
        "itself": path,
        "a folder": root / "data",
    }[kind]
    if kind == "the same":
        shutil.copy(path, target)
    same = target.is_file() and target.read_bytes() == path.read_bytes()
    path.unlink()
    if kind == "another" and target == path:
        kind, target = "nothing", outside / "nothing"
        same = False
    path.symlink_to(target)
    return Done(
        f"link to {kind}",
        _relative(root, path),
        harmless="a reader of the folder follows the link to the same bytes, and publishing refuses it" if same else "",
    )


def add_link(root: Path, random: Random) -> Done:
    """Add a link that a pattern matches or not."""
    name = random.choice(["data/train-more.parquet", "data/test-x", "data/linked", "more", "text/more.parquet"])
    target = random.choice([root / _SHARD, root.parent / "nothing", root / "data"])
    (root / name).symlink_to(target)
    is_read = (name.endswith(".parquet") and not target.is_dir()) or (target.is_file() and name == "data/test-x")
    return Done(f"link {name} to {target.name}", (name,), harmless="" if is_read else _UNREAD)


def renumber(root: Path, random: Random) -> Done:
    """Number the shards of a split, or one of them, in another way."""
    split = random.choice(list(rocov2.SPLITS))
    shards = sorted((root / "data").glob(f"{split}-*"))
    kind = random.choice(["another total", "from one", "one of another total", "without zeros", "another group"])
    chosen = shards if kind in ("another total", "from one") else [random.choice(shards)]
    renamed, others = [], {"commercial": "noncommercial", "noncommercial": "commercial"}
    for shard in chosen[::-1]:
        _, index, _, total, group = shard.stem.split("-", 4)
        licenses, _, articles = group.partition("-")
        other = {
            "another total": f"{split}-{index}-of-{int(total) + 1:05d}-{group}.parquet",
            "from one": f"{split}-{int(index) + 1:05d}-of-{total}-{group}.parquet",
            "one of another total": f"{split}-{index}-of-{int(total) + 1:05d}-{group}.parquet",
            "without zeros": f"{split}-{int(index)}-of-{int(total)}-{group}.parquet",
            "another group": f"{split}-{index}-of-{total}-{others[licenses]}-{articles}.parquet",
        }[kind]
        renamed += [shard, shard.rename(shard.with_name(other))]
    return Done(f"{split}: {kind}", (*_relative(root, *renamed), f"data/{split}-*"))


def move_folder(root: Path, random: Random) -> Done:
    """Rename a folder."""
    folder = random.choice(["data", "text", "vocabulary"])
    files = [file for file in list_files(root) if file.startswith(f"{folder}/")]
    other = random.choice([folder.capitalize(), folder.upper(), f"{folder}2", f"more/{folder}"])
    (root / other).parent.mkdir(exist_ok=True)
    (root / folder).rename(root / other)
    return Done(f"{folder} is {other}", (*files, *list_files(root), *(f"data/{split}-*" for split in rocov2.SPLITS)))


NAME_MAKERS: list[Callable[[Path, Random], Done]] = [
    *(remove, duplicate, rename, rename, exchange, exchange_names, add_matched, add_matched, add_matched, add_folder),
    *(add_ignored, link, add_link, renumber, move_folder),
    *(
        remove,
        rename,
        exchange,
        exchange_names,
        exchange_names,
        renumber,
        renumber,
        add_matched,
        add_matched,
        move_folder,
    ),
]
"""What can be done to the names of a repository's files."""


def exchange_recorded(root: Path, random: Random) -> Done:
    """Exchange two shards; the records agree."""
    done = exchange_names(root, random)
    rehash(root, *done.roots)
    for shard in done.roots:
        follow(root, shard)
    return Done(f"{done.what}, recorded", ("data/", "text/", "conversion.json"))


def move_row(root: Path, random: Random) -> Done:
    """Move a row from one shard to another; the records, the texts and the numbers agree."""
    one, other = random.sample(sorted((root / "data").glob("*.parquet")), 2)
    names = _relative(root, one, other)
    rows, others = (read_rows(root, name) for name in names)
    others.insert(random.randrange(len(others) + 1), rows.pop(random.randrange(len(rows))))
    for name, table in zip(names, (rows, others), strict=True):
        write_rows(root, name, table)
    for name in names:
        follow(root, name)
    return Done(f"moved a row from {one.name} to {other.name}", (*names, *_texts(root), "conversion.json"))


def _texts(root: Path) -> tuple[str, ...]:
    return _relative(root, *sorted((root / "text").glob("*.parquet")))


def drop_recorded(root: Path, random: Random) -> Done:
    """Remove a Parquet file and its record."""
    path = _choose(root, random, ".parquet")
    (name,) = _relative(root, path)
    path.unlink()
    conversion = facts_of(root)
    del conversion["files"][name]
    describe_again(root, conversion)
    return Done(
        f"removed {name}, recorded",
        (name, "data/", "text/", "conversion.json", f"data/{path.name.partition('-')[0]}-*"),
    )


def add_recorded(root: Path, random: Random) -> Done:
    """Add a Parquet file, and record it."""
    name = random.choice([file for file in MATCHED if file.endswith(".parquet") and file.isprintable()])
    (root / name).parent.mkdir(exist_ok=True)
    shutil.copy(_choose(root, random, ".parquet"), root / name)
    conversion = facts_of(root)
    conversion["files"][name] = {}
    (root / "conversion.json").write_text(json.dumps(conversion))
    rehash(root, name)
    return Done(f"added {name}, recorded", (name, "data/", "text/", "conversion.json"))


RECORDED_NAME_MAKERS: list[Callable[[Path, Random], Done]] = [
    exchange_recorded,
    move_row,
    move_row,
    drop_recorded,
    add_recorded,
]
"""What can be done to them so that the records agree."""

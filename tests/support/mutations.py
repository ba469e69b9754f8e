"""Seeded mutations of a repository: one change each, which a check has to find, or which must hurt no reader.

`mutations("facts.json", range(40))` gives 40 of them; the same seed makes the same change. `MAKERS` is the table of kinds: a
new kind of file is a new row, and the tests mutate it since it is there. As a program it prints the figures of
docs/reliability.md: `python -m tests.support.mutations --seeds 40`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

from rocov2_build.check import check_repository
from rocov2_build.checks.violations import Violation, blocking, describe_violations
from rocov2_shared.conversion import hash_content
from rocov2_shared.errors import UserError
from tests.support.breaking import SHARD, TEXT, build, follow, rehash, seal
from tests.support.mutate_bytes import of_footer, of_length, of_part, of_part_but_images
from tests.support.mutate_documents import (
    of_attributes,
    of_body,
    of_bytes,
    of_json,
    of_json_style,
    of_key_twice,
    of_picture,
    of_place,
    of_yaml,
    of_yaml_style,
    of_yaml_text,
)
from tests.support.mutate_names import NAME_MAKERS, RECORDED_NAME_MAKERS
from tests.support.mutate_tables import of_metadata, of_row_groups, of_rows, of_schema, of_writer
from tests.support.mutation import Done, Maker
from tests.support.wrong_rows import WRONG_ROWS

CARD, ASSET, VOCABULARY = "README.md", "assets/captions.png", "vocabulary/vocabulary.parquet"
CONVERSION, NAMES, ROWS = "conversion.json", ".", "rows"


def of_wrong_rows(path: Path, random: Random) -> Done:
    """Write a row as no conversion does; all records agree."""
    wrong = random.choice(WRONG_ROWS)
    wrong(path.parent, random.randrange(1000))
    return Done(f"{wrong.kind}: {wrong.name}", (f"{wrong.kind}/", "data/", "text/", CONVERSION, VOCABULARY))


_ANY: list[Maker] = [of_bytes, of_place]
_JSON: list[Maker] = [of_json, of_json, of_json, of_json, of_bytes, of_key_twice, of_place, of_json_style]
_RECORDED_JSON: list[Maker] = [*[of_json] * 16, *[of_key_twice] * 3, of_json_style]
_TABLE: list[Maker] = [
    *(of_part, of_part, of_part, of_length, of_footer, of_writer, of_row_groups, of_schema, of_metadata, of_rows),
    of_place,
]
_RECORDED_TABLE: list[Maker] = [
    *(of_part_but_images, of_part_but_images, of_part_but_images, of_footer, of_length, of_writer, of_row_groups),
    *([of_schema] * 8 + [of_metadata] * 8 + [of_rows] * 8),
]
MAKERS: dict[str, list[Maker]] = {
    CARD: [of_yaml, of_yaml, of_yaml, of_yaml_text, of_body, of_bytes, of_place, of_yaml_style],
    "dataset_infos.json": _JSON,
    "croissant.json": _JSON,
    "facts.json": _JSON,
    CONVERSION: [*[of_json] * 5, of_bytes, of_key_twice, of_place],
    "LICENSE.md": [*_ANY, of_bytes],
    ".gitattributes": [of_attributes, of_attributes, of_attributes, *_ANY],
    ASSET: [of_picture, *_ANY],
    SHARD: _TABLE,
    TEXT: _TABLE,
    VOCABULARY: _TABLE,
    NAMES: NAME_MAKERS,
}
"""By file, what can be done to it; one is chosen by the seed. `.` is for the names of all files."""

RECORDED: dict[str, list[Maker]] = {
    CARD: [*[of_yaml] * 18, *[of_yaml_text] * 8, of_yaml_style],
    "dataset_infos.json": _RECORDED_JSON,
    "croissant.json": _RECORDED_JSON,
    "facts.json": _RECORDED_JSON,
    CONVERSION: [of_json, of_json, of_json, of_key_twice],
    SHARD: _RECORDED_TABLE,
    TEXT: _RECORDED_TABLE,
    VOCABULARY: _RECORDED_TABLE,
    NAMES: RECORDED_NAME_MAKERS,
    ROWS: [of_wrong_rows],
}
"""The same, where `conversion.json` and all documents then say that the repository was built so."""

KINDS = [(kind, False) for kind in MAKERS] + [(kind, True) for kind in RECORDED]
"""All kinds: a file, and whether the records agree with what is done to it."""

HARMLESS = {
    CONVERSION: "only versions, notes or unknown keys differ, which no reader takes",
    ".gitattributes": "Parquet files and pictures are still stored outside git",
    "facts.json": "the numbers of near duplicates are counted again only by a build, and no reader of rows takes them",
}
"""Files with changes of values that are not found, and why no reader is hurt."""


@dataclass(frozen=True)
class Mutation:
    """One change to one file: call it with the root of a repository; it returns what it did.

    Attributes:
        kind: the file, a key of `MAKERS` or of `RECORDED`.
        seed: which of the changes.
        recorded: whether `conversion.json` and the documents agree with the changed file, as if it had been built so.
    """

    kind: str
    seed: int
    recorded: bool = False

    def __call__(self, root: Path) -> Done:
        random = Random(f"{self.kind} {self.seed} {self.recorded}")
        makers = (RECORDED if self.recorded else MAKERS)[self.kind]
        before = _content(root, self.kind)
        while True:
            done = random.choice(makers)(root / self.kind, random)
            if self.recorded:
                _record(root, self.kind)
            if _content(root, self.kind) != before:
                break
        reason = HARMLESS.get(self.kind, "")
        return Done(f"{self}: {done.what}", done.roots or self._roots(), done.harmless or reason)

    def _roots(self) -> tuple[str, ...]:
        """Return what may be named first: with agreeing records, what disagrees with the changed file is as good."""
        if not self.recorded or self.kind in (CARD, "dataset_infos.json", "croissant.json", "facts.json"):
            return (self.kind, f"{self.kind}/")
        return (self.kind, CONVERSION, "data/", "text/", VOCABULARY, *((CARD,) if self.kind == CONVERSION else ()))

    def __str__(self) -> str:
        return f"{self.kind}-{self.seed}{'-recorded' if self.recorded else ''}"


def _content(root: Path, kind: str) -> object:
    path = root / kind
    if path.is_dir() or kind in (NAMES, ROWS):
        return sorted((str(file), file.lstat().st_mtime_ns) for file in root.rglob("*"))
    return path.read_bytes() if path.is_file() else None


def _record(root: Path, kind: str) -> None:
    if kind == CONVERSION:
        try:
            conversion = json.loads((root / CONVERSION).read_text())
            conversion["content_sha256"] = hash_content(conversion)
            (root / CONVERSION).write_text(json.dumps(conversion))
        except (TypeError, ValueError, AttributeError):
            return
    elif kind.endswith(".parquet"):
        try:
            rehash(root, kind)
        except Exception:  # a file that cannot be read: its records stay those of a good one
            return
        if kind == SHARD:
            try:
                follow(root, SHARD)
            except Exception:  # likewise
                return
    elif kind not in (NAMES, ROWS):
        seal(root)


def mutations(kind: str, seeds: Iterable[int], recorded: bool = False) -> Iterator[Mutation]:
    """Yield a mutation of a kind for each seed."""
    for seed in seeds:
        yield Mutation(kind, seed, recorded)


def build_for_mutations(folder: Path) -> Path:
    """A repository with a picture, that passes every rule."""
    root = build(folder)
    (root / ASSET).parent.mkdir()
    (root / ASSET).write_bytes(b"the bytes of a picture")
    seal(root)
    return root


@dataclass(frozen=True)
class Outcome:
    """What a check said of a mutated repository.

    Attributes:
        mutation: what was to be done.
        done: what was done.
        violations: causes first.
        root: the folder.
        refused: the line with which the check refused the folder as a whole, else empty.
    """

    mutation: Mutation
    done: Done
    violations: list[Violation]
    root: Path
    refused: str = ""

    @property
    def result(self) -> str:
        """Return `found`; `warned` if it can be published nevertheless; `harmless` if it passed for a reason; or `passed`."""
        if self.refused or blocking(self.violations):
            return "found"
        return "warned" if self.violations else "harmless" if self.done.harmless else "passed"

    @property
    def passes(self) -> bool:
        """Whether the check said nothing."""
        return not self.refused and not self.violations

    @property
    def names_root(self) -> bool:
        """Whether the first violation names a file that was changed."""
        first = self.violations[0].file if self.violations else ""
        return bool(self.refused) or any(
            first == root or first.startswith(f"{root} ") or (root.endswith("/") and first.startswith(root))
            for root in self.done.roots
        )


def check_mutation(built: Path, folder: Path, mutation: Mutation) -> Outcome:
    """Copy a repository into `folder`, mutate the copy and check it; any exception is a fault of the check."""
    root = Path(shutil.copytree(built, folder / "rocov2", symlinks=True))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        done = mutation(root)
    try:
        is_document = mutation.kind in MAKERS and not mutation.kind.endswith((".parquet", NAMES))
        violations = check_repository(root, fast=True) if is_document else []
        if not blocking(violations):
            violations = check_repository(root)
    except UserError as error:
        return Outcome(mutation, done, [], root, str(error))
    "\n".join(describe_violations(violations)).encode()
    json.dumps([asdict(violation) for violation in violations]).encode()
    return Outcome(mutation, done, violations, root)


def main() -> None:
    """Print the figures: by kind how many mutations there were, were found, were only warned of, and passed with a reason."""
    parser = argparse.ArgumentParser(description="Mutate a repository by seed and check it.")
    parser.add_argument("--seeds", type=int, default=40, help="mutations of each kind (default: %(default)s)")
    parser.add_argument("--first", type=int, default=0, help="first seed (default: %(default)s)")
    options = parser.parse_args()
    totals: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        built = build_for_mutations(Path(folder) / "built")
        print(
            "| kind of file | mutations | found | warned of | passed, harmless | passed | tracebacks | root not first |"
        )
        print("| --- | --- | --- | --- | --- | --- | --- | --- |")
        for kind, recorded in KINDS:
            counts: Counter[str] = Counter()
            for mutation in mutations(kind, range(options.first, options.first + options.seeds), recorded):
                place = Path(folder) / "mutated"
                place.mkdir()
                try:
                    outcome = check_mutation(built, place, mutation)
                except Exception:
                    traceback.print_exc()
                    print(f"traceback: {mutation}", file=sys.stderr)
                    counts["traceback"] += 1
                else:
                    result = outcome.result
                    counts[result] += 1
                    counts["root"] += result == "found" and not outcome.names_root
                    if result != "found":
                        reasons[outcome.done.harmless] += 1
                        print(f"{result}: {outcome.done.what} ({outcome.done.harmless})", file=sys.stderr)
                    elif not outcome.names_root:
                        first = outcome.violations[0]
                        print(f"another root: {outcome.done}: {first.rule} {first.file}", file=sys.stderr)
                shutil.rmtree(place)
            totals += counts
            _print_row(f"`{kind}`{', recorded' if recorded else ''}", options.seeds, counts)
    _print_row("all", options.seeds * len(KINDS), totals)
    for reason, number in reasons.most_common():
        print(f"- {number}: {reason}")


def _print_row(name: str, number: int, counts: Counter[str]) -> None:
    columns = [counts[key] for key in ("found", "warned", "harmless", "passed", "traceback", "root")]
    print(f"| {name} | {number:,} | {' | '.join(f'{count:,}' for count in columns)} |", flush=True)


if __name__ == "__main__":
    main()

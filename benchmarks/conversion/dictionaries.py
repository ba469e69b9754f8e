"""Bytes of the columns of nearly unique texts, with a dictionary and without: the files have none for them.

Writes the rows of `text/` again, row group by row group, in both ways.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import click
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from rocov2_build.worker.parquet import CHUNKING, NEARLY_UNIQUE, leaf_columns


def column_bytes(path: Path, dictionaries: list[str] | bool) -> Counter[str]:
    """Return the compressed bytes by column if a file is written with these dictionaries."""
    file = pq.ParquetFile(path)
    sink = pa.BufferOutputStream()
    options = {"compression": "zstd", "write_page_index": True, "use_content_defined_chunking": CHUNKING}
    with pq.ParquetWriter(sink, file.schema_arrow, use_dictionary=dictionaries, **options) as writer:
        for group in range(file.num_row_groups):
            rows = file.read_row_group(group).combine_chunks()
            writer.write_table(rows, row_group_size=max(len(rows), 1))
    footer = pq.read_metadata(pa.BufferReader(sink.getvalue()))
    sizes = Counter[str]()
    for number in range(footer.num_row_groups):
        group = footer.row_group(number)
        for i in range(group.num_columns):
            sizes[group.column(i).path_in_schema] += group.column(i).total_compressed_size
    return sizes


@click.command(help=__doc__)
@click.argument("repository", type=click.Path(exists=True, file_okay=False, path_type=Path))
def main(repository: Path) -> None:
    """Print a table."""
    before, after = Counter[str](), Counter[str]()
    for path in sorted((repository / "text").glob("*.parquet")):
        others = [name for name in leaf_columns(pq.read_schema(path)) if name not in NEARLY_UNIQUE]
        before += column_bytes(path, True)
        after += column_bytes(path, others)
    click.echo("| column | bytes with a dictionary | bytes without |")
    click.echo("| --- | --- | --- |")
    for name in before:
        if name in NEARLY_UNIQUE:
            click.echo(f"| `{name}` | {before[name]:,} | {after[name]:,} |")
    click.echo(f"| all columns of `text` | {before.total():,} | {after.total():,} |")


if __name__ == "__main__":
    main()

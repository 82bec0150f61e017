"""Where a value stands as it came, in anything that a project keeps on disk."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import pyarrow.parquet as pq


def places_of(project: Path, values: Sequence[str], sources: Sequence[str] = ("incoming",)) -> list[str]:
    """Files of a project that hold one of the values, but for the sources' own: as bytes, or in what they hold packed."""
    found = []
    for path in sorted(path for path in project.rglob("*") if path.is_file()):
        name = path.relative_to(project).as_posix()
        if name.startswith(tuple(sources)):
            continue
        texts = "\n".join([path.read_bytes().decode("latin-1"), *_unpacked(path)])
        found += [f"{name}: {value}" for value in values if value in texts or value.encode().decode("latin-1") in texts]
    return found


def _unpacked(path: Path) -> Iterator[str]:
    if path.suffix == ".parquet":
        with pq.ParquetFile(path) as part:
            yield str(part.read().to_pylist())
            yield from (
                str(part.metadata.row_group(group).column(column).statistics)
                for group in range(part.metadata.num_row_groups)
                for column in range(part.metadata.num_columns)
            )
    elif path.suffix == ".duckdb":
        with duckdb.connect(str(path), read_only=True) as db:
            for schema, table in db.execute(
                "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE'"
            ).fetchall():
                yield str(db.execute(f'SELECT * FROM "{schema}"."{table}"').fetchall())
    elif path.suffix == ".sqlite":
        with sqlite3.connect(path) as log:
            yield "\n".join(log.iterdump())
        log.close()

"""Reads one file, written for the purpose, through the extractor."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow as pa

from systock.extract import extract_files
from systock.extract.batch import FileReader, FileVersion, TableSettings
from systock.source_settings import FileSource


def source_settings(known_at: str = "landing", **tables: dict[str, Any]) -> FileSource:
    """The settings of a source as they are read from systock.toml."""
    tables = {name: {"mode": "append", **values} for name, values in tables.items()}
    for values in tables.values():
        if values["mode"] != "append":
            values.setdefault("key", ["id"])
    return FileSource.model_validate({"type": "files", "known_at": known_at, "tables": tables})


def write(path: Path, content: bytes | str, modified: float = 1_700_000_000) -> Path:
    """Write a file that was modified long ago; compressed if its name says so."""
    data = content.encode() if isinstance(content, str) else content
    if path.name.endswith(".gz"):
        data = gzip.compress(data)
    elif path.name.endswith(".zst"):
        data = bytes(pa.Codec("zstd").compress(data))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (modified, modified))
    return path


def read_file(version: FileVersion, table: TableSettings, project: Path, file: Path | None = None) -> FileReader:
    """The one reader of a file, which lies in the project if nothing else is said."""
    [(path, reader)] = extract_files.read_file(version, table, file or project / version.path)
    assert path == version.path
    return reader


def version_of(path: Path, project: Path) -> FileVersion:
    """A file as a listing would give it."""
    status = path.stat()
    at = datetime(2024, 1, 1, tzinfo=UTC)
    name = path.relative_to(project).as_posix()
    return FileVersion("pos", "sales", "append", name, status.st_size, status.st_mtime_ns, at, None)


@dataclass
class Read:
    """What a reader handed over, by row number."""

    rows: dict[int, tuple[str | None, ...]]
    malformed: dict[int, tuple[str, str]]
    reader: FileReader
    batches: int

    @property
    def columns(self) -> tuple[str, ...]:
        return self.reader.columns


def collect(reader: FileReader) -> Read:
    """Read to the end; every row number must come once, and the counts must agree."""
    rows: dict[int, tuple[str | None, ...]] = {}
    malformed: dict[int, tuple[str, str]] = {}
    batches = list(reader)
    for batch in batches:
        for line in batch.to_pylist():
            number, text, reason = line.pop("_row"), line.pop("_malformed"), line.pop("_reason")
            assert number not in rows and number not in malformed
            if reason is None:
                rows[number] = tuple(line.get(name) for name in reader.columns)
            else:
                assert all(value is None for value in line.values())
                malformed[number] = (text, reason)
    assert reader.lines == len(rows) + len(malformed)
    assert reader.malformed == len(malformed)
    return Read(rows, malformed, reader, len(batches))


@contextmanager
def streamed(small: int, chunk: int) -> Iterator[None]:
    """Files of more bytes than `small` are streamed, in pieces of `chunk` bytes."""
    with (
        patch("systock.extract.text_stream.SMALL_BYTES", small),
        patch("systock.extract.text_stream.CHUNK", chunk),
        patch("systock.extract.read_csv.CHUNK", chunk),
    ):
        yield


def read(project: Path, content: bytes | str, name: str = "sales.csv", **settings: Any) -> Read:
    """Write a file and read it."""
    path = write(project / name, content)
    table = source_settings(sales={"path": name, **settings}).tables["sales"]
    return collect(read_file(version_of(path, project), table, project))

"""Exporting published tables and questions as files: Parquet, or CSV to the letter."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import quote

from systock.data_warehouse.engine.base import Engine, OutOfMemory
from systock.errors import StorageError, UsageError
from systock.etl_pipeline.bronze_layer.durable import refusal
from systock.load.publish_file import sync_folder
from systock.setting_values import hint
from systock.sql_text import literal, quoted

#: How each kind of file is written. In CSV a missing value is nothing and an empty text is "", as COPY in psql has it.
FORMATS = {
    # Row groups are bounded in bytes too: of long texts the usual 122,880 rows would be gigabytes.
    "parquet": "FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE_BYTES '32MB'",
    "csv": "FORMAT csv, HEADER",
}

# What only the build itself uses.
_PRIVATE = ("work", "bronze")
_STATE = "Nothing was exported; files of an earlier export are as they were."


def export_tables(
    engine: Engine, tables: Sequence[tuple[str, str]], folder: Path, form: str, done: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Write each table into a file of its own in `folder`; for each its name, file, rows and bytes.

    engine: on the published file, so that all tables are of one generation. tables: see `matching`. form: one of FORMATS.
    done: is told each table that is written. Memory does not grow with the tables. All files take their places when the
    last one is whole: earlier ones of the same names are replaced. Raises StorageError for what the disk refuses.
    """
    paths = {table: folder / file_name(".".join(table), form) for table in tables}
    for path in paths.values():
        if path.is_dir():
            raise UsageError(f"{path} is a folder", where="--to", state=_STATE, todo="Name another folder.")
    written = []
    with _aside(folder) as aside:
        for (schema, name), path in paths.items():
            new = aside / path.name
            rows = engine.execute(
                f"COPY (SELECT * FROM {quoted(schema, name)}) TO {literal(str(new))} ({FORMATS[form]})"
            )
            _sync(new)
            table = f"{schema}.{name}"
            written.append({"table": table, "file": str(path), "rows": rows, "bytes": new.stat().st_size})
            done(table)
        for path in paths.values():
            os.replace(aside / path.name, path)
        sync_folder(folder)
    return written


def matching(engine: Engine, asked: Sequence[str]) -> list[tuple[str, str]]:
    """Schema and name of the published tables that are asked for, each once, in the order of asking.

    asked: names such as serve.sales_daily, or patterns such as serve.*; UsageError where one asks for nothing that is there.
    """
    there = [
        (str(schema), str(name))
        for schema, name in engine.rows("SELECT table_schema, table_name FROM information_schema.tables ORDER BY ALL")
        if schema not in _PRIVATE
    ]
    found: dict[tuple[str, str], None] = {}
    for pattern in asked:
        hits = [table for table in there if fnmatchcase(".".join(table).lower(), pattern.lower())]
        if not hits:
            raise _unknown(engine, pattern, [".".join(table) for table in there])
        found |= dict.fromkeys(hits)
    return list(found)


def file_name(table: str, form: str) -> str:
    """The file of a table: its qualified name, without what a file name may not hold."""
    return "".join(quote(letter, safe="") if letter in "/\\%\0" else letter for letter in table) + f".{form}"


def _unknown(engine: Engine, pattern: str, valid: list[str]) -> UsageError:
    functions = {
        str(name): arguments
        for name, arguments in engine.rows(
            "SELECT schema_name || '.' || function_name, array_to_string(parameters, ', ') FROM duckdb_functions()"
            " WHERE function_type = 'table_macro' AND NOT internal"
        )
    }
    if pattern.lower() in functions:
        call = f"{pattern.lower()}({functions[pattern.lower()]})"
        return UsageError(
            f"{pattern} is no table but a question with arguments: {call}", where="TABLE", state=_STATE,
            todo=f'Ask it: systock query --format csv "SELECT * FROM {call}" > FILE',
        )  # fmt: skip
    schemas = sorted({table.partition(".")[0] for table in valid})
    inside = [table for table in valid if table.startswith(f"{pattern.lower().partition('.')[0]}.")]
    there = f"There are {', '.join(inside)}." if inside else f"Schemas: {', '.join(schemas)}."
    return UsageError(
        f"nothing that is published is called {pattern!r}.{hint(pattern, valid)}", where="TABLE", state=_STATE,
        todo=f"Name tables as schema.table, or patterns such as serve.*. {there}",
    )  # fmt: skip


@contextmanager
def _aside(folder: Path) -> Iterator[Path]:
    """A folder of our own inside the one to write to, gone at the end; refusals of the disk as errors that say what to do."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file", where="--to", state=_STATE, todo="Name a folder.")
    aside = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=".systock-export-", dir=folder))
        yield aside
    except OSError as error:
        refused = refusal(error.errno, str(folder), _STATE)
        if refused is None:
            raise StorageError(
                f"the export can't be written: {error.strerror or error}", where=str(folder), state=_STATE
            ) from error
        refused.todo = "Name a folder with room that you may write to: --to DIR."
        raise refused from error
    except StorageError as error:
        error.state = _STATE
        if not isinstance(error, OutOfMemory):
            error.where, error.todo = str(folder), "Free space there, or name another folder: --to DIR."
        raise
    finally:
        if aside:
            shutil.rmtree(aside, ignore_errors=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

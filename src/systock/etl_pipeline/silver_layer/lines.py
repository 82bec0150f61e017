"""Landed lines as a relation: the Parquet parts of some batches, with the file and the instants of their batch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from systock.data_warehouse.engine.base import Engine
from systock.sql_text import literal, quoted

if TYPE_CHECKING:
    from systock.etl_pipeline.bronze_layer.landing_log import Batch


def line_view(engine: Engine, name: str, bronze: Path, batches: Sequence[Batch], columns: Iterable[str]) -> None:
    """Make the temporary view `name`: the landed columns plus _file, _extracted_at and _known_at of their batch.

    batches: those to read, with the part that holds their rows; one that repeats another reads that one's rows as its own.
    columns: those that must be there, NULL where no file of these batches has them.
    Lines of a batch that is held are such as could not be read, for the reason that it is held for.
    """
    landed = {column.lower() for batch in batches if batch.part for column in batch.columns}
    absent = [column for column in sorted({name.lower() for name in columns}) if column not in landed]
    nulls = "".join(f", CAST(NULL AS VARCHAR) AS {quoted(column)}" for column in absent)
    parts = sorted({str(bronze / batch.part) for batch in batches if batch.part})
    if parts:
        rows = f"read_parquet([{', '.join(literal(part) for part in parts)}], union_by_name = true)"
        read_as = ", ".join(f"({batch.repeat_of or batch.no}, {batch.no})" for batch in batches if batch.part)
    else:  # only repeats and empty files: no line, but the same shape
        rows = "(SELECT CAST(NULL AS INTEGER) AS _batch_no, CAST(NULL AS BIGINT) AS _row, CAST(NULL AS VARCHAR) AS _malformed, CAST(NULL AS VARCHAR) AS _reason WHERE FALSE)"
        read_as = "(0, 0)"
    held = [batch for batch in batches if batch.held_for is not None and batch.part]
    text, reason = (
        f"CASE r.batch_no {' '.join(f'WHEN {batch.no} THEN {of(batch)}' for batch in held)} ELSE p.{column} END" if held else f"p.{column}"
        for column, of in (("_malformed", _as_it_came), ("_reason", lambda batch: literal(batch.held_for)))
    )  # fmt: skip
    engine.execute(f"""CREATE OR REPLACE TEMP VIEW {name} AS
        SELECT p.* REPLACE (r.batch_no AS _batch_no, {text} AS _malformed, {reason} AS _reason){nulls}, b.path AS _file, b.extracted_at AS _extracted_at, b.known_at AS _known_at
        FROM {rows} AS p
        JOIN (VALUES {read_as}) AS r (read_no, batch_no) ON r.read_no = p._batch_no
        JOIN meta.batch AS b ON b.batch_no = r.batch_no""")


def _as_it_came(batch: Batch) -> str:
    """SQL of a line's text: what could not be read, else the JSON of its file's columns."""
    fields = ", ".join(f"{quoted(column)} := p.{quoted(column)}" for column in batch.columns)
    return f"coalesce(p._malformed, CAST(to_json(struct_pack({fields})) AS VARCHAR))"


def raw_text_sql(batches: Sequence[Batch], lines: str) -> str:
    """SELECT of (raw_batch, raw_row, raw): the lines of a relation as JSON of their own file's columns, as they came."""
    files: dict[tuple[str, ...], list[int]] = {}
    for batch in batches:
        if batch.columns and batch.part:  # a file of a header alone has no rows, nor its columns a place
            files.setdefault(batch.columns, []).append(batch.no)
    parts = []
    for columns, numbers in files.items():
        fields = ", ".join(f"{quoted(column)} := {quoted(column)}" for column in columns)
        parts.append(
            f"SELECT _batch_no AS raw_batch, _row AS raw_row, to_json(struct_pack({fields})) AS raw FROM {lines} "
            f"WHERE _batch_no IN ({', '.join(map(str, numbers))})"
        )
    return " UNION ALL ".join(parts) or "SELECT NULL AS raw_batch, NULL AS raw_row, NULL AS raw WHERE FALSE"

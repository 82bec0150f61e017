"""The quarantine: every line that could not be kept, with its batch, row, rule, value and raw text."""

from __future__ import annotations

from systock.data_warehouse.compiled import FOREVER
from systock.data_warehouse.engine.base import Engine

TIED = "same key with other values at the same instant"


def add(engine: Engine, source: str, table: str, entity: str, select: str) -> None:
    """Add the lines of a SELECT of (batch_no, row_no, rule, column_name, value, raw, landed_at, known_from_at)."""
    engine.execute(f"""INSERT INTO silver.quarantine
        SELECT '{source}', '{table}', '{entity}', q.batch_no, q.row_no, q.rule, q.column_name, q.value, q.raw,
            q.landed_at, q.known_from_at, {FOREVER}
        FROM ({select}) AS q""")

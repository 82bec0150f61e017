"""What a warehouse says now, as content hashes: the same however its sources landed, which what it once believed is not."""

from __future__ import annotations

from pathlib import Path

from systock.data_warehouse.content_hash import table_hashes
from systock.data_warehouse.engine.duckdb import connect


def current_gold(warehouse: Path) -> dict[str, tuple[int, str]]:
    """Row count and content hash of gold's tables, without those of versions."""
    with connect(warehouse, read_only=True) as engine:
        return {
            name: found for name, found in table_hashes(engine, ("gold",)).items() if not name.endswith("__versions")
        }

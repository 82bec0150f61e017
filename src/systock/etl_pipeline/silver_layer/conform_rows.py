"""Conforming row by row: new lines of one raw table through a mapping that looks at one line at a time."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from systock.data_warehouse.compiled import CompiledTable
from systock.data_warehouse.engine.base import Engine
from systock.etl_pipeline.silver_layer import quarantine, row_equation
from systock.etl_pipeline.silver_layer.conform import Conforming
from systock.etl_pipeline.silver_layer.lines import line_view, raw_text_sql
from systock.etl_pipeline.silver_layer.mapping_sql import MappingSql
from systock.etl_pipeline.silver_layer.versions import merge
from systock.sql_text import literal, quoted

if TYPE_CHECKING:
    from systock.etl_pipeline.bronze_layer.landing_log import Batch
    from systock.source_settings import SourceSettings


def conform_rows(
    engine: Engine,
    bronze: Path,
    mapping: MappingSql,
    contract: CompiledTable,
    source: SourceSettings,
    batches: Sequence[Batch],
) -> None:
    """Conform pending batches (of any number of commits) of the mapping's raw table into silver, and count every line."""
    conforming = Conforming(mapping, contract, source)
    engine.execute("CREATE OR REPLACE TEMP TABLE pending_batch (batch_no INTEGER)")
    engine.execute(f"INSERT INTO pending_batch SELECT unnest([{', '.join(str(batch.no) for batch in batches)}])")
    line_view(engine, "line", bronze, [batch for batch in batches if batch.part], mapping.columns[mapping.driving])
    types = conforming.mapped_types(engine, mapping.rows)
    typed = conforming.typed_sql(f"({mapping.rows})", types)
    engine.execute(f"""CREATE OR REPLACE TEMP TABLE conformed AS
        SELECT {conforming.content_list}, version_at, is_deleted, _extracted_at, known_at, _batch_no, _row, _error
        FROM ({typed})""")
    # Where presence hangs on the raw key alone, a line left out can never take another one's place.
    settings = source.tables[mapping.driving]
    forgets = not settings.key or set(mapping.presence) <= {name.lower() for name in settings.key}
    keep = "AND NOT is_deleted" if forgets else ""
    engine.execute(
        f"CREATE OR REPLACE TEMP VIEW candidate AS SELECT * EXCLUDE (_error) FROM conformed WHERE _error IS NULL {keep}"
    )
    engine.execute(f"""CREATE OR REPLACE TEMP TABLE left_out_count AS
        SELECT _batch_no, count(*) AS lines FROM conformed WHERE is_deleted AND _error IS NULL AND {str(forgets).lower()} GROUP BY ALL""")
    merge(engine, conforming.versions, "candidate")
    _set_aside(engine, conforming, mapping, types, batches)
    row_equation.record(engine, mapping.source, mapping.entity, "pending_batch")


def _set_aside(
    engine: Engine, conforming: Conforming, mapping: MappingSql, types: MappingOf[str, str], batches: Sequence[Batch]
) -> None:
    """Quarantine the lines that could not be read, that broke a rule, or that contradict each other."""
    source, table, entity = mapping.source, mapping.driving, mapping.entity
    quarantine.add(engine, source, table, entity, """
        SELECT _batch_no AS batch_no, _row AS row_no, _reason AS rule, NULL AS column_name, _malformed AS value, _malformed AS raw,
            _known_at AS landed_at, _known_at AS known_from_at
        FROM line WHERE _malformed IS NOT NULL""")  # fmt: skip
    engine.execute("""CREATE OR REPLACE TEMP TABLE odd_place AS
        SELECT _batch_no, _row, FALSE AS is_tied FROM conformed WHERE _error IS NOT NULL
        UNION ALL
        SELECT _batch_no, _row, TRUE FROM merged_term WHERE term = 'tied'""")
    if not engine.rows("SELECT 1 FROM odd_place LIMIT 1"):
        return
    # Only the odd lines are read once more, now with what they said before the casts.
    engine.execute(
        "CREATE OR REPLACE TEMP TABLE odd_line AS SELECT * FROM line SEMI JOIN odd_place USING (_batch_no, _row)"
    )
    typed = conforming.typed_sql(f"({mapping.odd_rows})", types)
    key = [name for name in conforming.contract.primary_key if name != "source_name"]
    said = " || ', ' || ".join(f"{literal(name + ' ')} || CAST({quoted(name)} AS VARCHAR)" for name in key)
    quarantine.add(engine, source, table, entity, f"""
        SELECT _batch_no AS batch_no, _row AS row_no,
            CASE WHEN odd_tied THEN {literal(quarantine.TIED)} ELSE {conforming.rule_sql} END AS rule,
            CASE WHEN odd_tied THEN {literal(key[0])} ELSE {conforming.column_sql} END AS column_name,
            CASE WHEN odd_tied THEN {said} ELSE {conforming.value_sql} END AS value,
            raw, known_at AS landed_at, known_at AS known_from_at
        FROM ({typed})
        JOIN (SELECT _batch_no AS odd_batch, _row AS odd_row, is_tied AS odd_tied FROM odd_place) ON odd_batch = _batch_no AND odd_row = _row
        JOIN ({raw_text_sql(batches, 'odd_line')}) ON raw_batch = _batch_no AND raw_row = _row""")  # fmt: skip

"""Conforming over stored lines: mappings that join, aggregate or rank, refreshed by the keys that new lines touch."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from typing import TYPE_CHECKING

from systock.data_warehouse.compiled import CompiledTable
from systock.data_warehouse.engine.base import Engine
from systock.etl_pipeline.silver_layer import quarantine
from systock.etl_pipeline.silver_layer.cast_rules import literal, quoted
from systock.etl_pipeline.silver_layer.conform import Conforming
from systock.etl_pipeline.silver_layer.mapping_sql import RAW_PREFIX, MappingSql, lines_relation
from systock.etl_pipeline.silver_layer.stored_lines import StoredTable
from systock.etl_pipeline.silver_layer.versions import FOREVER, content_text, listed, replace

if TYPE_CHECKING:
    from systock.config import SourceSettings
    from systock.etl_pipeline.bronze_layer.landing_log import Commit


def conform_stored(
    engine: Engine,
    mapping: MappingSql,
    contract: CompiledTable,
    source: SourceSettings,
    stored: MappingOf[str, StoredTable],
    commit: Commit,
) -> None:
    """Bring the entity up to date with what one commit changed in the stored lines (by raw table) that its mapping reads."""
    now = f"TIMESTAMPTZ '{commit.known_at.isoformat()}'"
    moved = [
        name for name, table, history in mapping.inputs if _line_relations(engine, name, stored[table], history, now)
    ]
    if not moved:
        return
    if mapping.touched is not None:
        queries = [f"({query})" for name in moved for query in mapping.touched[name]]
        engine.execute(f"CREATE OR REPLACE TEMP TABLE touched_key AS {' UNION '.join(queries)}")
    conforming = Conforming(mapping, contract, source)
    types = conforming.mapped_types(engine, mapping.fresh)
    # Rows that no single line stands for (combined ones) take the commit's instant and no place.
    carried = f"""SELECT * EXCLUDE (line_is_deleted, _batch_no, _row, _extracted_at, line_version_at),
        coalesce(CAST(line_is_deleted AS BOOLEAN), FALSE) AS is_deleted, {now} AS known_at,
        coalesce(CAST(_batch_no AS INTEGER), 0) AS _batch_no, coalesce(CAST(_row AS BIGINT), 0) AS _row,
        coalesce(CAST(_extracted_at AS TIMESTAMPTZ), {now}) AS _extracted_at, coalesce(CAST(line_version_at AS TIMESTAMPTZ), {now}) AS line_version_at FROM"""
    engine.execute(f"CREATE OR REPLACE TEMP TABLE mapped_before AS {carried} ({mapping.stale})")
    engine.execute(f"CREATE OR REPLACE TEMP TABLE mapped_now AS {carried} ({mapping.fresh})")
    engine.execute(f"""CREATE OR REPLACE TEMP TABLE touched_identity AS
        SELECT DISTINCT {listed(conforming.versions.identity)}, {now} AS known_at FROM ({conforming.typed_sql("mapped_before", types)})""")
    typed = conforming.typed_sql("mapped_now", types)
    engine.execute(f"CREATE OR REPLACE TEMP TABLE conformed AS {_one_row_per_identity(conforming, typed)}")
    place = "version_at, is_deleted, _extracted_at, known_at, _batch_no, _row"
    engine.execute(
        f"CREATE OR REPLACE TEMP VIEW candidate AS SELECT {conforming.content_list}, {place} FROM conformed WHERE outcome = 'kept'"
    )
    replace(engine, conforming.versions, "candidate", "touched_identity")
    _set_aside(engine, conforming, mapping, now, types)


def _line_relations(engine: Engine, name: str, table: StoredTable, history: bool, now: str) -> bool:
    """Make an input's lines as they were and as they are, and those that changed; False when none did."""
    was, known = f"known_from_at < {now} AND known_to_at >= {now}", f"known_to_at = {FOREVER}"
    engine.execute(f"CREATE OR REPLACE TEMP VIEW {lines_relation('before', name)} AS {table.known_sql(was, history)}")
    engine.execute(f"CREATE OR REPLACE TEMP VIEW {lines_relation('after', name)} AS {table.known_sql(known, history)}")
    moved = f"(known_from_at = {now} OR known_to_at = {now})"
    if not engine.rows(f"SELECT 1 FROM {table.versions.name} WHERE {moved} LIMIT 1"):
        return False
    keys = f"(SELECT DISTINCT {listed(table.key)} FROM {table.versions.name} WHERE {moved})"
    both = [
        table.known_sql(f"{condition} AND ({listed(table.key, 'v')}) IN {keys}", history) for condition in (was, known)
    ]
    engine.execute(f"CREATE OR REPLACE TEMP TABLE {lines_relation('changed', name)} AS {' UNION ALL '.join(both)}")
    return True


def _one_row_per_identity(conforming: Conforming, typed: str) -> str:
    """Typed rows with their outcome: several rows of one identity are repeats, superseded, or a contradiction."""
    identity = listed(conforming.versions.identity)
    return f"""
        SELECT *, CASE
            WHEN _error IS NOT NULL THEN 'wrong' WHEN repeat_no > 1 THEN 'duplicate' WHEN updated_at IS DISTINCT FROM last_instant THEN 'superseded'
            WHEN count(*) FILTER (WHERE repeat_no = 1 AND _error IS NULL AND updated_at IS NOT DISTINCT FROM last_instant) OVER (PARTITION BY {identity}) > 1 THEN 'tied'
            ELSE 'kept' END AS outcome
        FROM (
            SELECT *, max(updated_at) FILTER (WHERE _error IS NULL) OVER (PARTITION BY {identity}) AS last_instant,
                row_number() OVER (PARTITION BY {identity}, _error IS NULL, said ORDER BY _batch_no, _row) AS repeat_no
            FROM (SELECT *, {content_text(conforming.versions)} AS said FROM ({typed})))"""


def _set_aside(
    engine: Engine, conforming: Conforming, mapping: MappingSql, now: str, types: MappingOf[str, str]
) -> None:
    """Quarantine what fails now; entries of rows judged again and found sound (or gone) are closed."""
    engine.execute(f"""UPDATE silver.quarantine SET known_to_at = {now}
        WHERE source_name = '{mapping.source}' AND entity = '{mapping.entity}' AND known_to_at = {FOREVER}
            AND (batch_no, row_no) IN (SELECT (_batch_no, _row) FROM mapped_before)""")
    raw = "to_json(struct_pack(" + ", ".join(f"{quoted(name)} := {quoted(RAW_PREFIX + name)}" for name in types) + "))"
    key = [name for name in conforming.contract.primary_key if name != "source_name"]
    said = " || ', ' || ".join(f"{literal(name + ' ')} || CAST({quoted(name)} AS VARCHAR)" for name in key)
    quarantine.add(engine, mapping.source, mapping.driving, mapping.entity, f"""
        SELECT _batch_no AS batch_no, _row AS row_no,
            CASE outcome WHEN 'tied' THEN {literal(quarantine.TIED)} ELSE {conforming.rule_sql} END AS rule,
            CASE outcome WHEN 'tied' THEN {literal(key[0])} ELSE {conforming.column_sql} END AS column_name,
            CASE outcome WHEN 'tied' THEN {said} ELSE {conforming.value_sql} END AS value,
            {raw} AS raw, coalesce(place_landed_at, {now}) AS landed_at, {now} AS known_from_at
        FROM conformed AS c
        LEFT JOIN (SELECT batch_no AS place_no, known_at AS place_landed_at FROM meta.batch) ON place_no = c._batch_no
        WHERE outcome IN ('tied', 'wrong')""")  # fmt: skip

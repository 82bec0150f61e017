"""Conforming over stored lines: mappings that join, aggregate or rank, refreshed by the keys that new lines touch."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from typing import TYPE_CHECKING

from systock.data_warehouse.compiled import FOREVER, CompiledTable
from systock.data_warehouse.engine.base import Engine
from systock.etl_pipeline.silver_layer import quarantine
from systock.etl_pipeline.silver_layer.conform import Conforming
from systock.etl_pipeline.silver_layer.mapping_sql import PLACE, RAW_PREFIX, MappingSql, lines_relation
from systock.etl_pipeline.silver_layer.stored_lines import StoredTable
from systock.etl_pipeline.silver_layer.versions import content_text, listed, replace, same
from systock.sql_text import literal, quoted

if TYPE_CHECKING:
    from systock.etl_pipeline.bronze_layer.landing_log import Commit
    from systock.source_settings import SourceSettings


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
    place = {
        "is_deleted": ("_line_is_deleted", "BOOLEAN", "FALSE"), "_batch_no": ("_batch_no", "INTEGER", "0"), "_row": ("_row", "BIGINT", "0"),
        "_extracted_at": ("_extracted_at", "TIMESTAMPTZ", now), "line_version_at": ("_line_version_at", "TIMESTAMPTZ", now),
        "line_gone_at": ("_line_gone_at", "TIMESTAMPTZ", "NULL"),
    }  # fmt: skip
    told = ", ".join(
        f"coalesce(CAST({name} AS {type_}), {none}) AS {as_}" for as_, (name, type_, none) in place.items()
    )
    carried = f"SELECT * EXCLUDE ({', '.join(PLACE)}), {told}, {now} AS known_at FROM"
    engine.execute(f"CREATE OR REPLACE TEMP TABLE mapped_before AS {carried} ({mapping.stale})")
    engine.execute(f"CREATE OR REPLACE TEMP TABLE mapped_now AS {carried} ({mapping.fresh})")
    engine.execute(f"""CREATE OR REPLACE TEMP TABLE touched_identity AS
        SELECT DISTINCT {listed(conforming.versions.identity)}, {now} AS known_at FROM ({conforming.typed_sql("mapped_before", types)})""")
    typed = conforming.typed_sql("mapped_now", types)
    engine.execute(f"CREATE OR REPLACE TEMP TABLE conformed AS {_one_row_per_identity(conforming, typed)}")
    engine.execute(
        f"CREATE OR REPLACE TEMP VIEW candidate AS SELECT {conforming.content_list}, version_at, is_deleted, _extracted_at, known_at, _batch_no, _row FROM conformed WHERE outcome = 'kept'"
    )
    replace(engine, conforming.versions, "candidate", "touched_identity")
    _set_aside(engine, conforming, mapping, now, types)
    if not mapping.combines:
        _count(engine, mapping, stored[mapping.driving], now)


def lines_without_row(engine: Engine, mapping: MappingSql, stored: StoredTable) -> int:
    """How many lines of the driving table, as the mapping sees them, are in no row now: nothing to join with, or left out by the mapping.

    A row that a later version of its line left as it was keeps the place of the earlier one.
    """
    history = any(table == stored.table and of_all for _, table, of_all in mapping.inputs)
    key, lines = stored.versions.key, stored.versions.name
    seen = f"SELECT * FROM {lines} WHERE known_to_at = {FOREVER}"
    if stored.valid_time and not history:
        seen += f" QUALIFY row_number() OVER (PARTITION BY {listed(key)} ORDER BY version_at DESC) = 1"
    placed = f"""SELECT _batch_no, _row FROM silver.{mapping.entity}__versions WHERE source_name = '{mapping.source}' AND known_to_at = {FOREVER}
        UNION ALL SELECT batch_no, row_no FROM silver.quarantine
        WHERE source_name = '{mapping.source}' AND entity = '{mapping.entity}' AND known_to_at = {FOREVER}"""
    same_line = same(key, "o", "l") + (" AND o.version_at = l.version_at" if history else "")
    [(count,)] = engine.rows(f"""
        WITH placed AS ({placed}), unplaced AS MATERIALIZED (
            SELECT l.* FROM ({seen}) AS l ANTI JOIN placed AS p ON p._batch_no = l._batch_no AND p._row = l._row WHERE NOT l.is_deleted
        ), earlier AS (
            SELECT o.* FROM {lines} AS o SEMI JOIN unplaced AS l ON {same_line}
        )
        SELECT count(*) FROM unplaced AS l
        ANTI JOIN (SELECT o.* FROM earlier AS o SEMI JOIN placed AS p ON p._batch_no = o._batch_no AND p._row = o._row) AS o ON {same_line}""")
    return int(count)


def _count(engine: Engine, mapping: MappingSql, stored: StoredTable, now: str) -> None:
    """Count what became, at this commit, of the driving lines that it brought; a line that yields no row yet is left out."""
    term = {
        "kept": "'kept'", "unchanged": "NULL", "superseded": "'superseded'", "duplicates": "'duplicate'", "quarantined": "'set aside'",
        "left_out": "'none'",
    }  # fmt: skip
    engine.execute(f"""INSERT INTO meta.row_count
        WITH fate AS (
            SELECT l._batch_no, l._row, CASE
                WHEN bool_or(c.outcome = 'kept') THEN 'kept' WHEN bool_or(c.outcome IN ('wrong', 'tied')) THEN 'set aside'
                WHEN bool_or(c.outcome = 'duplicate') THEN 'duplicate' WHEN bool_or(c.outcome = 'superseded') THEN 'superseded'
                ELSE 'none' END AS term
            FROM {stored.versions.name} AS l LEFT JOIN conformed AS c ON c._batch_no = l._batch_no AND c._row = l._row
            WHERE l.known_from_at = {now} AND NOT l.is_deleted GROUP BY ALL
        )
        SELECT _batch_no, '{mapping.source}', '{mapping.entity}', {now}, count(*),
            {", ".join(f"count(*) FILTER (WHERE term = {value})" for value in term.values())}
        FROM fate GROUP BY _batch_no""")


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
    """Typed rows with their outcome: of several rows of one identity the later instant, then the later extraction counts."""
    identity = listed(conforming.versions.identity)
    return f"""
        SELECT *, CASE
            WHEN _error IS NOT NULL THEN 'wrong' WHEN repeat_no > 1 THEN 'duplicate' WHEN standing > 1 THEN 'superseded'
            WHEN count(*) FILTER (WHERE repeat_no = 1 AND standing = 1 AND _error IS NULL) OVER (PARTITION BY {identity}) > 1 THEN 'tied'
            ELSE 'kept' END AS outcome
        FROM (
            SELECT *,
                rank() OVER (PARTITION BY {identity}, _error IS NULL ORDER BY updated_at DESC NULLS LAST, line_version_at DESC) AS standing,
                row_number() OVER (PARTITION BY {identity}, _error IS NULL, said ORDER BY line_version_at DESC, _batch_no, _row) AS repeat_no
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

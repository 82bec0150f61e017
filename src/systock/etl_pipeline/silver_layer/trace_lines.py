"""Which landed lines some rows of silver are made from: by the place that each version keeps, and through the mappings that join."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from systock.data_warehouse.compiled import FOREVER, CompiledTable
from systock.data_warehouse.engine.base import Engine
from systock.data_warehouse.lineage_build import build
from systock.data_warehouse.lineage_trace import Tracer
from systock.data_warehouse.lineage_tree import NotByKey
from systock.data_warehouse.table_file import TableFile
from systock.data_warehouse.trace_rows import RowTracer
from systock.etl_pipeline.silver_layer.conform import versions_of
from systock.etl_pipeline.silver_layer.lines import line_view, raw_text_sql
from systock.etl_pipeline.silver_layer.mapping_sql import PLACE, RAW_PREFIX, over_stored_lines
from systock.etl_pipeline.silver_layer.versions import listed
from systock.sql_text import literal

if TYPE_CHECKING:
    from systock.etl_pipeline.bronze_layer.landing_log import Batch
    from systock.etl_pipeline.silver_layer.mapping import Mapping
    from systock.etl_pipeline.silver_layer.stored_lines import StoredTable

#: What a line is to the row that it is behind.
COUNTS, JOINED, ABSENT, SUPERSEDED = "counts", "joined", "absent", "superseded"
_LINE = "entity VARCHAR, batch_no INTEGER, row_no BIGINT, part VARCHAR, believed_to TIMESTAMPTZ, row_key VARCHAR"


class LineTracer:
    """Collects, in the temporary table `explained_line`, the lines behind rows of silver.

    part says what a line is to its row: it counts; it is joined to one that does; a full extract that no longer holds the row
    is named instead of a line (absent); or it was believed until a later line superseded it (then believed_to says when).
    """

    def __init__(self, engine: Engine, stored: MappingOf[tuple[str, str], StoredTable]) -> None:
        self.engine, self.stored = engine, stored
        engine.execute(f"CREATE OR REPLACE TEMP TABLE explained_line ({_LINE})")

    def entity(self, contract: CompiledTable, rows: str, mappings: Sequence[Mapping], file: TableFile) -> None:
        """The lines behind the rows of an entity whose key and version_at are in the relation `rows`."""
        versions = versions_of(contract)
        name = contract.name
        key = _key_sql(contract)
        tell = (*contract.primary_key, "version_at")
        wanted = " AND ".join(f'v."{column}" = w."{column}"' for column in tell)
        self.engine.execute(f"""CREATE OR REPLACE TEMP TABLE explained_version AS
            SELECT v.*, {key} AS _key FROM {versions.name} AS v SEMI JOIN {rows} AS w ON {wanted} WHERE v.known_to_at = {FOREVER}""")
        same = " AND ".join(f'v."{column}" = w."{column}"' for column in versions.identity)
        self.engine.execute(f"""INSERT INTO explained_line
            SELECT '{name}', v._batch_no, v._row, '{SUPERSEDED}', v.known_to_at, {key} FROM {versions.name} AS v
            SEMI JOIN explained_version AS w ON {same} WHERE v.known_to_at < {FOREVER} AND v._batch_no > 0""")
        for mapping in mappings:
            own = f"explained_version WHERE source_name = {literal(mapping.source)}"
            if mapping.row_wise:
                self.engine.execute(
                    f"INSERT INTO explained_line SELECT '{name}', _batch_no, _row, '{COUNTS}', NULL, _key FROM {own}"
                )
            elif self.engine.rows(f"SELECT 1 FROM {own} LIMIT 1"):
                self._stored(mapping, file, own)

    def versions(self, contract: CompiledTable, rows: str) -> None:
        """The lines behind versions of an entity, also those believed no more: each by the place that it keeps."""
        tell = (*contract.primary_key, "version_at", "known_from_at")
        wanted = " AND ".join(f'v."{column}" = w."{column}"' for column in tell)
        self.engine.execute(f"""INSERT INTO explained_line
            SELECT '{contract.name}', v._batch_no, v._row, CASE WHEN v.known_to_at < {FOREVER} THEN '{SUPERSEDED}' ELSE '{COUNTS}' END,
                nullif(v.known_to_at, {FOREVER}), {_key_sql(contract)}
            FROM {versions_of(contract).name} AS v SEMI JOIN {rows} AS w ON {wanted}
            ANTI JOIN explained_line AS l ON l.entity = '{contract.name}' AND l.batch_no = v._batch_no AND l.row_no = v._row
            WHERE v._batch_no > 0""")

    def _stored(self, mapping: Mapping, contract: TableFile, rows: str) -> None:
        """Through a mapping over stored lines: the driving line, what is joined to it, or all lines that are combined."""
        columns = {table: sorted({name.lower() for name in mapping.raw_columns(table)}) for table in mapping.raw_tables}
        tables = {table: self.stored[mapping.source, table] for table in mapping.raw_tables}
        keys = {table: list(stored.settings.key) for table, stored in tables.items()}
        select, inputs, schema = over_stored_lines(mapping, contract, columns, keys)
        relation = {}
        for name, table, history in inputs:
            relation[name] = f"explained_{name.replace('.', '_')}"
            known = tables[table].known_sql(f"known_to_at = {FOREVER}", history)
            self.engine.execute(f"CREATE OR REPLACE TEMP VIEW {relation[name]} AS {known}")
        tracer = RowTracer(self.engine, lambda _: PLACE[:2], relation)
        texts = [c.name for c in contract.columns if c.type == "text" and c.name in contract.primary_key]
        texts = [name for name in texts if name in mapping.outputs]
        [(combined,)] = self.engine.rows(f"SELECT count(*) FILTER (WHERE _batch_no = 0) > 0 FROM {rows}")
        of = {name: RAW_PREFIX + name for name in texts} if combined else {name: name for name in PLACE[:2]}
        wanted = tracer.keep(f"SELECT DISTINCT {listed(tuple(of))} FROM {rows}" if of else "SELECT 1 AS one")
        asked = [RAW_PREFIX + name for name in mapping.outputs]
        try:
            tree = build(select, schema)
            Tracer({}).trace(tree)
            taken = tracer.trace(tree, wanted, of, asked)
        except NotByKey:  # then only the places that the versions keep are known
            taken = {}
        self.engine.execute(f"""INSERT INTO explained_line SELECT '{contract.name}', _batch_no, _row,
                CASE WHEN is_deleted THEN '{ABSENT}' ELSE '{COUNTS}' END, NULL, _key FROM {rows} AND _batch_no > 0""")
        for name, table, _ in inputs:
            part = taken.get(name)
            if part is None:
                continue
            place = part.relation or f"(SELECT _batch_no, _row FROM {relation[name]})"
            self.engine.execute(f"""INSERT INTO explained_line
                SELECT '{contract.name}', p._batch_no, p._row, '{COUNTS if combined and table == mapping.driving else JOINED}', NULL, NULL
                FROM {place} AS p ANTI JOIN explained_line AS l
                    ON l.batch_no = p._batch_no AND l.row_no = p._row AND l.entity = '{contract.name}' AND l.part <> '{SUPERSEDED}'""")

    def counts(self) -> dict[str, int]:
        """How many lines there are, by entity."""
        return dict(self.engine.rows("SELECT entity, count(*) FROM explained_line GROUP BY entity ORDER BY entity"))

    def lines(self, bronze: Path, batches: MappingOf[int, Batch], limit: int | None) -> list[dict[str, Any]]:
        """The lines, the newest first, at most `limit` of each entity: file, row, batch, known_at and the text as it came."""
        first = f"QUALIFY row_number() OVER (PARTITION BY l.entity ORDER BY {_ORDER}) <= {limit}" if limit else ""
        self.engine.execute(f"""CREATE OR REPLACE TEMP TABLE shown_line AS
            SELECT l.*, b.known_at FROM explained_line AS l JOIN meta.batch AS b ON b.batch_no = l.batch_no {first}""")
        numbers = [number for (number,) in self.engine.rows("SELECT DISTINCT batch_no FROM shown_line ORDER BY 1")]
        landed = [batches[number] for number in numbers]
        landed = [replace(b, part=b.part or batches[b.repeat_of].part) if b.repeat_of else b for b in landed]
        line_view(self.engine, "landed_line", bronze, landed, [])
        self.engine.execute("""CREATE OR REPLACE TEMP TABLE raw_line AS SELECT * FROM landed_line
            SEMI JOIN shown_line AS s ON s.batch_no = landed_line._batch_no AND s.row_no = landed_line._row AND s.part <> 'absent'""")
        return self.engine.dicts(f"""
            SELECT l.entity, l.row_key AS key, l.part, b.source_name AS source, b.table_name AS "table", b.path AS file,
                CASE WHEN l.part <> '{ABSENT}' THEN l.row_no END AS "row", b.batch_no AS batch, b.batch_id, b.known_at, l.believed_to,
                CAST(r.raw AS VARCHAR) AS raw
            FROM shown_line AS l JOIN meta.batch AS b ON b.batch_no = l.batch_no
            LEFT JOIN ({raw_text_sql(landed, "raw_line")}) AS r ON r.raw_batch = l.batch_no AND r.raw_row = l.row_no
            ORDER BY l.entity, {_ORDER}""")


_ORDER = "b.known_at DESC, l.batch_no DESC, l.row_no, l.part"


def _key_sql(contract: CompiledTable) -> str:
    return " || ' / ' || ".join(f'CAST(v."{column}" AS VARCHAR)' for column in contract.primary_key)

"""Full extracts: in whatever order they land, the stored lines say what a plain reading of all of them says."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from itertools import accumulate, dropwhile, pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from systock.data_warehouse.engine.duckdb import connect
from systock.data_warehouse.table_file import load_folder
from systock.etl_pipeline.bronze_layer.landing_log import Batch
from systock.etl_pipeline.silver_layer.stored_lines import StoredTable, create_stored, store_lines
from systock.pipeline_manager.definitions import SCHEMA
from systock.source_settings import FileTable

START = datetime(2024, 1, 1, tzinfo=UTC)
#: One extract: key → value, whether a line of it was malformed (then it proves no absence), and days since the one before.
EXTRACT = st.tuples(
    st.dictionaries(st.sampled_from("abc"), st.sampled_from("xy"), max_size=3), st.booleans(), st.integers(0, 1)
)
EXTRACTS = st.lists(EXTRACT, min_size=1, max_size=5)


def days_of(extracts: list) -> list[int]:
    """The day that each extract states; some state the same."""
    return list(accumulate(days for _, _, days in extracts))


def believed(extracts: list, order: list[int], commits: list[int], valid_time: bool) -> set[tuple]:
    """Land the extracts in an order, several per commit, and read what is believed in the end."""
    settings = FileTable(path="x.csv", mode="full", key=["id"])
    days = days_of(extracts)
    table = StoredTable("erp", "things", settings, ("id", "value"), valid_time)
    with tempfile.TemporaryDirectory() as folder, connect(None) as engine:
        for schema in ("bronze", "silver", "meta"):
            engine.execute(f"CREATE SCHEMA {schema}")
        for file in load_folder(SCHEMA / "meta").values():
            for statement in engine.create_table_sql(file):
                engine.execute(statement)
        create_stored(engine, table)
        landed: list[Batch] = []
        for commit_no in sorted(set(commits)):
            mine = []
            for number, position in enumerate(order):
                if commits[number] != commit_no:
                    continue
                content, malformed, _ = extracts[position]
                lines = [(key, value, None) for key, value in content.items()] + (
                    [(None, None, "broken")] if malformed else []
                )
                no = number + 1
                part = f"{no}.parquet"
                schema = pa.schema(
                    [
                        ("_batch_no", pa.int32()),
                        ("_row", pa.int64()),
                        ("_malformed", pa.string()),
                        ("_reason", pa.string()),
                        ("id", pa.string()),
                        ("value", pa.string()),
                    ]
                )
                rows = [
                    {"_batch_no": no, "_row": row, "_malformed": broken, "_reason": broken, "id": key, "value": value}
                    for row, (key, value, broken) in enumerate(lines, 2)
                ]
                pq.write_table(pa.Table.from_pylist(rows, schema=schema), Path(folder) / part)
                mine.append(Batch(
                    no, f"id{position}", commit_no, START + timedelta(days=1000 + commit_no), "erp", "things", "full", f"{position}.csv", str(position),
                    START + timedelta(days=days[position]), len(lines), int(malformed), str(position), ("id", "value"), part, None,
                ))  # fmt: skip
            engine.insert("meta.batch", [
                (b.no, b.batch_id, b.commit_no, b.known_at, b.source, b.table, b.mode, b.path, b.extracted_at, b.lines, b.malformed, None, b.complete, None)
                for b in mine
            ])  # fmt: skip
            store_lines(engine, Path(folder), table, mine, landed)
            landed += mine
        rows = engine.rows(f"""SELECT raw_id, version_at, raw_value, is_deleted FROM {table.versions.name}
            WHERE known_to_at = TIMESTAMPTZ '9999-12-31 00:00:00+00' ORDER BY raw_id, version_at""")
    if not valid_time:
        return {(key, value) for key, _, value, deleted in rows if not deleted}
    return {(key, at, None if deleted else value) for key, at, value, deleted in rows}


def read_plainly(extracts: list, valid_time: bool) -> set[tuple]:
    """Per key the days on which what the extracts say of it changes; absence counts only in a whole extract."""
    versions = set()
    days = days_of(extracts)
    for key in "abc":
        said: dict[int, str | None] = {}  # the last word of each day
        for day, (content, malformed, _) in zip(days, extracts, strict=True):
            if key in content:
                said[day] = content[key]
            elif not malformed and content:
                said[day] = None
        known = list(dropwhile(lambda item: item[1] is None, said.items()))
        starts = known[:1] + [after for before, after in pairwise(known) if before[1] != after[1]]
        if valid_time:
            versions |= {(key, START + timedelta(days=day), value) for day, value in starts}
        elif known and known[-1][1] is not None:
            versions.add((key, known[-1][1]))
    return versions


@pytest.mark.parametrize("valid_time", [True, False])
@given(extracts=EXTRACTS, data=st.data())
def test_stored_lines_say_what_all_extracts_say(valid_time: bool, extracts: list, data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(extracts))))
    commits = sorted(data.draw(st.lists(st.integers(1, 4), min_size=len(extracts), max_size=len(extracts))))
    assert believed(extracts, list(order), commits, valid_time) == read_plainly(extracts, valid_time)

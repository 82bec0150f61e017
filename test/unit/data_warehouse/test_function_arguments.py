"""Arguments of table functions: columns of meta.asked in the file, arguments of the function in the engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from systock.data_warehouse.engine.duckdb import connect
from systock.data_warehouse.function_arguments import ARGUMENTS, arguments_of, with_arguments
from systock.data_warehouse.table_file import parse_text, read_file
from systock.errors import DefinitionError
from systock.pipeline_manager.definitions import SCHEMA

FUNCTION = """
-- Days of a span, as known then.
-- refresh: function
CREATE TABLE serve.days (
    day      date        NOT NULL, -- a day
    known_at timestamptz NOT NULL  -- the state of knowledge
);

WITH day AS (
    SELECT held.day
    FROM gold.held AS held
    CROSS JOIN meta.asked AS asked
    WHERE held.day BETWEEN asked.first_date AND asked.last_date
)

SELECT day.day, asked.known_at
FROM day
CROSS JOIN meta.asked AS asked;
"""

VERSIONS = """
-- Rows of a table that were ever believed.
-- refresh: versions
CREATE TABLE gold.held__versions (
    id            text        NOT NULL, -- what
    known_from_at timestamptz NOT NULL, -- when it became known
    known_to_at   timestamptz NOT NULL, -- until when
    PRIMARY KEY (id, known_from_at)
);

SELECT id
FROM gold.held;
"""


def test_the_arguments_are_the_columns_of_meta_asked() -> None:
    assert {c.name: c.type for c in read_file(SCHEMA / "meta" / "asked.sql").columns} == ARGUMENTS


def test_a_function_takes_what_its_select_reads_in_their_order() -> None:
    file = parse_text(FUNCTION, Path("days.sql"))
    assert list(arguments_of(file)) == ["first_date", "last_date", "known_at"]
    assert "asked" not in with_arguments(file).sql()
    with connect(None) as engine:
        engine.execute("CREATE SCHEMA gold")
        engine.execute(
            "CREATE TABLE gold.held AS SELECT DATE '2024-05-01' + CAST(n AS INTEGER) AS day FROM range(10) AS t(n)"
        )
        for statement in engine.create_function_sql(file):
            engine.execute(statement)
        asked = "serve.days(DATE '2024-05-03', DATE '2024-05-04', TIMESTAMPTZ '2024-06-01 00:00:00+00')"
        assert engine.rows(f"SELECT CAST(day AS VARCHAR) FROM {asked} ORDER BY day") == [
            ("2024-05-03",),
            ("2024-05-04",),
        ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("    known_to_at   timestamptz NOT NULL, -- until when\n", "", "does not end in the span of knowledge"),
        ("PRIMARY KEY (id, known_from_at)", "PRIMARY KEY (id)", "several versions of a row would have one key"),
        ("SELECT id\n", "SELECT id, known_from_at\n", "does not fit"),
    ],
)  # fmt: skip
def test_a_table_of_versions_ends_in_its_span_of_knowledge(old: str, new: str, said: str) -> None:
    assert parse_text(VERSIONS, Path("held.sql")).column_names == ("id", "known_from_at", "known_to_at")
    with pytest.raises(DefinitionError, match=said):
        parse_text(VERSIONS.replace(old, new), Path("held.sql"))

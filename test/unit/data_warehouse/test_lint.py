"""The lint: what it refuses, what it lets pass, and that it names the portable form."""

from __future__ import annotations

from pathlib import Path

import pytest

import systock
from systock.data_warehouse.expression_types import schema_of
from systock.data_warehouse.lint import check_files, lint
from systock.data_warehouse.portable_sql import parse
from systock.data_warehouse.table_file import load_folder, parse_text
from systock.errors import DefinitionError

PACKAGE = Path(systock.__file__).parent
SCHEMA = {
    "silver.line": {
        "id": "text", "sold_at": "timestamptz", "at_local": "timestamp", "day": "date", "cut": "time", "quantity": "numeric(18, 3)",
        "price": "numeric(18, 6)", "units": "integer", "big": "bigint", "share": "double precision", "is_void": "boolean",
    }
}  # fmt: skip


def found(expression: str, schema: dict[str, dict[str, str]] | None = SCHEMA) -> list[tuple[str, str]]:
    """What the lint says of an expression over silver.line AS l."""
    errors = lint(parse(f"SELECT {expression} AS made FROM silver.line AS l"), schema)
    return [(error.found, error.portable_form) for error in errors]


@pytest.mark.parametrize(
    ("expression", "form"),
    [
        # numbers
        ("l.quantity * l.price", "mul(a, b, scale)"),
        ("l.quantity * 2", "mul(a, b, scale)"),
        ("l.units * 1.5", "mul(a, b, scale)"),
        ("sum(l.quantity * l.price)", "mul(a, b, scale)"),
        ("l.quantity / l.price", "safe_div(a, b, scale)"),
        ("l.units / 2", "int_div(a, b)"),
        ("l.share / l.share", "NULLIF(b, 0)"),
        ("l.units % l.big", "NULLIF(b, 0)"),
        ("avg(l.quantity)", "safe_div(sum(x), count(x), scale)"),
        ("avg(l.units)", "CAST(x AS double precision)"),
        ("round(l.share, 2)", "CAST(x AS numeric(18, 4))"),
        ("sqrt(l.quantity)", "CAST(x AS double precision)"),
        ("stddev_samp(l.units)", "CAST(x AS double precision)"),
        ("CAST(l.quantity AS integer)", "CAST(round(x, 0) AS bigint)"),
        ("l.share::bigint", "CAST(round(x, 0) AS bigint)"),
        ("'7.5'::int", "CAST(round(try_number(x), 0) AS bigint)"),
        ("CAST(l.id AS bigint)", "try_number"),
        ("'0x1f'::bigint", "in decimal"),
        ("CAST(l.id AS numeric)", "numeric(18, 4)"),
        ("CAST(l.id AS varchar(10))", "Write text"),
        ("CAST(l.units AS smallint)", "Write integer"),
        ("CAST(l.share AS text)", "numeric(18, 4)"),
        ("int_div(l.quantity, 2)", "safe_div"),
        ("mul(l.share, 2, 4)", "numeric"),
        ("log(l.share)", "ln(x)"),
        ("percentile_cont(0.5) WITHIN GROUP (ORDER BY l.units)", "quantile(x, share)"),
        # time
        ("now()", "Time is a parameter"),
        ("current_date", "Time is a parameter"),
        ("current_timestamp", "Time is a parameter"),
        ("localtimestamp", "Time is a parameter"),
        ("clock_timestamp()", "Time is a parameter"),
        ("l.day - DATE '2024-01-01'", "date_diff(later, earlier)"),
        ("l.day + 1", "add_days(d, n)"),
        ("l.day - l.units", "add_days(d, -n)"),
        ("l.sold_at - l.sold_at", "instant_text(a)"),
        ("l.at_local - l.cut", "business_date"),
        ("l.day + l.cut", "start_of_business_date"),
        ("age(l.sold_at, l.sold_at)", "date_diff"),
        ("extract(dow FROM l.day)", "iso_day_of_week"),
        ("extract(isodow FROM l.day)", "iso_day_of_week"),
        ("extract(epoch FROM l.sold_at)", "instant_text"),
        ("extract(week FROM l.day)", "iso_week"),
        ("extract(isoyear FROM l.day)", "iso_year"),
        ("extract(second FROM l.sold_at)", "floor(extract(second"),
        ("extract(century FROM l.day)", "Extract one of"),
        ("date_part('dow', l.day)", "iso_day_of_week"),
        ("date_trunc('decade', l.day)", "Truncate to one of"),
        ("to_char(l.day, 'Day')", "day_name_en(d)"),
        ("to_date(l.id, 'YYYY')", "iso_date"),
        ("to_timestamp(1.5)", "instant_of_epoch"),
        ("l.sold_at AT TIME ZONE 'UTC'", "utc_to_local"),
        ("timezone('UTC', l.sold_at)", "utc_to_local"),
        ("CAST(l.sold_at AS text)", "instant_text(x)"),
        ("l.share * INTERVAL '1 day'", "add_days"),
        ("make_interval(days => 1)", "INTERVAL '1 day'"),
        ("datediff(l.day, l.day)", "date_diff"),
        # text
        ("upper(l.id)", "upper_ascii(x)"),
        ("lower(l.id)", "lower_ascii(x)"),
        ("initcap(l.id)", "upper_ascii(x)"),
        ("l.id ILIKE 'a%'", "lower_ascii(x) LIKE"),
        ("l.id ~* 'a'", "lower_ascii(x) ~"),
        ("l.id SIMILAR TO 'a|b'", "x ~ '^(pattern)$'"),
        ("regexp_replace(l.id, 'a', 'b')", "'g'"),
        ("regexp_replace(l.id, 'a', 'b', 'i')", "'g'"),
        ("regexp_replace(l.id, '(a)', '\\1', 'g')", "split_part"),
        ("left(l.id, -1)", "substring"),
        ("right(l.id, -1)", "substring"),
        ("substring(l.id FROM 'a+')", "regexp_replace"),
        ("concat(l.id, 'x')", "a || b"),
        ("concat_ws('-', l.id, 'x')", "drops NULLs"),
        ("sha256(CAST(l.id AS bytea))", "md5(x)"),
        ("string_agg(l.id, ',')", "ORDER BY x"),
        ("l.id COLLATE \"C\"", "sorts by its bytes"),
        ("l.id ->> 'a'", "json_get(x, 'a.b.0')"),
        ("l.id #>> '{a}'", "json_get(x, 'a.b.0')"),
        ("l.id::jsonb", "Write text"),
        # keys
        ("dim_key(l.id, l.sold_at)", "instant_text(l.sold_at)"),
        ("fact_key(l.id, l.units)", "CAST(l.units AS text)"),
        ("row_hash(l.share)", "numeric"),
        # order and chance
        ("row_number() OVER (PARTITION BY l.id)", "ORDER BY"),
        ("lag(l.units) OVER ()", "ORDER BY"),
        ("random()", "chance"),
        ("gen_random_uuid()", "fact_key"),
        ("any_value(l.id)", "min(x)"),
        ("array_agg(l.id)", "string_agg"),
        # shape
        ("l.*", "Name the columns"),
        ("(SELECT * FROM silver.line ORDER BY id LIMIT 1)", "Name the columns"),
        ("EXISTS (SELECT * FROM silver.line)", "SELECT 1"),
        ("l.id = ANY(ARRAY['a'])", "one row per element"),
        ("generate_series(1, 2)", "date_spine"),
        ("unnest(ARRAY[1])", "one row per element"),
        ("try_cast(l.id AS integer)", "try_number(x)"),
        ("l.units & 1", "comparisons"),
        ("$1", "from a table"),
        # names
        ("tstzrange(l.sold_at, l.sold_at)", "Portable are"),
        ("dim_keys(l.id)", "Did you mean dim_key?"),
        ("coalese(l.id, 'x')", "Did you mean coalesce?"),
        ("l.quantities", "Did you mean quantity"),
        ("quantty", "Did you mean quantity?"),
        ("mul(l.quantity, 2, l.units)", "constant"),
        ("mul(l.quantity, 2)", "mul(a, b, scale)"),
        ("date_spine(l.day, l.day)", "FROM date_spine"),
    ],
)  # fmt: skip
def test_not_portable(expression: str, form: str) -> None:
    said = found(expression)
    assert said, f"{expression} was let pass"
    assert any(form in portable for _, portable in said), said


@pytest.mark.parametrize(
    "expression",
    [
        "l.units * 2", "l.units * l.big", "l.share * 2", "l.share / 2", "l.share / NULLIF(l.units, 0)", "l.units % 7",
        "CAST(l.quantity AS double precision) * CAST(l.price AS double precision)", "l.quantity + l.price", "-l.quantity",
        "mul(l.quantity, l.price, 4)", "mul(safe_div(l.quantity, l.price, 6), l.price, 4)", "count(*) * 2", "length(l.id) * 2",
        "mul(sum(l.quantity) FILTER (WHERE l.units > 1), 2, 3)", "avg(l.share)", "avg(CAST(l.quantity AS double precision))",
        "CAST(round(l.quantity, 0) AS bigint)", "CAST(floor(l.share) AS integer)", "round(l.quantity, 1)", "abs(l.quantity)",
        "date_diff(l.day, DATE '2024-01-01') * 2", "add_days(l.day, l.units)", "l.sold_at + INTERVAL '1 day'",
        "l.sold_at - l.units * INTERVAL '1 minute'", "CAST(date_trunc('month', l.day) AS date)", "extract(year FROM l.day)",
        "floor(extract(second FROM l.sold_at))", "iso_week(l.day)", "make_date(2024, 1, 1)", "l.day > DATE '2024-01-01'",
        "l.id || '-' || l.units", "split_part(l.id, '-', 1)", "substring(l.id, 1, 3)", "left(l.id, 2)", "trim(l.id)", "md5(l.id)",
        "regexp_replace(l.id, 'a+', 'b', 'g')", "l.id ~ '^a'", "l.id LIKE 'a%'", "upper_ascii(l.id)", "replace(l.id, 'a', 'b')",
        "string_agg(l.id, ',' ORDER BY l.id)", "json_get(l.id, 'a.0')", "try_number(l.id)", "CAST(try_number(l.id) AS numeric(18, 4))",
        "dim_key(l.id, NULL, instant_text(l.sold_at), CAST(l.day AS text))", "row_hash(l.id, l.day, l.quantity)",
        "row_number() OVER (PARTITION BY l.id ORDER BY l.sold_at)", "sum(l.units) OVER (PARTITION BY l.id)",
        "sum(l.units) OVER (ORDER BY l.day ROWS BETWEEN 6 PRECEDING AND CURRENT ROW)", "count(DISTINCT l.id)", "bool_or(l.is_void)",
        "CASE WHEN l.is_void THEN 1 ELSE 2 END * 3", "COALESCE(l.units, 0) * 2", "l.id IS DISTINCT FROM 'a'",
        "EXISTS (SELECT 1 FROM silver.line AS m WHERE m.id = l.id)", "l.id IN (SELECT id FROM silver.line)", "GREATEST(l.units, 2)",
        "quantile(l.quantity, 0.9)", "business_date(l.sold_at, 'UTC', l.cut)", "TIMESTAMPTZ '9999-12-31 00:00:00+00'",
        "CAST(l.id AS numeric(18, 4))", "NOT l.is_void AND l.units > 1 OR l.share < 2", "(l.id, l.day) IN (SELECT id, day FROM silver.line)",
    ],
)  # fmt: skip
def test_portable(expression: str) -> None:
    assert found(expression) == []


@pytest.mark.parametrize(
    ("query", "form"),
    [
        ("SELECT DISTINCT ON (id) id FROM silver.line", "ORDER BY"),
        ("SELECT id FROM silver.line LIMIT 3", "ORDER BY"),
        ("SELECT id FROM silver.line GROUP BY ALL", "Name the columns"),
        ("SELECT a.id FROM silver.line AS a NATURAL JOIN silver.line AS b", "USING"),
        ("SELECT l.id FROM silver.line AS l, date_spine(l.day, l.day) AS spine", "CROSS JOIN LATERAL"),
        ("SELECT s.x FROM generate_series(1, 3) AS s (x)", "date_spine"),
        ("SELECT id FROM silver.line TABLESAMPLE SYSTEM (10)", "chance"),
        ("WITH x AS (SELECT * FROM silver.line) SELECT id FROM x", "Name the columns"),
        ("SELECT s.dai FROM date_spine(DATE '2024-01-01', DATE '2024-01-31') AS s", "Did you mean day?"),
        ("SELECT s.dai FROM silver.line AS l CROSS JOIN LATERAL date_spine(l.day, l.day) AS s", "Did you mean day?"),
        (
            "SELECT s.day - l.day AS n FROM silver.line AS l CROSS JOIN LATERAL date_spine(l.day, l.day) AS s",
            "date_diff",
        ),
        ("SELECT x.idd FROM (SELECT id FROM silver.line) AS x", "Did you mean id?"),
        (
            "SELECT sum(units) OVER (ORDER BY day RANGE BETWEEN INTERVAL '6 days' PRECEDING AND CURRENT ROW) AS s FROM silver.line",
            "ROWS frame",
        ),
    ],
)
def test_not_portable_queries(query: str, form: str) -> None:
    said = lint(parse(query), SCHEMA)
    assert any(form in error.portable_form for error in said), said


@pytest.mark.parametrize(
    "query",
    [
        "SELECT DISTINCT ON (id) id, day FROM silver.line ORDER BY id, day",
        "SELECT spine.day FROM date_spine(DATE '2024-01-01', DATE '2024-01-31') AS spine",
        "SELECT l.id, spine.day FROM silver.line AS l CROSS JOIN LATERAL date_spine(l.day, add_days(l.day, 3)) AS spine",
        "SELECT l.id, b.n FROM silver.line AS l LEFT JOIN LATERAL (SELECT count(*) AS n FROM silver.line AS m WHERE m.id = l.id) AS b ON TRUE",
        "WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t WHERE n < 3) SELECT n FROM t",
        "SELECT id, day, sum(units) AS units FROM silver.line GROUP BY GROUPING SETS ((id), (id, day))",
        "SELECT v.a FROM (VALUES (1, 'x'), (2, 'y')) AS v (a, b)",
        "SELECT id FROM silver.line EXCEPT SELECT id FROM silver.line WHERE is_void",
        "SELECT id AS name, units FROM silver.line ORDER BY name",
    ],
)
def test_portable_queries(query: str) -> None:
    assert lint(parse(query), SCHEMA) == []


def test_without_types_only_sure_numbers_pass() -> None:
    assert found("l.a * l.b", None)[0][1].startswith("Write mul(a, b, scale)")
    assert found("l.a / l.b", None)[0][1].startswith("Write safe_div")
    for expression in (
        "2 * 3",
        "CAST(l.a AS integer) * 2",
        "CAST(l.a AS double precision) * 2",
        "length(l.a) * count(*)",
    ):
        assert found(expression, None) == []


def test_types_come_through_ctes_and_joins() -> None:
    query = """
        WITH line AS (SELECT l.id, l.quantity AS q, l.units AS u FROM silver.line AS l),
        summed AS (SELECT line.id, sum(line.q) AS q, sum(line.u) AS u FROM line GROUP BY line.id)
        SELECT summed.u * line.u AS fine, summed.q * line.u AS wrong FROM summed JOIN line ON line.id = summed.id"""
    assert [error.found.split(":")[0] for error in lint(parse(query), SCHEMA)] == ["summed.q * line.u"]


FILE = """\
-- A row.
-- refresh: full
CREATE TABLE gold.x (
    a numeric(18, 4) CHECK (a * 2 > 1), -- a
    b text CHECK (upper(b) = b)         -- b
);

SELECT
    l.quantity + 1 AS a,
    now() AS b
FROM silver.line AS l;
"""


def test_a_file_is_told_line_and_column() -> None:
    errors = lint(parse_text(FILE, Path("models/x.sql")), SCHEMA)
    assert [(error.file, error.line, error.column) for error in errors] == [
        ("models/x.sql", 4, 29), ("models/x.sql", 5, 19), ("models/x.sql", 10, 5),
    ]  # fmt: skip
    with pytest.raises(DefinitionError, match="3 things are not portable") as caught:
        check_files([parse_text(FILE, Path("models/x.sql"))], SCHEMA)
    assert "models/x.sql:10:5: CURRENT_TIMESTAMP is not portable" in str(caught.value)
    one = parse_text(FILE.replace("a * 2", "a + 2").replace("upper(b)", "b"), Path("x.sql"))
    with pytest.raises(DefinitionError) as caught:
        check_files([one], SCHEMA)
    assert caught.value.where == "x.sql:10:5"
    check_files(
        [parse_text(FILE.replace("a * 2", "a + 2").replace("upper(b)", "b").replace("now()", "'b'"), Path("x.sql"))]
    )


def test_files_know_each_other() -> None:
    reader = """-- A row.\n-- refresh: full\nCREATE TABLE gold.y (\n    b text -- b\n);\nSELECT x.c AS b FROM gold.x"""
    with pytest.raises(DefinitionError, match=r"no table read here has the column x\.c"):
        check_files(
            [parse_text(reader, Path("y.sql")), parse_text(FILE, Path("x.sql"))][:1],
            schema_of([parse_text(FILE, Path("x.sql"))]),
        )


def test_contracts_are_portable() -> None:
    check_files(load_folder(PACKAGE / "etl_pipeline" / "silver_layer" / "contracts").values())

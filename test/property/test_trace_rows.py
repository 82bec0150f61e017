"""Traced rows are enough: over them alone a query makes the wanted row again, for odd queries too."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlglot import exp

from systock.data_warehouse.engine.duckdb import connect
from systock.data_warehouse.lineage_build import build
from systock.data_warehouse.lineage_trace import Tracer
from systock.data_warehouse.lineage_tree import NotByKey
from systock.data_warehouse.portable_sql import compile_sql, parse
from systock.data_warehouse.trace_rows import RowTracer

from .random_query import TABLES, RandomQuery, random_rows


def apart(sql: str) -> tuple[exp.Query, dict[str, str]]:
    """The query with every reading of a table from a copy of its own, WITH queries written out; copy → table."""
    query = parse(sql)
    assert isinstance(query, exp.Query)
    ctes: dict[str, exp.Expr] = {}

    def written_out(node: exp.Expr) -> exp.Expr:
        for table in list(node.find_all(exp.Table)):
            if not table.db:
                table.replace(exp.Subquery(this=ctes[table.name].copy(), alias=table.args["alias"].copy()))
        return node

    for cte in query.ctes:
        ctes[cte.alias] = written_out(cte.this.copy())
    query.set("with_", None)
    query = written_out(query)
    copies: dict[str, str] = {}
    for number, table in enumerate(query.find_all(exp.Table)):
        copies[f"s.r{number}"] = f"{table.db}.{table.name}"
        table.set("this", exp.to_identifier(f"r{number}"))
    return query, copies  # type: ignore[return-value]


@given(st.integers(0, 2**32))
@example(1681)  # a UNION whose rows differ in columns that are not asked for
@example(4224)  # a LEFT JOIN by columns of two items: rows of other groups have their match there
@example(6019)  # the same, with a window
@example(5001694)  # a row of others' values is there more often without its match
@settings(suppress_health_check=list(HealthCheck))
def test_traced_rows_make_the_wanted_row(seed: int) -> None:
    random = Random(seed)
    query, copies = apart(RandomQuery(random).sql.replace("dim_key(", "COALESCE("))  # of numbers there are no keys
    columns = {copy: [*TABLES[table], "id"] for copy, table in copies.items()}
    rows = {table: random_rows(random, table, random.choice([1, 4, 8])) for table in TABLES}
    try:
        tree = build(query.copy(), columns)
    except NotByKey:
        return
    Tracer({}).trace(tree)
    with connect(None, threads=1) as engine:
        engine.execute("CREATE SCHEMA s")
        for copy, names in columns.items():
            values = ", ".join(f"({', '.join([*row, str(n)])})" for n, row in enumerate(rows[copies[copy]]))
            engine.execute(f"CREATE TABLE {copy} ({', '.join(f'{name} INTEGER' for name in names)})")
            engine.execute(f"INSERT INTO {copy} VALUES {values}")
        sql = compile_sql(query)
        made = Counter(engine.rows(sql))
        if not made:
            return
        wanted = random.choice(sorted(made, key=str))
        tracer = RowTracer(engine, lambda _: ["id"])
        names = query.named_selects
        same = " AND ".join(f"{name} IS NOT DISTINCT FROM ?" for name in names)
        engine.execute("CREATE TABLE wanted AS SELECT * FROM (" + sql + ") LIMIT 0")
        engine.execute(f"INSERT INTO wanted SELECT DISTINCT * FROM ({sql}) WHERE {same}", list(wanted))
        taken = tracer.trace(tree, "wanted", dict(zip(names, tree.visible, strict=True)), tree.visible)
        for copy in columns:
            part = taken.get(copy)
            kept = "TRUE" if part and part.relation is None else f"id IN (FROM {part.relation})" if part else "FALSE"
            engine.execute(f"DELETE FROM {copy} WHERE NOT ({kept})")
        again = Counter(engine.rows(sql))
    if "LEFT JOIN" in sql:  # one that only repeats rows is left out
        assert 0 < again[wanted] <= made[wanted], (sql, wanted)
    else:
        assert again[wanted] == made[wanted], (sql, wanted)


@pytest.mark.parametrize(
    ("sql", "wanted", "ids"),
    [
        # what comes later is not in a running sum
        ("SELECT t.a AS x, SUM(t.b) OVER (ORDER BY t.a) AS y FROM s.t AS t", "2, 30", {1, 2}),
        # the row after is in LEAD's partition, rows of other partitions are not
        ("SELECT t.a AS x, LEAD(t.a) OVER (PARTITION BY t.c ORDER BY t.a) AS y FROM s.t AS t", "1, 2", {1, 2}),
        # a sum is made of all rows of its group, the greatest and any one of one row
        ("SELECT t.c AS x, SUM(t.b) AS y FROM s.t AS t GROUP BY t.c", "1, 30", {1, 2}),
        ("SELECT t.c AS x, MAX(t.b) AS y FROM s.t AS t GROUP BY t.c", "1, 20", {2}),
        ("SELECT t.c AS x, 5 AS y FROM s.t AS t GROUP BY t.c", "1, 5", {1}),
        ("SELECT DISTINCT t.c AS x, 5 AS y FROM s.t AS t", "1, 5", {1}),
        # DISTINCT and UNION tell rows apart by columns that nobody asked for, too: here by one of the row after the next
        ("SELECT x.a AS x, COUNT(*) AS y FROM (SELECT DISTINCT t.c AS a, LEAD(t.c, 2) OVER (ORDER BY t.a) AS l FROM s.t AS t) AS x"
         " GROUP BY x.a", "1, 2", {1, 2, 3}),
        ("SELECT x.a AS x, COUNT(*) AS y FROM (SELECT t.c AS a, LEAD(t.c, 2) OVER (ORDER BY t.a) AS l FROM s.t AS t"
         " UNION SELECT 9 AS a, 9 AS l) AS x GROUP BY x.a", "1, 2", {1, 2, 3}),
        # the last balance, found by a running sum, is made of all up to it but the other's
        ("SELECT x.a AS x, x.s AS y FROM (SELECT t.a, SUM(t.b) OVER (PARTITION BY t.c ORDER BY t.a) AS s FROM s.t AS t) AS x",
         "2, 30", {1, 2}),
        # of a union only the branch that makes the row
        ("SELECT t.a AS x, t.b AS y FROM s.t AS t WHERE t.c = 1 UNION ALL SELECT t.a AS x, 0 AS y FROM s.t AS t", "1, 10", {1}),
        # a subquery may look at every row
        ("SELECT t.a AS x, t.b AS y FROM s.t AS t WHERE t.c IN (SELECT u.a FROM s.t AS u)", "1, 10", {1, 2, 3}),
        # a LIMIT may look at every row
        ("SELECT t.a AS x, t.b AS y FROM s.t AS t ORDER BY t.a LIMIT 1", "1, 10", {1, 2, 3}),
    ],
)  # fmt: skip
def test_no_more_than_takes_part(sql: str, wanted: str, ids: set[int]) -> None:
    query = parse(sql)
    assert isinstance(query, exp.Query)
    tree = build(query.copy(), {"s.t": ("a", "b", "c", "id")})
    Tracer({}).trace(tree)
    with connect(None, threads=1) as engine:
        engine.execute("CREATE SCHEMA s")
        engine.execute(
            "CREATE TABLE s.t AS SELECT * FROM (VALUES (1, 10, 1, 1), (2, 20, 1, 2), (3, 40, 2, 3)) AS t (a, b, c, id)"
        )
        engine.execute(f"CREATE TABLE wanted AS SELECT * FROM (VALUES ({wanted})) AS w (x, y)")
        taken = RowTracer(engine, lambda _: ["id"]).trace(tree, "wanted", {"x": "x", "y": "y"}, {"x", "y"})
        relation = taken["s.t"].relation or "s.t"
        assert {number for (number,) in engine.rows(f"SELECT id FROM {relation}")} == ids

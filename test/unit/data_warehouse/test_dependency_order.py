"""Who reads whom, in which order, and what is said about circles and unknown names."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from systock.data_warehouse.dependency_order import DependencyOrder, Input, inputs, inputs_of, order
from systock.data_warehouse.table_file import TableFile, parse_text
from systock.errors import DefinitionError


def table(name: str, select: str = "SELECT 1 AS a") -> TableFile:
    text = f"-- A row.\n-- refresh: full\nCREATE TABLE gold.{name} (\n    a integer -- a\n);\n{select};"
    return parse_text(text, Path(f"{name}.sql"))


def reading(name: str, *sources: str) -> TableFile:
    froms = "".join(f"\nCROSS JOIN {source}" for source in sources[1:])
    return table(name, f"SELECT 1 AS a FROM {sources[0]}{froms}") if sources else table(name)


def files(*tables: TableFile) -> dict[str, TableFile]:
    return {t.qualified: t for t in tables}


def test_inputs_are_tables_without_ctes_and_functions() -> None:
    select = """WITH sold AS (SELECT s.x FROM silver.sale_line AS s), day AS (SELECT x FROM sold)
        SELECT max(d.x) AS a FROM day AS d JOIN gold.dim_date USING (x)
        CROSS JOIN LATERAL date_spine(d.x, d.x) AS spine
        WHERE EXISTS (SELECT 1 FROM silver.sale_line) UNION ALL SELECT 1 FROM gold.sold"""
    found = table("f", select)
    assert inputs(found) == (Input("gold.dim_date", 7), Input("gold.sold", 9), Input("silver.sale_line", 6))
    assert inputs_of(found) == ("gold.dim_date", "gold.sold", "silver.sale_line")


def test_a_name_without_schema_is_refused() -> None:
    with pytest.raises(DefinitionError, match="day is no CTE") as caught:
        inputs(table("f", "WITH days AS (SELECT 1 AS a)\nSELECT a FROM day"))
    assert caught.value.where == "f.sql:7" and "days" in (caught.value.todo or "")


def test_each_comes_after_what_it_reads_ties_by_name() -> None:
    graph = files(reading("c", "gold.a", "meta.project"), reading("b"), reading("a", "gold.d"), reading("d"))
    found = DependencyOrder(graph, {"meta.project"}, {"gold.b": ["gold.c"]})
    assert found.order == ("gold.d", "gold.a", "gold.c", "gold.b")
    assert found.downstream(["gold.d"]) == {"gold.a", "gold.b", "gold.c"}
    assert found.downstream(["meta.project"]) == {"gold.b", "gold.c"}
    assert found.upstream(["gold.c"]) == {"gold.a", "gold.d", "meta.project"}
    assert [t.name for t in order(graph, {"meta.project"})] == ["b", "d", "a", "c"]


def test_an_unknown_input_names_close_ones() -> None:
    with pytest.raises(DefinitionError, match=r"gold\.f reads silver\.sale_lines") as caught:
        order(files(reading("f", "silver.sale_lines")), {"silver.sale_line", "silver.product"})
    assert caught.value.where == "f.sql:6"
    assert "Did you mean silver.sale_line?" in (caught.value.todo or "")


def test_a_circle_is_named() -> None:
    graph = files(
        reading("x", "gold.a"), reading("a", "gold.c"), reading("b", "gold.a"), reading("c", "gold.b"), reading("d")
    )
    with pytest.raises(DefinitionError, match=r"gold\.a reads gold\.c reads gold\.b reads gold\.a") as caught:
        order(graph)
    assert caught.value.where == "a.sql:6"
    with pytest.raises(DefinitionError, match=r"gold\.a reads gold\.a"):
        order(files(reading("a", "gold.a")))


@given(st.data())
def test_any_graph_is_ordered_or_has_a_circle(data: st.DataObject) -> None:
    names = [f"t{i}" for i in range(data.draw(st.integers(1, 8)))]
    edges = {name: data.draw(st.lists(st.sampled_from(names), max_size=3, unique=True)) for name in names}
    graph = files(*(reading(name, *(f"gold.{source}" for source in sources)) for name, sources in edges.items()))
    try:
        done = [t.name for t in order(graph)]
    except DefinitionError as error:
        circle = error.what.split(": ")[1].replace("gold.", "").split(" reads ")
        assert circle[0] == circle[-1]
        assert all(source in edges[name] for name, source in pairwise(circle))
    else:
        assert sorted(done) == sorted(names)
        assert all(done.index(source) < done.index(name) for name in names for source in edges[name])

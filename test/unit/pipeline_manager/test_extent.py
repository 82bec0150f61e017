"""What a run extracts: selections along the graph of tables, and spans of stated time."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import pytest

from small_chain import deliver, make_project
from systock import Project
from systock.errors import UsageError
from systock.pipeline_manager.definitions import Definitions
from systock.pipeline_manager.extent import extent_of, span_of, table_graph

RAW = {
    "pos.sales", "erp.products", "erp.locations", "erp.movements", "erp.units", "shop.orders", "shop.lines", "counts.counts",
}  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(make_project(tmp_path_factory.mktemp("extent") / "p"))


@lru_cache(maxsize=1)
def definitions_of(path: Path) -> Definitions:
    return Definitions(path, Project(path).settings)


def selected(project: Project, *select: str) -> set[str]:
    extent = extent_of(project.settings, lambda: definitions_of(project.path), select)
    return {f"{source}.{table}" for source, of in extent.sources.items() for table in of.tables}


@pytest.mark.parametrize(
    ("select", "expected"),
    [
        ((), RAW),
        (("pos",), {"pos.sales"}),
        (("erp.units",), {"erp.units"}),
        (("erp.units", "pos"), {"erp.units", "pos.sales"}),
        (("erp.units pos",), {"erp.units", "pos.sales"}),
        (("+silver.product",), {"erp.products"}),
        (("+silver.sale_line",), {"pos.sales", "shop.orders", "shop.lines"}),
        (("+dim_product",), {"erp.products"}),
        (("erp.products+",), {"erp.products"}),  # what is made from it is no source
        (("+gold.dim_product+",), {"erp.products"}),  # nor are its descendants' other sources
        (("silver.product+", "counts"), UsageError),  # one that selects nothing is a mistake
    ],
)
def test_selections(project: Project, select: tuple[str, ...], expected: set[str] | type[Exception]) -> None:
    if isinstance(expected, set):
        assert selected(project, *select) == expected
    else:
        with pytest.raises(expected):
            selected(project, *select)


def test_upstream_is_what_a_walk_over_the_table_files_finds(project: Project) -> None:
    """By the text of the files: a table is made from what its file names, and what that names."""
    definitions = definitions_of(project.path)
    text = {table.qualified: table.path.read_text() for table in definitions.tables}
    text |= {f"silver.{entity}": "" for entity in definitions.contracts}
    for mapping in definitions.mappings:
        text[f"silver.{mapping.entity}"] += mapping.path.read_text()

    def walk(name: str, seen: set[str]) -> set[str]:
        seen.add(name)
        body = "\n".join(line.split("--")[0] for line in text.get(name, "").splitlines())
        found = {raw for raw in RAW if f"bronze.{raw.replace('.', '__')}" in body}
        for other in text:
            if other not in seen and any(f"{word} {other}" in body for word in ("FROM", "JOIN")):
                found |= walk(other, seen)
        return found

    for name in text:
        upstream = walk(name, set())
        if upstream:
            assert selected(project, f"+{name}") == upstream, name
    assert set(table_graph(definitions)) >= set(text)


@pytest.mark.parametrize(
    ("selector", "says"),
    [
        ("gold.fact_sale_line", r"selects no source[\s\S]*\+gold.fact_sale_line"),
        ("fact_sale_line+", r"selects no source"),
        ("post", r"no source or table 'post'[\s\S]*pos.sales"),
        ("+gold.fact_sale_lin", r"Did you mean 'gold.fact_sale_line'"),
        ("++pos", r"no source or table"),
        ("+", r"no source or table"),
    ],
)
def test_what_selects_nothing_is_refused(project: Project, selector: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        selected(project, selector)
    assert not (project.path / ".systock" / "state.sqlite").exists(), "nothing was started"


def test_a_span_is_of_whole_days_on_the_projects_clock(project: Project) -> None:
    from zoneinfo import ZoneInfo

    berlin = ZoneInfo("Europe/Berlin")
    # 31 March 2024 has 23 hours in Berlin.
    assert span_of("2024-03-31", "2024-03-31", berlin) == (
        datetime(2024, 3, 30, 23, tzinfo=UTC),
        datetime(2024, 3, 31, 21, 59, 59, 999999, tzinfo=UTC),
    )
    assert span_of(None, "2024-03-31T12:00:00", berlin) == (
        datetime.min.replace(tzinfo=UTC),
        datetime(2024, 3, 31, 10, tzinfo=UTC),
    )
    assert span_of(None, None, berlin) is None
    with pytest.raises(UsageError, match="is before"):
        span_of("2024-04-01", "2024-03-31", berlin)
    for wrong in ("yesterday", "2024-02-30", "0001-01-01T00:00:00+14:00"):
        with pytest.raises(UsageError, match="neither a day nor an instant"):
            span_of(wrong, None, berlin)


@pytest.mark.long
def test_a_backfill_in_pieces_ends_where_one_run_does(tmp_path: Path) -> None:
    """Each piece takes what its days state, whatever the files' own times; the state at the end is the same."""

    def fill(folder: Path, *spans: tuple[str, str] | None) -> tuple[list[tuple], list[int]]:
        path = make_project(folder, known_at="name:%Y%m%d")
        for day in range(1, 7):
            at = f"2024-03-0{day}T10:00:00+00:00"
            rows = [
                ("1", "1", "S1", "P1", at, str(day), "", "1", "", at),
                (f"{day}", "2", "S1", "P1", at, "1", "", "1", "", at),
            ]
            deliver(path, "pos_sales", rows, f"2024030{day}", modified=1_700_000_000.0)
        project, landed = Project(path), []
        for span in spans:
            since, until = span or (None, None)
            planned = project.run(dry_run=True, since=since, until=until)
            summary = project.run(since=since, until=until)
            landed.append(sum(row["files"] for row in summary.sources))
            assert sum(row["files"] for row in planned.sources) == landed[-1]
        found = project.query("SELECT sale_id, line_no, quantity_units FROM gold.fact_sale_line ORDER BY ALL")
        return [tuple(row.values()) for row in found.to_pylist()], landed

    whole, at_once = fill(tmp_path / "whole", None)
    pieces, landed = fill(
        tmp_path / "pieces", ("2024-03-01", "2024-03-02"), ("2024-03-05", "2024-03-05"), ("2024-03-03", "2024-03-04"), None
    )  # fmt: skip
    assert at_once == [6] and landed == [2, 1, 2, 1]
    assert pieces == whole

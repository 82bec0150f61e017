"""stock_as_of and sales_as_of say what a warehouse built only from what had landed by then would say, or that it is not kept."""

from __future__ import annotations

import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from small_chain import deliver, make_project
from systock import Project
from systock.data_warehouse.engine.base import QueryError

STOCK = "SELECT * FROM serve.stock_as_of(DATE '2024-03-31', TIMESTAMPTZ '{}') ORDER BY ALL"
SALES = "SELECT * FROM serve.sales_as_of(DATE '2024-03-01', DATE '2024-03-31', TIMESTAMPTZ '{}') ORDER BY ALL"
AT = "2024-03-{:02d}T10:00:00+00:00"

# What lands on which day of April: a unit and a cost are told late, a movement and a sale are told late, others are corrected.
LANDINGS: list[tuple[str, list[tuple[str, ...]]]] = [
    ("erp_movements", [("1", "S1", "P1", AT.format(5), "opening", "20", AT.format(5)), ("2", "S1", "P2", AT.format(5), "opening", "6", AT.format(5))]),
    ("pos_sales", [("1", "1", "S1", "P1", AT.format(6), "2", "", "5", "", AT.format(6)), ("2", "1", "S1", "P1", AT.format(7), "1", "box", "25", "", AT.format(7))]),
    ("erp_products", [("P1", "Tea", "2.25", "pcs", AT.format(1)), ("P2", "Rice", "1", "pcs", AT.format(1))]),
    ("erp_units", [("P1", "box", "6")]),
    ("erp_movements", [("3", "S1", "P1", AT.format(4), "receipt", "8", AT.format(4)), ("2", "S1", "P2", AT.format(5), "opening", "7", AT.format(8))]),
    ("pos_sales", [("1", "1", "S1", "P1", AT.format(6), "3", "", "5", "", AT.format(9)), ("3", "1", "S1", "P2", AT.format(6), "1", "", "4", "", AT.format(6))]),
    ("counts_counts", [("S1", "P1", "2024-03-20", "15")]),
]  # fmt: skip
MOMENTS = [f"2024-04-{day:02d} 12:00:00+00" for day in range(1, len(LANDINGS) + 1)]


@pytest.fixture
def landed(tmp_path: Path) -> Path:
    project = make_project(tmp_path / "p", known_at="name:k%Y%m%dT%H%M%SZ")
    for day, (table, rows) in enumerate(LANDINGS, start=1):
        deliver(project, table, rows, f"k202404{day:02d}T000000Z")
    return project


def answers(project: Path, moment: str) -> tuple[Any, Any]:
    return tuple(Project(project).query(sql.format(moment)).to_pylist() for sql in (STOCK, SALES))


def built_by(project: Path, moment: str) -> tuple[Any, Any]:
    """The same from a warehouse that is built only from what had landed by then: asked at once, so it is built once."""
    both = (
        f"SELECT (SELECT list(row) FROM ({STOCK}) AS row) AS stock, (SELECT list(row) FROM ({SALES}) AS row) AS sales"
    )
    [row] = Project(project).query(both.format(moment, moment), known_at=moment).to_pylist()
    return row["stock"] or [], row["sales"] or []


def test_every_state_of_knowledge_is_what_had_landed(landed: Path) -> None:
    Project(landed).run()
    told = [answers(landed, moment) for moment in MOMENTS]
    for number in (3, 5):  # what waits for its unit, and what was corrected
        assert told[number] == built_by(landed, MOMENTS[number])
    # By hand: 20 pieces; 2 and "1 box" of a product that nobody knows go off; it is known to be told in pieces, so the box waits for its
    # unit; it is 6; the receipt lies before the opening; 3 instead of 2 went off; 15 are counted.
    units = [[row["on_hand_units"] for row in stock if row["product_id"] == "P1"] for stock, _ in told]
    assert units == [[Decimal(n)] for n in (20, 17, 18, 12, 12, 11, 15)]


def test_what_is_not_kept_is_never_guessed(landed: Path) -> None:
    settings = landed / "systock.toml"
    settings.write_text(settings.read_text() + "\n[run]\nhistory_steps = 2\n")
    Project(landed).run()
    for sql in (STOCK, SALES):
        with pytest.raises(QueryError, match="what was known before 2024-04-07 00:00:00 UTC is not kept"):
            Project(landed).query(sql.format(MOMENTS[2]))
        # Also where there is nothing to find: on days before all others, or of a product that there is none of.
        for nothing in (
            ("2024-", "1999-", "*"),
            ("ORDER", "WHERE product_id = 'x' ORDER", "*"),
            ("2024-", "1999-", "count(*)"),
        ):
            asked = sql.replace(*nothing[:2]).replace("*", nothing[2])
            with pytest.raises(QueryError, match="is not kept"):
                Project(landed).query(asked.format(MOMENTS[2]))
        so_far = [Project(landed).query(sql.format(known)).to_pylist() for known in (MOMENTS[-1], "infinity")]
        asked = sql.replace("TIMESTAMPTZ '{}'", "NULL")
        assert Project(landed).query(asked).to_pylist() == so_far[0] == so_far[1] != []
    # what lands from now on is kept
    deliver(landed, "counts_counts", [("S1", "P2", "2024-03-21", "9")], "k20240408T000000Z")
    Project(landed).run()
    [before] = [row for row in answers(landed, MOMENTS[-1])[0] if row["product_id"] == "P2"]
    [after] = [row for row in answers(landed, "2024-04-08 12:00:00+00")[0] if row["product_id"] == "P2"]
    assert (before["on_hand_units"], after["on_hand_units"]) == (Decimal(6), Decimal(9))
    assert all(table["same"] for table in Project(landed).rebuild(verify=True)["tables"])
    # rebuilt landing by landing, all of it is
    Project(landed).rebuild(history=True)
    assert answers(landed, MOMENTS[2]) == built_by(landed, MOMENTS[2])
    assert all(table["same"] for table in Project(landed).rebuild(verify=True, history=True)["tables"])
    [beginning] = Project(landed).query("SELECT history_from_at FROM meta.progress")["history_from_at"].to_pylist()
    assert beginning.date() == datetime.date(1, 1, 1)

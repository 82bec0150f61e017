"""Snapshots: what was reported stays as it was, whatever comes later, and survives a rebuild."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from small_chain import deliver, make_project
from systock import Project
from systock.cli.app import main
from systock.errors import UsageError
from systock.pipeline_manager.build import Silent
from systock.pipeline_manager.take_snapshot import Moment, point_in_time, take_closes

DAY = "2024-03-29T10:00:00+00:00"
SALES = "SELECT snapshot_no, business_date, net_amount FROM snapshot.sales_state ORDER BY ALL"


def sale(receipt: str, price: str, changed: str = DAY) -> tuple[str, ...]:
    return (receipt, "1", "S1", "P1", DAY, "1", "", price, "", changed)


def rows(project: Path, sql: str) -> list[tuple]:
    return [tuple(row.values()) for row in Project(project).query(sql).to_pylist()]


def test_a_snapshot_never_changes(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p")
    deliver(project, "erp_products", [("P1", "Tea", "1", "pcs", "2024-01-01T00:00:00+00:00")], "1")
    deliver(project, "pos_sales", [sale("1", "5")], "1")
    Project(project).run()
    first = {fact["kind"]: fact for fact in Project(project).snapshot_take(as_of="2024-03-29")}
    assert {kind: fact["row_count"] for kind, fact in first.items()} == {
        "product_state": 1,
        "sales_state": 1,
        "stock_state": 0,
    }
    deliver(project, "pos_sales", [sale("1", "7", "2024-03-30T00:00:00+00:00")], "2")
    Project(project).run()
    assert [net for *_, net in rows(project, SALES)] == [Decimal(5)]
    second = Project(project).snapshot_take("sales", "2024-03-29")
    assert [fact["changes"] for fact in second] == [1]
    assert [net for *_, net in rows(project, SALES)] == [Decimal(5), Decimal(7)]
    before = rows(project, SALES)
    Project(project).rebuild()
    assert rows(project, SALES) == before
    assert all(table["same"] for table in Project(project).rebuild(verify=True)["tables"])


def test_a_state_before_everything_is_kept_and_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project = make_project(tmp_path / "p")
    deliver(project, "pos_sales", [sale("1", "5")], "1")
    Project(project).run()
    for as_of, warns in (("1900-01-01", True), ("2024-03-29", False)):
        assert main(["snapshot", "take", "--project", str(project), "--kind", "sales", "--as-of", as_of]) == 0
        told = capsys.readouterr()
        assert ("nothing was sold or moved before 2024-03-29, so snapshot" in told.err) == warns
        assert as_of in told.out


@pytest.mark.parametrize("as_of", ["2099-01-01", "2099-01-01T10:00:00+02:00", "9999-12-31"])
def test_a_state_that_is_still_to_come_is_refused(tmp_path: Path, as_of: str) -> None:
    project = make_project(tmp_path / "p")
    with pytest.raises(UsageError, match="--as-of") as caught:
        Project(project).snapshot_take("sales", as_of)
    assert as_of in str(caught.value)


def test_a_day_before_the_first_sale_is_empty_and_a_state_without_change_is_still_a_snapshot(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p")
    deliver(project, "pos_sales", [sale("1", "5")], "1")
    Project(project).run()
    [taken] = Project(project).snapshot_take("sales", "2024-03-28")
    assert taken["row_count"] == 0 and taken["is_derived"]
    assert rows(project, SALES) == []
    Project(project).snapshot_take("sales", "2024-03-29")
    [again] = Project(project).snapshot_take("sales", "2024-03-30")
    assert again["changes"] == 0
    assert [net for *_, net in rows(project, SALES)] == [Decimal(5), Decimal(5)]
    assert again == Project(project).snapshots()[0]


def test_a_price_that_goes_back_and_back_again(tmp_path: Path) -> None:
    """The same changes as an earlier snapshot's are changes all the same."""
    project = make_project(tmp_path / "p")
    for number, price in enumerate(("5", "7", "5", "7")):
        deliver(project, "pos_sales", [sale("1", price, f"2024-03-30T0{number}:00:00+00:00")], str(number))
        Project(project).run()
        Project(project).snapshot_take("sales", "2024-03-29")
    assert [net for *_, net in rows(project, SALES)] == [Decimal(price) for price in (5, 7, 5, 7)]
    assert all(table["same"] for table in Project(project).rebuild(verify=True)["tables"])


def test_what_differs_between_two_snapshots_and_why(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p")
    deliver(project, "erp_products", [("P1", "Tea", "1", "pcs", "2024-01-01T00:00:00+00:00")], "1")
    deliver(project, "pos_sales", [sale("1", "5"), sale("2", "9")], "1")
    Project(project).run()
    first = Project(project).snapshot_take(as_of="2024-03-29")[0]["snapshot_no"]
    deliver(project, "pos_sales", [sale("1", "7", "2024-03-30T00:00:00+00:00"), sale("3", "1")], "2")
    Project(project).run()
    second = Project(project).snapshot_take(as_of="2024-03-29")[0]["snapshot_no"]
    differences = Project(project).snapshot_diff(first, second, "sales")
    assert [(d["what"], d["key"], d["column"], d["before"], d["after"]) for d in differences] == [
        ("changed", "S1 / 2024-03-29", "gross_amount", "14.0000", "17.0000"),
        ("changed", "S1 / 2024-03-29", "line_count", "2", "3"),
        ("changed", "S1 / 2024-03-29", "net_amount", "14.0000", "17.0000"),
        ("changed", "S1 / 2024-03-29", "net_units", "2.000", "3.000"),
        ("changed", "S1 / 2024-03-29", "transaction_count", "2", "3"),
    ]
    assert Project(project).snapshot_diff(second, first, "sales")[0]["after"] == "14.0000"
    assert Project(project).snapshot_diff(first, first) == []
    day_before = Project(project).snapshot_take("sales", as_of="2024-03-28")[0]["snapshot_no"]
    came = Project(project).snapshot_diff(day_before, second, "sales")
    went = Project(project).snapshot_diff(second, day_before, "sales")
    assert [(d["what"], d["key"], d["column"]) for d in came] == [("came", "S1 / 2024-03-29", None)]
    assert [(d["what"], d["key"], d["column"]) for d in went] == [("went", "S1 / 2024-03-29", None)]
    restated = (
        "SELECT business_date, restated_reporting_net_amount, late_lines, corrected_lines FROM serve.restatements"
    )
    assert rows(project, restated) == [(date(2024, 3, 29), Decimal(3), 1, 1)]
    causes = "SELECT sale_id, restatement_kind FROM serve.restated_line ORDER BY sale_id"
    assert rows(project, causes) == [("1", "corrected"), ("3", "late")]
    with pytest.raises(UsageError, match="there is no snapshot 99"):
        Project(project).snapshot_diff(first, 99)


def test_the_lines_behind_a_restated_day_sum_to_its_difference(tmp_path: Path) -> None:
    """29 March was 5 + 4 + 3 + 2. Then: 1 becomes 7, 2 was sold a day later and 3 in another place, 4 is taken back, 5 comes late for 1."""
    project = make_project(tmp_path / "p")
    changed = "2024-04-01T00:00:00+00:00"

    def line(receipt: str, price: str, sold_at: str = "2024-03-29T10:00Z", **odd: str) -> tuple[str, ...]:
        at = (odd.get("store", "S1"), "P1", sold_at)
        return (receipt, "1", *at, "1", "", price, odd.get("status", ""), odd.get("changed", changed))

    first = [line(receipt, price, changed="2024-03-30T00:00Z") for receipt, price in zip("1234", "5432", strict=True)]
    deliver(project, "pos_sales", first, "1")
    Project(project).run()
    Project(project).snapshot_take("sales", "2024-03-30")
    later = [
        line("1", "7"), line("2", "4", "2024-03-30T10:00Z"), line("3", "3", store="S2"), line("4", "2", status="draft"),
        line("5", "1"),
    ]  # fmt: skip
    deliver(project, "pos_sales", later, "2")
    Project(project).run()
    day = "WHERE location_id = 'S1' AND business_date = DATE '2024-03-29'"
    lines = f"""SELECT sale_id, restatement_kind, first_reporting_net_amount, reporting_net_amount
        FROM serve.restated_line {day} ORDER BY sale_id"""
    wanted = [("1", "corrected", 5, 7), ("2", "moved", 4, 0), ("3", "moved", 3, 0), ("4", "withdrawn", 2, 0), ("5", "late", 0, 1)]  # fmt: skip
    assert rows(project, lines) == wanted
    counted = f"""SELECT first_reporting_net_amount, reporting_net_amount, late_lines, corrected_lines, withdrawn_lines
        FROM serve.restatements {day}"""
    assert rows(project, counted) == [(14, 8, 1, 4, 3)]
    settings = project / "systock.toml"
    settings.write_text(settings.read_text() + "\n[run]\nhistory_steps = 1\n")
    Project(project).rebuild()  # what was believed before is not kept then; the lines are told all the same
    assert rows(project, lines) == [(sale, kind, 0 if kind == "late" else None, now) for sale, kind, _, now in wanted]


def test_what_an_archive_states_is_kept_when_snapshots_were_taken_before_it_landed(tmp_path: Path) -> None:
    """A snapshot tells nothing new: every state of knowledge answers as without it, by rebuild too."""
    project = make_project(tmp_path / "p", known_at="mtime")
    known = [datetime(2024, 4, day, 12, tzinfo=UTC) for day in (1, 2)]
    Project(project).run()
    Project(project).snapshot_take("sales")  # of an empty warehouse
    for number, instant in enumerate(known):
        deliver(project, "pos_sales", [sale(str(number), "5")], str(number), modified=instant.timestamp())
        Project(project).run()
        if number == 0:
            Project(project).snapshot_take("sales", "2024-03-29")
    landed = "SELECT known_at FROM meta.batch WHERE source_name = 'pos' ORDER BY batch_no"
    assert [instant for (instant,) in rows(project, landed)] == known
    taken = "SELECT known_at FROM meta.batch WHERE table_name = 'taken' ORDER BY batch_no"
    assert [instant for (instant,) in rows(project, taken)][1:] == [known[0] + timedelta(microseconds=1)]
    assert Project(project).snapshots()[0]["known_at"] == known[0]
    assert all(table["same"] for table in Project(project).rebuild(verify=True)["tables"])


def test_only_what_comes_after_the_report_of_a_day_that_had_ended_is_late(tmp_path: Path) -> None:
    """The project lies in Berlin, S2 in New York: its evening is sold when the project's day is closed already."""
    project = make_project(tmp_path / "p", known_at="mtime")

    def known(at: str, *sales: tuple[str, str, str]) -> None:
        deliver(
            project, "pos_sales",
            [(receipt, "1", store, "P1", sold_at, "1", "", "5", "", sold_at) for receipt, store, sold_at in sales],
            at[:13], modified=datetime.fromisoformat(at).timestamp(),
        )  # fmt: skip
        Project(project).run()

    deliver(project, "erp_locations", [("S1", "Mitte", "Europe/Berlin"), ("S2", "Soho", "America/New_York")], "1", 1e9)
    known("2024-03-29T12:00Z", ("1", "S1", "2024-03-29T09:00Z"))
    Project(project).snapshot_take("sales", "2024-03-29T12:00Z")  # the day is at work everywhere
    known("2024-03-29T23:30Z", ("2", "S1", "2024-03-29T15:00Z"), ("3", "S2", "2024-03-29T15:00Z"))
    opened = Project(project)
    close = Moment(*point_in_time("2024-03-29", opened.settings.project), is_close=True, is_derived=False)
    take_closes(opened._place, [close], Silent())  # ended at 23:00 UTC in Berlin; in New York not before 04:00
    known("2024-03-30T23:30Z", ("4", "S1", "2024-03-29T16:00Z"), ("5", "S2", "2024-03-30T01:00Z"))
    restated = "SELECT location_id, business_date, late_lines FROM serve.restatements ORDER BY ALL"
    assert rows(project, restated) == [("S1", date(2024, 3, 29), 1)]
    held = """SELECT as_of, location_id, line_count, is_day_over FROM snapshot.sales_state
        WHERE business_date = DATE '2024-03-29' ORDER BY snapshot_no, location_id"""
    assert [row[1:] for row in rows(project, held)] == [
        ("S1", 1, False),
        ("S1", 2, True), ("S2", 1, False),
    ]  # fmt: skip


def test_a_snapshot_landed_before_its_table_had_a_column(tmp_path: Path) -> None:
    """It is read as it was: its days count as over, it still is what later lines are late against."""
    project = make_project(tmp_path / "p")
    deliver(project, "pos_sales", [sale("1", "5")], "1")
    Project(project).run()
    [fact] = Project(project).snapshot_take("sales", "2024-03-29")
    place = Project(project)._place
    [batch] = place.log().batches(source="systock", table="sales_state")
    part = place.bronze / str(batch.part)
    pq.write_table(pq.read_table(part).drop_columns("is_day_over"), part)
    with place.log().transaction() as connection:
        connection.execute("""UPDATE column_sets SET columns = replace(columns, ', "is_day_over"', '')""")
    deliver(project, "pos_sales", [sale("2", "3")], "2")
    Project(project).run(full=True)
    assert rows(project, "SELECT net_amount, is_day_over FROM snapshot.sales_state") == [(Decimal(5), True)]
    restated = "SELECT first_snapshot_no, late_lines FROM serve.restatements"
    assert rows(project, restated) == [(fact["snapshot_no"], 1)]

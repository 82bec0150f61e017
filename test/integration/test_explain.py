"""A number leads to the lines behind it: file and row as they were delivered, and what they said."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from small_chain import deliver, make_project, write_project
from systock import Project
from systock.cli.app import main
from systock.errors import UsageError

DAY = "2024-03-29T10:00:00+00:00"
CHANGED = "2024-03-30T10:00:00+00:00"
SALES = "incoming/pos_sales_"
PAID = """SELECT receipt AS sale_id, '1' AS tender_no, 'cash' AS tender_method,
    CAST(CAST(SUM(try_number(price)) AS numeric(18, 4)) AS text) AS amount FROM bronze.pos__sales GROUP BY receipt
"""
Place = tuple[str, int | None, str]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two deliveries: the second corrects a sale, describes a place anew and no longer holds another."""
    folder = make_project(tmp_path_factory.mktemp("explain") / "p")
    (folder / "sources" / "pos" / "tender.sql").write_text(PAID)
    deliver(folder, "erp_products", [("P0", "Coffee", "2", "pcs", DAY), ("P1", "Tea", "1.5", "pcs", DAY)], "1")
    deliver(folder, "erp_locations", [("S0", "Old", "UTC"), ("S1", "Main", "UTC")], "1", 1_711_700_000.0)
    deliver(folder, "erp_units", [("P1", "box", "12")], "1")
    draft = ("1", "2", "S1", "P0", DAY, "1", "", "3", "draft", DAY)  # paid, but no sale yet
    sales = [sale("1", "P0", "9"), sale("2", "P1", "5"), sale("3", "P1", "4", "box"), draft]
    deliver(folder, "pos_sales", sales, "1")
    deliver(folder, "shop_lines", [("W1", "1", "P1", "3", "2", DAY), ("W2", "1", "P1", "1", "2", DAY)], "1")
    deliver(folder, "shop_orders", [("W2", DAY, DAY), ("W1", DAY, DAY)], "1")
    deliver(folder, "counts_counts", [("S1", "P0", "2024-03-29", "7"), ("S1", "P1", "2024-03-29", "20")], "1")
    moves = [("D1", "S1", "P1", "2024-03-30T08:00:00+00:00", "receipt", "6", DAY)]
    deliver(
        folder, "erp_movements", [*moves, ("D2", "S1", "P1", "2024-03-31T08:00:00+00:00", "receipt", "5", DAY)], "1"
    )
    Project(folder).run()
    Project(folder).snapshot_take("sales", "2024-03-29")
    deliver(folder, "pos_sales", [sale("2", "P1", "6", changed=CHANGED)], "2")
    deliver(folder, "erp_locations", [("S1", "Main Street", "UTC")], "2", 1_711_800_000.0)
    later = ("D2", "S1", "P1", "2024-04-02T08:00:00+00:00", "receipt", "5", CHANGED)
    deliver(folder, "erp_movements", [later], "2")
    Project(folder).run()
    return folder


def sale(receipt: str, product: str, price: str, unit: str = "", changed: str = DAY) -> tuple[str, ...]:
    return (receipt, "1", "S1", product, DAY, "1", unit, price, "", changed)


def places(told: dict[str, Any], entity: str) -> set[Place]:
    return {(line["file"], line["row"], line["part"]) for line in told["lines"] if line["entity"] == entity}


def test_a_corrected_line_and_what_it_superseded(project: Path) -> None:
    told = Project(project).explain("gold.fact_sale_line", "source_name=pos,sale_id=2", "net_amount")
    assert told["value"] == Decimal(6)
    assert places(told, "sale_line") == {(f"{SALES}2.csv", 2, "counts"), (f"{SALES}1.csv", 3, "superseded")}
    new, old = (line for line in told["lines"] if line["entity"] == "sale_line")
    assert old["believed_to"] == new["known_at"] > old["known_at"]
    assert json.loads(new["raw"]) == {
        "receipt": "2", "line": "1", "store": "S1", "product": "P1", "sold_at": DAY, "quantity": "1", "unit": None,
        "price": "6", "status": None, "changed_at": CHANGED,
    }  # fmt: skip
    assert json.loads(old["raw"])["price"] == "5"


@pytest.mark.parametrize("column", ["reporting_net_amount", "known_to_at"])
def test_what_was_believed_of_a_corrected_line(project: Path, column: str) -> None:
    key = {"business_date": "2024-03-29", "reporting_net_amount": "5"}
    told = Project(project).explain("gold.fact_sale_line__versions", key, column)
    assert told["value"] == told["row"][column]
    assert told["row"]["reporting_net_amount"] == Decimal(5)
    assert ("reporting_net_amount" in told["sql"]) == (column == "reporting_net_amount")
    assert places(told, "sale_line") == {(f"{SALES}2.csv", 2, "counts"), (f"{SALES}1.csv", 3, "superseded")}


def test_lines_that_were_moved_or_voided_since_are_found(tmp_path: Path) -> None:
    settings = """
        [project]
        name = "till"
        [sources.till]
        type = "files"
        [sources.till.tables.lines]
        path = "incoming/lines*.csv"
        mode = "changes"
        key = ["id"]
        updated_at = "upd"
    """
    mapping = """SELECT id AS sale_id, '1' AS line_no, place AS location_id, 'P1' AS product_id, at AS sold_at, units AS quantity,
        '2' AS unit_price_amount, void = '1' AS is_void, upd AS updated_at FROM bronze.till__lines"""
    folder = write_project(tmp_path / "p", settings, {"till/sale_line": mapping})
    at = "2024-03-01T10:00:00Z"
    for number, day, lines in ((1, 1, ["A,B1,{},3,0", "B,B1,{},4,0"]), (2, 2, ["A,B2,{},3,0", "B,B1,{},4,1"])):
        rows = [f"{line.format(at)},2024-03-0{day}T10:00:00Z" for line in lines]
        (folder / "incoming" / f"lines{number}.csv").write_text("\n".join(["id,place,at,units,void,upd", *rows]) + "\n")
        Project(folder).run()
    for units, row in (("3", 2), ("4", 3)):
        told = Project(folder).explain("gold.fact_sale_line__versions", f"location_id=B1,quantity_units={units}")
        assert places(told, "sale_line") == {
            ("incoming/lines2.csv", row, "counts"),
            ("incoming/lines1.csv", row, "superseded"),
        }
        assert told["notes"] == []


def test_what_is_asked_for_is_found_as_it_is_shown(project: Path) -> None:
    """An instant to the second, an empty text or NULL by nothing."""
    believed = Project(project).explain("gold.fact_sale_line__versions", {"reporting_net_amount": "5"})["row"]
    shown = f"{believed['known_from_at']:%Y-%m-%d %H:%M:%S} UTC"
    asked = f"sale_line_key={believed['sale_line_key']},known_from_at={shown}"
    assert Project(project).explain("gold.fact_sale_line__versions", asked)["row"] == believed
    assert Project(project).explain("gold.fact_sale_line", "sale_id=2,promotion_id=")["row"]["promotion_id"] is None


def test_a_row_without_landed_lines_says_so(project: Path) -> None:
    told = Project(project).explain("gold.dim_customer", "customer_key=0")
    assert told["lines"] == [] and ["no landed line is behind it" in note for note in told["notes"]] == [True]


def test_what_was_believed_and_has_no_place_now_is_told_as_of_then(project: Path) -> None:
    asked = "gold.fact_stock_interval__versions", "product_id=P1,location_id=S1,from_date=2024-03-31"
    told = Project(project).explain(*asked)
    [note] = told["notes"]
    assert "nothing stands now in place of what was believed" in note and "--known-at" in note
    then = Project(project).explain(*asked, known_at=str(told["row"]["known_from_at"]))
    assert then["notes"] == []
    assert ("incoming/erp_movements_1.csv", 3, "counts") in places(then, "stock_movement")


def test_a_json_file_and_a_unit(project: Path) -> None:
    told = Project(project).explain("fact_sale_line", {"source_name": "pos", "sale_id": "3"}, "cost_amount")
    assert told["value"] == Decimal(18)
    assert places(told, "product") == {("incoming/erp_products_1.jsonl", 2, "counts")}
    assert places(told, "product_unit") == {("incoming/erp_units_1.csv", 2, "counts")}
    [product] = [line for line in told["lines"] if line["entity"] == "product"]
    assert json.loads(product["raw"])["cost"] == "1.5"


def test_a_mapping_that_joins_leads_to_both_lines(project: Path) -> None:
    told = Project(project).explain("fact_sale_line", "source_name=shop,sale_id=W1", "net_amount")
    assert told["value"] == Decimal(6)
    assert places(told, "sale_line") == {
        ("incoming/shop_lines_1.csv", 2, "counts"),
        ("incoming/shop_orders_1.csv", 3, "joined"),
    }


def test_a_mapping_that_sums_leads_to_all_lines(project: Path) -> None:
    told = Project(project).explain("fact_tender", "sale_id=1", "amount")
    assert told["value"] == Decimal(12)
    assert places(told, "tender") == {(f"{SALES}1.csv", 2, "counts"), (f"{SALES}1.csv", 5, "counts")}


def test_full_extracts(project: Path) -> None:
    told = Project(project).explain("gold.dim_location", "location_id=S1,is_current=true")
    assert told["row"]["location_name"] == "Main Street"
    extracts = ("incoming/erp_locations_1.csv", "incoming/erp_locations_2.csv")
    assert places(told, "location") == {(extracts[0], 3, "counts"), (extracts[1], 2, "counts")}
    gone = Project(project).explain("gold.dim_location", "location_id=S0", "valid_to_at")
    assert places(gone, "location") == {(extracts[0], 2, "counts"), (extracts[1], None, "absent")}
    [absent] = [line for line in gone["lines"] if line["part"] == "absent"]
    assert absent["raw"] is None and absent["known_at"] == max(line["known_at"] for line in gone["lines"])


def test_a_balance_is_made_of_what_came_before_it(project: Path) -> None:
    told = Project(project).explain("fact_stock_movement", "movement_id=D1", "on_hand_after_units")
    assert told["value"] == Decimal(26)
    assert places(told, "stock_movement") == {("incoming/erp_movements_1.csv", 2, "counts")}
    assert places(told, "stock_count") == {("incoming/counts_counts_1.csv", 3, "counts")}
    later = Project(project).explain("fact_stock_movement", "movement_id=D2", "on_hand_after_units")
    assert {row for _, row, _ in places(later, "stock_movement")} == {2, 3}


def test_a_day_of_sales(project: Path) -> None:
    told = Project(project).explain("serve.sales_daily", "business_date=2024-03-29,location_id=S1", "lines")
    assert told["value"] == 5
    counts = {line for line in places(told, "sale_line") if line[2] != "superseded"}
    assert counts == {
        (f"{SALES}1.csv", 2, "counts"), (f"{SALES}2.csv", 2, "counts"), (f"{SALES}1.csv", 4, "counts"),
        ("incoming/shop_lines_1.csv", 2, "counts"), ("incoming/shop_lines_1.csv", 3, "counts"),
        ("incoming/shop_orders_1.csv", 2, "joined"), ("incoming/shop_orders_1.csv", 3, "joined"),
    }  # fmt: skip
    tables = {table["table"]: table for table in told["tables"]}
    assert tables["gold.fact_sale_line"]["row_count"] == tables["silver.sale_line"]["row_count"] == 5
    assert tables["gold.fact_sale_line"]["read_by"] == ["serve.sales_daily"]
    assert "serve.location_current" not in tables and "location_current" not in told["sql"]
    assert "COUNT(*)" in told["sql"] and "tax_amount" not in told["sql"]
    few = Project(project).explain("serve.sales_daily", "business_date=2024-03-29,location_id=S1", "lines", limit=1)
    assert few["line_counts"] == told["line_counts"]
    assert [line["entity"] for line in few["lines"]] == sorted(few["line_counts"])


def test_what_a_restatement_compares(project: Path) -> None:
    """Figures of snapshots are read from what was kept; the lines that moved them are told with both their versions."""
    told = Project(project).explain("serve.restated_line", "location_id=S1", "restatement_kind")
    assert told["value"] == "corrected"
    assert {(f"{SALES}2.csv", 2, "counts"), (f"{SALES}1.csv", 3, "superseded")} <= places(told, "sale_line")
    tables = {table["table"]: table for table in told["tables"]}
    assert tables["silver.sale_line__versions"]["row_count"] == 2
    assert tables["snapshot.taken"]["row_count"] == 1
    whole = Project(project).explain("serve.restatements", "location_id=S1", "restated_reporting_net_amount")
    assert whole["value"] == Decimal(1)


def test_the_command(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = [
        "explain",
        "sales_daily",
        "business_date=2024-03-29,location_id=S1",
        "net_amount",
        "--project",
        str(project),
    ]
    assert main(call) == 0
    shown = capsys.readouterr()
    for text in (
        "net_amount  27.0000",
        "schema/views/sales_daily.sql",
        "gold.fact_sale_line: 5 rows",
        f"{SALES}2.csv row 2 ",
    ):
        assert text in shown.out
    assert "--limit 0" in shown.err
    assert main([*call, "--format", "json"]) == 0
    whole = json.loads(capsys.readouterr().out)
    assert len(whole["lines"]) == sum(whole["line_counts"].values())
    assert main([*call, "--format", "csv"]) == 0
    assert capsys.readouterr().out.count("\n") == len(whole["lines"]) + 1


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("sales_dayly", "1"), "did you mean 'sales_daily'.*serve.stock_on_hand"),
        (("sales_daily", "1"), "3 parts, 1 are given.*location_durable_key, business_date, currency_code"),
        (("sales_daily", "busines_date=1"), "'busines_date'; did you mean 'business_date'"),
        (("sales_daily", "business_date=soon"), "'soon' is no date"),
        (("sales_daily", "business_date=2024-03-29x"), "'2024-03-29x' is no date"),
        (("sales_daily", "business_date=2024-01-01"), "no row with business_date=2024-01-01"),
        (("fact_sale_line", "sale_kind=sale"), "several rows with sale_kind=sale.*sale_line_key="),
        (("serve.stock_as_of", "product_id=P1"), "serve.stock_as_of.*asked with arguments.*what it reads: gold"),
        (("sales_daily", "lines=5", "net"), "no column 'net'.*net_amount"),
    ],
)
def test_a_wrong_question_is_told_what_there_is(project: Path, asked: tuple[str, ...], said: str) -> None:
    with pytest.raises(UsageError, match=f"(?s){said}"):
        Project(project).explain(*asked)


def test_definitions_that_changed_are_not_the_ones_that_made_it(project: Path) -> None:
    model = project / "models" / "own.sql"
    model.parent.mkdir()
    model.write_text(
        "-- One.\n-- refresh: view\nCREATE TABLE serve.own (one integer PRIMARY KEY);\n\nSELECT 1 AS one FROM meta.project;\n"
    )
    try:
        with pytest.raises(UsageError, match="definitions changed"):
            Project(project).explain("sales_daily", "lines=5")
    finally:
        model.unlink()
        model.parent.rmdir()

"""UCI Online Retail: 541,909 invoice lines, landed at once and day by day, give the published figures to the penny."""

from __future__ import annotations

import random
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from real_data.warehouse import Question, differing, gold_hashes, make_project, wrong_answers
from systock.project import Project

SALES = "FROM gold.fact_sale_line"
CLEANED = f"{SALES} WHERE quantity_units > 0 AND net_amount > 0 AND customer_id IS NOT NULL"
UNITED_KINGDOM = (
    "location_durable_key IN (SELECT location_durable_key FROM serve.location_current WHERE country_code = 'GB')"
)

PUBLISHED: list[Question] = [
    # as delivered
    ("lines", f"SELECT count(*) {SALES}", 541_909),
    ("invoices", f"SELECT count(DISTINCT sale_key) {SALES}", 25_900),
    ("customers", "SELECT count(*) FROM gold.dim_customer WHERE customer_key <> 0", 4_372),
    ("customers that bought", f"SELECT count(DISTINCT customer_key) {SALES} WHERE customer_key <> 0", 4_372),
    ("countries", "SELECT count(*) FROM serve.location_current", 38),
    ("cancellation lines", f"SELECT count(*) {SALES} WHERE sale_kind = 'return'", 9_288),
    ("lines without customer", f"SELECT count(*) {SALES} WHERE customer_key = 0", 135_080),
    ("lines without customer id", f"SELECT count(*) {SALES} WHERE customer_id IS NULL", 135_080),
    ("amount of all lines", f"SELECT sum(net_amount) {SALES}", "9747747.934"),
    ("amount of all days", "SELECT sum(net_amount) FROM serve.sales_daily", "9747747.934"),
    ("amount of all products", "SELECT sum(reporting_net_amount) FROM serve.top_products", "9747747.934"),
    ("United Kingdom", f"SELECT sum(net_amount) {SALES} WHERE {UNITED_KINGDOM}", "8187806.364"),
    ("United Kingdom, of all days", "SELECT sum(net_amount) FROM serve.sales_daily WHERE location_name = 'United Kingdom'", "8187806.364"),
    # with quantity > 0, price > 0 and a known customer
    ("cleaned lines", f"SELECT count(*) {CLEANED}", 397_884),
    ("cleaned amount", f"SELECT sum(net_amount) {CLEANED}", "8911407.904"),
    ("cleaned customers", f"SELECT count(DISTINCT customer_key) {CLEANED}", 4_338),
    ("cleaned invoices", f"SELECT count(DISTINCT sale_key) {CLEANED}", 18_532),
    ("cleaned units", f"SELECT sum(quantity_units) {CLEANED}", 5_167_812),
    ("cleaned United Kingdom", f"SELECT sum(net_amount) {CLEANED} AND {UNITED_KINGDOM}", "7308391.554"),
    # the traps
    ("exact duplicates", "SELECT count(*) FROM serve.repeated_line", 5_268),
    (
        "amount without exact duplicates",
        f"SELECT (SELECT sum(net_amount) {SALES}) - (SELECT sum(reporting_net_amount) FROM serve.repeated_line)",
        "9726006.954",
    ),
    ("negative lines that are no cancellation", f"SELECT count(*) {SALES} WHERE quantity_units < 0 AND sale_kind <> 'return'", 1_336),
    ("write-offs among sales that count", f"SELECT count(*) {SALES} WHERE quantity_units < 0 AND sale_kind <> 'return' AND is_counted", 0),
    ("write-offs", "SELECT count(*) FROM gold.fact_stock_movement WHERE movement_kind = 'write_off'", 1_336),
    ("bad debt", f"SELECT sum(net_amount) {SALES} WHERE sale_id LIKE 'A%'", "-11062.06"),
    ("codes, their case folded", "SELECT count(*) FROM serve.product_current", 3_958),
    ("codes in small letters", f"SELECT count(*) {SALES} WHERE product_id <> upper(product_id)", 0),
    ("articles with more than one description now", "SELECT count(*) - count(DISTINCT product_id) FROM serve.product_current", 0),
    ("services", "SELECT count(*) FROM serve.product_current WHERE NOT is_stocked", 15),
    ("lines of services", f"SELECT count(*) {SALES} JOIN serve.product_current USING (product_durable_key) WHERE NOT is_stocked", 2_946),
    ("customer ids with a fraction", "SELECT count(*) FROM gold.dim_customer WHERE customer_id LIKE '%.%'", 0),
    # nothing lost, nothing made up
    ("lines set aside", "SELECT count(*) FROM silver.quarantine", 0),
    ("lines held back", "SELECT count(*) FROM gold.unconverted_line", 0),
    ("facts without product, location or channel", f"SELECT count(*) {SALES} WHERE product_key = 0 OR location_key = 0 OR channel_key = 0", 0),
    ("amounts that are not price x quantity", "SELECT count(*) FROM gold.fact_sale_line AS f JOIN silver.sale_line AS s USING (sale_id, line_no)"
        " WHERE f.net_amount <> s.quantity * s.unit_price_amount", 0),
    ("products sold or written off somewhere have a row", "SELECT CAST(count(*) > 19000 AS integer) FROM serve.stock_on_hand", 1),
    ("of them, with a stock that somebody knows", "SELECT count(*) FROM serve.stock_on_hand WHERE is_known OR on_hand_units IS NOT NULL", 0),
    ("services with a stock", "SELECT count(*) FROM serve.stock_on_hand WHERE product_id IN ('POST', 'M', 'D', 'BANK CHARGES')", 0),
]  # fmt: skip


@pytest.fixture
def days(shared_data: Path, tmp_path: Path) -> list[Path]:
    """The files of all trading days, the earliest first."""
    with zipfile.ZipFile(shared_data / "online_retail_uci" / "by_day.zip") as archive:
        archive.extractall(tmp_path)
    return sorted((tmp_path / "by-day").glob("*.csv"))


def load(project: Path, deliveries: Iterable[Iterable[Path]]) -> Path:
    """Deliver files in several steps, with a run after each."""
    for delivery in deliveries:
        files = list(delivery)
        for file in files:
            (project / "incoming" / file.name).hardlink_to(file)
        summary = Project(project).run()
        assert summary.status == "published"
        assert sum(source["files"] for source in summary.sources) == len(files)
    return project


def shuffled(days: list[Path], seed: int) -> Iterator[list[Path]]:
    """All days in random order, three to six of them at a time."""
    chance, left = random.Random(seed), list(days)
    chance.shuffle(left)
    while left:
        size = chance.randint(3, 6)
        yield left[:size]
        left = left[size:]


def test_published_figures_of_one_load(days: list[Path], tmp_path: Path) -> None:
    project = load(make_project("online_retail", tmp_path / "once"), [days])
    assert wrong_answers(project, PUBLISHED) == []


@pytest.mark.parametrize("first", [10, pytest.param(20, marks=pytest.mark.long)])
def test_the_first_days_in_any_order_are_one_load(days: list[Path], tmp_path: Path, first: int) -> None:
    once = load(make_project("online_retail", tmp_path / "once"), [days[:first]])
    shuffle = load(make_project("online_retail", tmp_path / "shuffled"), shuffled(days[:first], seed=20101201))
    assert differing(gold_hashes(once), gold_hashes(shuffle)) == {}
    assert [table["table"] for table in Project(shuffle).rebuild(verify=True)["tables"] if not table["same"]] == []


@pytest.mark.long
def test_published_figures_day_by_day(days: list[Path], tmp_path: Path) -> None:
    daily = load(make_project("online_retail", tmp_path / "daily"), [[day] for day in days])
    assert wrong_answers(daily, PUBLISHED) == []
    once = load(make_project("online_retail", tmp_path / "once"), [days])
    assert differing(gold_hashes(once), gold_hashes(daily)) == {}

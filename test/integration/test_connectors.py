"""Ready connectors: what `systock init --connector` writes reads the system as it stands, to the right figures."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from systock import Project
from systock.cli.app import main
from systock.cli.init import CONNECTORS, shipped
from systock.config import SECRETS_FILE, load_settings
from systock.pipeline_manager.definitions import Definitions
from systock.simulator import simulate
from systock.simulator.shop_api import ShopApi, ShopFaults

DOCS = Path(__file__).parents[2] / "docs" / "connectors"


def init(folder: Path, connector: str, **settings: str) -> Path:
    """A project of a connector, with its address and what else stands in quotes in the settings replaced."""
    assert main(["init", str(folder), "--connector", connector]) == 0
    file = folder / "systock.toml"
    text = file.read_text("utf-8")
    for name, value in settings.items():
        text, found = re.subn(rf'^{name} = ".*"$', f'{name} = "{value}"', text, count=1, flags=re.MULTILINE)
        assert found, name
    file.write_text(text, "utf-8")
    return folder


def ask(project: Path, sql: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in Project(project).query(sql).to_pylist()]


@pytest.mark.parametrize("connector", shipped(CONNECTORS))
def test_settings_and_mappings_are_right(connector: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for secret in re.findall(r"\$\{(\w+)\}", (CONNECTORS / connector / "systock.toml").read_text("utf-8")):
        monkeypatch.setenv(secret, "secret")
    project = Project(init(tmp_path / "p", connector))
    Definitions(project.path, project.settings).check()
    assert project.flow()


@pytest.mark.parametrize("connector", shipped(CONNECTORS))
def test_every_field_that_is_read_is_documented(connector: str) -> None:
    page = (DOCS / f"{connector}.md").read_text("utf-8")
    named = {name.lower() for name in re.findall(r"`([^`]+)`", page)}  # as names in SQL are
    for mapping in (CONNECTORS / connector).glob("sources/*/*.sql"):
        text = re.sub(r"--.*", "", mapping.read_text("utf-8"))
        tables = dict(re.findall(r"bronze\.\w+?__(\w+)\s+AS\s+(\w+)", text))
        assert tables
        for table, alias in tables.items():
            assert table in page, f"{mapping.name} reads {table}, which {connector}.md does not name"
            for column in set(re.findall(rf"\b{alias}\.(\w+)", text)):
                assert column.lower() in named or column.startswith("_"), (
                    f"{connector}.md does not say what `{column}` is"
                )
    assert f"{connector}.md" in (DOCS / "README.md").read_text("utf-8")


def test_there_is_no_such_connector(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", str(tmp_path / "p"), "--connector", "sapp"]) == 2
    assert ", ".join(shipped(CONNECTORS)) in capsys.readouterr().err
    assert main(["init", str(tmp_path / "p"), "--connector", "rest", "--example", "retail_chain"]) == 2
    assert not (tmp_path / "p").exists()


# --- The web shop of a simulated chain -------------------------------------------------------------------------------


def test_the_simulated_shop_with_all_that_can_go_wrong(tmp_path: Path) -> None:
    key = simulate(tmp_path / "chain", days=20, stores=2, products=40, live=True)
    with ShopApi(tmp_path / "chain", ShopFaults.asked("all")).serving() as api:
        project = init(tmp_path / "p", "systock_shop", base_url=api.base_url)
        assert Project(project).run().status == "published"
        assert Project(project).run().status == "nothing new"
    assert api.given["refusals"] and api.given["edges"]
    days = [day for day in key.sales if (day.known_at, day.location_id) == (key.latest, "WEB")]
    sold = {
        row[0]: row[1:]
        for row in ask(
            project,
            """SELECT CAST(business_date AS text), lines, sold_units, returned_units, net_amount, tax_amount
            FROM serve.sales_daily WHERE location_id = 'WEB'""",
        )
    }
    assert sold == {
        day.business_date: (day.lines, day.sold_units, day.returned_units, day.net_amount, day.tax_amount)
        for day in days
    }
    orders = {
        row[0]: row[1:]
        for row in ask(
            project,
            """SELECT location_id, COUNT(*), SUM(ordered_units), SUM(reserved_units), SUM(shipped_units), SUM(open_units)
            FROM gold.fact_order_line GROUP BY location_id""",
        )
    }
    assert orders == {
        row.location_id: (row.lines, row.ordered_units, row.reserved_units, row.shipped_units, row.open_units)
        for row in key.web_orders
        if row.known_at == key.latest
    }
    levels = json.loads((tmp_path / "chain" / "shop.json").read_text("utf-8"))["inventory_levels"]
    available = ask(
        project,
        """SELECT product_id, on_hand_units, on_hand_units - COALESCE(reserved_units, 0) FROM serve.stock_on_hand
        LEFT JOIN (
            SELECT product_id, location_id, SUM(reserved_units) AS reserved_units
            FROM gold.fact_order_line GROUP BY product_id, location_id
        ) AS held USING (product_id, location_id)""",
    )
    assert sorted(available) == sorted((one["sku"], one["on_hand"], one["available"]) for one in levels)
    # A return knows its sale.
    [(returned, unknown)] = ask(
        project,
        """SELECT COUNT(*), COUNT(*) FILTER (WHERE sold.sale_id IS NULL) FROM gold.fact_sale_line AS back
        LEFT JOIN gold.fact_sale_line AS sold ON sold.source_name = back.source_name
            AND sold.sale_id = back.original_sale_id AND sold.line_no = back.original_line_no
            AND sold.product_id = back.product_id
        WHERE back.is_return""",
    )
    assert (returned, unknown) == (sum(table.lines for table in key.tables if table.table == "shop.refunds"), 0)


# --- REST: the Northwind company on a json-server --------------------------------------------------------------------

SMALL: dict[str, list[dict[str, Any]]] = {
    "orders": [
        {"order_id": 1, "customer_id": "ALFKI", "employee_id": 5, "order_date": "1996-07-04", "shipped_date": None},
        {"order_id": 2, "customer_id": "ALFKI", "employee_id": 5, "order_date": "1997-01-02", "shipped_date": "1997-01-03"},
    ],
    "order_details": [
        {"order_id": 1, "product_id": 11, "unit_price": 14, "quantity": 12, "discount": 0},
        {"order_id": 1, "product_id": 12, "unit_price": 9.8, "quantity": 10, "discount": 0.15},
        {"order_id": 2, "product_id": 11, "unit_price": 14.05, "quantity": 3, "discount": 0.05},
    ],
    "products": [
        {"product_id": 11, "product_name": "Queso", "supplier_id": 1, "category_id": 4, "unit_price": 21, "units_in_stock": 22, "discontinued": 0},
        {"product_id": 12, "product_name": "Manchego", "supplier_id": 1, "category_id": 4, "unit_price": 38, "units_in_stock": 86, "discontinued": 1},
    ],
    "categories": [{"category_id": 4, "category_name": "Dairy"}],
    "suppliers": [{"supplier_id": 1, "company_name": "Las Cabras", "country": "Spain"}],
    "customers": [{"customer_id": "ALFKI", "city": "Berlin", "country": "Germany"}],
}  # fmt: skip


@contextmanager
def json_server(data: dict[str, list[dict[str, Any]]]) -> Iterator[str]:
    """Answers as json-server 0.17 does: `_page` and `_limit`, the total in a header, 200 and [] past the end."""

    class Answer(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None: ...

        def do_GET(self) -> None:
            address = urlsplit(self.path)
            asked = parse_qs(address.query)
            page, limit = int(asked["_page"][0]), int(asked["_limit"][0])
            records = data[address.path.strip("/")]
            body = json.dumps(records[(page - 1) * limit : page * limit], indent=2).encode()
            self.send_response(200)
            self.send_header("X-Total-Count", str(len(records)))
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def northwind_figures(project: Path) -> dict[str, Any]:
    [sales] = ask(project, "SELECT COUNT(*), COUNT(DISTINCT sale_key), SUM(net_amount) FROM gold.fact_sale_line")
    [stock] = ask(
        project,
        """SELECT SUM(on_hand_units), SUM(on_hand_units * list_price_amount)
        FROM serve.stock_on_hand JOIN serve.product_current USING (product_durable_key)""",
    )
    [aside] = ask(project, "SELECT COUNT(*) FROM silver.quarantine")
    years = ask(
        project,
        """SELECT CAST(EXTRACT(YEAR FROM business_date) AS integer), ROUND(SUM(net_amount), 2) FROM gold.fact_sale_line
        GROUP BY 1 ORDER BY 1""",
    )
    return {"sales": sales, "stock": stock, "aside": aside, "years": years}


@pytest.mark.parametrize("connector", ["shopify", "tryton", "vendure"])
def test_the_first_lines_of_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, connector: str) -> None:
    monkeypatch.delenv("SYSTOCK_SECRETS", raising=False)
    monkeypatch.chdir(tmp_path)
    page = (DOCS / f"{connector}.md").read_text("utf-8")
    found = re.search(r"^ {4}systock (init .*)\n((?: {4}echo .*\n)+) {4}systock (run .*)$", page, re.MULTILINE)
    assert found
    made, secrets, ran = found.groups()
    assert main(shlex.split(made, comments=True)) == 0
    subprocess.run(["sh", "-ec", secrets], check=True)
    # It gets as far as to ask the system.
    folder = shlex.split(ran)[-1]
    named = (Path(folder) / SECRETS_FILE).read_text("utf-8").partition("=")[0]
    assert f"${{{named}}}" in (Path(folder) / "systock.toml").read_text("utf-8")
    load_settings(folder)


def test_lists_page_by_page(tmp_path: Path) -> None:
    data = deepcopy(SMALL)
    with json_server(data) as address:
        project = init(tmp_path / "p", "rest", base_url=address)
        file = project / "systock.toml"
        file.write_text(file.read_text("utf-8").replace("size = 200", "size = 2"), "utf-8")
        assert Project(project).run().status == "published"
        first = northwind_figures(project)
        # A line and an order with its line are deleted; a level is another one.
        data["orders"].pop()
        data["order_details"][1:] = []
        data["products"][0]["units_in_stock"] = 20
        assert Project(project).run().status == "published"
        assert northwind_figures(project)["sales"] == (1, 1, Decimal(168))
        assert ask(project, "SELECT SUM(on_hand_units) FROM serve.stock_on_hand") == [(Decimal(106),)]
        levels = "SELECT product_id, counted_units FROM gold.fact_stock_count ORDER BY counted_at, product_id"
        counted = [(product, int(units)) for product, units in ask(project, levels)]
        assert counted == [("11", 22), ("12", 86), ("11", 20), ("12", 86)]
    # 14 x 12 + 9.8 x 10 x 0.85 = 168 + 83.3; 14.05 x 3 x 0.95 = 40.0425
    assert first == {
        "sales": (3, 2, Decimal("291.3425")),
        "stock": (Decimal(108), Decimal(22 * 21 + 86 * 38)),
        "aside": (0,),
        "years": [(1996, Decimal("251.30")), (1997, Decimal("40.04"))],
    }


@pytest.fixture
def served(tmp_path: Path, shared_data: Path) -> Iterator[str]:
    """A real json-server with the whole company."""
    if not shutil.which("npm"):
        pytest.skip("there is no npm here")
    done = subprocess.run(
        ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(tmp_path / "npm"), "json-server@0.17.4"],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"json-server cannot be installed: {done.stderr[-200:]}")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = shutil.copy(shared_data / "json_server" / "northwind_db.json", tmp_path / "northwind.json")
    binary = tmp_path / "npm" / "node_modules" / ".bin" / "json-server"
    command = [str(binary), "--host", "127.0.0.1", "--port", str(port), "--quiet", str(data)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}/categories", timeout=2).status == 200)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=10)


def _wait_for(ready: Callable[[], bool]) -> None:
    for _ in range(120):
        try:
            if ready():
                return
        except OSError:
            pass
        time.sleep(0.25)
    pytest.fail("the server did not start")


@pytest.mark.long
def test_a_real_json_server(tmp_path: Path, served: str) -> None:
    project = init(tmp_path / "p", "rest", base_url=served)
    assert Project(project).run().status == "published"
    assert northwind_figures(project) == {
        "sales": (2155, 830, Decimal("1265793.0395")),
        "stock": (Decimal(3119), Decimal("73953.35")),
        "aside": (0,),
        "years": [
            (1996, Decimal("208083.97")), (1997, Decimal("617085.20")), (1998, Decimal("440623.87")),
        ],
    }  # fmt: skip

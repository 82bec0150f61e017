"""Live systems: the command that serves the shop, and a database that changes between two runs."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import urllib.request
from contextlib import closing
from pathlib import Path

from systock import Project
from systock.cli.app import main
from systock.simulator import load_answer_key, simulate, write_project
from systock.simulator.compare import compare
from systock.simulator.shop_api import PASSWORD, USER, ShopApi, ShopFaults

SOURCE = Path(__file__).parents[2] / "src"


def test_the_shop_is_served_until_it_is_stopped(tmp_path: Path) -> None:
    sizes = ["--days", "2", "--stores", "1", "--products", "12", "--seed", "3"]
    command = [sys.executable, "-m", "systock", "simulate", str(tmp_path / "chain"), *sizes, "--serve", "--port", "0"]
    path = os.pathsep.join([str(SOURCE), os.environ.get("PYTHONPATH", "")])
    for again in (False, True):  # the second time the folder holds the chain: it is only served
        server = subprocess.Popen(
            [*command, "--host", "localhost"] if again else command,
            env={**os.environ, "PYTHONPATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            assert server.stdout
            told = ""
            while "answers at" not in told:
                line = server.stdout.readline()
                assert line, told
                told += line
            [address] = re.findall(r"http://localhost:\d+" if again else r"http://127\.0\.0\.1:\d+", told)
            body = json.dumps({"user": USER, "password": PASSWORD}).encode()
            with urllib.request.urlopen(urllib.request.Request(f"{address}/login", body), timeout=10) as answer:
                assert json.load(answer)["token"]
        finally:
            server.send_signal(signal.SIGINT)
            code = server.wait(timeout=20)
        assert code == 130
        assert ("Faults put in" in told) != again
        # The settings that come with the chain ask where it was first served.
        assert again or f'base_url = "{address}"' in (tmp_path / "chain" / "systock.toml").read_text("utf-8")
        assert load_answer_key(tmp_path / "chain").days == 2


def test_a_database_and_an_api_that_change_between_two_runs(tmp_path: Path) -> None:
    """The first run meets an earlier state: rows to come, rows to be changed, and some that will be deleted."""
    folder = tmp_path / "chain"
    key = simulate(folder, days=12, stores=2, products=30, faults="none", live=True)
    last = (folder / "erp.sqlite").read_bytes()
    shop = json.loads((folder / "shop.json").read_text("utf-8"))
    cut = "2024-03-08"
    earlier = {name: [record for record in records if record["updated_at"] < cut] for name, records in shop.items()}
    placed = [order for order in shop["orders"] if order["placed_at"] < cut <= order["updated_at"]]
    earlier["orders"] += [
        {**one, "state": "open", "shipped_at": None, "updated_at": one["placed_at"]} for one in placed
    ]
    assert placed
    with closing(sqlite3.connect(folder / "erp.sqlite")) as database, database:
        changed = f"SET menge = '1.000', geaendert = '2024-03-07T00:00:00Z' WHERE geaendert >= '{cut}' AND pos = '1'"
        assert database.execute(f"UPDATE movements {changed} AND art IN ('WE', 'KO')").rowcount > 0
        for table in ("movements", "purchases", "transfers", "store_days"):
            assert database.execute(f"DELETE FROM {table} WHERE geaendert >= '{cut}'").rowcount > 0
        database.execute(
            "INSERT INTO purchases SELECT 'B999999', pos, lieferant, werk, artikel, menge, me, ek_preis, bestellt, liefertermin, "
            "bestaetigt_zum, bestaetigt, versandt, eingang, eingang_menge, abgelehnt, status, geaendert FROM purchases LIMIT 1"
        )
        database.execute("INSERT INTO suppliers VALUES ('79999', 'Bald weg', 'DE', '9')")
    (folder / "shop.json").write_text(json.dumps(earlier), "utf-8")
    for number in range(2):
        if number:
            (folder / "erp.sqlite").write_bytes(last)
            (folder / "shop.json").write_text(json.dumps(shop), "utf-8")
        with ShopApi(folder, ShopFaults()).serving() as api:
            if number == 0:
                write_project(folder, api.base_url)
            settings = folder / "systock.toml"
            text = re.sub(r'base_url = "[^"]*"', f'base_url = "{api.base_url}"', settings.read_text("utf-8"))
            settings.write_text(text, "utf-8")
            assert Project(folder).run().status == "published"
        groups = {
            group.name: group
            for group in compare(Project(folder), key, []).groups
            # How many lines came in which run the key does not say.
            if not group.name.startswith("lines of") and group.name != "product versions"
        }
        wrong = {name for name, group in groups.items() if group.differences}
        if number:
            assert wrong == set()
        else:
            assert {"purchase orders", "transfers", "net sales", "web orders", "on hand, sums"} <= wrong
    assert main(["rebuild", "--verify", "--project", str(folder)]) == 0

"""What leaves a published warehouse: files of its tables, and a sources.yml that says of it what is true."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from systock import Project
from systock.cli.app import main

from ..small_chain import deliver, make_project

PACKAGE = Path(__file__).parents[2] / "src" / "systock"

OWN_TABLE = """-- A colour and what is said of it by {{ hands }}.
-- refresh: full
CREATE TABLE mart.colour (
    colour text NOT NULL CHECK (colour IN ('it''s red', '{{ blue }}')), -- which
    "Is It" integer NOT NULL CHECK ("Is It" IN (1, 2)),                 -- how often, {% if %} at all
    product_key bigint REFERENCES gold.dim_product (product_key),       -- of what
    PRIMARY KEY (colour, "Is It")
);

SELECT 'it''s red' AS colour, 1 AS "Is It", 0 AS product_key;
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A small warehouse, made by the flow file as it is called where the package's folder is on the path."""
    folder = make_project(tmp_path_factory.mktemp("export") / "p")
    (folder / "models").mkdir()
    (folder / "models" / "colour.sql").write_text(OWN_TABLE)
    deliver(folder, "erp_locations", [("S1", "One", "Europe/Berlin")], "1")
    deliver(folder, "erp_products", [("P1", "Nut", "0.1234", "pc", "2024-01-01T00:00:00Z")], "1")
    sale = ("R1", "1", "S1", "P1", "2024-03-01T10:00:00Z", "2", "pc", "9.99", "", "2024-03-01T10:00:00Z")
    deliver(folder, "pos_sales", [sale], "1")
    done = subprocess.run(
        [sys.executable, "-m", "pipeline_manager.pipeline_flow"], cwd=folder, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(PACKAGE), str(PACKAGE.parent)])},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    yield folder


def test_tables_as_files(project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["export", "serve.sales_daily", "gold.dim_*", "--to", str(tmp_path), "--format-of-files", "csv"]
    assert main([*asked, "--project", str(project), "--format", "json"]) == 0
    shown = capsys.readouterr()
    files = {row["table"]: row for row in json.loads(shown.out)}
    assert f"{len(files)} files in {tmp_path}." in shown.err
    assert {"serve.sales_daily", "gold.dim_product", "gold.dim_date"} <= files.keys()
    assert files["gold.dim_date"]["rows"] == 397  # December 2023 and 2024
    for table, told in files.items():
        rows = list(csv.reader(io.StringIO(Path(told["file"]).read_text("utf-8"), newline="")))
        [count] = Project(project).query(f"SELECT count(*) AS n FROM {table}")["n"].to_pylist()
        assert len(rows) - 1 == told["rows"] == count
    [day] = csv.DictReader(io.StringIO((tmp_path / "serve.sales_daily.csv").read_text("utf-8"), newline=""))
    assert (day["business_date"], Decimal(day["net_amount"])) == ("2024-03-01", Decimal("19.98"))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        Path(told["file"]).name for told in files.values()
    )


def test_the_verb_in_python_gives_parquet(project: Path, tmp_path: Path) -> None:
    [told] = Project(project).export("gold.dim_location", tmp_path)
    assert told["rows"] == 2  # and the unknown one
    assert (tmp_path / "gold.dim_location.parquet").read_bytes()[:4] == b"PAR1"


def test_wrong_calls(project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def refused(*arguments: str) -> str:
        assert main(["export", *arguments, "--project", str(project)]) == 2
        return capsys.readouterr().err

    assert "Missing option '--to'" in refused("serve.sales_daily")
    assert "Did you mean 'serve.sales_daily'" in refused("serve.sales_dailly", "--to", str(tmp_path / "out"))
    assert "dbt stands beside tables" in refused("dbt", "serve.*", "--to", str(tmp_path / "out"))
    assert "'xlsx' is not one of" in refused("serve.*", "--to", str(tmp_path), "--format-of-files", "xlsx")
    (tmp_path / "file").write_text("")
    assert "is a file" in refused("dbt", "--to", str(tmp_path / "file"))
    assert not (tmp_path / "out").exists()


def test_nothing_published_yet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_project(tmp_path / "p")
    assert main(["export", "serve.*", "--to", str(tmp_path / "out"), "--project", str(folder)]) == 2
    assert "nothing is published yet" in capsys.readouterr().err


# --- dbt -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def dbt(project: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The tables of the written file by schema.table."""
    folder = tmp_path_factory.mktemp("dbt") / "models"
    assert main(["export", "dbt", "--to", str(folder), "--project", str(project)]) == 0
    assert [path.name for path in folder.iterdir()] == ["sources.yml"]
    document = yaml.safe_load((folder / "sources.yml").read_text("utf-8"))
    assert document["version"] == 2
    assert [source["name"] for source in document["sources"]] == [
        "systock_gold", "systock_serve", "systock_snapshot", "systock_meta", "systock_mart",
    ]  # fmt: skip
    assert all(source["description"] for source in document["sources"])
    assert {source["database"] for source in document["sources"]} == {"{{ var('systock_database', target.database) }}"}
    return {
        f"{source['schema']}.{table['name']}": table for source in document["sources"] for table in source["tables"]
    }


def columns(table: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {column["name"]: column for column in table["columns"]}


def test_dbt_knows_every_published_table_and_column(project: Path, dbt: dict[str, dict[str, Any]]) -> None:
    rows = (
        Project(project)
        .query("""
        SELECT table_schema || '.' || table_name AS "table", column_name AS "column", data_type AS type
        FROM information_schema.columns WHERE table_schema NOT IN ('silver', 'bronze', 'work')""")
        .to_pylist()
    )
    published: dict[str, dict[str, str]] = {}
    for row in rows:
        published.setdefault(row["table"], {})[row["column"]] = row["type"]
    # What a build is asked, and the changes behind a snapshot's view, are nobody's to read.
    hidden = {
        "meta.asked",
        "meta.capture",
        *(name for name in published if name.startswith("snapshot.") and name.endswith("__changes")),
    }
    assert dbt.keys() == published.keys() - hidden
    engine_names = {
        "text": "varchar", "timestamptz": "timestamp with time zone", "double precision": "double",
    }  # fmt: skip
    for name, table in dbt.items():
        said = {
            c["name"]: engine_names.get(c["data_type"], c["data_type"]).replace(", ", ",").replace("numeric", "decimal")
            for c in table["columns"]
        }
        assert said == {column: type_.lower() for column, type_ in published[name].items()}, name
        assert table["description"] and all(column["description"] for column in table["columns"])


def test_dbt_tests_what_the_table_files_say(dbt: dict[str, dict[str, Any]]) -> None:
    """Three files, read by hand."""
    product = columns(dbt["gold.dim_product"])
    assert product["product_key"]["data_tests"] == ["not_null", "unique"]
    assert product["product_key"]["description"] == "hash of source, product and the version's own instant; 0 = unknown"
    assert "data_tests" not in product["sku"] and "data_tests" not in dbt["gold.dim_product"]
    assert product["valid_to_at"]["data_tests"] == [
        "not_null"
    ]  # its CHECK compares two columns: dbt has no test for that
    place = columns(dbt["gold.dim_location"])["location_type"]
    types = ["store", "warehouse", "online", "transit", "virtual", "(unknown)"]
    assert {"accepted_values": {"arguments": {"values": types}}} in place["data_tests"]
    weeks = columns(dbt["gold.dim_date"])["retail_weeks_in_year"]["data_tests"]
    assert {"accepted_values": {"arguments": {"values": [52, 53], "quote": False}}} in weeks
    day = columns(dbt["gold.fact_stock_interval"])["from_date"]["data_tests"]
    to = {"to": "source('systock_gold', 'dim_date')", "field": "date_key"}
    assert day == ["not_null", {"relationships": {"arguments": to}}]
    [key] = dbt["gold.fact_stock_interval"]["data_tests"]
    assert key["unique"]["arguments"] == {
        "column_name": '("product_durable_key", "location_durable_key", "stock_status", "from_date")'
    }


def test_dbt_tests_a_snapshot_by_its_number(dbt: dict[str, dict[str, Any]]) -> None:
    state = dbt["snapshot.stock_state"]
    assert list(columns(state))[:5] == ["snapshot_no", "as_of", "known_at", "is_derived", "product_durable_key"]
    assert state["data_tests"][0]["unique"]["arguments"]["column_name"] == (
        '("snapshot_no", "product_durable_key", "location_durable_key", "stock_status")'
    )
    assert columns(state)["known_at"].get("data_tests") is None


def test_dbt_reads_names_and_texts_as_they_are(dbt: dict[str, dict[str, Any]]) -> None:
    """dbt renders templates in descriptions and arguments, quotes no column by itself and escapes no value."""
    own = dbt["mart.colour"]
    assert own["description"] == "{% raw %}A colour and what is said of it by {{ hands }}.{% endraw %}"
    assert columns(own)["colour"]["data_tests"][1]["accepted_values"]["arguments"] == {
        "values": ["it''s red", "{% raw %}{{ blue }}{% endraw %}"]
    }
    assert columns(own)["Is It"]["quote"] is True
    assert columns(own)["Is It"]["description"] == "{% raw %}how often, {% if %} at all{% endraw %}"
    assert own["data_tests"][0]["unique"]["arguments"]["column_name"] == '("colour", "Is It")'
    assert columns(own)["product_key"]["data_tests"] == [
        {"relationships": {"arguments": {"to": "source('systock_gold', 'dim_product')", "field": "product_key"}}}
    ]

"""Real deliveries, with the figures that others published for them."""

from __future__ import annotations

import zipfile
from decimal import Decimal
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq

from .project import Project


def test_online_retail_a_file_a_day(tmp_path: Path, shared_data: Path) -> None:
    project = Project(tmp_path, sales={"path": "in/**/*.csv", "known_at": "name:%Y-%m-%d"})
    with zipfile.ZipFile(shared_data / "online_retail_uci" / "by_day.zip") as archive:
        for name in archive.namelist():
            if name.endswith(".csv"):
                project.write(name, archive.read(name))
    counts = project.counts()
    assert (counts.files, counts.lines, counts.malformed, counts.rejected) == (305, 541_909, 0, 0)
    assert len(project.log.commits()) == 305
    rows = pq.read_table(project.bronze / "pos" / "sales")
    assert rows.num_rows == 541_909
    assert pc.count_distinct(rows["InvoiceNo"]).as_py() == 25_900
    assert (rows["CustomerID"].null_count, rows["Description"].null_count) == (135_080, 1_454)
    pairs = zip(rows["Quantity"].to_pylist(), rows["UnitPrice"].to_pylist(), strict=True)
    assert sum(int(quantity) * Decimal(price) for quantity, price in pairs) == Decimal("9747747.934")


def test_northwind_from_one_json_document(tmp_path: Path, shared_data: Path) -> None:
    project = Project(
        tmp_path,
        orders={"path": "in/*.json", "records": "orders", "mode": "full"},
        lines={"path": "in/*.json", "records": "order_details"},
    )
    project.write("northwind.json", (shared_data / "json_server" / "northwind_db.json").read_bytes())
    summary = project.land()
    assert (summary.of("pos", "orders").lines, summary.of("pos", "lines").lines) == (830, 2_155)

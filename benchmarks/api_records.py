"""Measures the extraction of an API from a loopback server against dlt, turn by turn: rows per CPU second, peak memory.

    python -m benchmarks.api_records --dlt /path/to/a/python/that/has/dlt     # without --dlt: ours alone

Ours asks for all pages and lands them in bronze: as an API, and, where dlt is installed beside us, as a source of type dlt with
dlt's REST source. dlt runs that source into a DuckDB file (its default path), and into Parquet files. The server is a process of its own and counts for nobody.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import sys
import tempfile
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.measure import Usage, extraction

PAGE = 250
DLT = """
import sys, dlt
from dlt.sources.rest_api import rest_api_source
url, folder, destination = sys.argv[1:]
paginator = {"type": "page_number", "base_page": 1, "page_param": "page", "total_path": None}
source = rest_api_source({"client": {"base_url": url, "paginator": paginator}, "resources": [
    {"name": "orders", "endpoint": {"path": "orders", "data_selector": "data"}, "write_disposition": "append"}]})
made = dlt.destinations.duckdb(folder + "/o.duckdb") if destination == "duckdb" else dlt.destinations.filesystem(folder + "/out")
pipeline = dlt.pipeline("orders", destination=made, dataset_name="raw", pipelines_dir=folder + "/p")
more = {} if destination == "duckdb" else {"loader_file_format": "parquet"}
pipeline.run(source, **more)
print(pipeline.last_trace.last_normalize_info.row_counts["orders"])
"""
OURS = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from systock.api_settings import ApiSource
from systock.etl_pipeline.bronze_layer.land_batches import land
url, folder = sys.argv[1:]
source = ApiSource.model_validate({"type": "api", "base_url": url, "pagination": {"type": "page"}, "tables": {
    "orders": {"endpoint": "/orders", "records": "data", "mode": "append", "key": ["id"]}}})
summary = land(Path(folder), {"shop": source})
print(sum(table.lines for table in summary.tables.values()))
"""

OURS_BY_DLT = """
import sys
from pathlib import Path
from systock.dlt_settings import DltSource
from systock.etl_pipeline.bronze_layer.land_batches import land
url, folder = sys.argv[1:]
paginator = {"type": "page_number", "base_page": 1, "page_param": "page", "total_path": None}
source = DltSource.model_validate({"type": "dlt", "source": "dlt.sources.rest_api:rest_api_source", "args": {"config": {
    "client": {"base_url": url, "paginator": paginator}, "resources": [
    {"name": "orders", "endpoint": {"path": "orders", "data_selector": "data"}}]}},
    "tables": {"orders": {"mode": "append", "key": ["id"]}}})
summary = land(Path(folder), {"shop": source})
print(sum(table.lines for table in summary.tables.values()))
"""


def record(number: int) -> dict[str, object]:
    """An order as a web shop gives it: twelve fields, one of them nested."""
    return {
        "id": number,
        "code": f"W-{number:08}",
        "state": ("placed", "paid", "shipped", "cancelled")[number % 4],
        "created_at": f"2024-05-{number % 28 + 1:02}T{number % 24:02}:{number % 60:02}:00Z",
        "updated_at": f"2024-06-{number % 28 + 1:02}T{number % 24:02}:{number % 60:02}:00Z",
        "customer_id": number * 7 % 50_000,
        "currency": "EUR",
        "net": f"{number % 100_000 / 100:.2f}",
        "tax": number % 1_000 / 100,
        "is_gift": number % 9 == 0,
        "note": None if number % 3 else f"leave at door {number % 100}",
        "address": {"city": f"City {number % 500}", "zip": f"{number % 100_000:05}"},
    }


def serve(rows: int, told: Connection) -> None:
    """Answer for good; tells its port first. The pages are made beforehand."""
    pages = [
        json.dumps({"data": [record(n) for n in range(first, min(first + PAGE, rows))]}).encode()
        for first in [*range(0, rows, PAGE), rows]
    ]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            data = pages[int(self.path.rpartition("page=")[2].partition("&")[0]) - 1]
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.send(server.server_address[1])
    server.serve_forever()


def main() -> None:
    """Measure, and print a line for each side."""
    parser = argparse.ArgumentParser(description="records of an API: ours against dlt")
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--dlt", help="a Python that has dlt[duckdb,parquet]")
    arguments = parser.parse_args()
    here, there = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(arguments.rows, there), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{here.recv()}"
    with tempfile.TemporaryDirectory() as folder, closing(here):
        sides: dict[str, tuple[str, str, tuple[str, ...]]] = {"systock": (sys.executable, OURS, ())}
        if find_spec("dlt"):
            sides["systock by dlt"] = (sys.executable, OURS_BY_DLT, ())
        if arguments.dlt:
            sides["dlt to duckdb"] = (arguments.dlt, DLT, ("duckdb",))
            sides["dlt to parquet"] = (arguments.dlt, DLT, ("parquet",))
        used: dict[str, list[Usage]] = {name: [] for name in sides}
        for _ in range(arguments.repeat):
            for name, (python, text, more) in sides.items():
                script = Path(folder) / f"with_{name.replace(' ', '_')}.py"
                script.write_text(text)
                used[name].append(extraction(script, url, arguments.rows, *more, python=python))
    server.terminate()
    for name, usages in used.items():
        cpu = statistics.median(usage.cpu_s for usage in usages)
        peak = max(usage.peak_mb for usage in usages)
        print(f"{name:15} {arguments.rows / cpu:10,.0f} rows per CPU second  {cpu:6.1f} s  peak {peak:5.0f} MB")


if __name__ == "__main__":
    main()

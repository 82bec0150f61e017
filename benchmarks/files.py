"""Measures landing CSV files against DuckDB's bare read_csv to Parquet and against dlt, turn by turn: CPU and peak memory.

    python -m benchmarks.files --dlt /path/to/a/python/that/has/dlt     # without --dlt: ours and DuckDB's alone

Every side reads the same files, all columns as text, and writes Parquet. Ours also keeps each line's number, sets apart lines that do not
split, hashes the files and commits a batch. dlt has filesystem() | read_csv_duckdb(use_pyarrow=True), its quickest reader, and Parquet
files as its destination: dlt[duckdb,filesystem,parquet].
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import Usage, extraction

_HEADER = "receipt,line,store,till,sold_at,article,quantity,unit_price,discount,net,vat,cashier,changed_at"

OURS = """
import os, sys
from pathlib import Path
from systock.etl_pipeline.bronze_layer.land_batches import land
from systock.source_settings import FileSource
files, folder = sys.argv[1:]
Path(folder, "incoming").mkdir()
for file in Path(files).iterdir():
    os.link(file, Path(folder, "incoming", file.name))
source = FileSource.model_validate({"type": "files", "tables": {
    "sales": {"path": "incoming/*.csv", "mode": "append", "key": ["receipt", "line"]}}})
print(sum(table.lines for table in land(Path(folder), {"till": source}).tables.values()))
"""
DUCKDB = """
import sys, duckdb
files, folder = sys.argv[1:]
read = f"read_csv('{files}/*.csv', all_varchar = true, header = true)"
print(duckdb.execute(f"COPY (FROM {read}) TO '{folder}/sales.parquet'").fetchall()[0][0])
"""
DLT = """
import sys, dlt
from dlt.sources.filesystem import filesystem, read_csv_duckdb
files, folder = sys.argv[1:]
found = filesystem(bucket_url=files, file_glob="*.csv") | read_csv_duckdb(use_pyarrow=True, all_varchar=True, header=True)
made = dlt.destinations.filesystem(folder + "/out")
pipeline = dlt.pipeline("sales", destination=made, dataset_name="raw", pipelines_dir=folder + "/p")
pipeline.run(found.with_name("sales"), loader_file_format="parquet", write_disposition="append")
print(pipeline.last_trace.last_normalize_info.row_counts["sales"])
"""


def write(folder: Path, rows: int, files: int) -> None:
    """Sale lines as a till exports them, in so many files of equal length."""
    folder.mkdir()
    each = rows // files
    for file in range(files):
        with (folder / f"sales_{file:04}.csv").open("w") as out:
            out.write(_HEADER + "\n")
            for n in range(file * each, (file + 1) * each):
                day, second = n * 365 // rows, n * 7 % 86_400
                at = f"2024-{day // 31 + 1:02}-{day % 28 + 1:02}T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z"
                out.write(
                    f"R{n // 4:09},{n % 4 + 1},S{n % 20 + 1:02},{n % 6 + 1},{at},A{n * 31 % 2_000:05},{n % 9 + 1},"
                    f"{n % 9_999 / 100:.2f},0.00,{n % 99_999 / 100:.2f},19,C{n % 300:03},{at}\n"
                )


def main() -> None:
    """Measure, and print a line for each side."""
    parser = argparse.ArgumentParser(description="CSV files: ours against DuckDB's read_csv and dlt")
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--files", type=int, default=20)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--dlt", help="a Python that has dlt[duckdb,filesystem,parquet]")
    arguments = parser.parse_args()
    rows = arguments.rows // arguments.files * arguments.files
    sides = {"systock": (sys.executable, OURS), "read_csv": (sys.executable, DUCKDB)}
    if arguments.dlt:
        sides["dlt"] = (arguments.dlt, DLT)
    used: dict[str, list[Usage]] = {name: [] for name in sides}
    with tempfile.TemporaryDirectory() as temporary:
        files = Path(temporary) / "incoming"
        write(files, rows, arguments.files)
        for _ in range(arguments.repeat):
            for name, (python, text) in sides.items():
                script = Path(temporary) / f"with_{name}.py"
                script.write_text(text)
                used[name].append(extraction(script, files, rows, python=python))
    bare = statistics.median(usage.cpu_s for usage in used["read_csv"])
    for name, usages in used.items():
        cpu, wall = (statistics.median(getattr(usage, what) for usage in usages) for what in ("cpu_s", "wall_s"))
        peak = max(usage.peak_mb for usage in usages)
        print(
            f"{name:9} {cpu:6.2f} s of CPU, {cpu / bare:5.2f} x read_csv, {wall:6.2f} s by the clock, peak {peak:5.0f} MB"
        )


if __name__ == "__main__":
    main()

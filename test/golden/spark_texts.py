"""What every table file and contract says in Spark's SQL, beside this file as text: python test/golden/spark_texts.py renews it."""

from __future__ import annotations

from pathlib import Path

from systock.data_warehouse.portable_sql import compile_text
from systock.data_warehouse.table_file import load_folder
from systock.pipeline_manager.definitions import CONTRACTS, SCHEMA

FOLDER = Path(__file__).with_name("spark")


def texts() -> dict[str, str]:
    """The texts by the names of their files."""
    files = load_folder(CONTRACTS) | load_folder(SCHEMA)
    return {f"{name}.sql": compile_text(file.text, "spark", pretty=True) + ";\n" for name, file in files.items()}


def renew() -> None:
    """Write the texts of today, and take out those of files that are no more."""
    made = texts()
    for path in FOLDER.glob("*.sql"):
        if path.name not in made:
            path.unlink()
    FOLDER.mkdir(exist_ok=True)
    for name, text in made.items():
        (FOLDER / name).write_text(text, "utf-8")


if __name__ == "__main__":
    renew()

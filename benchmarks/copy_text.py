"""The plainest way to fill a server: its rows as text files, and the psql script that loads them into the same tables."""

from __future__ import annotations

import argparse
from pathlib import Path

import psycopg

from systock import Project
from systock.load.write_rows import there
from systock.pipeline_manager.definitions import Definitions
from systock.sql_text import literal, quoted


def write_copies(project: Path, url: str, folder: Path) -> Path:
    """Write the rows of all tables of a project's target, and the script: tables, rows, then keys, indexes and references.

    In that order and in one transaction, as a first publication does it; with the statistics that it makes.
    """
    schema = Definitions(project, Project(project).settings).target_schema
    folder.mkdir(parents=True, exist_ok=True)
    script = [r"\set ON_ERROR_STOP on", "SET search_path = pg_catalog;", "BEGIN;"]
    script += [f"CREATE SCHEMA {quoted(name)};" for name in schema.schemas]
    with psycopg.connect(url) as session:
        for number, table in enumerate(schema.tables):
            path = folder / f"{number}.txt"
            with path.open("wb") as file, session.cursor().copy(f"COPY {there(table)} TO STDOUT".encode()) as copy:
                for part in copy:
                    file.write(part)
            script += [*(f"{statement};" for statement in table.create), f"\\copy {there(table)} FROM {literal(str(path))}"]  # fmt: skip
    script += [f"{statement};" for table in schema.tables for statement in table.keys]
    script += [f"{statement};" for table in schema.tables for statement in table.references]
    script += [f"ANALYZE {there(table)};" for table in schema.tables]
    told = folder / "load.sql"
    told.write_text("\n".join([*script, "COMMIT;", ""]))
    return told


def main() -> None:
    """Write them."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("project", type=Path)
    parser.add_argument("url")
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    write_copies(given.project, given.url, given.folder)


if __name__ == "__main__":
    main()

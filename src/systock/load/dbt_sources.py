"""What dbt needs to stand on the warehouse: a sources.yml whose descriptions and tests come from the table files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlglot import exp

from systock.data_warehouse.table_file import Check, Column, TableFile
from systock.errors import UsageError
from systock.etl_pipeline.bronze_layer.durable import refusal
from systock.sql_text import quoted

FILE_NAME = "sources.yml"
#: What the schemas hold, in the order in which they are written; those of a project's own tables follow.
SCHEMAS = {
    "gold": "Dimensions and facts, keyed and referenced: what is true by all that has come in.",
    "serve": "Questions with stable names, answered from gold.",
    "snapshot": "What was reported at a point in time, kept for good.",
    "meta": "What was landed and published, and when.",
}
_HEADER = """# The published warehouse as dbt sources: dbt 1.10.5 or later.
# Written by `systock export dbt` from the table files; write it anew after a change of these, do not edit it.
"""
# Where the warehouse is not the database that dbt writes to: vars: {systock_database: …} in dbt_project.yml.
_DATABASE = "{{ var('systock_database', target.database) }}"
# Arguments of a build, empty where nothing is built.
_PRIVATE = ("meta.asked", "meta.capture")
#: What a snapshot's view shows before the columns of its kind, as snapshot.taken describes them.
_SNAPSHOT_COLUMNS = ("snapshot_no", "as_of", "known_at", "is_derived")
_PLAIN_NAME = re.compile(r"[a-z_][a-z0-9_]*")  # others are told to be quoted


def sources(tables: Iterable[TableFile]) -> dict[str, Any]:
    """The document of a sources.yml: every published table and view but those of silver, which gold may leave behind.

    A schema is a source, `systock_<schema>`. A REFERENCES to what is no source is no test.
    """
    shown = {
        table.qualified: table
        for table in sorted(tables, key=lambda table: table.qualified)
        if table.schema != "silver" and table.refresh != "function" and table.qualified not in _PRIVATE
    }
    schemas = list(dict.fromkeys([*SCHEMAS, *(table.schema for table in shown.values())]))
    return {
        "version": 2,
        "sources": [
            {
                "name": source_name(schema),
                "database": _DATABASE,
                "schema": schema,
                "description": SCHEMAS.get(schema, "Tables of this project's own."),
                "tables": [_table(table, shown) for table in shown.values() if table.schema == schema],
            }
            for schema in schemas
        ],
    }


def source_name(schema: str) -> str:
    """How dbt calls the source of a schema: {{ source('systock_gold', 'fact_sale_line') }}."""
    return f"systock_{schema}"


def write_sources(document: Mapping[str, Any], folder: Path) -> Path:
    """Write a document of `sources` into the folder, in place of an earlier one; raises StorageError for what the disk refuses."""
    import yaml

    path = folder / FILE_NAME
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file", where="--to", state="Nothing was written.", todo="Name a folder.")
    aside = folder / f".{FILE_NAME}.{os.getpid()}.new"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            text = yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True, width=120)
            aside.write_text(_HEADER + text, "utf-8")
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)
    except OSError as error:
        refused = refusal(error.errno, str(path), "Nothing was written.")
        if refused is None:
            raise
        refused.todo = "Name a folder with room that you may write to: --to DIR."
        raise refused from error
    return path


def _table(table: TableFile, shown: Mapping[str, TableFile]) -> dict[str, Any]:
    columns, key = table.columns, table.primary_key
    if table.refresh == "snapshot":
        columns = (*(shown["snapshot.taken"].column(name) for name in _SNAPSHOT_COLUMNS), *columns)
        key = (_SNAPSHOT_COLUMNS[0], *key)
    entry: dict[str, Any] = {"name": table.name, "description": _literal(table.sentence)}
    if len(key) > 1:
        # A row of values compares as a whole, where joined texts would not tell 'a-' beside 'b' from 'a' beside '-b'.
        row = f"({', '.join(map(quoted, key))})"
        name = f"{source_name(table.schema)}_{table.name}_key_is_unique"
        entry["data_tests"] = [{"unique": {"name": name, "arguments": {"column_name": row}}}]
    entry["columns"] = [_column(table, column, key, shown) for column in columns]
    return entry


def _column(table: TableFile, column: Column, key: Sequence[str], shown: Mapping[str, TableFile]) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": column.name, "description": _literal(column.comment), "data_type": column.type,
    }  # fmt: skip
    if not _PLAIN_NAME.fullmatch(column.name):
        entry["quote"] = True
    tests: list[Any] = []
    if not column.nullable:
        tests.append("not_null")
    if list(key) == [column.name]:
        tests.append("unique")
    for reference in table.references:
        if reference.column == column.name and reference.table in shown:
            target = shown[reference.table]
            to = f"source('{source_name(target.schema)}', '{target.name}')"
            tests.append({"relationships": {"arguments": {"to": to, "field": reference.target_column}}})
    for check in table.checks:
        values = accepted_values(check)
        if values is not None and check.columns == (column.name,):
            tests.append({"accepted_values": {"arguments": _arguments(values)}})
    if tests:
        entry["data_tests"] = tests
    return entry


def _arguments(values: Sequence[str | int]) -> dict[str, Any]:
    """dbt puts texts between quotes as they are, and numbers too unless it is told not to."""
    texts = [_literal(value.replace("'", "''")) for value in values if isinstance(value, str)]
    return {"values": texts} if texts else {"values": list(values), "quote": False}


def accepted_values(check: Check) -> list[str | int] | None:
    """The values of a CHECK (column IN (…)) of plain texts or whole numbers; None for any other CHECK."""
    tree = check.expression
    if not isinstance(tree, exp.In) or not isinstance(tree.this, exp.Column) or not tree.expressions:
        return None
    values = [literal for literal in tree.expressions if isinstance(literal, exp.Literal)]
    if len(values) != len(tree.expressions):
        return None
    if all(value.is_string for value in values):
        return [value.name for value in values]
    return [int(value.name) for value in values] if all(value.is_int for value in values) else None


def _literal(text: str) -> str:
    """A text that dbt, which renders templates in descriptions and arguments, leaves as it is."""
    return f"{{% raw %}}{text}{{% endraw %}}" if re.search(r"\{[{%#]", text) else text

"""What a server holds of a warehouse: its tables with the way their changes are found, its questions, the SQL that makes them.

Made from the table files once and kept as JSON beside the build, so that a run that publishes a day parses no SQL.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from systock.data_warehouse.engine.postgres_ddl import (
    GUARD,
    guard_statements,
    index_statements,
    primary_key_statements,
    reference_statements,
    table_parts,
    table_statements,
)
from systock.data_warehouse.engine.postgres_procedures import capture_name
from systock.data_warehouse.engine.postgres_rows import place_condition
from systock.data_warehouse.engine.postgres_schema import PostgresSchema
from systock.data_warehouse.portable_sql import postgres_name
from systock.data_warehouse.table_file import TableFile
from systock.load.copy_rows import CopiedColumn
from systock.load.procedures import capture_procedure, prune_procedure

#: Tables of meta and snapshot that only grow: the column that tells what is new, and of what (see TargetTable.grows_by).
_GROWS = {
    "meta.batch": ("commit_no", "commit"),
    "meta.row_count": ("known_at", "instant"),
    "meta.generation": ("generation", "generation"),
    "snapshot.taken": ("snapshot_no", "commit"),
}


#: What a table is made of, by kind and name (see postgres_ddl.table_parts).
Parts = dict[str, dict[str, str]]


@dataclass(frozen=True)
class TargetTable:
    """A table that holds rows on the server.

    follows: how its changes are found in the build file: by the log of touched keys ("log"), by its own spans of knowledge
    ("versions"), by `grows_by` ("commit", "instant", "generation"), or only by looking at all rows ("whole").
    create, comments, keys: the SQL that makes it, empty, and what is added once the first rows are in.
    seen_where: which rows a role with places of its own sees; '': all. renamed: former names of columns there, with those of today.
    parts: what it is made of.
    """

    schema: str
    name: str
    columns: tuple[CopiedColumn, ...]
    key: tuple[CopiedColumn, ...]
    follows: str
    grows_by: str
    create: tuple[str, ...]
    comments: tuple[str, ...]
    keys: tuple[str, ...]
    references: tuple[str, ...]
    seen_where: str = ""
    renamed: tuple[tuple[str, str], ...] = ()
    parts: Parts = field(default_factory=dict, hash=False)

    @property
    def qualified(self) -> str:
        """Its name in the build file, and in what people read."""
        return f"{self.schema}.{self.name}"

    @property
    def schema_there(self) -> str:
        """Its schema on the server."""
        return postgres_name(self.schema)

    @property
    def name_there(self) -> str:
        """Its own name on the server."""
        return postgres_name(self.name)

    @property
    def on_server(self) -> str:
        """Its name on the server, as people read it."""
        return f"{self.schema_there}.{self.name_there}"

    @property
    def structure(self) -> str:
        """Changes whenever what holds the rows does: columns, types, keys, checks, indexes."""
        return text_hash((*self.create, *self.keys, *self.references))


@dataclass(frozen=True)
class TargetQuestion:
    """A view, function or procedure: its name on the server, and the SQL that makes it and its comments."""

    schema: str
    name: str
    kind: str
    create: tuple[str, ...]

    @property
    def on_server(self) -> str:
        """Its name on the server, as people read it."""
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class TargetSchema:
    """All of it: tables, each after those that it refers to; questions, each after those that it reads, procedures last."""

    schemas: tuple[str, ...]
    tables: tuple[TargetTable, ...]
    questions: tuple[TargetQuestion, ...]

    def as_json(self) -> dict[str, Any]:
        """As JSON values (see read_schema)."""
        return asdict(self)


def text_hash(texts: Sequence[str]) -> str:
    """A short hash of SQL texts, in their order."""
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]


def make_schema(postgres: PostgresSchema) -> TargetSchema:
    """What a server holds, from the table files."""
    names = sorted({table.schema for table in (*postgres.stored, *postgres.questions)})
    schemas = tuple(map(postgres_name, names))
    questions = [
        TargetQuestion(
            postgres_name(file.schema), postgres_name(file.name), "function" if file.refresh == "function" else "view",
            tuple(statement.sql for statement in postgres.question(file)),
        )
        for file in postgres.questions
    ]  # fmt: skip
    procedures = [
        TargetQuestion(
            postgres_name(kind.schema), postgres_name(capture_name(kind)), "procedure", tuple(capture_procedure(kind))
        )
        for kind in postgres.questions
        if kind.refresh == "snapshot"
    ]
    prune = TargetQuestion("meta", "prune", "procedure", tuple(prune_procedure(schemas)))
    schema, _, name = GUARD.partition(".")
    guard = TargetQuestion(schema, name, "function", tuple(statement.sql for statement in guard_statements()))
    return TargetSchema(schemas, tuple(map(_table, postgres.stored)), (guard, *questions, *procedures, prune))


def _table(file: TableFile) -> TargetTable:
    columns = {
        column.name: CopiedColumn(column.name, postgres_name(column.name), column.type) for column in file.columns
    }
    made = table_statements(file)
    grows_by, follows = _GROWS.get(file.qualified, ("", ""))
    if not follows:
        if file.schema == "snapshot":
            grows_by, follows = "snapshot_no", "commit"
        elif file.refresh == "versions" or file.schema == "silver":
            follows = "versions"
        elif file.primary_key and file.refresh not in ("build", "snapshot"):
            follows = "log"
        else:
            follows = "whole"
    return TargetTable(
        file.schema, file.name, tuple(columns.values()), tuple(columns[name] for name in file.primary_key), follows, grows_by,
        tuple(s.sql for s in made if s.kind == "table"), tuple(s.sql for s in made if s.kind == "comment"),
        tuple(s.sql for s in (*primary_key_statements(file), *index_statements(file))),
        tuple(s.sql for s in reference_statements(file)), place_condition(file),
        tuple((postgres_name(old), postgres_name(new)) for old, new in file.renamed), table_parts(file),
    )  # fmt: skip


def read_schema(entry: Mapping[str, Any]) -> TargetSchema:
    """A TargetSchema from its JSON values."""

    def columns(rows: Sequence[Mapping[str, str]]) -> tuple[CopiedColumn, ...]:
        return tuple(CopiedColumn(**row) for row in rows)

    def texts(row: Mapping[str, Any], *names: str) -> dict[str, tuple[str, ...]]:
        return {name: tuple(row[name]) for name in names}

    return TargetSchema(
        tuple(entry["schemas"]),
        tuple(
            TargetTable(**{
                **row, "columns": columns(row["columns"]), "key": columns(row["key"]),
                **texts(row, "create", "comments", "keys", "references"),
                "renamed": tuple((old, new) for old, new in row["renamed"]),
            })
            for row in entry["tables"]
        ),
        tuple(TargetQuestion(**{**row, **texts(row, "create")}) for row in entry["questions"]),
    )  # fmt: skip

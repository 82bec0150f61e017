"""The statements that make one object in PostgreSQL: a table, its keys and indexes, a view, a function; from its table file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from sqlglot import exp

from systock.data_warehouse.engine.postgres_indexes import index_definition, indexes_of
from systock.data_warehouse.function_arguments import arguments_of, with_arguments
from systock.data_warehouse.portable_sql import compile_sql, compile_text, postgres_name
from systock.data_warehouse.table_file import TableFile
from systock.errors import DefinitionError
from systock.sql_text import quoted

#: PostgreSQL cuts longer names, in bytes, without a word.
LONGEST_NAME = 63

#: The function that the functions of questions ask whether they may answer.
GUARD = "meta.is_kept"

#: What statements make, in the order in which they are made.
KINDS = ("schema", "table", "comment", "primary key", "index", "reference", "view", "function")


@dataclass(frozen=True)
class Statement:
    """One statement: what kind of thing it makes (one of KINDS), of which object ('schema.name', or a schema), and its SQL."""

    kind: str
    object: str
    sql: str


def schema_statement(schema: str) -> Statement:
    """CREATE SCHEMA, where it is not there yet."""
    return Statement("schema", schema, f"CREATE SCHEMA IF NOT EXISTS {name_sql(schema)}")


def table_statements(table: TableFile) -> list[Statement]:
    """The empty table with its types, NOT NULLs, DEFAULTs and CHECKs, and its comments; without keys and indexes.

    Rows that come in before the keys are there are copied several times as fast.
    """
    parts = table_parts(table)
    lines = [f"{quoted(name)} {definition}" for name, definition in parts["columns"].items()]
    lines += [f"CONSTRAINT {quoted(name)} {definition}" for name, definition in parts["checks"].items()]
    body = ",\n    ".join(lines)
    create = Statement("table", table.qualified, f"CREATE TABLE {qualified_sql(table)} (\n    {body}\n)")
    return [create, *comment_statements(table, "TABLE")]


def primary_key_statements(table: TableFile) -> list[Statement]:
    """The PRIMARY KEY, if the table has one. It is not deferrable, so that ON CONFLICT can name it."""
    return [
        Statement("primary key", table.qualified, constraint_sql(qualified_sql(table), name, key))
        for name, key in table_parts(table)["primary key"].items()
    ]


def index_statements(table: TableFile) -> list[Statement]:
    """The indexes beside the primary key."""
    return [
        Statement("index", table.qualified, index_sql(qualified_sql(table), name, columns))
        for name, columns in table_parts(table)["indexes"].items()
    ]


def reference_statements(table: TableFile) -> list[Statement]:
    """The foreign keys. They are looked at when a transaction commits: a refresh may take out and put back a row of a
    dimension, and write tables in any order.
    """
    return [
        Statement("reference", table.qualified, constraint_sql(qualified_sql(table), name, reference))
        for name, reference in table_parts(table)["references"].items()
    ]


def constraint_sql(table: str, name: str, definition: str) -> str:
    """The statement that adds a constraint to a table (its quoted name)."""
    return f"ALTER TABLE {table} ADD CONSTRAINT {quoted(name)} {definition}"


def index_sql(table: str, name: str, columns: str) -> str:
    """The statement that adds an index to a table (its quoted name)."""
    return f"CREATE INDEX {quoted(name)} ON {table} {columns}"


def table_parts(table: TableFile) -> dict[str, dict[str, str]]:
    """What a table is made of, by kind, and each part's SQL by its name on the server."""
    references = {}
    for reference in table.references:
        target = ".".join(map(name_sql, reference.table.split(".")))
        references[_made_name(f"{table.name}_{reference.column}_fkey")] = (
            f"FOREIGN KEY ({name_sql(reference.column)}) REFERENCES {target} ({name_sql(reference.target_column)}) "
            "DEFERRABLE INITIALLY DEFERRED"
        )
    key = ", ".join(map(name_sql, table.primary_key))
    return {
        "columns": {
            server_name(column.name): type_sql(column.type)
            + (f" DEFAULT {compile_text(column.default_sql, 'postgres')}" if column.default_sql else "")
            + ("" if column.nullable else " NOT NULL")
            for column in table.columns
        },
        "checks": {
            _made_name(check.name): f"CHECK ({compile_sql(check.expression, 'postgres')})" for check in table.checks
        },
        "primary key": {_made_name(f"{table.name}_pkey"): f"PRIMARY KEY ({key})"} if key else {},
        "indexes": {
            _made_name("_".join([table.name, *columns, "idx"])): index_definition(table, columns)
            for columns in indexes_of(table)
        },
        "references": references,
    }


def view_statements(table: TableFile) -> list[Statement]:
    """The view of a `refresh: view` file, with the types it states, and its comments.

    It reads with the rights of whoever asks, so that what a role may not see of a table it does not see here.
    """
    if table.select is None:
        raise ValueError(f"{table.qualified} has no SELECT")
    return [select_view(table, typed_select(table, table.select)), *comment_statements(table, "VIEW")]


def select_view(table: TableFile, select: str) -> Statement:
    """A view of a table file's name over a SELECT in PostgreSQL's SQL."""
    sql = f"CREATE VIEW {qualified_sql(table)} WITH (security_invoker = true) AS\n{select}"
    return Statement("view", table.qualified, sql)


def function_statements(table: TableFile) -> list[Statement]:
    """The function of a `refresh: function` file, and its comment, which also holds those of the columns it returns.

    It is one SELECT that the planner puts in the place of the call, with the arguments as constants.
    """
    arguments = arguments_of(table)
    places = {name: exp.Parameter(this=exp.Literal.number(place)) for place, name in enumerate(arguments, 1)}
    select = with_arguments(table, lambda name: places[name].copy())
    returned = ", ".join(
        f"{name_sql(column.name)} {type_sql(column.type, of_function=True)}" for column in table.columns
    )
    made = {postgres_name(name) for name in table.column_names}
    # An argument that is also returned can only be given by its place.
    taken = ", ".join(type_ if name in made else f"{name_sql(name)} {type_}" for name, type_ in arguments.items())
    function = f"{qualified_sql(table)}({taken})"
    columns = "".join(f"\n{column.name}: {column.comment}" for column in table.columns)
    types = ", ".join(arguments.values())
    return [
        Statement(
            "function",
            table.qualified,
            f"CREATE FUNCTION {function}\nRETURNS TABLE ({returned})\nLANGUAGE sql STABLE PARALLEL SAFE\n"
            f"BEGIN ATOMIC\n{typed_select(table, select)};\nEND",
        ),
        Statement(
            "comment",
            table.qualified,
            f"COMMENT ON FUNCTION {qualified_sql(table)}({types}) IS {text_sql(table.sentence + columns)}",
        ),
    ]


def typed_select(table: TableFile, select: exp.Query) -> str:
    """A SELECT in PostgreSQL's SQL, in the types that the file states, texts in the order of their bytes."""
    columns = ", ".join(
        f"CAST(made.{name_sql(column.name)} AS {type_sql(column.type, of_function=True)})"
        f"{_BYTE_ORDER if column.type == 'text' else ''} AS {name_sql(column.name)}"
        for column in table.columns
    )
    return f"SELECT {columns} FROM ({compile_sql(select, 'postgres')}) AS made"


def comment_statements(table: TableFile, kind: str) -> list[Statement]:
    """The comments of a table or view and of its columns. kind: TABLE or VIEW."""
    said = [(f"{kind} {qualified_sql(table)}", table.sentence)]
    said += [(f"COLUMN {qualified_sql(table)}.{name_sql(column.name)}", column.comment) for column in table.columns]
    return [
        Statement("comment", table.qualified, f"COMMENT ON {what} IS {text_sql(text)}") for what, text in said if text
    ]


def guard_statements() -> list[Statement]:
    """The function behind the macro is_kept: TRUE, or the error that says from when on knowledge is kept and what to do."""
    return [
        Statement(
            "function",
            GUARD,
            """CREATE FUNCTION "meta"."is_kept"(known_at timestamptz, history_from_at timestamptz) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $guard$
BEGIN
    IF known_at >= history_from_at THEN
        RETURN true;
    END IF;
    RAISE EXCEPTION 'what was known before % UTC is not kept in this warehouse',
            to_char(history_from_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')
        USING ERRCODE = 'invalid_parameter_value',
            HINT = 'systock rebuild --history keeps it, systock query --known-at asks without it.';
END
$guard$""",
        ),
        Statement(
            "comment",
            GUARD,
            f"COMMENT ON FUNCTION {GUARD}(timestamptz, timestamptz) IS "
            "'TRUE where the tables of versions tell a state of knowledge; else an error that says so'",
        ),
    ]


# --- names, types, texts ---------------------------------------------------------------------------------------------

_BYTE_ORDER = ' COLLATE "C"'


def type_sql(canonical: str, *, of_function: bool = False) -> str:
    """PostgreSQL's type of a canonical one. Texts are compared by their bytes, whatever the database's collation.

    of_function: without the collation, which casts and what a function returns do not take.
    """
    return canonical + _BYTE_ORDER if canonical == "text" and not of_function else canonical


def qualified_sql(table: TableFile) -> str:
    """The quoted name of a table, view or function."""
    return f"{name_sql(table.schema)}.{name_sql(table.name)}"


def name_sql(name: str) -> str:
    """A quoted name in small letters; DefinitionError where PostgreSQL would cut it."""
    return quoted(server_name(name))


def server_name(name: str) -> str:
    """A name as PostgreSQL has it: in small letters; DefinitionError where it would be cut."""
    if len(name.encode()) > LONGEST_NAME:
        raise DefinitionError(
            f"the name {name} has {len(name.encode())} bytes", todo=f"PostgreSQL takes at most {LONGEST_NAME}."
        )
    return postgres_name(name)


def _made_name(name: str) -> str:
    return postgres_name(short_name(name))


def short_name(name: str) -> str:
    """A name that we make up: cut where it is too long, with a hash that keeps it apart from others."""
    if len(name.encode()) <= LONGEST_NAME:
        return name
    digest = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()[:8]
    return name.encode()[: LONGEST_NAME - 9].decode(errors="ignore") + "_" + digest


def text_sql(text: str) -> str:
    """A text literal, whatever the server takes a backslash for."""
    quoted = "'" + text.replace("'", "''").replace("\\", "\\\\") + "'"
    return f"E{quoted}" if "\\" in text else quoted


def do_sql(body: str) -> str:
    """A DO statement; its body between dollars that it does not hold itself."""
    mark = next(mark for mark in _marks() if mark not in body)
    return f"DO {mark} {body} {mark}"


def _marks() -> Iterator[str]:
    yield "$$"
    for number in count():
        yield f"$systock{number}$"

"""The arguments of a table function: in its file columns of the one-row table meta.asked, in an engine the function's own.

And its refusal to tell of what is not kept, which no plan of an engine may leave out.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from systock.data_warehouse.portable_sql import parse_statements
from systock.data_warehouse.table_file import TableFile
from systock.sql_text import quoted

#: The arguments that functions have, in the order in which they take them, with their types (see schema/meta/asked.sql).
ARGUMENTS = {"as_of": "date", "first_date": "date", "last_date": "date", "known_at": "timestamptz"}
_ASKED = "meta.asked"
#: Whoever asks for no state of knowledge, or for a later one, is told what is known so far: what is believed ends after it (FOREVER).
_LATEST = "9999-12-30 00:00:00+00"
#: The macro by which a function's file refuses, and the table that says from when on knowledge is kept.
_GUARD, _PROGRESS = "is_kept", "meta.progress"


def arguments_of(table: TableFile) -> dict[str, str]:
    """The arguments that a function's SELECT reads, with their types, in the order in which it takes them."""
    assert table.select is not None
    names = _names_of_asked(table.select)
    read = {column.name for column in table.select.find_all(exp.Column) if column.table in names}
    return {name: type_ for name, type_ in ARGUMENTS.items() if name in read}


def with_arguments(table: TableFile, written: Callable[[str], exp.Expr] = exp.column) -> exp.Query:
    """The SELECT of a function with its arguments, as the engine writes them, in the place of meta.asked.

    They stand there as constants, so that an engine reads no more than the blocks that may hold an answer. NULL as `known_at`,
    infinity, or any late instant is what is known so far. What uses is_kept stops whether or not it finds rows.
    """
    assert table.select is not None
    select = table.select.copy()
    if any(call.name.lower() == _GUARD for call in select.find_all(exp.Anonymous)):
        select = exp.union(select, _refusal(table), distinct=False)
    names = _names_of_asked(select)
    for column in list(select.find_all(exp.Column)):
        if column.table in names:
            argument = _argument(written(column.name), column.name)
            is_output = isinstance(column.parent, exp.Select) and column.arg_key == "expressions"
            column.replace(exp.alias_(argument, column.name) if is_output else argument)
    for found in list(select.find_all(exp.Table)):
        if f"{found.db}.{found.name}" == _ASKED:
            assert isinstance(found.parent, exp.Join), "meta.asked is joined to what a function reads"
            found.parent.pop()
    return select


def _argument(written: exp.Expr, name: str) -> exp.Expr:
    type_ = exp.DataType.build(ARGUMENTS[name], dialect="postgres")
    argument = exp.cast(written, type_)
    if name != "known_at":
        return argument
    # LEAST leaves NULL out of account.
    return exp.Least(this=argument, expressions=[exp.cast(exp.Literal.string(_LATEST), type_)], ignore_nulls=True)


def _refusal(table: TableFile) -> exp.Expr:
    """A SELECT that never gives a row, but stops where the state of knowledge asked for is not kept.

    The guard of the rows themselves is looked at only where there are some, and engines differ in when that is. This one reads a
    table of one row, and hangs on each column: no condition on the answer can be known to fail before it is looked at.
    """
    guard = f"{_GUARD}(asked.known_at, progress.history_from_at)"
    columns = ", ".join(
        f"CASE WHEN {guard} THEN CAST(NULL AS {column.type}) END AS {quoted(column.name)}" for column in table.columns
    )
    [select] = parse_statements(
        f"SELECT {columns} FROM {_PROGRESS} AS progress CROSS JOIN {_ASKED} AS asked WHERE NOT {guard}"
    )
    return select


def _names_of_asked(select: exp.Query) -> set[str]:
    return {found.alias_or_name for found in select.find_all(exp.Table) if f"{found.db}.{found.name}" == _ASKED}

"""The arguments of a table function: in its file columns of the one-row table meta.asked, in an engine the function's own."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from systock.data_warehouse.table_file import TableFile

#: The arguments that functions have, in the order in which they take them, with their types (see schema/meta/asked.sql).
ARGUMENTS = {"as_of": "date", "first_date": "date", "last_date": "date", "known_at": "timestamptz"}
_ASKED = "meta.asked"


def arguments_of(table: TableFile) -> dict[str, str]:
    """The arguments that a function's SELECT reads, with their types, in the order in which it takes them."""
    assert table.select is not None
    names = _names_of_asked(table.select)
    read = {column.name for column in table.select.find_all(exp.Column) if column.table in names}
    return {name: type_ for name, type_ in ARGUMENTS.items() if name in read}


def with_arguments(table: TableFile, written: Callable[[str], exp.Expr] = exp.column) -> exp.Query:
    """The SELECT of a function with its arguments, as the engine writes them, in the place of meta.asked.

    They stand there as constants, so that an engine reads no more than the blocks that may hold an answer.
    """
    assert table.select is not None
    select = table.select.copy()
    names = _names_of_asked(select)
    for column in list(select.find_all(exp.Column)):
        if column.table in names:
            argument = exp.cast(written(column.name), exp.DataType.build(ARGUMENTS[column.name], dialect="postgres"))
            is_output = isinstance(column.parent, exp.Select) and column.arg_key == "expressions"
            column.replace(exp.alias_(argument, column.name) if is_output else argument)
    for found in list(select.find_all(exp.Table)):
        if f"{found.db}.{found.name}" == _ASKED:
            assert isinstance(found.parent, exp.Join), "meta.asked is joined to what a function reads"
            found.parent.pop()
    return select


def _names_of_asked(select: exp.Query) -> set[str]:
    return {found.alias_or_name for found in select.find_all(exp.Table) if f"{found.db}.{found.name}" == _ASKED}

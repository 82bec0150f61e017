"""The lint of portable SQL: finds what does not give the same rows on every engine, and names what does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sqlglot import exp

from systock.data_warehouse.expression_types import Schema, schema_of, typed, unknown_columns
from systock.data_warehouse.lint_rules import Finding, by_form
from systock.data_warehouse.lint_type_rules import by_type
from systock.data_warehouse.portable_sql import position
from systock.data_warehouse.table_file import TableFile
from systock.errors import DefinitionError


@dataclass(frozen=True, order=True)
class LintError:
    """One thing that is not portable: where it stands, what was found, and what to write instead."""

    file: str
    line: int
    column: int
    found: str
    portable_form: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.found}\n  {self.portable_form}"

    def error(self) -> DefinitionError:
        """The same as an exception."""
        return DefinitionError(self.found, where=f"{self.file}:{self.line}:{self.column}", todo=self.portable_form)


def lint(subject: TableFile | exp.Expr, schema: Schema | None = None, where: str | None = None) -> list[LintError]:
    """All that is not portable in a table file (its SELECT and its CHECKs) or in a parsed query or expression.

    schema: columns with types of the tables that are read (schema_of makes it). With it types are known, so that the
    rules on numbers and dates are exact, and columns that do not exist are found; without it `*` and `/` are reported
    unless both sides surely are integers or doubles.
    """
    if isinstance(subject, TableFile):
        file = where or str(subject.path)
        errors = list(_lint(subject.select, schema, file)) if subject.select is not None else []
        own = {column.name: column.type for column in subject.columns}
        for check in subject.checks:
            errors += _lint(_as_query(check.expression, own), {"own.rows": own}, file)
    else:
        errors = list(_lint(subject, schema, where or "the query"))
    return sorted(set(errors))


def check_files(tables: Iterable[TableFile], schema: Schema | None = None) -> None:
    """Raise DefinitionError when a file is not portable; all findings are named.

    schema: types of further tables that are read; those of the files themselves are known anyway.
    """
    files = list(tables)
    known = {**schema_of(files), **(schema or {})}
    errors = [error for table in files for error in lint(table, known)]
    if not errors:
        return
    if len(errors) == 1:
        raise errors[0].error()
    raise DefinitionError(
        f"{len(errors)} things are not portable:\n" + "\n".join(str(error) for error in errors),
        todo="Write the portable form; every engine then gives the same rows.",
    )


def _as_query(check: exp.Expr, columns: dict[str, str]) -> exp.Expr:
    # A query around a CHECK gives its columns the types that the table states.
    return exp.select(exp.alias_(check.copy(), "holds")).from_("own.rows") if columns else check


def _lint(query: exp.Expr, schema: Schema | None, file: str) -> Iterator[LintError]:
    def errors(node: exp.Expr, findings: Iterable[Finding]) -> Iterator[LintError]:
        for found, form in findings:
            line, column = position(node) or _position_above(node)
            yield LintError(file, line, column, found, form)

    for node in query.walk():
        yield from errors(node, by_form(node))
    with_types = typed(query, schema)
    for node in with_types.walk():
        yield from errors(node, by_type(node))
    if schema:
        for unknown in unknown_columns(with_types, schema):
            name = unknown.node.sql()
            form = f"Did you mean {' or '.join(unknown.close)}?" if unknown.close else "Correct the name."
            yield from errors(unknown.node, [(f"no table read here has the column {name}", form)])


def _position_above(node: exp.Expr) -> tuple[int, int]:
    """Where the nearest enclosing part that has a position begins."""
    parent = node.parent
    while parent is not None:
        found = position(parent)
        if found:
            return found
        parent = parent.parent
    return 1, 1

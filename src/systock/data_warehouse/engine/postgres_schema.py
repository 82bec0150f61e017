"""The full schema of a warehouse in PostgreSQL: which tables, views and functions there are, and the statements that make them.

Beside what gold, snapshot, serve and meta hold there is, of silver, what questions read: some histories.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from systock.data_warehouse.dependency_order import DependencyOrder, inputs
from systock.data_warehouse.engine.postgres_ddl import (
    Statement,
    comment_statements,
    function_statements,
    guard_statements,
    index_statements,
    name_sql,
    primary_key_statements,
    qualified_sql,
    reference_statements,
    schema_statement,
    select_view,
    table_statements,
    text_sql,
    view_statements,
)
from systock.data_warehouse.expression_types import schema_of
from systock.data_warehouse.table_file import KNOWN_COLUMNS, Column, TableFile

_VERSIONS, _CHANGES = "__versions", "__changes"
_TAKEN = "snapshot.taken"


class PostgresSchema:
    """What PostgreSQL holds of a warehouse.

    files: all table files by qualified name, those of meta and of snapshots too. contracts: silver's, by qualified name.
    silver: entities whose histories are wanted beside those that questions read.
    """

    def __init__(
        self, files: Mapping[str, TableFile], contracts: Mapping[str, TableFile], silver: Iterable[str] = ()
    ) -> None:
        self._files = files
        read = {source.qualified for file in files.values() if not file.is_stored for source in inputs(file)}
        read |= {f"{contract.qualified}{_VERSIONS}" for contract in contracts.values() if contract.name in set(silver)}
        #: The tables that hold rows, as they are made, each after those that it refers to.
        self.stored: tuple[TableFile, ...] = tuple(
            _by_reference(
                [
                    *(
                        _stored(f)
                        for f in files.values()
                        if f.is_stored and (f.schema != "silver" or f.qualified in read)
                    ),
                    *(history_of(c) for c in contracts.values() if f"{c.qualified}{_VERSIONS}" in read),
                ]
            )
        )
        #: The views and functions, each after those that it reads; the views of snapshots among them.
        self.questions: tuple[TableFile, ...] = tuple(self._in_order())

    def _in_order(self) -> Iterator[TableFile]:
        asked = {name: file for name, file in self._files.items() if not file.is_stored}
        outside = {*schema_of([*self._files.values(), *self.stored])} - set(asked)
        yield from (file for file in self._files.values() if file.refresh == "snapshot")
        order = DependencyOrder(asked, outside)
        yield from (asked[name] for name in order.order)

    def schemas(self) -> list[Statement]:
        """The schemas, where they are not there yet."""
        return [schema_statement(name) for name in sorted({table.schema for table in (*self.stored, *self.questions)})]

    def tables(self) -> list[Statement]:
        """The empty tables with their comments, without keys and indexes: those follow when the rows are in."""
        return [statement for table in self.stored for statement in table_statements(table)]

    def keys_and_indexes(self) -> list[Statement]:
        """What is added to the tables when the first rows are in: primary keys and indexes, then foreign keys."""
        tables = self.stored
        return [
            *(statement for table in tables for statement in primary_key_statements(table)),
            *(statement for table in tables for statement in index_statements(table)),
            *(statement for table in tables for statement in reference_statements(table)),
        ]

    def views_and_functions(self) -> list[Statement]:
        """The questions; the tables that they read must be there."""
        return [
            *guard_statements(),
            *(statement for table in self.questions for statement in self.question(table)),
        ]

    def question(self, table: TableFile) -> list[Statement]:
        """The statements of one of `questions`."""
        if table.refresh == "function":
            return function_statements(table)
        return self._snapshot(table) if table.refresh == "snapshot" else view_statements(table)

    def statements(self) -> list[Statement]:
        """All that makes the schema, empty, in order."""
        return [*self.schemas(), *self.tables(), *self.keys_and_indexes(), *self.views_and_functions()]

    def _snapshot(self, table: TableFile) -> list[Statement]:
        """The view that shows every snapshot of a kind whole: the last change of each key up to it."""
        taken = [c for c in self._files[_TAKEN].columns if c.name in ("snapshot_no", "as_of", "known_at", "is_derived")]
        key = ", ".join(map(name_sql, table.primary_key))
        columns = [*(f"t.{name_sql(c.name)}" for c in taken), *(f"c.{name_sql(c.name)}" for c in table.columns)]
        select = f"""SELECT {", ".join(columns)}
FROM {name_sql("snapshot")}.{name_sql("taken")} AS t
JOIN (
    SELECT *, lead(snapshot_no) OVER (PARTITION BY {key} ORDER BY snapshot_no) AS next_no FROM {qualified_sql(_changes_of(table))}
) AS c ON c.snapshot_no <= t.snapshot_no AND (c.next_no IS NULL OR c.next_no > t.snapshot_no)
WHERE t.kind = {text_sql(table.name)} AND NOT c.is_removed"""
        whole = replace(table, columns=(*taken, *table.columns))
        return [select_view(table, select), *comment_statements(whole, "VIEW")]


def _stored(file: TableFile) -> TableFile:
    """The table behind a file: its own, or that of the changes of a kind of snapshot."""
    return _changes_of(file) if file.refresh == "snapshot" else file


def _changes_of(snapshot: TableFile) -> TableFile:
    """The table of what each snapshot of a kind brought against the one before."""
    own = (
        Column("snapshot_no", "bigint", False, None, "snapshot that brought the change", 0),
        Column("is_removed", "boolean", False, None, "the row is gone; the columns tell it as it was", 0),
    )
    # A column that a contract got later has no value in what was captured before.
    kept = tuple(replace(c, nullable=c.name not in snapshot.primary_key) for c in snapshot.columns)
    return replace(
        _named(snapshot, _CHANGES), columns=(*own, *kept), primary_key=("snapshot_no", *snapshot.primary_key),
        sentence=f"What each snapshot changed against the one before. {snapshot.sentence}", checks=(), references=(),
    )  # fmt: skip


def history_of(contract: TableFile) -> TableFile:
    """The table of an entity's versions, as silver keeps it: all that was ever believed."""
    nullable = tuple(
        replace(c, nullable=c.name not in contract.primary_key, default_sql=None) for c in contract.columns
    )
    own = (
        Column("version_at", "timestamptz", False, None, "from when the source says that it was so", 0),
        Column("is_deleted", "boolean", False, None, "the source says that the row is gone", 0),
        Column(KNOWN_COLUMNS[0], "timestamptz", False, None, "when it became known", 0),
        Column(KNOWN_COLUMNS[1], "timestamptz", False, None, "until when it was believed, exclusive; 9999-12-31 = still", 0),
        Column("_extracted_at", "timestamptz", False, None, "the instant that the extraction states", 0),
        Column("_batch_no", "integer", False, None, "batch that brought it", 0),
        Column("_row", "bigint", False, None, "record in the batch's file", 0),
    )  # fmt: skip
    valid_time = ("version_at",) if contract.history == "valid time" else ()
    return replace(
        _named(contract, _VERSIONS), columns=(*nullable, *own), checks=(), references=(),
        primary_key=(*contract.primary_key, *valid_time, KNOWN_COLUMNS[0]),
        sentence=f"Every version that was ever believed. {contract.sentence}",
    )  # fmt: skip


def _named(table: TableFile, ending: str) -> TableFile:
    return replace(table, name=table.name + ending, qualified=table.qualified + ending, select=None)


def _by_reference(tables: Iterable[TableFile]) -> Iterator[TableFile]:
    """The tables, each after those that it refers to; a circle is broken where it is met."""
    by_name = {table.qualified: table for table in tables}
    done: set[str] = set()

    def follow(table: TableFile) -> Iterator[TableFile]:
        if table.qualified in done:
            return
        done.add(table.qualified)
        for reference in table.references:
            if reference.table in by_name:
                yield from follow(by_name[reference.table])
        yield table

    for name in sorted(by_name):
        yield from follow(by_name[name])

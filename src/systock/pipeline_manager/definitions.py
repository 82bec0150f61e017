"""The definitions of a project: settings, contracts, mappings and table files, read and checked as one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from systock import __version__
from systock.config import Settings
from systock.errors import DefinitionError

if TYPE_CHECKING:
    from systock.data_warehouse.compiled import Book, CompiledTable
    from systock.data_warehouse.refresh_keys import RefreshPlan
    from systock.data_warehouse.table_file import TableFile
    from systock.etl_pipeline.silver_layer.mapping import Mapping
    from systock.etl_pipeline.silver_layer.mapping_sql import MappingSql
    from systock.etl_pipeline.silver_layer.source_contract import SourceContract
    from systock.etl_pipeline.silver_layer.stored_lines import StoredTable
    from systock.load.target_schema import TargetSchema

PACKAGE = Path(__file__).parent.parent
CONTRACTS = PACKAGE / "etl_pipeline" / "silver_layer" / "contracts"
SCHEMA = PACKAGE / "data_warehouse" / "schema"
#: The code beside the SQL that decides figures: whoever changes it, or runs from a checkout, has them computed anew.
_CODE = (PACKAGE / "data_warehouse", PACKAGE / "etl_pipeline" / "silver_layer")


@dataclass(frozen=True)
class Definitions:
    """Everything that, together with what landed, decides every figure. Reading the hash parses no SQL."""

    project_dir: Path
    settings: Settings

    @cached_property
    def hash(self) -> str:
        """Changes whenever any definition does."""
        return _digest(f"{self._tables_hash}\n{self.settings.definition_text()}", self._files("sources"))

    @cached_property
    def _tables_hash(self) -> str:
        packaged = [
            (f"systock/{path.relative_to(PACKAGE)}", path)
            for root in _CODE
            for path in (*root.rglob("*.sql"), *root.rglob("*.py"))
        ]
        return _digest(__version__, [*packaged, *self._files("models")])

    def _files(self, folder: str) -> list[tuple[str, Path]]:
        return [(str(path.relative_to(self.project_dir)), path) for path in (self.project_dir / folder).rglob("*.sql")]

    @cached_property
    def contracts(self) -> dict[str, TableFile]:
        """The entities' contracts by entity name."""
        from systock.data_warehouse.table_file import load_folder

        return {table.name: table for table in load_folder(CONTRACTS).values()}

    @cached_property
    def mappings(self) -> list[Mapping]:
        """The project's mappings, checked against contracts and settings."""
        from systock.etl_pipeline.silver_layer.mapping import load_mappings

        return load_mappings(self.project_dir, self.settings.sources, self.contracts)

    @cached_property
    def _all_tables(self) -> dict[str, TableFile]:
        from systock.data_warehouse.table_file import load_folder

        models = self.project_dir / "models"
        return load_folder(SCHEMA, *([models] if models.is_dir() else []))

    @property
    def published_files(self) -> list[TableFile]:
        """The table files of everything that is published above silver, questions with arguments included."""
        return list(self._all_tables.values())

    @cached_property
    def meta_tables(self) -> dict[str, TableFile]:
        """The tables that the build itself fills."""
        return {name: table for name, table in self._all_tables.items() if table.refresh == "build"}

    @cached_property
    def tables(self) -> list[TableFile]:
        """Gold and serve tables in dependency order: ours, with the project's own added or in their place."""
        from systock.data_warehouse.dependency_order import DependencyOrder

        tables = {name: table for name, table in self._all_tables.items() if table.refresh not in ("build", "snapshot")}
        histories = {name for name in self.columns() if name.endswith(("__versions", "__changes"))}
        order = DependencyOrder(
            tables, {f"silver.{name}" for name in self.contracts} | set(self.meta_tables) | histories
        )
        for name, table in tables.items():
            read = histories.intersection(order.reads[name])
            if read and table.is_stored:
                raise DefinitionError(
                    f"{name} is stored and reads {min(read)}", where=str(table.path),
                    todo="What changed in a history is not followed: let only questions (refresh: view or function) read it.",
                )  # fmt: skip
            asked = sorted(read for read in order.reads[name] if read in tables and not tables[read].is_stored)
            if asked and table.is_stored:
                raise DefinitionError(
                    f"{name} is stored and reads {asked[0]}, which holds no rows", where=str(table.path),
                    todo=f"Make it a question, too (refresh: view), or read what {asked[0]} reads: {', '.join(sorted(order.reads[asked[0]]))}.",
                )  # fmt: skip
            if table.kept_since and table.kept_since.removeprefix("silver.") not in self.contracts:
                raise DefinitionError(
                    f"{name} is kept since {table.kept_since}, which does not exist", where=str(table.path),
                    todo=f"Name an entity: {', '.join(sorted(self.contracts))}.",
                )  # fmt: skip
        return [tables[name] for name in order.order]

    def columns(self) -> dict[str, list[str]]:
        """The columns of all that a table file may read."""
        from systock.data_warehouse.expression_types import schema_of

        return {
            name: list(columns)
            for name, columns in schema_of([*self.contracts.values(), *self._all_tables.values()]).items()
        }

    @cached_property
    def book(self) -> Book:
        """The compiled SQL of these definitions, kept beside the build."""
        from systock.data_warehouse.compiled import Book

        return Book(self.project_dir / ".systock" / "compiled.json", self._tables_hash)

    @cached_property
    def compiled_contracts(self) -> dict[str, CompiledTable]:
        """The contracts as a run needs them; parsed only when they changed."""
        from systock.data_warehouse.compiled import compile_table, read_compiled

        entries = self.book.get(
            "contracts", lambda: {name: compile_table(table) for name, table in self.contracts.items()}
        )
        return {name: read_compiled(entry) for name, entry in entries.items()}

    def compiled(self) -> CompiledTables:
        """The stored tables and questions as a run needs them."""
        return CompiledTables(self)

    def file(self, qualified: str) -> TableFile:
        """The table file of a name."""
        return self._all_tables[qualified]

    def plan(self, table: TableFile) -> RefreshPlan:
        """How a table is refreshed by key, or why it can't be."""
        from systock.data_warehouse.compiled import plan_of

        if table.qualified not in self._plans:
            self._plans[table.qualified] = plan_of(table, self._readable, self.columns())
        return self._plans[table.qualified]

    @cached_property
    def _readable(self) -> dict[str, TableFile]:
        return self._all_tables | {contract.qualified: contract for contract in self.contracts.values()}

    @cached_property
    def _plans(self) -> dict[str, RefreshPlan]:
        return {}

    @cached_property
    def snapshot_tables(self) -> list[CompiledTable]:
        """The kinds of snapshots."""
        from systock.data_warehouse.compiled import compile_table, read_compiled

        entries = self.book.get(
            "snapshots", lambda: [compile_table(t) for t in self._all_tables.values() if t.refresh == "snapshot"]
        )
        return [read_compiled(entry) for entry in entries]

    @cached_property
    def target_schema(self) -> TargetSchema:
        """What a server holds of the warehouse; made only when the definitions changed."""
        from systock.load.target_schema import make_schema, read_schema

        def make() -> dict[str, Any]:
            from systock.data_warehouse.engine.postgres_schema import PostgresSchema

            contracts = {contract.qualified: contract for contract in self.contracts.values()}
            return make_schema(PostgresSchema(self._all_tables, contracts)).as_json()

        schema = read_schema(self.book.get("target", make))
        self.book.save()  # a run that builds nothing needs it too
        return schema

    @cached_property
    def mapping_sql(self) -> list[MappingSql]:
        """The mappings as a run needs them; parsed only when they changed."""
        from systock.etl_pipeline.silver_layer.mapping_sql import compile_mappings, read_mapping_sql

        entries = self.book.get(
            f"mappings {self.hash}", lambda: compile_mappings(self.mappings, self.contracts, self.settings.sources)
        )
        return [read_mapping_sql(entry) for entry in entries]

    @cached_property
    def source_contracts(self) -> dict[tuple[str, str], SourceContract]:
        """What is agreed of every raw table."""
        from systock.etl_pipeline.silver_layer.source_contract import contracts_of

        return contracts_of(self.mapping_sql, self.settings.sources)

    @cached_property
    def stored_tables(self) -> dict[tuple[str, str], StoredTable]:
        """Raw tables whose lines are stored, with the columns that mappings read of them."""
        from systock.etl_pipeline.silver_layer.stored_lines import StoredTable

        columns: dict[tuple[str, str], set[str]] = {}
        with_history = set()
        for mapping in self.mapping_sql:
            if mapping.row_wise:
                continue
            for table in mapping.raw_tables:
                columns.setdefault((mapping.source, table), set()).update(mapping.columns[table])
            if self.compiled_contracts[mapping.entity].history == "valid time":
                with_history.add((mapping.source, mapping.driving))
        settings = self.settings.sources
        return {
            (source, table): StoredTable(
                source, table, settings[source].tables[table], tuple(sorted(names)), (source, table) in with_history
            )
            for (source, table), names in columns.items()
        }

    def check(self) -> None:
        """Read everything, so that a wrong definition is found before anything is written."""
        from systock.data_warehouse.expression_types import schema_of
        from systock.data_warehouse.lint import check_files

        own = [table for table in self.tables if table.path.is_relative_to(self.project_dir / "models")]
        if own:
            check_files(own, schema_of([*self._all_tables.values(), *self.contracts.values()]))
        assert self.mappings is not None


class CompiledTables:
    """Tables in dependency order and the SQL of their refresh, parsed only when the definitions changed."""

    def __init__(self, definitions: Definitions) -> None:
        self._definitions = definitions

    @cached_property
    def tables(self) -> list[CompiledTable]:
        """The tables, each after all that it reads."""
        from systock.data_warehouse.compiled import compile_table, read_compiled

        return [
            read_compiled(entry)
            for entry in self._definitions.book.get(
                "tables", lambda: [compile_table(t, zones_defined=True) for t in self._definitions.tables]
            )
        ]

    def refresh(self, table: CompiledTable) -> dict[str, Any]:
        """The SQL of a table's refresh by key."""
        from systock.data_warehouse.compiled import compile_refresh

        found: dict[str, Any] = self._definitions.book.get(
            f"refresh {table.qualified}", lambda: compile_refresh(*self._planned(table))
        )
        return found

    def touched(self, table: CompiledTable, moved: str) -> list[str]:
        """The SQL of the keys that an input's changed rows touch."""
        from systock.data_warehouse.compiled import compile_touched

        found: list[str] = self._definitions.book.get(
            f"touched {table.qualified} by {moved}", lambda: compile_touched(*self._planned(table), moved)
        )
        return found

    def _planned(self, table: CompiledTable) -> tuple[TableFile, RefreshPlan]:
        file = self._definitions.file(table.qualified)
        return file, self._definitions.plan(file)


def _digest(start: str, files: Iterable[tuple[str, Path]]) -> str:
    digest = hashlib.sha256(start.encode())
    for name, path in sorted(files):
        digest.update(f"\n{name}\n".encode() + path.read_bytes())
    return digest.hexdigest()

"""What both ways of conforming share: typing and judging mapped rows by an entity's contract."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from typing import TYPE_CHECKING

from systock.data_warehouse.compiled import FOREVER, CompiledTable
from systock.data_warehouse.engine.base import Engine, QueryError
from systock.errors import DefinitionError
from systock.etl_pipeline.silver_layer.cast_rules import cast_sql, engine_type, error_number_sql, guesses, rules_of
from systock.etl_pipeline.silver_layer.mapping_sql import RAW_PREFIX, MappingSql
from systock.etl_pipeline.silver_layer.versions import VersionTable, listed
from systock.sql_text import literal, quoted

if TYPE_CHECKING:
    from systock.source_settings import SourceSettings


def versions_of(contract: CompiledTable) -> VersionTable:
    """The table of versions behind `silver.<entity>`."""
    return VersionTable(
        f"silver.{contract.name}__versions",
        contract.primary_key,
        tuple((c.name, c.type) for c in contract.columns),
        contract.history == "valid time",
    )


def create_silver(engine: Engine, contract: CompiledTable) -> None:
    """Make the entity's table of versions and the view of what is known now."""
    versions = versions_of(contract)
    engine.execute(versions.create_sql())
    engine.execute(f"CREATE OR REPLACE VIEW silver.{contract.name} AS {known_sql(versions)}")
    engine.execute(f"COMMENT ON VIEW silver.{contract.name} IS {literal(contract.sentence)}")


def known_sql(versions: VersionTable, condition: str = f"known_to_at = {FOREVER}") -> str:
    """The rows of `silver.<entity>` under a condition on the known interval."""
    present = "" if versions.valid_time else " AND NOT is_deleted"
    return f"SELECT {listed(versions.content)}, version_at, is_deleted FROM {versions.name} WHERE {condition}{present}"


class Conforming:
    """One mapping against its contract: builds the SQL that types and judges its rows.

    typed_sql must be called before rule_sql, column_sql and value_sql are read.
    """

    def __init__(self, mapping: MappingSql, contract: CompiledTable, source: SourceSettings) -> None:
        self.mapping, self.contract, self.source = mapping, contract, source
        self.versions = versions_of(contract)
        self.content_list = listed(self.versions.content)
        self.rule_sql = self.column_sql = self.value_sql = "NULL"

    def _filled(self, name: str) -> str | None:
        """What a column that SyStock fills is when the mapping says nothing."""
        if name == "source_name":
            return literal(self.mapping.source)
        if name.endswith("_source_name"):
            return literal(self.source.codes_source(name.removesuffix("_source_name"), self.mapping.source))
        return None

    def mapped_types(self, engine: Engine, mapped: str) -> dict[str, str]:
        """Engine types of the mapping's output columns; raises DefinitionError where the engine can't read the mapping."""
        try:
            columns = engine.columns(f"{mapped} LIMIT 0")
        except QueryError as error:
            raise DefinitionError(
                error.what, where=self.mapping.path, todo="Mend the mapping, then run again."
            ) from error
        return {name.removeprefix(RAW_PREFIX): type_ for name, type_ in columns if name.startswith(RAW_PREFIX)}

    def typed_sql(self, mapped: str, types: MappingOf[str, str]) -> str:
        """SELECT over relation `mapped`: its columns, the typed contract columns, version_at and _error.

        types: output column → engine type that the mapping gives it. _error is the number of the first broken rule.
        Raises DefinitionError where a typed column could only be converted by a guess.
        """
        typed = []
        for column in self.contract.columns:
            filled = self._filled(column.name)
            if column.name in types:
                guess = guesses(types[column.name], column.type)
                if guess:
                    raise DefinitionError(
                        f"column {column.name!r} is {types[column.name]}, the contract wants {column.type}: {guess}",
                        where=self.mapping.path,
                    )
                value = cast_sql(quoted(RAW_PREFIX + column.name), types[column.name], column.type)
                value = f"coalesce({value}, {filled})" if filled else value
            else:
                default = filled or column.default_sql or "NULL"
                value = f"CAST({default} AS {engine_type(column.type)})"
            typed.append(f"{value} AS {quoted(column.name)}")
        rules = rules_of(self.contract, types, RAW_PREFIX)
        key_error = " OR ".join(f"{quoted(name)} IS NULL" for name in self.contract.primary_key)
        missing_key = len(rules) + 1
        self._describe(rules, types, missing_key)
        # A line that only says that its key is gone need not keep the other rules.
        error = (
            f"CASE WHEN is_deleted THEN CASE WHEN {key_error} THEN {missing_key} END ELSE {error_number_sql(rules)} END"
        )
        # A line goes with the extraction that misses it, whatever instant the source states in it, and comes back with the one that
        # holds it again, unless the source made it after it went.
        starts = """CASE WHEN line_gone_at IS NULL THEN coalesce(updated_at, line_version_at)
            WHEN NOT is_deleted AND updated_at > line_gone_at THEN updated_at ELSE line_version_at END"""
        return f"""SELECT *, {starts} AS version_at, {error} AS _error
            FROM (SELECT *, {", ".join(typed)} FROM {mapped})"""

    def _describe(self, rules: list, types: MappingOf[str, str], missing_key: int) -> None:  # type: ignore[type-arg]
        branches = list(enumerate(rules, 1))
        self.rule_sql = f"CASE _error {' '.join(f'WHEN {n} THEN {rule.name_sql}' for n, rule in branches)} WHEN {missing_key} THEN 'missing' END"
        self.column_sql = (
            f"CASE _error {' '.join(f'WHEN {n} THEN {literal(rule.column)}' for n, rule in branches)} "
            f"WHEN {missing_key} THEN {literal(self.contract.primary_key[-1])} END"
        )
        values = " ".join(
            f"WHEN {n} THEN CAST({quoted((RAW_PREFIX if rule.column in types else '') + rule.column)} AS VARCHAR)"
            for n, rule in branches
            if rule.column
        )
        self.value_sql = f"CASE _error {values} END"

"""Bringing gold up to silver: what keeps versions commit by commit, all else once, from what changed altogether."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from systock.data_warehouse.compiled import FOREVER, CompiledTable, before, changed, new
from systock.data_warehouse.engine.base import Engine
from systock.data_warehouse.refresh import Change, NetChanges, Refresh, Refreshed, has_rows
from systock.etl_pipeline.silver_layer.conform import create_silver, known_sql, versions_of
from systock.pipeline_manager.definitions import CompiledTables, Definitions

BEGINNING = "TIMESTAMPTZ '0001-01-01 00:00:00+00'"


class GoldRefresh:
    """One run's refresh of all stored tables of gold.

    moments: the instants at which what the run takes in became known, ascending; since: the last one before them, as an
    SQL literal. conformed: the entities that may have changed. changes, done: what came of it, by table, in order.
    """

    def __init__(
        self,
        engine: Engine,
        definitions: Definitions,
        compiled: CompiledTables,
        conformed: Collection[str],
        *,
        is_new: bool,
        since: str,
        moments: Sequence[datetime],
    ) -> None:
        self.engine, self.definitions, self.compiled = engine, definitions, compiled
        self._entities = sorted(definitions.compiled_contracts if is_new else conformed)
        self._is_new, self._since = is_new, since
        self._moments = [f"TIMESTAMPTZ '{moment.isoformat()}'" for moment in moments] or [since]
        self.stored = [table for table in compiled.tables if table.is_stored]
        self.changes: dict[str, Change] = {}
        self.done: list[Refreshed] = []

    def steps(self) -> int:
        """How many times `run` tells of progress."""
        return len(self.stored) + len(self._moments) - 1

    def run(self, advance: Callable[[int, str], None]) -> None:
        """Refresh everything; advance(1, what) after each step."""
        stored, last = self.stored, self._moments[-1]
        if len(self._moments) > 1:
            kept = [table for table in stored if table.qualified in feeds_versions(stored)]
            net = NetChanges(self.engine)
            since = self._since
            for number, moment in enumerate(self._moments):
                is_last = number == len(self._moments) - 1
                self._show_silver(None if is_last else moment)
                refresh = Refresh(
                    self.engine, self.compiled, self._silver_changes(since, moment, self._is_new and not number), moment
                )
                for table in kept:
                    refresh.table(
                        table, exists=bool(number or not self._is_new) and has_rows(self.engine, table.qualified)
                    )
                net.add([table for table in kept if table.refresh != "versions"], refresh.changes)
                since = moment
                if not is_last:
                    advance(1, f"as known at {moment[13:32]}")
            self.done += refresh.done
            stored = [table for table in stored if table not in kept]
            self.changes = net.changes()
        refresh = Refresh(
            self.engine, self.compiled, self._silver_changes(self._since, last, self._is_new) | self.changes, last
        )
        for table in stored:
            refresh.table(table, exists=not self._is_new)
            advance(1, table.qualified)
        self.done += refresh.done
        self.changes = refresh.changes

    def _show_silver(self, moment: str | None) -> None:
        """Let silver show what was known at a moment, or what is known now."""
        for name in self._entities:
            contract = self.definitions.compiled_contracts[name]
            if moment is None:
                create_silver(self.engine, contract)
            else:
                known = known_sql(versions_of(contract), f"known_from_at <= {moment} AND known_to_at > {moment}")
                self.engine.execute(f"CREATE OR REPLACE VIEW silver.{name} AS {known}")

    def _silver_changes(self, since: str, until: str, is_new: bool) -> dict[str, Change]:
        """What was opened or closed in silver after one instant, up to another: by the versions' own spans, never by the clock."""
        if is_new:
            return {f"silver.{name}": Change(everything=True) for name in self._entities}
        changes = {}
        for entity in self._entities:
            name, versions = f"silver.{entity}", versions_of(self.definitions.compiled_contracts[entity])
            opened = f"known_from_at > {since} AND known_from_at <= {until} AND known_to_at > {until}"
            closed = f"known_from_at <= {since} AND known_to_at > {since} AND known_to_at <= {until}"
            # Two scans, not OR: each skips the blocks that can't hold a match.
            self.engine.execute(
                f"CREATE OR REPLACE TEMP TABLE {changed(name)} AS {known_sql(versions, opened)} UNION ALL {known_sql(versions, closed)}"
            )
            [(any_changed,)] = self.engine.rows(f"SELECT count(*) > 0 FROM {changed(name)}")
            if any_changed:
                self.engine.execute(
                    f"CREATE OR REPLACE TEMP VIEW {before(name)} AS {known_sql(versions, f'known_from_at <= {since} AND known_to_at > {since}')}"
                )
                self.engine.execute(f"CREATE OR REPLACE TEMP TABLE {new(name)} AS {known_sql(versions, opened)}")
                changes[name] = Change(new=new(name))
        return changes


def steps_for_closes(engine: Engine, moments: Sequence[datetime]) -> list[datetime]:
    """Of moments that are too many to be taken in one by one those that must be all the same: the last ones under which a close holds.

    What is posted (serve.cost_as_posted) hangs on what was known when the closed days became others: a close or its closed_at binds what
    comes after it, a withdrawal what comes with it. Between two of these the changes of a value add up to one. The last moment is always
    among them.
    """
    closes = "silver.period_close__versions"
    after = engine.rows(
        f"SELECT known_from_at FROM {closes} UNION SELECT closed_at FROM {closes} WHERE closed_at IS NOT NULL"
    )
    at = engine.rows(f"SELECT DISTINCT known_to_at FROM {closes} WHERE known_to_at < {FOREVER}")
    return [
        moment
        for moment, following in zip(moments, [*moments[1:], None], strict=True)
        if following is None
        or any(moment <= instant < following for (instant,) in after)
        or any(moment < instant <= following for (instant,) in at)
    ]


def feeds_versions(tables: Sequence[CompiledTable]) -> set[str]:
    """The tables of versions, and all stored tables that they are made from."""
    found: set[str] = set()
    for table in reversed(tables):  # each comes after all that it reads
        if table.refresh == "versions" or table.qualified in found:
            found |= {table.qualified, *table.reads}
    return found

"""Who looks at extractions on their way into bronze, and refuses those with a drift that is frozen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from systock.etl_pipeline.silver_layer.renamed_columns import SAMPLE, proposal, reads_as_before, renamed
from systock.etl_pipeline.silver_layer.source_contract import Counts, Drift, SourceContract

if TYPE_CHECKING:
    import pyarrow as pa

    from systock.data_warehouse.engine.duckdb import DuckDBEngine


class LandingJudge:
    """Refuses extractions with a drift that is frozen, before they land. One for a table and a landing."""

    def __init__(self, contract: SourceContract, before: Iterable[tuple[str, ...]]) -> None:
        self._contract, self._before = contract, set(before)

    def look(self) -> Look:
        """Begin with an extraction."""
        return Look(self._contract, self._before)


class Look:
    """Looks at the rows of one extraction as they pass."""

    def __init__(self, contract: SourceContract, before: set[tuple[str, ...]]) -> None:
        self._contract, self._before, self._counts = contract, before, Counts()
        self._types = contract.policy("retyped") == "freeze" and bool(contract.readings)
        self._sample: pa.RecordBatch | None = None

    def at(self, rows: pa.RecordBatch) -> None:
        """Take note of what a column's values read as."""
        if self._sample is None and rows.num_rows:
            self._sample = rows.slice(0, SAMPLE)
        if not self._types or not rows.num_rows:
            return
        import pyarrow as pa

        values = {name.lower(): column for name, column in zip(rows.schema.names, rows.columns, strict=True)}
        text, instant = pa.nulls(rows.num_rows, pa.string()), pa.nulls(rows.num_rows, pa.timestamp("us", "UTC"))
        values = {**dict.fromkeys(self._contract.needed, text), **values, "_file": text, "_extracted_at": instant}
        self._engine.connection.register("judged_line", pa.table(values))
        self._counts.add(self._engine, self._contract)

    @cached_property
    def _engine(self) -> DuckDBEngine:
        from systock.data_warehouse.engine.duckdb import connect

        return connect(None, threads=1)

    def refusal(self, columns: tuple[str, ...]) -> tuple[str, str] | None:
        """At its end: why it is refused and what to do; None, and it counts as taken."""
        drifts = [*self._contract.columns_drift(columns, self._before), *self._contract.retyped(self._counts)]
        frozen = [drift for drift in drifts if self._contract.policy(drift.kind) == "freeze"]
        if not frozen:
            self._before.add(columns)
            return None
        settings = ", ".join(dict.fromkeys(f"{drift.kind}_columns" for drift in frozen))
        named = ", ".join(repr(drift.column) for drift in frozen if drift.kind == "new")
        known = f"name {named} in {self._contract.setting}.known_columns, " if named else ""
        todo = f"Deliver it as agreed, {known}mend the mapping, or set {settings} of {self._contract.setting} to 'evolve' or 'quarantine'."
        came = [drift.column for drift in drifts if drift.kind == "new"]
        proposals = [self._renamed(drift, came, columns) for drift in frozen if drift.kind == "missing"]
        return "; ".join(drift.text for drift in frozen), " ".join([todo, *filter(None, proposals)])

    def _renamed(self, drift: Drift, came: Sequence[str], columns: Sequence[str]) -> str | None:
        """What to do about a missing column that a new one may stand for."""

        def reads(candidate: str) -> bool:
            if self._sample is None:
                return False
            import pyarrow as pa

            self._engine.connection.register("sample_line", pa.Table.from_batches([self._sample]))
            return reads_as_before(self._engine, self._contract, drift.column, candidate, columns)

        found, is_alike = renamed(drift, came, reads)
        return proposal(self._contract, drift, found, is_alike) if found else None

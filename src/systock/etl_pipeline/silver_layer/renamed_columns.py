"""Which new column a missing one may have become, and what the mapping may say then."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches

from systock.data_warehouse.engine.base import Engine
from systock.etl_pipeline.silver_layer.source_contract import Counts, Drift, SourceContract
from systock.sql_text import quoted

#: How alike two names are at least (by difflib's ratio) that may be one: 'quantity' and 'quantitiy', not 'qty' and 'city'.
ALIKE = 0.8
#: How many lines are looked at when only their values can tell.
SAMPLE = 1000
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")


def written(column: str) -> str:
    """A raw column as a mapping names it."""
    return column if _PLAIN.fullmatch(column) else quoted(column)


def alike(name: str, others: Iterable[str]) -> str | None:
    """The one of some names that is the same but for case, spaces and underscores, or nearly so."""
    plain = {_letters(other): other for other in others}
    close = get_close_matches(_letters(name), plain, 1, ALIKE)
    return plain[close[0]] if close else None


def _letters(name: str) -> str:
    return re.sub(r"[\W_]", "", name.casefold())


def reads_as_before(
    engine: Engine, contract: SourceContract, missing: str, candidate: str, columns: Sequence[str]
) -> bool:
    """Do the values of a new column read as what the mapping makes of a missing one, in half of the lines at least?

    The lines are the relation sample_line with these columns of the source. Columns that fill no typed column of the contract
    tell nothing.
    """
    there, absent = (_counts(engine, contract, missing, value, columns) for value in (quoted(candidate), "NULL"))
    read = [counts for key, counts in there.items() if counts[0] > absent[key][0]]
    return bool(read) and all(2 * odd <= values for values, odd in read)


def _counts(
    engine: Engine, contract: SourceContract, missing: str, value: str, columns: Sequence[str]
) -> dict[tuple[str, str, str], tuple[int, int]]:
    has = {missing, *(column.lower() for column in columns)}
    nulls = [f"CAST(NULL AS VARCHAR) AS {quoted(name)}" for name in (*sorted(contract.needed.keys() - has), "_file")]
    engine.execute(f"""CREATE OR REPLACE TEMP VIEW judged_line AS
        SELECT {", ".join(quoted(column) for column in columns)}, CAST({value} AS VARCHAR) AS {quoted(missing)}, {", ".join(nulls)},
            CAST(NULL AS TIMESTAMPTZ) AS _extracted_at
        FROM sample_line LIMIT {SAMPLE}""")
    counts = Counts()
    counts.add(engine, contract)
    return counts.found


def renamed(drift: Drift, came: Sequence[str], reads: Callable[[str], bool]) -> tuple[str | None, bool]:
    """What a missing column may be called now, of the new ones that came, and whether its name tells; else its values do (reads)."""
    if found := alike(drift.column, came):
        return found, True
    return (came[0] if len(came) == 1 and reads(came[0]) else None), False


def proposal(contract: SourceContract, drift: Drift, candidate: str | None, is_alike: bool) -> str:
    """What may be done about a missing column; candidate: what it may be called now."""
    if drift.column in {name.lower() for name in contract.settings.key}:
        return f"It belongs to the key of {contract.setting}: have it delivered as agreed."
    if candidate is None or drift.where is None:
        return f"Where it is missing {drift.where or 'the mapping'} has NULL."
    old, either = written(drift.column), f"coalesce({written(candidate)}, {written(drift.column)})"
    what = f"for {old} in {drift.where}, which reads the earlier files and the new ones."
    if is_alike:
        return f"It may be called {candidate!r} now: write {either} {what}"
    return f"If it is called {candidate!r} now, write {either} {what}"

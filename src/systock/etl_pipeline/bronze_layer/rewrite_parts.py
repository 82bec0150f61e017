"""Values taken out of bronze: parts are written anew without them, aside, and the log refers to these from then on.

The lines stay, with their numbers, so that every count holds; content hashes stay too, so that what was delivered is still
known when it comes again.
"""

from __future__ import annotations

import json
import re
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from systock.etl_pipeline.bronze_layer.durable import make_folder, storage_errors
from systock.etl_pipeline.bronze_layer.landing_log import Batch, Erasure, LandingLog, insert_erasure
from systock.etl_pipeline.bronze_layer.moving_parts import aside_of, moved, recover
from systock.etl_pipeline.bronze_layer.part_writer import PartWriter, stored_batches
from systock.etl_pipeline.bronze_layer.personal_values import PersonalColumns, plain_batches

if TYPE_CHECKING:
    import pyarrow as pa

#: What stands for a line that could not be split, once it was erased.
ERASED = "(erased)"
#: SyStock's own columns of a part: what follows are the source's.
_OWN = 4


@dataclass(frozen=True)
class Found:
    """The lines of one batch that are meant, and how many values go with them."""

    batch: Batch
    lines: int
    values: int


class Change(Protocol):
    """Says of the rows of a part which lines are meant, and what they are without the values."""

    @property
    def what(self) -> str: ...
    @property
    def batches(self) -> Sequence[Batch]: ...
    def lines(self, rows: pa.RecordBatch) -> pa.Array: ...
    def values(self, rows: pa.RecordBatch, lines: pa.Array) -> dict[str, tuple[pa.Array, pa.Array]]: ...


class Erased:
    """Lines by the values of columns: others of their values become NULL, and the text of a line that could not be split goes.

    where: texts by column, one of which each line has. Such a text stands as a whole word in what could not be split.
    columns: tells of each column whether its values go.
    """

    what = "erased"

    def __init__(
        self, batches: Sequence[Batch], where: Mapping[str, Sequence[str]], columns: Callable[[str], bool]
    ) -> None:
        self.batches = [batch for batch in batches if batch.part is not None]
        self._where = {name.casefold(): list(texts) for name, texts in where.items()}
        self._columns = columns

    def lines(self, rows: pa.RecordBatch) -> pa.Array:
        """Which lines have these values, or may have them: those that could not be split."""
        import pyarrow as pa
        import pyarrow.compute as pc

        names = {name.casefold(): name for name in rows.schema.names[_OWN:]}
        meant = pa.repeat(pa.scalar(True), rows.num_rows)
        malformed = pc.and_(
            pc.is_valid(rows["_malformed"]), pc.fill_null(pc.not_equal(rows["_malformed"], ERASED), False)
        )
        for name, texts in self._where.items():
            if name in names:
                has = pc.is_in(rows[names[name]], value_set=pa.array(texts, pa.string()))
            else:
                has = pa.repeat(pa.scalar(False), rows.num_rows)
            meant = pc.and_(meant, has)
            malformed = pc.and_(
                malformed, pc.fill_null(pc.match_substring_regex(rows["_malformed"], _as_word(texts)), False)
            )
        return pc.or_(meant, malformed)

    def values(self, rows: pa.RecordBatch, lines: pa.Array) -> dict[str, tuple[pa.Array, pa.Array]]:
        """By column the values as they are then, and which of them went."""
        import pyarrow as pa
        import pyarrow.compute as pc

        changed = {}
        for name in rows.schema.names[_OWN:]:
            if self._columns(name):
                goes = pc.and_(lines, pc.is_valid(rows[name]))
                changed[name] = (pc.if_else(lines, pa.scalar(None, pa.string()), rows[name]), goes)
        goes = pc.and_(lines, pc.is_valid(rows["_malformed"]))
        changed["_malformed"] = (pc.if_else(goes, pa.scalar(ERASED), rows["_malformed"]), goes)
        return changed


class Hashed:
    """Values that landed before their columns were personal become the hashes that they would have become."""

    what = "hashed"

    def __init__(self, log: LandingLog, source: str, table: str, columns: PersonalColumns) -> None:
        self.batches = plain_batches(log, source, table, columns)
        self._columns = columns

    def lines(self, rows: pa.RecordBatch) -> pa.Array:
        """The lines of batches with such values."""
        return _of_batches(rows, self.batches)

    def values(self, rows: pa.RecordBatch, lines: pa.Array) -> dict[str, tuple[pa.Array, pa.Array]]:
        """By column the values as they are then, and which of them went."""
        import pyarrow.compute as pc

        changed = {}
        for name in rows.schema.names[_OWN:]:
            if self._columns.holds(name):
                plain = [batch for batch in self.batches if not self._columns.only(batch.personal).holds(name)]
                of_plain = _of_batches(rows, plain)
                goes = pc.and_(of_plain, pc.fill_null(pc.not_equal(rows[name], ""), False))
                changed[name] = (pc.if_else(of_plain, self._columns.hashes(rows[name]), rows[name]), goes)
        of_plain = _of_batches(rows, [batch for batch in self.batches if not batch.personal])
        goes = pc.and_(of_plain, pc.is_valid(rows["_malformed"]))
        changed["_malformed"] = (pc.if_else(goes, self._columns.hidden(rows["_malformed"]), rows["_malformed"]), goes)
        return changed


def find(log: LandingLog, change: Change) -> list[Found]:
    """The batches with lines that are meant, each with how many, and how many values of theirs go; nothing is written."""
    lines, values = Counter[int](), Counter[int]()
    for part in _parts(change):
        for rows in stored_batches([log.path.parent / part], _columns(change, part)):
            meant = change.lines(rows)
            _count(lines, rows, meant)
            for _, goes in change.values(rows, meant).values():
                _count(values, rows, goes)
    return [Found(batch, lines[batch.no], values[batch.no]) for batch in change.batches if lines[batch.no]]


def rewrite(
    log: LandingLog, change: Change, found: Sequence[Found], erasure: Erasure, advance: Callable[[int, str], None]
) -> None:
    """Take the values out of all parts at once, and note it; the caller holds the project's lock.

    However it ends, the log refers to all old parts or to all new ones; what is left of the others recover() removes.
    """
    recover(log)
    aside = aside_of(log)
    with storage_errors(aside):
        make_folder(aside)
    touched = {of.batch.part for of in found if of.values}
    made: dict[str, PartWriter] = {}
    try:
        for part in [part for part in _parts(change) if part in touched]:
            writer = PartWriter(aside / f"{uuid.uuid4().hex}.parquet", _columns(change, part))
            made[part] = writer
            for rows in stored_batches([log.path.parent / part], writer.columns):
                writer.add(_changed(change, rows))
            writer.finish()
            advance(1, part)
    except BaseException:
        for writer in made.values():
            writer.discard()
        raise
    names = {part: f"{part.split('.')[0]}.{erasure.no}.parquet" for part in made}
    targets = {names[part]: writer.path for part, writer in made.items()}
    with storage_errors(log.path), moved(log, targets, leaving=made), log.transaction() as connection:
        connection.executemany("UPDATE batches SET part = ? WHERE part = ?", [(new, old) for old, new in names.items()])
        if change.what == "hashed":
            personal = json.dumps(erasure.columns, ensure_ascii=False)
            numbers = [(personal, batch.no) for batch in change.batches]
            connection.executemany("UPDATE batches SET personal = ? WHERE no = ?", numbers)
        insert_erasure(connection, replace(erasure, lines=sum(of.lines for of in found), batches=len(found)))


def _changed(change: Change, rows: pa.RecordBatch) -> pa.RecordBatch:
    import pyarrow as pa

    changed = change.values(rows, change.lines(rows))
    columns = [changed[name][0] if name in changed else rows[name] for name in rows.schema.names]
    return pa.RecordBatch.from_arrays(columns, schema=rows.schema)


def _parts(change: Change) -> list[str]:
    return list(dict.fromkeys(batch.part for batch in change.batches if batch.part is not None))


def _columns(change: Change, part: str) -> tuple[str, ...]:
    """The columns of a part: of batches that lie in one they are the same."""
    return next(batch.columns for batch in change.batches if batch.part == part)


def _of_batches(rows: pa.RecordBatch, batches: Sequence[Batch]) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.is_in(rows["_batch_no"], value_set=pa.array([batch.no for batch in batches], pa.int32()))


def _count(counts: Counter[int], rows: pa.RecordBatch, which: pa.Array) -> None:
    for each in rows["_batch_no"].filter(which).value_counts().to_pylist():
        counts[each["values"]] += each["counts"]


def _as_word(texts: Sequence[str]) -> str:
    """A pattern (RE2) of texts that stand by themselves, as they are or as JSON writes them."""
    forms = sorted(
        {form for text in texts for form in (text, *(json.dumps(text, ensure_ascii=e)[1:-1] for e in (True, False)))}
    )
    return rf"(^|[^\pL\pN_])({'|'.join(map(re.escape, forms))})($|[^\pL\pN_])"

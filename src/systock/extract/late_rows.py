"""Rows that are read again because others may have been committed late beside them: which of them are known."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from systock.extract.arrow_text import as_text
from systock.extract.database import Value

if TYPE_CHECKING:
    import pyarrow as pa

_INSTANT = re.compile(r"(\d{4}-\d\d-\d\d)(?:([T ])(\d\d:\d\d)(:\d\d)?(\.\d+)?)?(.*)", re.DOTALL)
_HASH_BYTES = 12


def moved_back(value: Value, window: timedelta | int) -> Value | None:
    """The value of a cursor so much earlier, written as the source writes it; None where it is not of that kind."""
    if isinstance(window, int):
        try:
            return Value(str(Decimal(value.text) - window), value.bare)
        except ArithmeticError:
            return None
    read = instant_of(value)
    return None if read is None else Value(written_like(value, max(read, datetime.min + window) - window), value.bare)


def instant_of(value: Value) -> datetime | None:
    """The wall clock that a cursor's value says, whatever zone it stands in; None for what is no time."""
    match = _INSTANT.fullmatch(value.text)
    if match is None:
        return None
    clock = f"{match[3]}{match[4] or ':00'}{(match[5] or '')[:7]}" if match[3] else "00:00:00"
    try:
        return datetime.fromisoformat(f"{match[1]}T{clock}")
    except ValueError:
        return None


def written_like(value: Value, instant: datetime) -> str:
    """A wall clock in the form of a cursor's value: texts of one form sort as their times do."""
    match = _INSTANT.fullmatch(value.text)
    assert match is not None
    text = instant.strftime("%Y-%m-%d").zfill(10)
    if match[3]:
        text += (match[2] or "") + instant.strftime("%H:%M") + (instant.strftime(":%S") if match[4] else "")
        text += f".{instant.microsecond:06}"[: len(match[5])] if match[5] else ""
    return text + match[6]


def row_hashes(batch: pa.RecordBatch) -> list[bytes]:
    """A short hash over the values of each row."""
    columns = [as_text(column).to_pylist() for column in batch.columns]
    return [
        hashlib.blake2b(repr(row).encode("utf-8", "surrogatepass"), digest_size=_HASH_BYTES).digest()
        for row in zip(*columns, strict=True)
    ]


def unknown_rows(batches: Iterable[pa.RecordBatch], known: Counter[bytes]) -> Iterator[pa.RecordBatch]:
    """The rows that were not delivered as they are now; of equal rows those that are more than there were."""
    import pyarrow as pa

    left = known.copy()
    for batch in batches:
        new = []
        for hashed in row_hashes(batch):
            new.append(not left[hashed])
            left[hashed] -= not new[-1]
        yield batch.filter(pa.array(new, pa.bool_()))


def packed(hashes: Iterable[bytes]) -> str:
    """Hashes as text, the same for the same ones."""
    return base64.b64encode(b"".join(sorted(hashes))).decode()


def unpacked(text: str) -> Counter[bytes]:
    """The hashes in such a text."""
    data = base64.b64decode(text)
    return Counter(data[start : start + _HASH_BYTES] for start in range(0, len(data), _HASH_BYTES))

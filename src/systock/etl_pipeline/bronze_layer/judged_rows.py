"""Rows on their way into bronze, looked at by somebody who may refuse them as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

from systock.extract.batch import FileRejected

if TYPE_CHECKING:
    import pyarrow as pa

    from systock.extract.batch import FileReader


class Look(Protocol):
    """Sees the rows of one extraction; at its end it may say why it is refused and what to do."""

    def at(self, rows: pa.RecordBatch) -> None: ...
    def refusal(self, columns: tuple[str, ...]) -> tuple[str, str] | None: ...


#: A look at the next extraction of a raw table; None where whatever comes is taken.
Judges = Callable[[str, str], Look | None]


def all_taken(source: str, table: str) -> None:
    """Whatever comes is taken."""


def judged(rows: Iterable[pa.RecordBatch], reader: FileReader, look: Look, path: str) -> Iterator[pa.RecordBatch]:
    """Pass the rows of a reader on; raises FileRejected behind the last one.

    What is refused so is tried at every run: settings, mappings and what landed meanwhile decide on it.
    """
    for batch in rows:
        look.at(batch)
        yield batch
    if found := look.refusal(reader.columns):
        what, todo = found
        raise FileRejected(what, where=path, todo=todo, again=True, columns=reader.columns)

"""What databases have in common when they are asked: a read-only session that sees one state, and values as text."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from systock.errors import SourceError
from systock.sql_text import literal

if TYPE_CHECKING:
    import pyarrow as pa

STATE = "Nothing of this extraction landed; what landed before stays as it was."
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")


class DatabaseUnreachable(SourceError):
    """The database did not answer, or hung up: that may pass."""

    transient = True


class NoSuchTable(SourceError):
    """The database has no table of that name, or does not show it to this user."""


@dataclass(frozen=True)
class Column:
    """A column of a relation, and SQL that says its values as text (bytes may stay bytes)."""

    name: str
    text: str


@dataclass(frozen=True)
class Value:
    """A value as the database says it; bare: a number, which stands in SQL without quotes."""

    text: str
    bare: bool = False


class Database(ABC):
    """A session on a database, in one transaction that only reads and sees one state throughout."""

    quote = '"'

    @abstractmethod
    def columns(self, relation: str) -> list[Column]:
        """The columns of a table or subquery, as it stands in FROM."""

    @abstractmethod
    def batches(self, columns: Sequence[Column], rest: str) -> Iterator[pa.RecordBatch]:
        """These columns of the rows that FROM and what follows it select, as they come."""

    @abstractmethod
    def first(self, columns: Sequence[Column], rest: str) -> list[Value | None] | None:
        """The first of such rows; None where there is none."""

    @abstractmethod
    def close(self) -> None:
        """End the session."""

    def quoted(self, name: str) -> str:
        """A name in SQL, whatever it holds."""
        return f"{self.quote}{name.replace(self.quote, self.quote * 2)}{self.quote}"

    def literal(self, value: Value) -> str:
        """A value in SQL."""
        if value.bare and _NUMBER.fullmatch(value.text):
            return value.text
        return literal(value.text)

    def behind(self, names: Sequence[str], values: Sequence[Value]) -> str:
        """The condition that columns lie behind values, the first column counting most."""
        alternatives = []
        for place, (name, value) in enumerate(zip(names, values, strict=True)):
            same = [f"{self.quoted(n)} = {self.literal(v)}" for n, v in zip(names[:place], values[:place], strict=True)]
            alternatives.append(" AND ".join([*same, f"{self.quoted(name)} > {self.literal(value)}"]))
        return " OR ".join(f"({alternative})" for alternative in alternatives)


@contextmanager
def named(where: str) -> Iterator[None]:
    """Errors within say where they happened, and in which state things are."""
    try:
        yield
    except SourceError as error:
        error.where = error.where or where
        error.state = error.state or STATE
        raise


def missing_driver(source: str, extra: str) -> SourceError:
    """The library that talks to this database is not installed."""
    return SourceError(
        f"the library for {source} is not installed", state=STATE, todo=f"Install it: pip install 'systock[{extra}]'"
    )

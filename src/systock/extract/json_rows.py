"""JSON objects as rows of text: numbers as written, nested values as compact JSON, columns in the order they appear."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from systock.errors import SourceError
from systock.extract.arrow_text import without_nul
from systock.extract.column_names import extended_names

if TYPE_CHECKING:
    import pyarrow as pa


class Number(str):
    """A number as it is written."""

    __slots__ = ()


class Repeated(dict[str, Any]):
    """An object in which a name stands twice: what is meant cannot be known, what is written can."""

    pairs: list[tuple[str, Any]]


#: What needs no other text than it is.
_PLAIN = frozenset({str, Number, type(None)})


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        found = Repeated(found)
        found.pairs = pairs
    return found


DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=Number, parse_int=Number, parse_constant=Number, strict=False
)


_encoded = json.JSONEncoder(ensure_ascii=False).encode


def value_text(value: Any) -> str | None:
    """A JSON value as bronze keeps it: texts and numbers as written, the rest as compact JSON."""
    if value is None or type(value) is str:
        return value
    return str.__str__(value) if isinstance(value, Number) else compact(value)


def compact(value: Any) -> str:
    """A decoded value as JSON without white space, its numbers as written."""
    if isinstance(value, Number):
        return str.__str__(value)
    if isinstance(value, dict):
        pairs = value.pairs if isinstance(value, Repeated) else value.items()
        parts = []
        for name, item in pairs:
            parts.append(f"{_encoded(name)}:{compact(item)}")
        return f"{{{','.join(parts)}}}"
    if isinstance(value, list):
        return f"[{','.join(map(compact, value))}]"
    return _encoded(value)


def outline(record: Any) -> str:
    """A record for a message: the names of its fields, as its values may be nobody's business."""
    if not isinstance(record, dict):
        return "it is no object"
    return f"it has {', '.join(list(record)[:20])}" if record else "it has no field"


def no_row(value: Any) -> str | None:
    """Why a decoded value is no row of a table; None if it is one."""
    if isinstance(value, Repeated):
        names = [name for name, _ in value.pairs]
        return f"the name {next(name for name in names if names.count(name) > 1)!r} stands twice in the object"
    return None if isinstance(value, dict) else "not an object"


def refuse_repeated(found: dict[str, Any], name: str) -> None:
    """Raise SourceError where a name on the way to the records stands twice: those under one of both would be lost."""
    if isinstance(found, Repeated) and [other for other, _ in found.pairs].count(name) > 1:
        raise SourceError(
            f"the name {name!r} stands twice in the answer: which records are meant cannot be known",
            todo="Ask those who run the API.",
        )


class JsonColumns:
    """The columns of a table, as its objects bring them. Names that differ only in case are told apart as in a CSV header.

    names: as in the objects; columns: as in the table.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self.columns: tuple[str, ...] = ()
        self._places: dict[str, int] = {}

    def add(self, names: list[str]) -> None:
        """Further columns behind those that are there."""
        new = [name for name in names if name not in self._places]
        self._places.update((name, len(self.names) + place) for place, name in enumerate(new))
        self.names += new
        self.columns = extended_names(self.columns, new)

    def values(self, found: dict[str, Any]) -> list[str | None]:
        """An object as a row, as wide as the columns are now."""
        if list(found) == self.names:
            return [value if type(value) in _PLAIN else value_text(value) for value in found.values()]
        if not found.keys() <= self._places.keys():
            self.add(list(found))
        row: list[str | None] = [None] * len(self.names)
        for name, value in found.items():
            row[self._places[name]] = value_text(value)
        return row

    def arrays(self, rows: list[list[str | None]]) -> list[pa.Array]:
        """Rows, some of them from when there were fewer columns, as one array for each column."""
        width = len(self.names)
        for row in rows:
            if len(row) < width:
                row.extend([None] * (width - len(row)))
        return [_text_array(values) for values in zip(*rows, strict=True)]


def _text_array(values: tuple[str | None, ...]) -> pa.Array:
    import pyarrow as pa

    try:
        array = pa.array(values, pa.string())
    except UnicodeEncodeError:
        array = pa.array([value if value is None else storable(value) for value in values], pa.string())
    return without_nul(array)


def storable(text: str) -> str:
    """Text as it can be stored: half a surrogate pair, which is no character, stays as its escape."""
    return text.encode("utf-8", "backslashreplace").decode()

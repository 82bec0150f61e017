"""Records inside of other records: what each takes along of those that it lies in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from systock.errors import SourceError
from systock.extract.api_call import NOTHING, value_at
from systock.extract.json_rows import no_row, refuse_repeated

_Held = tuple[tuple[str, Any], ...]


def with_outer(body: Any, path: str, outer: Mapping[str, str]) -> list[Any]:
    """The records that a path leads to, each with the fields of `outer` before its own.

    outer: name of a field -> path from the body on, as far as it goes the way of the records: of records =
    "orders.lines" the path "orders.id" is the id of the order that a line lies in. A path that leads nowhere gives null.
    A record that is no row, such as one with a name that stands twice, stays as it is.
    """
    return [
        record if no_row(record) else {**{name: _of(held, way) for name, way in outer.items()}, **record}
        for record, held in _walk(body, "", path, ())
    ]


def _walk(value: Any, done: str, rest: str, held: _Held) -> Iterator[tuple[Any, _Held]]:
    """The values at the end of a path, and what was passed on the way to each."""
    if isinstance(value, list):
        for each in value:
            yield from _walk(each, done, rest, held)
    elif not rest:
        if value is not None:
            yield value, held
    elif isinstance(value, dict):
        part, _, further = rest.partition(".")
        way = f"{done}.{part}" if done else part
        refuse_repeated(value, part)
        if part in value:
            yield from _walk(value[part], way, further, (*held, (done, value)))
        elif not done:
            raise SourceError(
                f"records = {rest!r} leads nowhere; there are: {', '.join(list(value)[:10])}",
                todo="Correct records of the table.",
            )


def _of(held: _Held, way: str) -> Any:
    """The value at a path, within the innermost of what was passed that lies on it."""
    for done, value in reversed(held):
        if not done or way.startswith(f"{done}."):
            found = value_at(value, way.removeprefix(done).lstrip("."))
            return None if found is NOTHING else found
    return None

"""What goes to an API and what comes back: calls, answers, and paths that lead to a value in a body."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from systock.extract.json_rows import refuse_repeated

#: What a path that leads nowhere yields; null is a value.
NOTHING = object()


@dataclass
class Call:
    """One request. Parameters go into the query string or, of a call with a body, into the body under `inside`."""

    method: str
    url: str
    params: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    inside: str = ""
    form: bool = False

    def put(self, name: str, value: str | int) -> None:
        """Set a parameter."""
        if self.body is None:
            self.params[name] = str(value)
        else:
            set_at(self.body, f"{self.inside}{name}", value)

    def address(self, further: Mapping[str, str]) -> str:
        """The URL with its parameters and these, which replace those of the same name."""
        scheme, host, path, query, _ = urlsplit(self.url)
        added = {**self.params, **further}
        kept = [part for part in query.split("&") if part and part.partition("=")[0] not in map(quote, further)]
        query = "&".join([*kept, *([urlencode(added)] if added else [])])
        return urlunsplit((scheme, host, quote(path or "/", safe="/%:@!$&'()*+,;=~"), query, ""))


@dataclass(frozen=True)
class Answer:
    """What came back: the body is decoded JSON (None where there is none), header names are small letters."""

    status: int
    headers: Mapping[str, str]
    body: Any
    url: str


def value_at(body: Any, path: str) -> Any:
    """The value that a path of names and places such as 'data.0.next' leads to, or NOTHING."""
    return next(values_at(body, path), NOTHING) if path else body


def values_at(body: Any, path: str) -> Iterator[Any]:
    """All values that a path leads to: a name goes into each element of a list, '*' into each value of an object."""
    if not path:
        yield body
        return
    part, _, rest = path.partition(".")
    if isinstance(body, dict):
        if path in body:  # a name with a dot in it, such as '@odata.nextLink'
            refuse_repeated(body, path)
            yield body[path]
        elif part in body:
            refuse_repeated(body, part)
            yield from values_at(body[part], rest)
        elif part == "*":
            for value in body.values():
                yield from values_at(value, rest)
    elif isinstance(body, list):
        if part.isdigit():
            if int(part) < len(body):
                yield from values_at(body[int(part)], rest)
        else:
            for value in body:
                yield from values_at(value, rest if part == "*" else path)


def set_at(body: Any, path: str, value: Any) -> None:
    """Put a value into a body; objects on the way are made."""
    *way, last = path.split(".")
    for part in way:
        body = body[int(part)] if isinstance(body, list) else body.setdefault(part, {})
    if isinstance(body, list):
        body[int(last)] = value
    else:
        body[last] = value


def filled(node: Any, values: Mapping[str, str]) -> Any:
    """A copy of texts, lists and objects with each {name} replaced."""
    if isinstance(node, dict):
        return {name: filled(item, values) for name, item in node.items()}
    if isinstance(node, list):
        return [filled(item, values) for item in node]
    if isinstance(node, str):
        for name, value in values.items():
            node = node.replace(f"{{{name}}}", value)
    return node


def is_true(value: Any) -> bool:
    """Whether a flag in a body says yes."""
    return value is not NOTHING and str(value).lower() not in ("", "0", "false", "none", "no")

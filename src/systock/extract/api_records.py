"""Where the records are in an answer, and what an answer that is no fault of HTTP says of faults."""

from __future__ import annotations

from typing import Any

from systock.errors import SourceError
from systock.extract.api_call import NOTHING, value_at, values_at
from systock.extract.json_rows import Number, compact, outline, value_text

#: The path that says that the whole body is one record.
WHOLE = "."


def records_of(body: Any, path: str) -> list[Any]:
    """The records that a path leads to: the elements of the lists there, or what is no list as one record; null is none."""
    if body is None:
        return []
    if path == WHOLE:
        return [body]
    if not path:
        if isinstance(body, list):
            return body
        raise SourceError(
            f"the answer is {_kind(body)}, not a list{_there(body)}",
            todo="Set records of the table to the path of the list of records"
            + (f", such as {_lists(body)[0]!r}." if _lists(body) else ", or to '.' if the answer is one record."),
        )
    found = list(values_at(body, path))
    if not found and not _is_empty_on_the_way(body, path):
        raise SourceError(f"records = {path!r} leads nowhere{_there(body)}", todo="Correct records of the table.")
    return [
        record for value in found if value is not None for record in (value if isinstance(value, list) else [value])
    ]


def _is_empty_on_the_way(body: Any, path: str) -> bool:
    """Whether the path ends at a null or at an empty list before its end, as that of an answer without records does."""
    parts = path.split(".")
    return any(
        value is None or value == [] or value == {}
        for end in range(1, len(parts))
        for value in values_at(body, ".".join(parts[:end]))
    )


def _kind(body: Any) -> str:
    return "an object" if isinstance(body, dict) else f"{compact(body)[:50]}"


def _there(body: Any) -> str:
    return f"; there are: {', '.join(list(body)[:10])}" if isinstance(body, dict) and body else ""


def _lists(body: Any) -> list[str]:
    return [name for name, value in body.items() if isinstance(value, list)] if isinstance(body, dict) else []


def field_texts(record: Any, fields: list[str]) -> dict[str, str]:
    """The values of a parent's fields, as they stand in an address."""
    texts = {}
    for name in fields:
        found = value_at(record, name) if isinstance(record, dict) else NOTHING
        text = None if found is NOTHING or isinstance(found, dict | list) else value_text(found)
        if not text:
            raise SourceError(
                f"a record of the parent has no {name!r}: {outline(record)}",
                todo=f"Correct {{{name}}} in the settings of the table.",
            )
        texts[name] = text
    return texts


def graphql_codes(body: Any) -> set[Any]:
    """The codes of the errors that a GraphQL answer tells of with status 200."""
    return {code for code in values_at(body, "errors.*.extensions.code") if isinstance(code, str)}


def bucket_wait(body: Any) -> float:
    """Seconds until a GraphQL API that was asked too much answers again, as far as it says."""
    cost = value_at(body, "extensions.cost")
    asked, left, rate = (
        value_at(cost, name)
        for name in ("requestedQueryCost", "throttleStatus.currentlyAvailable", "throttleStatus.restoreRate")
    )
    if isinstance(asked, Number) and isinstance(left, Number) and isinstance(rate, Number) and float(rate):
        return max(0.0, (float(asked) - float(left)) / float(rate))
    return 2.0

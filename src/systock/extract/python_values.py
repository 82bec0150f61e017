"""Python values of any type as those that JSON has, in the text that typed sources have in bronze."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, is_dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Any

from pydantic import BaseModel

from systock.extract.arrow_text import bytes_text
from systock.extract.json_rows import Number

_AS_IT_IS = frozenset({str, bool, float, type(None), Number})


class WrittenNumber(float):
    """A number of a JSON text that calculates as any other, and still knows how it was written."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> WrittenNumber:
        """Read from its text."""
        number = super().__new__(cls, text)
        number.text = str(text)
        return number

    def asdict(self) -> float:
        """Its value, which dlt's own JSON writer asks for by this name."""
        return float(self)


def plain(value: Any) -> Any:
    """A value as JSON has it: decimals and numbers that know their text as written, instants in UTC with 'Z', bytes as text."""
    kind = type(value)
    if kind in _AS_IT_IS:
        return value
    if kind is int:
        return Number(value)  # as text at once: most values that are no texts are integers
    if kind is WrittenNumber:
        return Number(value.text)
    if isinstance(value, Mapping):
        return {name if type(name) is str else str(name): plain(item) for name, item in value.items()}
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, Decimal):
        return Number(format(value, "f"))
    if isinstance(value, date | time):
        return _time_text(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes_text(bytes(value))
    if isinstance(value, BaseModel):
        return plain(value.model_dump())
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if hasattr(value, "_asdict"):
        return plain(value._asdict())
    if callable(getattr(value, "item", None)):  # a number of NumPy
        return plain(value.item())
    if isinstance(value, int | float):
        return Number(int(value)) if isinstance(value, int) else float(value)
    return [plain(item) for item in value] if isinstance(value, Iterable) else str(value)


def _time_text(value: date | time) -> str:
    if not isinstance(value, datetime):
        return _trimmed(value.isoformat())
    zoned = value.tzinfo is not None
    wall = value.astimezone(UTC).replace(tzinfo=None) if zoned else value
    # As it stands in datetime: subclasses have a mind of their own.
    return _trimmed(datetime.isoformat(wall, " ")) + "Z" * zoned


def _trimmed(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text

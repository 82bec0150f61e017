"""Arrow columns of any type as canonical text: what bronze stores of typed sources (Parquet, tables in memory)."""

from __future__ import annotations

import base64
import json
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


def without_nul(text: pa.Array) -> pa.Array:
    """Text in which a NUL character, which some databases cannot store, stands as its escape."""
    import pyarrow.compute as pc

    if not pc.any(pc.match_substring(text, "\0")).as_py():
        return text
    return pc.replace_substring(text, "\0", "\\u0000")


def as_text(column: pa.Array) -> pa.Array:
    """The column as text; NULL stays NULL.

    Decimals and integers as they are, floats in their shortest form, booleans 'true' and 'false'; dates and times ISO,
    fractions of a second without trailing zeros, instants in UTC with 'Z'; lists and structs as compact JSON;
    bytes as text if they are UTF-8, else in base64.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        return as_text(column.storage) if str(kind) != "extension<arrow.uuid>" else _each(column, str)
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return as_text(column.dictionary_decode() if pa.types.is_dictionary(kind) else pc.run_end_decode(column))
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return without_nul(column.cast(pa.string()))
    if pa.types.is_null(kind):
        return pa.nulls(len(column), pa.string())
    if pa.types.is_timestamp(kind):
        return _timestamp(column)
    if pa.types.is_time(kind):
        return _without_trailing_zeros(column.cast(pa.string()))
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return _bytes(column)
    if pa.types.is_nested(kind) or pa.types.is_duration(kind) or pa.types.is_interval(kind):
        return _each(column, _json)
    text = column.cast(pa.string())
    if pa.types.is_decimal(kind) and pc.any(pc.match_substring(text, "E")).as_py():
        return _each(column, lambda value: format(value, "f"))
    return text


def _timestamp(column: pa.Array) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    zoned = column.type.tz is not None
    # Cast to a zone-free instant: the stored value is UTC already, and the text does not depend on zone data.
    text = _without_trailing_zeros(column.cast(pa.timestamp(column.type.unit)).cast(pa.string()))
    return pc.binary_join_element_wise(text, "Z", "") if zoned else text


def _without_trailing_zeros(text: pa.Array) -> pa.Array:
    import pyarrow.compute as pc

    return pc.replace_substring_regex(text, r"\.?0+$", "") if _has_fraction(text) else text


def _has_fraction(text: pa.Array) -> bool:
    import pyarrow.compute as pc

    # The unit decides whether a column is written with fractions: all values of it are, or none.
    return bool(pc.any(pc.match_substring(text, ".")).as_py())


def _bytes(column: pa.Array) -> pa.Array:
    import pyarrow as pa

    try:
        return column.cast(pa.binary()).cast(pa.string())
    except pa.ArrowInvalid:
        return _each(column.cast(pa.binary()), bytes_text)


def bytes_text(value: bytes) -> str:
    """Bytes as text: what they say in UTF-8, else base64."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return base64.b64encode(value).decode()


def _each(column: pa.Array, convert: Any) -> pa.Array:
    import pyarrow as pa

    return pa.array([None if value is None else convert(value) for value in column.to_pylist()], pa.string())


def _json(value: Any) -> str:
    if isinstance(value, timedelta):
        return str(value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Decimal | timedelta):
        return str(value)
    return str(value)

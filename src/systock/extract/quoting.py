"""Quotes in CSV text: whether they are well-formed, and which records are not.

A lenient reader silently changes a value whose closing quote is followed by more text, and lets an unclosed quote
swallow the rest of the file. Text is therefore checked first (fast, exact); a file that fails goes through the filter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

#: The longest record that is read, in bytes.
MAX_RECORD_BYTES = 256 << 20


_LINE = re.compile(rb"[^\r\n]*(?:\r\n?|\n)")


class UnclosedQuote(Exception):
    """A quote is opened in this record (counted from 1) and never closed."""

    def __init__(self, record: int, too_long: bool) -> None:
        self.record, self.too_long = record, too_long


@dataclass(frozen=True)
class _Expressions:
    outside: re.Pattern[bytes]
    inside: re.Pattern[bytes]
    record: re.Pattern[bytes]


@lru_cache(maxsize=32)
def _expressions(delimiter: bytes, quote: bytes) -> _Expressions:
    d, q = re.escape(delimiter), re.escape(quote)
    inner = rb"[^%b]*+(?:%b%b[^%b]*+)*+" % (q, q, q, q)
    # Any number of quoted fields, each beginning and ending at a delimiter or line end, with the text between them.
    outside = rb"(?:[^%b]*+(?<![^%b\r\n])%b%b%b(?![^%b\r\n]))*+[^%b]*+" % (q, d, q, inner, q, d, q)
    strict = rb"(?:%b%b%b|(?!%b)[^%b\r\n]*+)" % (q, inner, q, q, d)
    lenient = rb"(?:%b%b%b[^%b\r\n]*+|(?!%b)[^%b\r\n]*+)" % (q, inner, q, d, q, d)
    line_end = rb"(?:\r\n?|\n)"
    record = rb"%b(?:%b%b)*+%b|(?P<bad>%b(?:%b%b)*+)%b" % (strict, d, strict, line_end, lenient, d, lenient, line_end)
    return _Expressions(re.compile(outside), re.compile(inner), re.compile(record))


def record_end(text: bytes, start: int, delimiter: bytes, quote: bytes, complete: bool) -> int | None:
    """Where the record that begins at start ends, its line end included; None if it goes on behind the text.

    Raises UnclosedQuote if its quotes are wrong: it may then have swallowed the lines after it.
    """
    expression = _expressions(delimiter, quote).record if quote else _LINE
    match = expression.match(text, start)
    if match is None and complete:
        match = expression.match(text + b"\n", start)
        if match is None:
            raise UnclosedQuote(1, too_long=False)
    if match is None:
        return None
    if quote and match["bad"] is not None:
        raise UnclosedQuote(1, too_long=False)
    return min(match.end(), len(text))


class QuoteCheck:
    """Tells whether all quotes of a text are those of well-formed quoted fields; the text is fed in pieces."""

    def __init__(self, delimiter: bytes, quote: bytes) -> None:
        self._expressions, self._quote, self._separators = _expressions(delimiter, quote), quote, delimiter + b"\r\n"
        # The last character that was judged, and the quotes behind it that wait for what follows them.
        self._carry = b"\n"
        self._inside = False
        self._sound = True

    def feed(self, text: bytes, final: bool = False) -> None:
        """Look at the next piece."""
        if not self._sound or not (text or final):
            return
        if not self._inside and len(self._carry) == 1 and self._quote not in text:
            self._carry = text[-1:] or self._carry
            return
        text = self._carry + text
        end = len(text) if final else max(1, len(text.rstrip(self._quote)))
        position = 1
        while position < end:
            if not self._inside:
                position = self._end_of(self._expressions.outside, text, position, end)
                if position == end:
                    break
                if text[position - 1] not in self._separators:
                    self._sound = False
                    return
                self._inside = True
                position += 1
            position = self._end_of(self._expressions.inside, text, position, end)
            if position < end:
                if position + 1 < end and text[position + 1] not in self._separators:
                    self._sound = False
                    return
                self._inside = False
                position += 1
        self._carry = text[end - 1 :]

    @staticmethod
    def _end_of(expression: re.Pattern[bytes], text: bytes, position: int, end: int) -> int:
        match = expression.match(text, position, end)
        return match.end() if match else position

    def well_formed(self) -> bool:
        """The verdict, at the end of the text."""
        self.feed(b"", final=True)
        return self._sound and not self._inside


class QuoteFilter:
    """Passes text on, with a blank line in place of each record whose quotes are wrong; those are kept aside.

    bad: number of the record within the text (from 1) and its text, in order.
    """

    def __init__(self, delimiter: bytes, quote: bytes) -> None:
        self._record = _expressions(delimiter, quote).record
        self.bad: list[tuple[int, bytes]] = []
        self._number = 0

    def filter(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The text without its bad records; raises UnclosedQuote."""
        pending: list[bytes] = []
        size, enough = 0, 0
        for chunk in chunks:
            pending.append(chunk)
            size += len(chunk)
            if size < enough:
                continue
            text = b"".join(pending)
            passed, rest = self._split(text, final=False)
            if rest and len(rest) == len(text):
                # Not one whole record: look again only when there is twice as much, or a long one costs its square.
                enough = 2 * len(text)
                if enough > 2 * MAX_RECORD_BYTES:
                    raise UnclosedQuote(self._number + 1, too_long=True)
            else:
                enough = 0
            pending, size = [rest], len(rest)
            if passed:
                yield passed
        text = b"".join(pending)
        if text:
            passed, rest = self._split(text if text.endswith((b"\n", b"\r")) else text + b"\n", final=True)
            if rest:
                raise UnclosedQuote(self._number + 1, too_long=False)
            yield passed

    def _split(self, text: bytes, final: bool) -> tuple[bytes, bytes]:
        """Whole records, and the beginning of one that is not whole yet."""
        kept: list[bytes] = []
        position = start = 0
        for match in self._record.finditer(text):
            end = match.end()
            # A '\r' at the very end may be half of a line end.
            if match.start() != position or (not final and end == len(text) and text.endswith(b"\r")):
                break
            self._number += 1
            if match["bad"] is not None:
                self.bad.append((self._number, match["bad"]))
                # "\r\n", because that neither joins a "\r" before it nor a "\n" behind it.
                kept.append(text[start:position] + b"\r\n")
                start = end
            position = end
        kept.append(text[start:position])
        return b"".join(kept), text[position:]


def drop_last_lines(chunks: Iterable[bytes], count: int) -> Iterator[bytes]:
    """The text without its last lines; blank lines do not count."""
    held = b""
    for chunk in chunks:
        held += chunk
        cut = _start_of_last_lines(held, count)
        if cut:
            yield held[:cut]
            held = held[cut:]


def _start_of_last_lines(text: bytes, count: int) -> int:
    position = len(text)
    while position > 0:
        start = max(text.rfind(b"\n", 0, position), text.rfind(b"\r", 0, position)) + 1
        if text[start:position].strip():
            count -= 1
            if count == 0:
                return start
        position = start - 1
    return 0

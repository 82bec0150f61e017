"""Quotes: the check must agree with a plain character-by-character reading, however the text is cut."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from systock.extract.quoting import QuoteCheck, QuoteFilter, UnclosedQuote, drop_last_lines

TEXTS = st.text('"",\n\rab', max_size=25).map(str.encode)


def by_hand(text: bytes) -> bool:
    """Whether every quote belongs to a well-formed quoted field."""
    position, start = 0, True
    while position < len(text):
        letter = text[position : position + 1]
        if letter != b'"':
            start = letter in b",\r\n"
            position += 1
            continue
        if not start:
            return False
        position += 1
        while True:
            end = text.find(b'"', position)
            if end < 0:
                return False
            if text[end + 1 : end + 2] != b'"':
                break
            position = end + 2
        position, start = end + 1, False
        if position < len(text) and text[position] not in b",\r\n":
            return False
    return True


@given(TEXTS, st.lists(st.integers(0, 25), max_size=5))
def test_the_check_agrees_with_reading_by_hand(text: bytes, cuts: list[int]) -> None:
    check = QuoteCheck(b",", b'"')
    places = [0, *sorted(cuts), len(text)]
    for start, end in pairwise(places):
        check.feed(text[start:end])
    assert check.well_formed() == by_hand(text)


@given(TEXTS, st.integers(1, 6))
def test_what_the_filter_passes_is_well_formed_or_has_quotes_within_values(text: bytes, size: int) -> None:
    quotes = QuoteFilter(b",", b'"')
    try:
        passed = b"".join(quotes.filter([text[i : i + size] for i in range(0, len(text), size)]))
    except UnclosedQuote as error:
        assert error.record >= 1
        return
    kept = b"".join(bad for _, bad in quotes.bad)
    # Nothing is lost: what is not passed on is kept aside, and only line ends are new.
    assert sorted(
        passed.replace(b"\r", b"").replace(b"\n", b"") + kept.replace(b"\r", b"").replace(b"\n", b"")
    ) == sorted(text.replace(b"\r", b"").replace(b"\n", b""))
    if by_hand(text):
        assert not quotes.bad


@given(st.lists(st.sampled_from([b"a", b"", b" ", b"bc"]), max_size=8), st.integers(1, 3), st.integers(1, 4))
def test_the_last_lines_are_dropped_without_counting_blank_ones(lines: list[bytes], count: int, size: int) -> None:
    text = b"\n".join(lines)
    found = b"".join(drop_last_lines([text[i : i + size] for i in range(0, len(text), size)], count))
    written = [place for place, line in enumerate(lines) if line.strip()]
    keep = written[-count] if len(written) >= count else 0
    assert found == b"".join(line + b"\n" for line in lines[:keep])

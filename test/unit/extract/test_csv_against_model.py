"""CSV files made at random, in all spellings, against what they were made from; also in the smallest of pieces."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from hypothesis import event, given
from hypothesis import strategies as st

from .reading import read, streamed

DELIMITERS = [",", ";", "\t", "|"]
# Characters that take part in CSV, and some that take one, two and three bytes.
LETTERS = 'ab0." \n\r,;\t|éß€'


@dataclass(frozen=True)
class Line:
    """One record: its text, and what is expected of it."""

    text: str
    values: tuple[str | None, ...] | None = None
    reason: str | None = None


@st.composite
def field(draw: st.DrawFn, delimiter: str) -> tuple[str, str | None]:
    """A field's text and value."""
    value = draw(st.none() | st.text(LETTERS, max_size=5))
    if value is None:
        return "", None
    plain = value and not value.startswith('"') and not set(value) & {delimiter, "\n", "\r"}
    if plain and draw(st.booleans()):
        return value, value
    doubled = value.replace('"', '""')
    return f'"{doubled}"', value


@st.composite
def line(draw: st.DrawFn, delimiter: str, columns: int, header: str) -> Line:
    """A record of one of the kinds there are."""
    kind = draw(st.sampled_from(["good"] * 6 + ["ragged", "blank", "header", "quote"]))
    if kind == "blank":
        return Line("")
    if kind == "header":
        return Line(header, None, "header repeated")
    count = columns
    if kind == "ragged":
        count = draw(st.sampled_from([number for number in range(1, columns + 3) if number != columns]))
    fields = [draw(field(delimiter)) for _ in range(count)]
    if kind == "quote":
        place = draw(st.integers(0, columns - 1))
        inside, behind = draw(st.sampled_from(["", "x", "a\nb"])), draw(st.sampled_from("xé "))
        fields[place] = (f'"{inside}"{behind}', None)
        text = delimiter.join(text for text, _ in fields)
        return Line(text, None, "text follows a closing quote")
    text = delimiter.join(text for text, _ in fields)
    if kind == "ragged":
        if not text:  # one empty field: that is a blank line
            return Line("")
        return Line(text, None, f"expected {columns} columns, found {count}")
    values = tuple(value for _, value in fields)
    if all(value is None for value in values):
        return Line(text)
    return Line(text, values)


@dataclass(frozen=True)
class Made:
    """A whole file and how it is to be read."""

    text: str
    lines: list[Line]
    names: list[str]
    settings: dict[str, object]


@st.composite
def file(draw: st.DrawFn) -> Made:
    """A file with junk above and below its records."""
    delimiter = draw(st.sampled_from(DELIMITERS))
    columns = draw(st.integers(1, 4))
    names = [f"c{number}é" for number in range(columns)]
    header = delimiter.join(names)
    lines = draw(st.lists(line(delimiter, columns, header), min_size=draw(st.sampled_from([0, 15])), max_size=30))
    junk = st.lists(st.sampled_from(["Report", '"', 'a,"b', "1;2;3"]), max_size=3)
    above, below = draw(junk), draw(junk)
    ends = draw(st.sampled_from([["\n"], ["\r\n"], ["\r"], ["\n", "\r\n"]]))
    records = [*above, header, *(line.text for line in lines), *below]
    text = "".join(record + ends[number % len(ends)] for number, record in enumerate(records))
    if draw(st.booleans()) and records[-1]:
        text = text.rstrip("\r\n")
    settings: dict[str, object] = {"skip_rows": len(above), "skip_footer": len(below)}
    if columns == 1 or draw(st.booleans()):
        settings["delimiter"] = delimiter
    return Made(text, lines, names, settings)


@given(
    made=file(),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "cp1252", "utf-16"]),
    suffix=st.sampled_from(["", ".gz", ".zst"]),
    chunk=st.sampled_from([5, 64, 1 << 20]),
    small=st.sampled_from([100, 16 << 20]),
)
def test_every_value_and_every_line_is_accounted_for(
    made: Made, encoding: str, suffix: str, chunk: int, small: int
) -> None:
    first = 2 + int(str(made.settings["skip_rows"]))
    expected = dict(enumerate(made.lines, first))
    with tempfile.TemporaryDirectory() as folder, streamed(small, chunk):
        found = read(Path(folder), made.text.encode(encoding), f"sales.csv{suffix}", **made.settings)
    event("in memory" if found.reader.small else "streamed")
    assert found.columns == tuple(made.names)
    assert found.rows == {number: line.values for number, line in expected.items() if line.values is not None}
    assert found.malformed == {number: (line.text, line.reason) for number, line in expected.items() if line.reason}
    assert found.reader.blank == sum(1 for line in made.lines if line.values is None and line.reason is None)

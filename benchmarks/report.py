"""What was measured, judged against its target, as a table, JSON or a page."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

#: Why a target is missed, by figure; told where it is.
_WHY = {
    "cold": "every line is written as it landed (Parquet), as a version in silver in two times, in gold, and as a version for questions "
    "in two times, keys are hashes of text, and checks read all of it again; the script writes a line once and checks nothing",
    "day": "a part of it does not hang on the day's lines: starting, copying the file for readers, and reading the key columns of the "
    "whole history to find what new lines touch; the first day after a build also plans its SQL",
    "correction": "as with a day; and all that ever happened to the article is worked out anew, in every table that states its cost",
}
_HEADER = ("measure", "median", "against", "ratio", "target", "verdict")


@dataclass(frozen=True)
class Figure:
    """One measured figure: its values, what they are compared with, and how many times that they may be.

    against: values of the other side, or the one allowed value; none where a figure is only stated. failure: why there are no values.
    """

    name: str
    measure: str
    unit: str
    values: Sequence[float]
    against: Sequence[float]
    against_name: str
    limit: float = 1.0
    failure: str = ""

    @property
    def ratio(self) -> float | None:
        """Median over median; None without either."""
        return median(self.values) / median(self.against) if self.values and self.against else None

    @property
    def is_met(self) -> bool:
        """Is the target met, if there is one?"""
        return not self.failure and (self.ratio is None or self.ratio <= self.limit)

    def row(self) -> tuple[str, ...]:
        """The figure as cells of a table."""
        if self.failure:
            return (self.measure, "failed", "", "", "", "MISSED")
        ours = f"{_number(self.values)} {self.unit}"
        if self.ratio is None:
            return (self.measure, ours, "", "", "", "stated")
        is_side_by_side = self.against_name != "target"
        allowed = f"{median(self.against):.3g} {self.unit}"
        target = f"≤ {self.limit:g} ×" if is_side_by_side else f"≤ {allowed}"
        against = f"{self.against_name}: {_number(self.against)} {self.unit}" if is_side_by_side else "target"
        return (self.measure, ours, against, f"{self.ratio:.2f}", target, "met" if self.is_met else "MISSED")

    def as_dict(self) -> dict[str, object]:
        """Everything about the figure, for machines."""
        return {
            "name": self.name, "measure": self.measure, "unit": self.unit, "values": list(self.values),
            "median": None if self.failure else median(self.values), "against": self.against_name,
            "against_values": list(self.against), "ratio": self.ratio,
            "limit": self.limit, "met": self.is_met, "failure": self.failure,
        }  # fmt: skip


def _number(values: Sequence[float]) -> str:
    if not values:
        return "?"
    middle = median(values)
    return f"{middle:.0f}" if middle >= 100 else f"{middle:.1f}" if middle >= 10 else f"{middle:.2f}"


def table_text(figures: Sequence[Figure], notes: Sequence[str]) -> str:
    """A table for people, with its notes."""
    rows = [_HEADER, *(figure.row() for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADER))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([*lines, "", *notes, *_failures(figures)])


def json_text(figures: Sequence[Figure], notes: Sequence[str]) -> str:
    """Everything, for machines."""
    return json.dumps(
        {"figures": [figure.as_dict() for figure in figures], "notes": list(notes), "machine": machine()}, indent=2
    )


def page_text(figures: Sequence[Figure], notes: Sequence[str]) -> str:
    """A page of Markdown."""
    lines = ["# Measured", "", f"{datetime.now(UTC):%Y-%m-%d}, by `make bench`. {machine()}.", ""]
    lines += [f"| {' | '.join(_HEADER)} |", f"|{'---|' * len(_HEADER)}"]
    lines += [f"| {' | '.join(figure.row())} |" for figure in figures]
    return "\n".join([*lines, "", *(f"- {note}" for note in [*notes, *_failures(figures)]), ""])


def _failures(figures: Sequence[Figure]) -> list[str]:
    failed = [f"{figure.name} failed: {figure.failure}" for figure in figures if figure.failure]
    missed = dict.fromkeys(figure.name for figure in figures if not figure.is_met and not figure.failure)
    return failed + [f"Why {name} is missed: {_WHY[name]}." for name in missed if name in _WHY]


def machine() -> str:
    """Cores, memory and versions; nothing that names the machine."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    versions = ", ".join(f"{name} {version(name)}" for name in ("duckdb", "pyarrow", "sqlglot"))
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    return f"{cores} cores, {memory:.0f} GB, {system}, {versions}"


def write_page(path: Path, figures: Sequence[Figure], notes: Sequence[str]) -> None:
    """Put the page in its place."""
    path.write_text(page_text(figures, notes), encoding="utf-8")

"""What comparing a warehouse with the answer key gives: figures, in groups, each as expected or not."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

Value = Decimal | int | str | None


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing that the key says, and what the warehouse says; None: it says nothing of it."""

    name: str
    expected: Value
    found: Value
    unit: str | None = None  # what it is summed up with

    @property
    def same(self) -> bool:
        """No tolerance: equal to the last decimal."""
        return self.expected == self.found


@dataclass(frozen=True)
class Group:
    """Figures of one kind; `of` says what there is one figure for."""

    name: str
    of: str
    figures: tuple[Figure, ...]

    @cached_property
    def differences(self) -> tuple[Figure, ...]:
        """What is not the same."""
        return tuple(figure for figure in self.figures if not figure.same)

    @property
    def agree(self) -> int:
        """How many figures are the same."""
        return len(self.figures) - len(self.differences)

    def totals(self, of: str = "found") -> dict[str, Decimal]:
        """Sums of what was found, or expected, per unit."""
        sums: dict[str, Decimal] = {}
        for figure in self.figures:
            if figure.unit is not None:
                value = getattr(figure, of)
                sums[figure.unit] = sums.get(figure.unit, Decimal()) + (value or 0)
        return sums


@dataclass(frozen=True)
class Comparison:
    """All groups."""

    groups: tuple[Group, ...]

    @property
    def figures(self) -> int:
        """How many figures were compared."""
        return sum(len(group.figures) for group in self.groups)

    @property
    def agree(self) -> int:
        """How many are the same."""
        return sum(group.agree for group in self.groups)

    @property
    def same(self) -> bool:
        """Is every figure what the key says?"""
        return self.figures > 0 and self.agree == self.figures

    def as_dict(self) -> dict[str, Any]:
        """For programs: every group with its sums and all its figures."""
        return {
            "same": self.same,
            "figures": self.figures,
            "agree": self.agree,
            "groups": [
                {
                    "name": group.name,
                    "of": group.of,
                    "agree": group.agree,
                    "expected_totals": group.totals("expected"),
                    "found_totals": group.totals("found"),
                    "figures": [
                        {"name": one.name, "expected": one.expected, "found": one.found, "same": one.same}
                        for one in group.figures
                    ],
                }
                for group in self.groups
            ],
        }

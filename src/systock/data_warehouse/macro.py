"""What a macro is: a portable function, its signature and meaning for people, and its spelling for each engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from systock.errors import DefinitionError

MAX_SCALE = 18


@dataclass(frozen=True)
class Call:
    """One use of a macro: its arguments as SQL text, the values of those that are literals, and whether the run defines in_zone."""

    args: tuple[str, ...]
    literals: tuple[str | None, ...]
    zones_defined: bool = False


Builder = Callable[[Call], str]


@dataclass(frozen=True)
class Macro:
    """A portable function: its signature and meaning for people, and its spelling for each engine.

    returns: canonical type of the result, or 'scale' for numeric(18, <last argument>).
    literal: positions of the arguments that must be literals.
    """

    name: str
    arguments: str
    returns: str
    meaning: str
    fewest: int
    most: int | None
    spellings: dict[str, Builder]
    literal: tuple[int, ...] = ()
    aggregate: bool = False

    def signature(self) -> str:
        """The call as a person would write it."""
        return f"{self.name}({self.arguments})"

    def build(self, dialect: str, call: Call, where: str | None = None) -> str:
        """The call spelled for an engine; a wrong number of arguments or a non-literal where one is needed stops."""
        self.check(call.literals, where)
        builder = self.spellings.get(dialect)
        if builder is None:
            raise DefinitionError(
                f"{self.name}() is not available on {dialect}",
                where=where,
                todo=f"It runs on {', '.join(self.spellings)}: use it in mappings only.",
            )
        return builder(call)

    def check(self, literals: Sequence[str | None], where: str | None = None) -> None:
        """Raise DefinitionError when the arguments do not fit the signature."""
        count = len(literals)
        if count < self.fewest or (self.most is not None and count > self.most):
            raise DefinitionError(
                f"{self.name}() got {count} argument{'' if count == 1 else 's'}",
                where=where,
                todo=f"Write {self.signature()}.",
            )
        for position in self.literal:
            if position < count and literals[position] is None:
                raise DefinitionError(
                    f"argument {position + 1} of {self.name}() must be a literal",
                    where=where,
                    todo=f"Write {self.signature()} with a constant there.",
                )
        if self.returns == "scale":
            scale = literals[count - 1] or ""
            if not scale.isdigit() or int(scale) > MAX_SCALE:
                raise DefinitionError(
                    f"{self.name}() got {scale!r} as its scale",
                    where=where,
                    todo=f"Write a whole number from 0 to {MAX_SCALE}: the decimals of the result.",
                )

    def result_type(self, literals: Sequence[str | None]) -> str:
        """Canonical type of the result of a call with these literals."""
        return f"numeric(18, {literals[-1]})" if self.returns == "scale" else self.returns


def parts_concat(args: Sequence[str]) -> str:
    """The text that keys are hashed from (see macros.key_text), on DuckDB and PostgreSQL."""
    # concat() takes NULL as '' there, so one flat call marks NULL (':' without a length) for free.
    return "concat(" + ", ".join(f"length({a}), ':', {a}" for a in args) + ")"


def text_args(call: Call, text_type: str, cast: bool) -> list[str]:
    """The arguments as texts; cast: also those that are none."""
    # A bare NULL has no type to take the length of.
    return [f"CAST({a} AS {text_type})" if cast or a.upper() == "NULL" else a for a in call.args]


def form(template: str) -> Builder:
    """A spelling that puts the arguments into a text."""
    return lambda call: template.format(*call.args)

"""Names of a raw table's columns, from what a file calls them: unique however an engine folds case, never reserved."""

from __future__ import annotations

from collections.abc import Iterable

from systock.extract.batch import RESERVED_COLUMNS


def unique_names(found: Iterable[str]) -> tuple[str, ...]:
    """One name per column, in order: 'column_N' for an empty one, '_2', '_3' for a repeat, '_' behind a reserved one.

    White space around a name is not part of it, a line break in it becomes a space. A name that stands literally in the
    header keeps itself, even if a repeat before it would have been given that name.
    """
    names = [_own_name(text, number) for number, text in enumerate(found, 1)]
    taken = {name.casefold() for name in names}
    if len(taken) == len(names):
        return tuple(names)
    unique, used = [], set[str]()
    counters: dict[str, int] = {}
    for name in names:
        folded = name.casefold()
        if folded in used:
            number = counters.get(folded, 1) + 1
            while f"{folded}_{number}" in taken:
                number += 1
            counters[folded] = number
            name = f"{name}_{number}"
            taken.add(name.casefold())
        used.add(name.casefold())
        unique.append(name)
    return tuple(unique)


def extended_names(names: tuple[str, ...], found: Iterable[str]) -> tuple[str, ...]:
    """Further columns behind those that have their names already."""
    taken = {name.casefold() for name in names}
    extended = list(names)
    for text in found:
        own = name = _own_name(text, len(extended) + 1)
        number = 1
        while name.casefold() in taken:
            number += 1
            name = f"{own}_{number}"
        taken.add(name.casefold())
        extended.append(name)
    return tuple(extended)


def _own_name(text: str, number: int) -> str:
    name = " ".join(text.strip("\ufeff \t\r\n").splitlines()) or f"column_{number}"
    return f"{name}_" if name.casefold() in RESERVED_COLUMNS else name

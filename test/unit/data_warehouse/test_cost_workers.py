"""Stock valued in processes of their own: the same as in one; an error, or an end of theirs, is told."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest

from ledger_entries import Entry, balanced, batch
from systock.data_warehouse import cost_workers
from systock.data_warehouse.cost_workers import Part, value, value_all
from systock.data_warehouse.engine.base import OutOfMemory
from systock.errors import IntegrityError


def part(group: int) -> Part:
    entries = [
        Entry(1, "receipt", 10 + group, "2.50", product=f"P{group}", group=group),
        Entry(2, "sale", -4, product=f"P{group}", group=group),
        Entry(3, "receipt", 5, "3.10", product=f"P{group}", group=group),
        Entry(4, "sale", -7, product=f"P{group}", group=group),
    ]
    return pa.Table.from_batches([batch(balanced(entries))]), "moving_average", None


def test_parts_come_back_in_their_order_with_their_states() -> None:
    parts = [part(group) for group in range(1, 8)]
    expected = [value(each) for each in parts]
    assert list(value_all(parts, 3)) == expected
    assert [[state.cost_group for state in states] for _, states in expected] == [[n] for n in range(1, 8)]


def test_what_the_kernel_refuses_is_told() -> None:
    wrong, method, _ = part(1)
    with pytest.raises(IntegrityError, match="not in the order"):
        list(value_all([part(2), (wrong.take([3, 2, 1, 0]), method, None)], 2))


def test_a_process_that_ends_by_itself_is_told_and_none_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    started = []

    class Watched(cost_workers._Worker):
        def __init__(self) -> None:
            super().__init__()
            started.append(self._process)

    monkeypatch.setattr(cost_workers, "_Worker", Watched)

    def parts() -> Iterator[Part]:
        yield part(1)
        for process in started:
            process.kill()
        yield from (part(group) for group in range(2, 9))

    with pytest.raises(OutOfMemory, match="ended by itself, with code -9"):
        list(value_all(parts(), 2))
    assert [process.poll() for process in started] == [-9, -9]

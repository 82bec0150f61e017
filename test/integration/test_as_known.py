"""A question asked for an earlier state of knowledge is answered from what had landed by then, whatever came later."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from small_chain import deliver, make_project
from systock import Project
from systock.errors import UsageError
from systock.simulator import simulate, write_project
from systock.simulator.compare import compare_as_known

DAY = "2024-03-29T10:00:00+00:00"
NET = "SELECT sum(net_amount) AS net FROM gold.fact_sale_line"


def test_later_landings_change_no_earlier_answer(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p", known_at="name:k%Y%m%dT%H%M%SZ")
    answers = []
    for number, price in enumerate(["5", "7", "6"]):
        changed = f"2024-03-{29 + number % 2}T10:00:00+00:00"  # the third is older than the second
        deliver(
            project,
            "pos_sales",
            [("1", "1", "S1", "P1", DAY, "1", "", price, "", changed)],
            f"k2024040{number + 1}T000000Z",
        )
        Project(project).run()
        answers.append(Project(project).query(NET)["net"][0].as_py())
    assert answers == [Decimal(5), Decimal(7), Decimal(7)]
    for number, answer in enumerate(answers[:2]):
        assert Project(project).query(NET, known_at=f"2024-04-0{number + 1}T12:00:00+00:00")["net"][0].as_py() == answer
    with pytest.raises(UsageError, match="nothing was known"):
        Project(project).query(NET, known_at="2024-03-01")


@dataclass
class AsKnown:
    """A project that is asked for what was known at an instant."""

    project: Project
    known_at: str

    def query(self, sql: str) -> Any:
        return self.project.query(sql, known_at=self.known_at)


@pytest.mark.long
def test_the_answer_key_agrees_at_every_time_that_it_tells_of(tmp_path: Path) -> None:
    key = simulate(tmp_path, seed=3, days=34, stores=3, products=40, faults="all")
    write_project(tmp_path)
    Project(tmp_path).run()
    answers = {}
    for known_at in key.knowledge_times:
        told = compare_as_known(AsKnown(Project(tmp_path), known_at), key, known_at)
        assert told.same, [(group.name, group.differences[:3]) for group in told.groups if group.differences]
        answers[known_at] = {
            (group.name, figure.name): figure.found for group in told.groups for figure in group.figures
        }
    # The early answers are not the last ones: documents came late.
    assert all(
        any(answers[key.latest].get(figure, found) != found for figure, found in answers[early].items())
        for early in key.knowledge_times[:-1]
    )

"""A question asked for an earlier state of knowledge is answered from what had landed by then, whatever came later."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from small_chain import deliver, make_project
from systock import Project
from systock.errors import UsageError

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
    for number, answer in enumerate(answers):
        assert Project(project).query(NET, known_at=f"2024-04-0{number + 1}T12:00:00+00:00")["net"][0].as_py() == answer
    with pytest.raises(UsageError, match="nothing was known"):
        Project(project).query(NET, known_at="2024-03-01")

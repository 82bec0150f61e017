"""What the tests on real data share: a project in a folder of its own, answers of the published warehouse, hashes of gold."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

from current_state import current_gold
from systock.project import Project

HERE = Path(__file__).parent

#: What is asked, the query of one value on the published warehouse, the published answer.
Question = tuple[str, str, int | str]


def make_project(name: str, folder: Path) -> Path:
    """A fresh copy of the project `name`, with nothing delivered yet."""
    shutil.copytree(HERE / name, folder)
    (folder / "incoming").mkdir()
    return folder


def wrong_answers(project: Path, questions: Iterable[Question]) -> list[str]:
    """The questions that the published warehouse answers otherwise than published. Decimals are compared exactly."""
    opened, wrong = Project(project), []
    for what, sql, expected in questions:
        [(answer,)] = (tuple(row.values()) for row in opened.query(sql).to_pylist())
        if answer is None or Decimal(answer) != Decimal(expected):
            wrong.append(f"{what}: {answer} instead of {expected}")
    return wrong


def gold_hashes(project: Path) -> dict[str, tuple[int, str]]:
    """Rows and content hash of each gold table that is published."""
    return current_gold(project / "warehouse.duckdb")


def differing(one: dict[str, tuple[int, str]], other: dict[str, tuple[int, str]]) -> dict[str, tuple[object, object]]:
    """The tables whose content differs, each with both hashes."""
    return {name: (one.get(name), other.get(name)) for name in {*one, *other} if one.get(name) != other.get(name)}

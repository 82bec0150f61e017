"""The closes of the business days before the end of the data, kept after the fact: what a scheduler that was down makes up for."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

from benchmarks.generate import END
from systock import Project
from systock.config import ScheduleSettings
from systock.pipeline_manager.build import Silent
from systock.pipeline_manager.schedule import closes_due
from systock.pipeline_manager.take_snapshot import take_closes
from systock.pipeline_manager.workplace import Workplace


def main() -> None:
    """Keep the closes, and say how many rows of state they hold."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("project", type=Path)
    parser.add_argument("days", type=int)
    given = parser.parse_args()
    project = Project(given.project)
    daily = project.settings.model_copy(update={"schedule": ScheduleSettings(day_close="0 5 * * *")})
    end = datetime.combine(END, time(12), UTC)
    closes = closes_due(daily, end - timedelta(given.days), set(), end)
    taken = take_closes(Workplace(project.path, project.settings), closes, Silent())
    print(f"{len(closes)} closes, {sum(fact['row_count'] for fact in taken)} rows of state")


if __name__ == "__main__":
    main()

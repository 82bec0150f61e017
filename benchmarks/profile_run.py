"""Where one run's CPU goes: per stage and per statement; for developers, apart from the measurements."""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_WAYS = ("execute", "_fetch", "arrow", "insert", "checkpoint", "commit")


class Profile:
    """Collects (stage, statement, CPU, wall, memory so far) of everything that goes to the engine."""

    def __init__(self, plan_of: str | None) -> None:
        self.plan_of = plan_of
        self.stage_name = "start"
        self.records: list[tuple[str, str, float, float, float]] = []
        self.stages: dict[str, list[float]] = {}
        self._stage_began = (_cpu(), time.perf_counter())
        self._depth = 0

    # what a run reports its progress to

    def stage(self, name: str, total: int | None = None) -> None:
        """A stage begins; the one before it ends."""
        cpu, wall = _cpu(), time.perf_counter()
        spent = self.stages.setdefault(self.stage_name, [0.0, 0.0])
        spent[0] += cpu - self._stage_began[0]
        spent[1] += wall - self._stage_began[1]
        self.stage_name, self._stage_began = name, (cpu, wall)

    def advance(self, n: int = 1, detail: str = "") -> None:
        """Part of a stage is done."""

    def note(self, text: str) -> None:
        """Something worth saying."""

    def asked(self, source: str, table: str, rows: int, done: bool) -> None:
        """How far a source is that is asked."""

    def wrap(self, way: str, original: Callable[..., Any]) -> Callable[..., Any]:
        """The same method, measured; calls inside a call belong to the outer one."""

        def measured(engine: Any, *arguments: Any, **named: Any) -> Any:
            if self._depth:
                return original(engine, *arguments, **named)
            self._depth += 1
            said = str(arguments[0]) if arguments else ""
            with_plan = self.plan_of is not None and way == "execute" and re.search(self.plan_of, said) is not None
            if with_plan:
                _profiling(engine.connection, True)
            cpu, wall = _cpu(), time.perf_counter()
            try:
                return original(engine, *arguments, **named)
            finally:
                self._depth -= 1
                if with_plan:
                    _profiling(engine.connection, False)
                peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
                record = (self.stage_name, f"{way} {said}", _cpu() - cpu, time.perf_counter() - wall, peak)
                self.records.append(record)

        return measured


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _profiling(connection: Any, is_on: bool) -> None:
    """Have DuckDB measure operators, or print what it measured (by the clock, summed over threads)."""
    path = Path(tempfile.gettempdir()) / f"plan-{os.getpid()}.json"
    if is_on:
        connection.execute("PRAGMA enable_profiling = 'json'")
        connection.execute(f"SET profiling_output = '{path}'")
        return
    connection.execute("PRAGMA disable_profiling")
    _print_operator(json.loads(path.read_text()), 0)
    path.unlink()
    print()


def _print_operator(node: dict[str, Any], depth: int) -> None:
    hidden = ("Projections", "Estimated Cardinality")
    about = {name: value for name, value in node.get("extra_info", {}).items() if name not in hidden}
    spent, rows = node.get("operator_timing", 0.0), node.get("operator_cardinality", "")
    print(f"{spent:7.2f} s {rows:>10} {'  ' * depth}{node.get('operator_name', 'query')} {str(about)[:140]}")
    for child in node.get("children", []):
        _print_operator(child, depth + 1)


def main() -> None:
    """Run a project and print what cost most."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("project", type=Path)
    parser.add_argument("--top", type=int, default=25, help="how many statements to show")
    parser.add_argument("--width", type=int, default=150, help="characters to show of each")
    parser.add_argument("--full", action="store_true", help="build everything anew")
    parser.add_argument("--statements", type=Path, help="write all statements of --top there, whole")
    parser.add_argument("--plan", metavar="REGEX", help="show the measured operators of the statements that match")
    given = parser.parse_args()
    began = _cpu()
    from systock.data_warehouse.engine.duckdb import DuckDBEngine
    from systock.project import Project

    imported = _cpu()
    profile = Profile(given.plan)
    for way in _WAYS:
        setattr(DuckDBEngine, way, profile.wrap(way.strip("_"), getattr(DuckDBEngine, way)))
    Project(given.project).run(full=given.full, progress=profile)
    profile.stage("end")
    print(f"import {began:.2f} + {imported - began:.2f} s, all {_cpu():.2f} s of CPU")
    for name, (cpu, wall) in profile.stages.items():
        records = [record for record in profile.records if record[0] == name]
        inside = sum(record[2] for record in records)
        print(f"{name:12} {cpu:7.2f} s of CPU, {wall:7.2f} s; in {len(records)} statements {inside:.2f} s")
    print()
    ranked = sorted(profile.records, key=lambda record: -record[2])[: given.top]
    for stage, sql, cpu, wall, peak in ranked:
        text = re.sub(r"\s+", " ", sql)[: given.width]
        print(f"{cpu:7.2f} {wall:7.2f} {peak:6.0f} MB {stage:8} {text}")
    if given.statements:
        texts = (f"-- {cpu:.2f} s of CPU, {wall:.2f} s, {stage}\n{sql}" for stage, sql, cpu, wall, _ in ranked)
        given.statements.write_text("\n\n".join(texts))


if __name__ == "__main__":
    main()

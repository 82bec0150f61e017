"""Publishing to PostgreSQL: the first load beside psql's COPY of the same rows, one more day, readers meanwhile, questions."""

from __future__ import annotations

import json
import math
import shutil
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.measure import Failed, Usage, run, systock
from benchmarks.postgres_server import PostgresServer, Unavailable, postgres_server
from benchmarks.report import Figure
from benchmarks.workplace import link_files

if TYPE_CHECKING:
    from benchmarks.run import Bench

NAMES = ("target_load", "target_questions", "target_day", "target_readers")
_READERS = 32
_TIMES = 5  # each question
_ROWS = 10_000  # of a question that returns rows, so many are allowed what a summed one is
_NOWHERE = "postgresql://nobody@127.0.0.1:1/none"


def measure_target(bench: Bench, wanted: set[str], plans: Path | None) -> None:
    """Measure what is wanted, on a server that is there for as long; where none can be had, a note says so."""
    try:
        with postgres_server(bench.place.folder / "postgres") as server:
            made = bench.attempt("target", lambda: Target(bench, server))
            if made is None:
                return
            steps = {
                "target_questions": partial(made.questions, plans), "target_day": made.days,
                "target_readers": made.readers,
            }  # fmt: skip
            loaded = made.load if "target_load" in wanted else made.load_once
            if bench.attempt("target_load", loaded) is not None:  # the others need it, too
                for name, step in steps.items():
                    if name in wanted:
                        bench.attempt(name, step)
            bench.place.remove(made.project)
    except Unavailable as reason:
        bench.notes.append(f"{', '.join(name for name in NAMES if name in wanted)} skipped: {reason}")


class Target:
    """A project whose file is built, and the databases that its rows go to."""

    def __init__(self, bench: Bench, server: PostgresServer) -> None:
        self.bench, self.server = bench, server
        self.project = bench.place.project("target", bench.data)
        self.settings = (self.project / "systock.toml").read_text()
        systock(self.project, "run", bench.place.log("target-cold"))
        self._days = 0

    def _publish_to(self, url: str) -> None:
        (self.project / "systock.toml").write_text(f'{self.settings}\n[target]\nurl = "{url}"\n')

    def _command(self, command: str, name: str) -> Usage:
        return run(
            ["-m", "systock", "target", command, "--project", self.project], self.bench.place.log(f"target-{name}")
        )

    def load_once(self) -> tuple[Usage, float | None]:
        """The first load into an empty database: what the client used, and the server's CPU."""
        self._publish_to(self.server.make_database("ours"))
        self._command("init", "init")
        before = self.server.cpu_s()
        used = self._command("sync", "load")
        spent = _more(before, self.server.cpu_s())
        self.server.rest("ours")
        return used, spent

    def _copy_once(self, script: Path) -> tuple[Usage, float | None]:
        url = self.server.make_database("theirs")
        before = self.server.cpu_s()
        told = self.bench.place.log("target-copy")
        used = run(["-X", "-q", "-f", script, url], told, str(self.server.psql))
        spent = _more(before, self.server.cpu_s())
        self._same_rows()
        return used, spent

    def _same_rows(self) -> None:
        """Both databases have the same tables with as many rows and indexes."""
        named = """SELECT format('%I.%I', schemaname, relname), (SELECT count(*) FROM pg_index WHERE indrelid = relid)
            FROM pg_stat_user_tables WHERE schemaname <> 'systock' ORDER BY 1"""
        ours, theirs = (self.server.execute(name, named) for name in ("ours", "theirs"))
        if ours == theirs:
            counts = " UNION ALL ".join(f"SELECT '{table}', count(*) FROM {table}" for table, _ in ours)
            ours, theirs = (sorted(self.server.execute(name, counts)) for name in ("ours", "theirs"))
        if ours != theirs:
            raise Failed(f"COPY has other tables, indexes or rows: {[row for row in theirs if row not in ours][:3]}")

    def load(self) -> bool:
        """The first load, and COPY of the same rows as text into the same tables, turn by turn."""
        name, other = "first load of a server", "COPY of its rows"
        sums: dict[str, list[float]] = {name: [], other: []}
        walls: dict[str, list[float]] = {name: [], other: []}
        folder = self.bench.place.folder / "copies"
        peaks = []
        for number in range(self.bench.repeat):
            loaded = self.load_once()
            peaks.append(loaded[0].peak_mb)
            if number == 0:
                written = ["-m", "benchmarks.copy_text", self.project, self.server.url("ours"), folder]
                run(written, self.bench.place.log("target-written"))
                self.server.rest("ours")
            for side, (used, spent) in ((name, loaded), (other, self._copy_once(folder / "load.sql"))):
                self.bench.take(f"{side}, client", used)
                if spent is not None:
                    sums[side].append(used.cpu_s + spent)
                walls[side].append(used.wall_s)
            self.server.drop_database("theirs")
        shutil.rmtree(folder)
        measure, against = f"{name}, {self.bench.size.words()}", "COPY of the same rows as text"
        if sums[name]:
            self._figure("target_load", f"{measure}: CPU of client and server", sums[name], sums[other], against, 1.5)
            for side in sums:
                client = median(self.bench.cpu(f"{side}, client"))
                self.bench.notes.append(
                    f"{side}: {client:.2f} s of CPU of the client, {median(sums[side]) - client:.2f} s of the server."
                )
        self._figure("target_load", f"{measure}: by the clock", walls[name], walls[other], against, 1.5)
        self._figure("target_load", f"{name}: peak memory of the client", peaks, (500,), "target", unit="MB")
        self.bench.notes.append(
            "COPY is psql's \\copy of text files that are there already, into the same tables on the same server, in one transaction; then "
            "keys, indexes, references and statistics, as a first load makes them. Views, comments, triggers and rights are ours alone."
        )
        return True

    def questions(self, plans: Path | None) -> None:
        """What the server takes for questions about a place and a month."""
        said = self.bench.place.log("target-questions")
        more = ["--plans", plans.absolute()] if plans else []
        run(["-m", "benchmarks.explain_server", self.server.url("ours"), str(_TIMES), *more], said)
        found = json.loads(said.read_text())
        for one in found:
            shares = math.ceil(max(1, one["rows"]) / _ROWS)
            times = [value / shares for value in one["milliseconds"]]
            what = "summed" if one["is_summed"] else f"{one['rows']:,} rows, per {_ROWS:,} begun"
            name = f"{one['question']}, {what}: on the server"
            self._figure("target_questions", name, times, (50,), "target", unit="ms")
        longest = max(found, key=lambda one: one["planning"])
        self.bench.notes.append(
            f"Planning a question comes on top: at most {longest['planning']:.0f} ms, of {longest['question']}."
        )

    def days(self) -> None:
        """One day after the other, in a project that publishes and in its twin that does not, in turn."""
        name, alone = "one more day published", "the same day, not published"
        twin = self.project.with_name("twin")
        shutil.rmtree(twin, ignore_errors=True)
        shutil.copytree(self.project, twin)
        (twin / "systock.toml").write_text(self.settings)
        beyond, spent = [], []
        for _ in range(self.bench.repeat):
            self._next_day(self.project, twin)
            build = systock(twin, "run", self.bench.place.log("target-twin"))
            before = self.server.cpu_s()
            used = systock(self.project, "run", self.bench.place.log("target-day"))
            spent.append(_more(before, self.server.cpu_s()))
            self.bench.take(alone, build)
            self.bench.take(name, used)
            beyond.append(max(0.0, used.cpu_s - build.cpu_s))
        self.bench.place.remove(twin)
        words = self.bench.size.day_words()
        self._figure("target_day", f"{name}, {words}: CPU of the client beyond the build", beyond, (2,), "target")
        if told := [value for value in spent if value is not None]:
            self._figure("target_day", f"{name}: CPU of the server", told, (), "")
        peaks = self.bench.peaks(name)
        self._figure("target_day", f"{name}, build included: peak memory", peaks, (500,), "target", unit="MB")
        self.bench.notes.append(f"{alone}: {max(self.bench.peaks(alone)):.0f} MB at its highest.")

    def readers(self) -> None:
        """Readers that ask all the while; one who gets an error or waits for a lock makes it a failure."""
        self._next_day(self.project)
        self._publish_to(_NOWHERE)
        try:
            systock(self.project, "run", self.bench.place.log("target-built"))
        except Failed:  # the file has the day, the server is not there to get it
            self._publish_to(self.server.url("ours"))
        else:
            raise Failed(f"a run published to {_NOWHERE}")
        said, sync = self.bench.place.log("target-readers"), self.bench.place.log("target-read-sync")
        before = self._generation()
        run(["-m", "benchmarks.readers", self.server.url("ours"), self.project, str(_READERS), sync], said)
        found = json.loads(said.read_text())
        if self._generation() <= before:
            raise Failed("the day did not come to the server while readers read")
        if found["errors"] or found["lock_waits"]:
            first = f", the first one: {found['errors'][0]}" if found["errors"] else ""
            raise Failed(f"{found['lock_waits']} waits of readers for a lock, {len(found['errors'])} errors{first}")
        name = f"{_READERS} readers while a day is published: a question's time against none published"
        self._figure("target_readers", name, found["slowdowns"], (), "", unit="×")
        self.bench.notes.append(
            f"{_READERS} readers got {found['answers']:,} answers in the {found['seconds']:.1f} s in which a day was published: no error, "
            f"no wait for a lock; the longest took {found['longest']:.2f} s, before it {found['longest_before']:.2f} s."
        )

    def _generation(self) -> int:
        [(generation,)] = self.server.execute("ours", "SELECT generation FROM meta.progress")
        return int(generation)

    def _next_day(self, *projects: Path) -> None:
        self._days += 1
        for project in projects:
            link_files(self.bench.data / "later" / f"day-{self._days}", project / "incoming")

    def _figure(
        self, name: str, measure: str, values: list[float], against: list[float] | tuple[float, ...], other: str,
        limit: float = 1.0, unit: str = "s",
    ) -> None:  # fmt: skip
        self.bench.figures.append(Figure(name, measure, unit, values, against, other, limit))


def _more(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before

"""Landing: whatever is delivered, in any order, and wherever a landing crashes, bronze holds each content exactly once."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow.parquet as pq
import pytest
from hypothesis import event, example, given
from hypothesis import strategies as st

from systock.etl_pipeline.bronze_layer import landing_log
from systock.etl_pipeline.bronze_layer.land_batches import LandingSummary, land, open_log
from systock.etl_pipeline.bronze_layer.landing_log import Batch
from systock.source_settings import FileSource

START = datetime(2024, 1, 1, tzinfo=UTC)
#: Contents: some equal, one of other columns, some with malformed lines, without rows, or not readable at all.
CONTENTS = ["a,b\n1,2\n", "a,b\n3,4\n5,6\n", "a,c\n1,2\n", "a,b\n1\n2,3\n", "a,b\n", "", 'a,b\n"1,2\n']


def source(known_at: str) -> FileSource:
    tables = {
        "sales": {"path": "in/sales*", "mode": "append"},
        "prices": {"path": "in/prices*", "mode": "full", "key": ["a"]},
    }
    return FileSource.model_validate({"type": "files", "known_at": known_at, "tables": tables})


@dataclass(frozen=True)
class Delivery:
    """A file appears, or changes."""

    table: str
    name: int
    content: int
    hour: int

    def write(self, project: Path) -> None:
        path = project / "in" / f"{self.table}{self.name}.csv"
        path.parent.mkdir(exist_ok=True)
        path.write_text(CONTENTS[self.content])
        modified = (START + timedelta(hours=self.hour)).timestamp()
        os.utime(path, (modified, modified))


DELIVERIES = st.builds(
    Delivery,
    st.sampled_from(["sales", "prices"]),
    st.integers(0, 3),
    # Mostly two contents, so that they come back.
    st.sampled_from([0, 0, 0, 0, 1, 1, 1, 2, 3, 4, 5, 6]),
    st.integers(0, 8),
)
#: Deliveries between one landing and the next.
ROUNDS = st.lists(st.lists(DELIVERIES, max_size=5), min_size=1, max_size=4)


def land_at(project: Path, known_at: str, number: int) -> LandingSummary:
    now = START + timedelta(days=1, minutes=number)
    return land(project, {"pos": source(known_at)}, now=now)


def require_whole(project: Path) -> list[Batch]:
    """All that must be true of bronze at any time; returns its batches."""
    log = open_log(project)
    commits, batches = log.commits(), log.batches()
    bronze = log.path.parent
    log.close()
    assert [commit.no for commit in commits] == list(range(1, len(commits) + 1))
    assert [commit.known_at for commit in commits] == sorted({commit.known_at for commit in commits})
    assert [batch.no for batch in batches] == sorted({batch.no for batch in batches})
    assert {batch.commit_no for batch in batches} == {commit.no for commit in commits}
    stored = {batch.no: batch for batch in batches}
    for batch in batches:
        if batch.repeat_of is not None:
            original = stored[batch.repeat_of]
            assert batch.part is None and original.repeat_of is None and original.no < batch.no
            assert (original.content_hash, original.source, original.table) == (
                batch.content_hash,
                batch.source,
                batch.table,
            )
            assert (original.lines, original.malformed, original.columns) == (
                batch.lines,
                batch.malformed,
                batch.columns,
            )
        assert (batch.part is not None) == (batch.repeat_of is None and batch.lines > 0)
    for part in {batch.part for batch in batches if batch.part}:
        table = pq.read_table(bronze / part)
        assert (bronze / part).stat().st_mode & 0o777 == 0o444
        of_part = [batch for batch in batches if batch.part == part]
        assert len({(batch.commit_no, batch.source, batch.table, batch.columns) for batch in of_part}) == 1
        assert table.column_names == ["_batch_no", "_row", "_malformed", "_reason", *of_part[0].columns]
        lines = table.to_pylist()
        for batch in of_part:
            own = [line for line in lines if line["_batch_no"] == batch.no]
            assert len(own) == batch.lines
            assert sum(line["_reason"] is not None for line in own) == batch.malformed
        assert len(lines) == sum(batch.lines for batch in of_part)
    return batches


def parts_on_disk(project: Path) -> set[str]:
    bronze = project / ".systock" / "bronze"
    return {path.relative_to(bronze).as_posix() for path in bronze.glob("*/*/*.parquet")}


@given(rounds=ROUNDS, known_at=st.sampled_from(["landing", "mtime"]))
def test_bronze_agrees_with_a_plain_model(rounds: list[list[Delivery]], known_at: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        seen: dict[str, tuple[int, int]] = {}
        landed: list[tuple[str, str, int, int]] = []  # table, name, hour, content
        expected: list[tuple[str, str, int, bool]] = []
        for number, deliveries in enumerate(rounds):
            present: dict[str, Delivery] = {}
            for delivery in deliveries:
                delivery.write(project)
                present[f"{delivery.table}{delivery.name}"] = delivery
            new = [d for name, d in present.items() if seen.get(name) != (len(CONTENTS[d.content]), d.hour)]
            seen |= {name: (len(CONTENTS[d.content]), d.hour) for name, d in present.items()}
            if known_at == "mtime":
                done = open_log(project).last_commit()
                dated = [d for d in new if done is None or START + timedelta(hours=d.hour) > done.known_at]
                late = [d for d in new if d not in dated]
                queue = [*sorted(dated, key=lambda d: (d.hour, *in_commit(d))), *sorted(late, key=in_commit)]
            else:
                queue = sorted(new, key=in_commit)
            for d in queue:
                if d.content >= 5:
                    continue
                position = (d.table, str(d.name), d.hour, d.content)
                if position in landed:
                    continue
                if d.table == "prices":
                    latest = max((p for p in landed if p[0] == d.table), key=lambda p: (p[2], id_of(p)), default=None)
                    repeat = latest is not None and latest[3] == d.content
                else:
                    repeat = any((p[0], p[3]) == (d.table, d.content) for p in landed)
                landed.append(position)
                expected.append((d.table, f"in/{d.table}{d.name}.csv", d.content, repeat))
            land_at(project, known_at, number)
            batches = require_whole(project)
            found = [(b.table, b.path, b.content_hash, b.repeat_of is not None) for b in batches]
            assert found == [(table, path, hash_of(content), repeat) for table, path, content, repeat in expected]
            assert parts_on_disk(project) == {batch.part for batch in batches if batch.part}
            rejected = {file.path for file in open_log(project).rejected()}
            assert rejected == {f"in/{name}.csv" for name, (size, _) in seen.items() if unreadable(size)}


def in_commit(delivery: Delivery) -> tuple[str, int, int]:
    """The order of batches within a commit."""
    return (delivery.table, delivery.hour, delivery.name)


def hash_of(content: int) -> str:
    from hashlib import sha256

    return sha256(CONTENTS[content].encode()).hexdigest()


def id_of(landed: tuple[str, str, int, int]) -> str:
    """The batch id of what landed: of two extracts of one instant the greater one counts as the later."""
    from hashlib import sha256

    table, name, hour, content = landed
    instant = (START + timedelta(hours=hour)).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
    text = f'["pos", "{table}", "in/{table}{name}.csv@{instant}", "{hash_of(content)}"]'
    return sha256(text.encode()).hexdigest()


def unreadable(size: int) -> bool:
    return size in (len(CONTENTS[5]), len(CONTENTS[6]))


class Crash(BaseException):
    """Stands for the end of the process."""


@dataclass
class Steps:
    """Counts what a landing does to the disk, and ends it before the given step."""

    last: int
    end: Callable[[], None]
    done: int = 0
    ended_at: str = ""

    def step(self, name: str) -> None:
        self.done += 1
        if self.done == self.last:
            self.ended_at = name
            self.end()


def raise_crash() -> None:
    raise Crash


def raise_full() -> None:
    raise OSError(28, "No space left on device")


def exit_now() -> None:
    os._exit(9)


@contextmanager
def ending(steps: Steps) -> Iterator[None]:
    """Let every write, fsync, rename, deletion and statement count as a step."""

    def counted(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **options: Any) -> Any:
            steps.step(name)
            return call(*args, **options)

        return wrapper

    class Connection(sqlite3.Connection):
        def execute(self, sql: str, *args: Any) -> Any:
            if not sql.lstrip().startswith(("SELECT", "PRAGMA user_version")):
                steps.step(sql.split(" (")[0][:30])
            return super().execute(sql, *args)

        def executemany(self, sql: str, *args: Any) -> Any:
            steps.step("many")
            return super().executemany(sql, *args)

        def executescript(self, sql: str) -> Any:
            steps.step("script")
            return super().executescript(sql)

    connect = sqlite3.connect
    with ExitStack() as stack:
        for name in ("fsync", "rename", "mkdir", "unlink", "rmdir", "fchmod"):
            stack.enter_context(patch.object(os, name, counted(name, getattr(os, name))))
        for name in ("write_table", "close"):
            stack.enter_context(patch.object(pq.ParquetWriter, name, counted(name, getattr(pq.ParquetWriter, name))))
        stack.enter_context(patch.object(Path, "write_text", counted("write_text", Path.write_text)))
        opened = patch.object(
            landing_log.sqlite3, "connect", lambda *args, **options: connect(*args, **options, factory=Connection)
        )
        stack.enter_context(opened)
        yield


def land_and_die(project: Path, known_at: str, number: int, steps: Steps) -> None:
    """One landing that ends early, if it has so many steps."""
    if steps.end is exit_now:
        child = os.fork()
        if child == 0:
            try:
                with ending(steps):
                    land_at(project, known_at, number)
                os._exit(0)
            finally:
                os._exit(1)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert status in (0, 9)
        event("died" if status else "nothing to do")
        return
    try:
        with ending(steps):
            land_at(project, known_at, number)
    except (Crash, Exception) as error:
        assert isinstance(error, Crash) or "disk is full" in str(error) or isinstance(error, OSError), error
        event(f"{type(error).__name__} at {steps.ended_at}")


@pytest.mark.parametrize("end", [raise_crash, raise_full, exit_now])
@given(
    rounds=ROUNDS,
    known_at=st.sampled_from(["landing", "mtime"]),
    staged=st.sampled_from([1, 2, 64]),
    ends=st.lists(st.integers(0, 99), min_size=4, max_size=4),
)
@example(  # between two commits, the second of which comes after a file that can't be read
    rounds=[
        [Delivery("sales", 0, 0, 0)],
        [Delivery("sales", 0, 0, 1), Delivery("sales", 1, 6, 1), Delivery("prices", 0, 0, 0)],
    ],
    known_at="mtime",
    staged=1,
    ends=[0, 50, 0, 0],
)
def test_a_landing_that_ends_anywhere_is_whole_and_its_retry_lands_all_once(
    end: Callable[[], None], rounds: list[list[Delivery]], known_at: str, staged: int, ends: list[int]
) -> None:
    limit = patch("systock.etl_pipeline.bronze_layer.stage_commit.MAX_STAGED_COMMITS", staged)
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other, limit:
        smooth, rough = Path(one), Path(other)
        for number, deliveries in enumerate(rounds):
            for delivery in deliveries:
                delivery.write(smooth)
                delivery.write(rough)
            whole = Steps(0, end)
            with ending(whole):
                land_at(smooth, known_at, number)
            land_and_die(rough, known_at, number, Steps(1 + ends[number] * whole.done // 100, end))
            require_whole(rough)
            land_at(rough, known_at, number)
            batches = require_whole(rough)
            assert numbered(batches) == numbered(require_whole(smooth))
            assert parts_on_disk(rough) == {batch.part for batch in batches if batch.part}
            assert not (rough / ".systock/bronze/tmp").exists() or not any((rough / ".systock/bronze/tmp").iterdir())
            assert rejected(rough) == rejected(smooth)


def numbered(batches: list[Batch]) -> list[Batch]:
    """The batches numbered without gaps: a file that can't be read uses a number up, in the landing that tries it."""
    place = {batch.no: number for number, batch in enumerate(batches, 1)}
    return [
        replace(batch, no=place[batch.no], repeat_of=batch.repeat_of and place[batch.repeat_of]) for batch in batches
    ]


def rejected(project: Path) -> list[tuple[str, str]]:
    return [(file.path, file.reason) for file in open_log(project).rejected()]

"""The landing log as its readers see it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from systock.errors import IntegrityError
from systock.etl_pipeline.bronze_layer.landing_log import LandingLog

from .project import Project


def test_a_log_that_does_not_exist_reads_as_empty_and_is_not_created(tmp_path: Path) -> None:
    log = LandingLog(tmp_path / "landing.sqlite")
    assert (log.commits(), log.batches(), log.rejected(), log.last_commit()) == ([], [], [], None)
    assert (log.seen("a", "b", "c"), log.seen_files("a"), log.cursor("a", "b"), log.parts()) == (None, {}, None, set())
    assert (log.last_batch_no(), log.batch_of_id("x"), log.latest_extraction("a", "b")) == (0, None, None)
    assert list(tmp_path.iterdir()) == []


def test_a_file_without_tables_reads_as_empty(tmp_path: Path) -> None:
    (tmp_path / "landing.sqlite").touch()  # what a crash before the first transaction leaves
    assert LandingLog(tmp_path / "landing.sqlite").batches() == []


def test_spans_of_commits_and_single_tables(tmp_path: Path) -> None:
    project = Project(tmp_path, sales={"path": "in/s*"}, stock={"path": "in/t*"})
    for number in range(3):
        project.write(f"s{number}.csv", f"id\n{number}\n")
        project.write(f"t{number}.csv", f"id\n{number}\n")
        project.land()
    log = project.log
    assert [(batch.no, batch.commit_no, batch.table) for batch in log.batches()] == [
        (1, 1, "sales"),
        (2, 1, "stock"),
        (3, 2, "sales"),
        (4, 2, "stock"),
        (5, 3, "sales"),
        (6, 3, "stock"),
    ]
    assert [batch.no for batch in log.batches(after_commit=1)] == [3, 4, 5, 6]
    assert [batch.no for batch in log.batches(after_commit=1, up_to_commit=2)] == [3, 4]
    assert [batch.no for batch in log.batches(source="pos", table="stock")] == [2, 4, 6]
    assert log.batches(source="erp") == []
    assert [commit.no for commit in log.commits(after=1)] == [2, 3]
    last = log.last_commit()
    assert last is not None and (last.no, last.known_at) == (3, log.batches()[-1].known_at)
    assert log.batch_of_id(log.batches()[2].batch_id) == log.batches()[2]
    assert len({batch.batch_id for batch in log.batches()}) == 6


def test_what_was_seen(tmp_path: Path) -> None:
    project = Project(tmp_path)
    path = project.write("a.csv", "id\n1\n", 2)
    project.land()
    assert project.log.seen("pos", "sales", "in/a.csv") == (5, path.stat().st_mtime_ns)
    assert project.log.seen("pos", "sales", "in/b.csv") is None


def test_a_reader_sees_whole_commits_while_another_is_written(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.write("a.csv", "id\n1\n")
    project.land()
    writer = LandingLog(project.log.path)
    with writer.transaction() as connection:
        connection.execute("INSERT INTO commits VALUES (2, 99999999999999999)")
        assert [commit.no for commit in LandingLog(project.log.path).commits()] == [1]
    assert [commit.no for commit in LandingLog(project.log.path).commits()] == [1, 2]


def test_a_failed_transaction_leaves_nothing_and_the_log_usable(tmp_path: Path) -> None:
    log = LandingLog(tmp_path / "landing.sqlite")
    with pytest.raises(ZeroDivisionError), log.transaction() as connection:
        connection.execute("INSERT INTO commits VALUES (1, 1)")
        raise ZeroDivisionError
    assert log.commits() == []
    with log.transaction() as connection:
        connection.execute("INSERT INTO commits VALUES (1, 1)")
    log.close()
    assert len(log.commits()) == 1


def test_the_journal_is_one_that_survives_copies_and_power_failures(tmp_path: Path) -> None:
    log = LandingLog(tmp_path / "landing.sqlite")
    with log.transaction() as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (3,)


def test_a_log_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "landing.sqlite") as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(IntegrityError, match="format 99"):
        LandingLog(tmp_path / "landing.sqlite").commits()

"""Landing files: what becomes a batch, what is a repeat, what is refused, and when it became known."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import pyarrow as pa
import pytest

from systock.errors import BusyError, StorageError
from systock.etl_pipeline.bronze_layer import landing_log, stage_commit
from systock.etl_pipeline.bronze_layer.land_batches import Rows, open_log, store_commits, store_rows
from systock.etl_pipeline.bronze_layer.landing_log import Commit

from .project import NOW, Project, settings

MICROSECOND = timedelta(microseconds=1)


def hour(number: float) -> datetime:
    return datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=number)


def test_a_file_becomes_a_batch_with_its_rows(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.write("a.csv.gz", "id,name\n1,\n2\n\n3,x\n", 5)
    summary = project.land()
    (batch,) = project.batches()
    assert (batch.no, batch.commit_no, batch.source, batch.table, batch.mode) == (1, 1, "pos", "sales", "append")
    assert (batch.path, batch.extracted_at, batch.known_at) == ("in/a.csv.gz", hour(5), NOW)
    assert batch.position == "in/a.csv.gz@2024-01-01T05:00:00.000000Z"
    assert (batch.lines, batch.malformed, batch.blank, batch.columns) == (3, 1, 1, ("id", "name"))
    assert (batch.repeat_of, batch.complete) == (None, False)
    assert project.rows(batch) == [(2, None, "1", None), (5, None, "3", "x"), (3, "2", None, None)]
    counts = summary.of("pos", "sales")
    assert (counts.files, counts.lines, counts.malformed, counts.blank, summary.commits) == (1, 3, 1, 1, [1])
    assert project.progress == [(1, 1, (tmp_path / "in/a.csv.gz").stat().st_size)]


def test_parts_are_read_only_and_nothing_lies_aside(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.write("a.csv", "id\n1\n")
    project.land()
    (part,) = project.parts()
    assert stat.S_IMODE((project.bronze / part).stat().st_mode) == 0o444
    assert part.startswith("pos/sales/00000001-")
    assert not any((project.bronze / "tmp").iterdir())


def test_batches_of_one_table_share_a_part_while_their_columns_are_equal(tmp_path: Path) -> None:
    project = Project(tmp_path, sales={"path": "in/s*"}, stock={"path": "in/t*"})
    for number in range(6):
        header = "id,a" if number % 2 else "id,b"
        project.write(f"s{number}.csv", f"{header}\n{number},x\n")
        project.write(f"t{number}.csv", f"id\n{number}\n")
    project.land()
    assert len(project.parts()) == 3
    assert [project.rows(batch)[0][2] for batch in project.batches("sales")] == [str(number) for number in range(6)]
    project.write("s9.csv", "id,a\n9,x\n")
    project.land()
    assert len(project.parts()) == 4


def test_many_column_sets_do_not_keep_many_parts_open(tmp_path: Path) -> None:
    project = Project(tmp_path)
    for number in range(20):
        project.write(f"s{number:02}.csv", f"id,c{number % 10}\n{number},x\n")
    with patch.object(stage_commit, "MAX_OPEN_PARTS", 3):
        project.land()
    assert [project.rows(batch) for batch in project.batches()] == [[(2, None, str(n), "x")] for n in range(20)]


def test_a_large_file_has_a_part_of_its_own_and_leaves_none_when_it_is_rejected(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.write("a.csv", "id,name\n" + "1,x\n" * 500)
    project.write("b.csv", "id,name\n" + "1,x\n" * 499 + '2,"x\n')
    project.write("c.csv", "id,name\n" + "1,x\n" * 501)
    with patch("systock.extract.text_stream.SMALL_BYTES", 100), patch("systock.extract.text_stream.CHUNK", 200):
        counts = project.counts()
    assert (counts.files, counts.lines, counts.rejected) == (2, 1001, 1)
    assert [(batch.path, len(project.rows(batch))) for batch in project.batches()] == [
        ("in/a.csv", 500),
        ("in/c.csv", 501),
    ]
    assert project.batches()[0].no < project.batches()[1].no
    assert len(project.parts()) == 2
    assert not any((project.bronze / "tmp").iterdir())


def test_columns_that_appear_late_in_a_large_json_file(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.write("a.jsonl", '{"a":1}\n' * 300 + '{"b":2}\n' * 300 + "x\n")
    with (
        patch("systock.extract.text_stream.SMALL_BYTES", 100),
        patch("systock.extract.text_stream.CHUNK", 200),
        patch("systock.extract.read_json._BATCH_ROWS", 100),
        patch("systock.etl_pipeline.bronze_layer.part_writer.ROW_GROUP_ROWS", 50),
    ):
        project.land()
    (batch,) = project.batches()
    assert batch.columns == ("a", "b")
    rows = project.rows(batch)
    assert len(rows) == 601
    assert (rows[0], rows[-2], rows[-1]) == ((1, None, "1", None), (600, None, None, "2"), (601, "x", None, None))


# repeats


def test_content_that_landed_before_is_counted_not_stored(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.write("a.csv", "id\n1\n2\n")
    project.land()
    project.write("copy.csv.gz", "id\n1\n2\n", 7)
    counts = project.counts()
    assert (counts.files, counts.lines, counts.repeats) == (0, 0, 1)
    first, second = project.batches()
    assert (second.repeat_of, second.part, second.lines, second.columns) == (1, None, 2, ("id",))
    assert (second.extracted_at, second.commit_no) == (hour(7), 2)
    assert second.content_hash == first.content_hash
    assert project.land().unchanged == 2


def test_a_repeat_within_one_landing(tmp_path: Path) -> None:
    project = Project(tmp_path)
    for name in ("a", "b", "c"):
        project.write(f"{name}.csv", "id\n1\n")
    counts = project.counts()
    assert (counts.files, counts.repeats) == (1, 2)
    assert [batch.repeat_of for batch in project.batches()] == [None, 1, 1]


def test_the_same_content_is_no_repeat_in_another_table(tmp_path: Path) -> None:
    project = Project(tmp_path, sales={"path": "in/*"}, other={"path": "in/*"})
    project.write("a.csv", "id\n1\n")
    project.land()
    assert [(batch.table, batch.repeat_of) for batch in project.batches()] == [("other", None), ("sales", None)]


def test_in_full_tables_only_the_latest_extraction_counts(tmp_path: Path) -> None:
    project = Project(tmp_path, sales={"path": "in/*", "mode": "full"})
    for number, content in enumerate(["id,p\n1,5\n", "id,p\n1,5\n", "id,p\n1,6\n", "id,p\n1,5\n", "id,p\n1,5\n"]):
        project.write("prices.csv", content, number)
        project.land()
    assert [batch.repeat_of for batch in project.batches()] == [None, 1, None, None, 1]
    # A late one is compared with the latest by what extractions state, not by landing.
    project.write("late.csv", "id,p\n1,6\n", 1.5)
    project.land()
    assert project.batches()[-1].repeat_of is None


@pytest.mark.parametrize("files", [2, 5, 8])
def test_of_full_extractions_of_one_instant_the_last_by_id_is_the_latest(tmp_path: Path, files: int) -> None:
    project = Project(tmp_path, sales={"path": "in/*", "mode": "full"})
    for number in range(files):
        project.write(f"{number}.csv", f"id,p\n1,{number}\n", 1)
    project.land()
    last = max(project.batches(), key=lambda batch: batch.batch_id)
    again = last.path.replace(".csv", "_again.csv").removeprefix("in/")
    project.write(again, f"id,p\n1,{last.path[3]}\n", 2)
    project.land()
    assert project.batches()[-1].repeat_of == last.no


def test_full_extractions_of_one_landing_are_taken_in_their_order(tmp_path: Path) -> None:
    project = Project(tmp_path, sales={"path": "in/*", "mode": "full"})
    project.write("c.csv", "id,p\n1,5\n", 1)
    project.write("b.csv", "id,p\n1,6\n", 2)
    project.write("a.csv", "id,p\n1,6\n", 3)
    project.land()
    assert [(batch.path, batch.repeat_of) for batch in project.batches()] == [
        ("in/c.csv", None),
        ("in/b.csv", None),
        ("in/a.csv", 2),
    ]


def test_the_same_position_lands_once(tmp_path: Path) -> None:
    project = Project(tmp_path, "name:%Y%m%d", sales={"path": "in/*", "mode": "full"})
    project.write("a_20240105.csv", "id\n1\n", 1)
    project.write("a_20240106.csv", "id\n2\n", 1)
    project.land()
    project.write("a_20240105.csv", "id\n1\n", 9)  # delivered again: other modification time, same position
    counts = project.counts()
    assert (counts.files, counts.repeats) == (0, 1)
    assert len(project.batches()) == 2
    assert project.land().unchanged == 2
    assert len(project.log.commits()) == 2  # the two of the first landing


def test_a_changed_file_is_a_new_batch(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.write("a.csv", "id\n1\n", 1)
    project.land()
    project.write("a.csv", "id\n1\n2\n", 2)
    project.land()
    assert [(batch.path, batch.lines) for batch in project.batches()] == [("in/a.csv", 1), ("in/a.csv", 2)]


def test_settings_that_read_a_file_otherwise_make_it_new_content(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.write("a.csv", "x;y\n1;2\n")
    project.source = settings(sales={"path": "in/*", "delimiter": ","})
    project.land()
    project.source = settings(sales={"path": "in/*"})
    project.write("a.csv", "x;y\n1;2\n", 3)
    project.land()
    assert [(batch.columns, batch.repeat_of) for batch in project.batches()] == [(("x;y",), None), (("x", "y"), None)]


def test_a_header_alone_is_a_batch_without_rows(tmp_path: Path) -> None:
    project = Project(tmp_path, sales={"path": "in/*", "mode": "full"})
    project.write("a.csv", "id,name\n")
    project.land()
    (batch,) = project.batches()
    assert (batch.lines, batch.part, batch.repeat_of, batch.columns, batch.complete) == (
        0,
        None,
        None,
        ("id", "name"),
        False,
    )


# known_at


def test_stated_instants_are_commits_of_their_own_and_late_ones_take_the_clock(tmp_path: Path) -> None:
    project = Project(tmp_path, "mtime")
    for name, at in (("c", 3), ("a", 1), ("b", 1)):
        project.write(f"{name}.csv", f"id\n{name}\n", at)
    project.land()
    assert project.log.commits() == [Commit(1, hour(1)), Commit(2, hour(3))]
    assert [(batch.path, batch.commit_no) for batch in project.batches()] == [
        ("in/a.csv", 1),
        ("in/b.csv", 1),
        ("in/c.csv", 2),
    ]
    project.write("late.csv", "id\nlate\n", 2)
    project.write("equal.csv", "id\nequal\n", 3)
    project.write("new.csv", "id\nnew\n", 4)
    project.land()
    assert [(commit.no, commit.known_at) for commit in project.log.commits(after=2)] == [
        (3, hour(4)),
        (4, NOW + timedelta(minutes=1)),
    ]
    assert [(batch.path, batch.commit_no, batch.extracted_at) for batch in project.log.batches(after_commit=2)] == [
        ("in/new.csv", 3, hour(4)),
        ("in/late.csv", 4, hour(2)),
        ("in/equal.csv", 4, hour(3)),
    ]


def test_known_at_always_rises_even_when_the_clock_goes_back(tmp_path: Path) -> None:
    project = Project(tmp_path)
    for number in range(3):
        project.landings = -number
        project.write(f"{number}.csv", f"id\n{number}\n")
        project.land()
    assert [commit.known_at for commit in project.log.commits()] == [NOW, NOW + MICROSECOND, NOW + 2 * MICROSECOND]


def test_a_stated_instant_in_the_future_takes_the_clock(tmp_path: Path) -> None:
    project = Project(tmp_path, "name:%Y%m%d")
    project.write("a_20250101.csv", "id\n1\n")
    project.land()
    (batch,) = project.batches()
    assert (batch.known_at, batch.extracted_at) == (NOW, datetime(2025, 1, 1, 23, 59, 59, 999999, UTC))


def test_nothing_new_makes_no_commit(tmp_path: Path) -> None:
    project = Project(tmp_path)
    assert project.land().commits == []
    project.write("a.csv", "id\n1\n")
    project.land()
    assert project.land().commits == []
    assert len(project.log.commits()) == 1


# refused and waiting files


def test_a_refused_file_is_remembered_and_the_others_land(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.write("a.csv", "")
    bad = project.write("b.csv", b"id\n\0\n")
    project.write("c.csv", "id\n1\n")
    counts = project.counts()
    assert (counts.files, counts.rejected) == (1, 2)
    first, second = project.log.rejected()
    assert (first.path, first.reason) == ("in/a.csv", "the file is empty (0 bytes)")
    assert (second.path, second.reason) == (
        "in/b.csv",
        "row 2: the file holds a NUL byte, which no text does",
    )
    assert second.todo and (second.size, second.modified_ns) == (5, bad.stat().st_mtime_ns)
    assert (project.counts().rejected, project.land().unchanged) == (0, 3)
    project.write("b.csv", "id\n2\n", 1)
    assert project.counts().files == 1
    assert [file.path for file in project.log.rejected()] == ["in/a.csv"]


def test_a_refused_file_is_tried_again_under_other_settings(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.source = settings(sales={"path": "in/*", "encoding": "utf-8"})
    project.write("a.csv", b"id\n\xe9\n")
    assert project.counts().rejected == 1
    project.source = settings(sales={"path": "in/*"})
    assert project.counts().files == 1
    assert project.log.rejected() == []


def test_a_refused_file_that_goes_away_is_forgotten(tmp_path: Path) -> None:
    project = Project(tmp_path)
    path = project.write("a.csv", "")
    project.write("b.csv", "id\n1\n")
    project.land()
    path.unlink()
    project.land()
    assert project.log.rejected() == []
    assert project.log.seen("pos", "sales", "in/b.csv") is not None


def test_a_file_refused_by_permission_is_tried_at_every_run(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.write("a.csv", "id\n1\n")
    with patch("systock.extract.text_stream.open", side_effect=PermissionError(13, "Permission denied"), create=True):
        assert project.counts().rejected == 1
    (file,) = project.log.rejected()
    assert (file.size, file.modified_ns) == (-1, -1)
    assert project.counts().files == 1


def test_a_name_without_the_stated_instant_is_refused(tmp_path: Path) -> None:
    project = Project(tmp_path, "name:%Y%m%d")
    project.write("a.csv", "id\n1\n")
    assert project.counts().rejected == 1
    assert "%Y%m%d" in project.log.rejected()[0].reason
    assert project.land().unchanged == 1


@pytest.mark.parametrize("change", ["grow", "vanish", "cut"])
def test_a_file_that_changes_while_it_is_read_waits(tmp_path: Path, change: str) -> None:
    project = Project(tmp_path)
    path = project.write("a.csv.gz", "id\n1\n")
    project.write("b.csv", "id\n2\n")
    from systock.etl_pipeline.bronze_layer import land_batches

    read_file = land_batches.read_file

    def changing(version: object, *rest: object) -> object:
        if version.path == "in/a.csv.gz":  # type: ignore[attr-defined]
            if change == "vanish":
                path.unlink()
            elif change == "cut":
                path.write_bytes(path.read_bytes()[:-3])
            else:
                reader = read_file(version, *rest)  # type: ignore[arg-type]
                path.write_bytes(b"id\n1\n3\n")
                return reader
        return read_file(version, *rest)  # type: ignore[arg-type]

    with patch.object(land_batches, "read_file", changing):
        summary = project.land()
    counts = summary.of("pos", "sales")
    assert (counts.files, counts.waiting, counts.rejected, summary.waiting) == (1, 1, 0, ["in/a.csv.gz"])
    assert project.log.seen("pos", "sales", "in/a.csv.gz") is None
    if change == "grow":
        os.utime(path, (5, 5))
        assert project.counts().lines == 2


# the disk


def test_a_full_disk_stops_the_landing_and_leaves_what_was_there(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.write("a.csv", "id\n1\n")
    project.land()
    before = project.batches()
    project.write("b.csv", "id\n2\n")
    full = OSError(28, "Error writing bytes to file. Detail: [errno 28] No space left on device")
    for target in ("pyarrow.parquet.ParquetWriter.write_table", "os.fsync", "os.rename"):
        with patch(target, side_effect=full), pytest.raises(StorageError) as caught:
            project.land()
        assert "disk is full" in caught.value.what
        assert caught.value.todo and caught.value.transient
        assert project.batches() == before
        assert len(project.parts()) == 1
        assert not (project.bronze / "tmp").exists()
    assert project.counts().files == 1


@pytest.mark.parametrize(
    ("code", "what"),
    [
        (sqlite3.SQLITE_FULL, "full"),
        (sqlite3.SQLITE_READONLY, "read-only"),
        (sqlite3.SQLITE_IOERR | 2 << 8, "input/output"),
        (sqlite3.SQLITE_BUSY, "another process"),
    ],
)
def test_a_refusal_of_the_log_stops_the_landing(tmp_path: Path, code: int, what: str) -> None:
    project = Project(tmp_path)
    project.write("a.csv", "id\n1\n")
    error = sqlite3.OperationalError("refused")
    error.sqlite_errorcode = code
    with patch.object(landing_log, "_column_set", side_effect=error), pytest.raises(StorageError) as caught:
        project.land()
    assert what in caught.value.what
    assert (project.batches(), project.parts()) == ([], [])
    assert project.counts().files == 1


def test_a_small_file_system(tmp_path: Path) -> None:
    """A real full disk, where the tests may mount one."""
    mount = tmp_path / "disk"
    mount.mkdir()
    if os.geteuid() != 0 or os.system(f"mount -t tmpfs -o size=1600k tmpfs {mount} 2>/dev/null") != 0:
        pytest.skip("no file system can be mounted here")
    try:
        project = Project(mount)
        project.write("a.csv", "id\n1\n")
        project.land()
        big = "id,x\n" + "".join(f"{n},{os.urandom(20).hex()}\n" for n in range(30_000))
        project.write("b.csv", big)
        with pytest.raises(StorageError, match="disk is full"):
            project.land()
        assert [batch.path for batch in project.batches()] == ["in/a.csv"]
        project.write("b.csv", "id,x\n1,2\n")
        assert project.counts().files == 1
    finally:
        os.system(f"umount -l {mount}")


def test_two_landings_at_once_do_not_mix(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.write("a.csv", "id\n1\n")
    insert = stage_commit.Stage._insert

    def overtaken(stage: stage_commit.Stage, connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO commits VALUES (1, 5)")
        insert(stage, connection)

    with patch.object(stage_commit.Stage, "_insert", overtaken), pytest.raises(BusyError):
        project.land()
    assert project.log.commits() == []


def test_what_a_crash_left_is_removed_even_if_the_files_are_others_now(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.write("a.csv", "id\n1\n")
    project.land()
    path = project.write("b.csv", "id\n2\n")
    # The end comes between the moves and the log, and takes all cleaning up with it.
    with (
        patch.object(stage_commit.Stage, "_insert", side_effect=ZeroDivisionError),
        patch.object(stage_commit.Stage, "recover"),
        pytest.raises(ZeroDivisionError),
    ):
        project.land()
    assert len(project.parts()) == 2
    path.unlink()
    project.land()
    assert project.parts() == [project.batches()[0].part]


def test_parts_of_a_lost_log_are_never_removed(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.write("a.csv", "id\n1\n")
    project.land()
    parts = project.parts()
    project.log.path.unlink()
    project.land()
    assert set(parts) <= set(project.parts())
    assert project.rows(project.batches()[0]) == [(2, None, "1")]


def test_a_copied_folder_can_be_read(tmp_path: Path) -> None:
    project = Project(tmp_path / "one")
    project.write("a.csv", "id\n1\n")
    project.land()
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    for path in [*(tmp_path / "two").rglob("*"), tmp_path / "two"]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    assert open_log(tmp_path / "two").batches() == project.batches()
    assert sorted(path.name for path in project.bronze.iterdir()) == ["landing.sqlite", "pos", "tmp"]


# rows from elsewhere


def snapshot(position: str, rows: pa.Table, at: float = 1, **options: str) -> Rows:
    return Rows("systock", "stock_state", "changes", position, hour(at), rows, **options)


def test_rows_land_as_a_batch_of_their_own_position(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    rows = pa.table({"id": [1, 2], "quantity": ["1.500", None]})
    (batch,) = store_rows(log, [snapshot("stock@2024-01-01", rows)], now=NOW)
    assert (batch.source, batch.table, batch.position, batch.path) == (
        "systock",
        "stock_state",
        "stock@2024-01-01",
        "stock@2024-01-01",
    )
    assert (batch.known_at, batch.extracted_at, batch.lines) == (NOW, hour(1), 2)
    project = Project(tmp_path)
    assert project.rows(batch) == [(1, None, "1", "1.500"), (2, None, "2", None)]
    assert store_rows(log, [snapshot("twice", rows.slice(1)), snapshot("twice", rows.slice(1))], now=NOW)[0].no == 2
    # A retry is the same batch; the same rows at another position are a repeat.
    assert store_rows(log, [snapshot("stock@2024-01-01", rows)], now=NOW) == [batch]
    (repeat,) = store_rows(log, [snapshot("stock@2024-01-02", rows, 2)], now=NOW)
    assert (repeat.no, repeat.repeat_of, repeat.known_at) == (3, 1, NOW + 2 * MICROSECOND)


def test_cursors_move_with_the_batches(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    assert log.cursor("systock", "stock_state") is None
    store_rows(log, [snapshot("1", pa.table({"id": [1]}), cursor="100")], now=NOW)
    assert log.cursor("systock", "stock_state") == "100"
    with patch.object(landing_log, "_column_set", side_effect=ZeroDivisionError), pytest.raises(ZeroDivisionError):
        store_rows(log, [snapshot("2", pa.table({"id": [2]}), cursor="200")], now=NOW)
    assert log.cursor("systock", "stock_state") == "100"
    assert len(log.batches()) == 1


def test_rows_of_several_tables_share_a_commit_and_may_state_when_they_became_known(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    table = pa.table({"id": [1]})
    rows = [snapshot("1", table), Rows("erp", "items", "append", "page 1", hour(2), table)]
    batches = store_rows(log, rows, known_at=hour(3), now=NOW)
    assert [(batch.commit_no, batch.known_at) for batch in batches] == [(1, hour(3)), (1, hour(3))]
    assert log.commits() == [Commit(1, hour(3))]


def test_many_commits_land_in_their_order_and_share_a_part(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    tables = [pa.table({"id": list(range(number + 1))}) for number in range(4)]
    commits = [[snapshot(str(number), table)] for number, table in enumerate([*tables, tables[1]])]
    landed = store_commits(log, commits, known_at=hour(3), now=NOW)
    assert log.commits() == [Commit(number + 1, hour(3) + number * MICROSECOND) for number in range(5)]
    assert [[(batch.no, batch.commit_no, batch.repeat_of) for batch in batches] for batches in landed] == [
        [(1, 1, None)], [(2, 2, None)], [(3, 3, None)], [(4, 4, None)], [(5, 5, 2)],
    ]  # fmt: skip
    assert len({batches[0].part for batches in landed[:4]}) == 1 and landed[4][0].part is None
    project = Project(tmp_path)
    assert [project.rows(batches[0]) for batches in landed[:2]] == [[(1, None, "0")], [(1, None, "0"), (2, None, "1")]]
    assert store_commits(log, commits, known_at=hour(4), now=NOW) == landed, "a retry lands nothing"


def test_what_stops_among_many_commits_leaves_those_that_were_written(tmp_path: Path) -> None:
    log = open_log(tmp_path)

    def commits() -> Iterator[list[Rows]]:
        for number in range(5):
            yield [snapshot(str(number), pa.table({"id": [number]}))]
        raise ZeroDivisionError

    with patch.object(stage_commit, "MAX_STAGED_COMMITS", 2), pytest.raises(ZeroDivisionError):
        store_commits(log, commits(), now=NOW)
    assert [batch.position for batch in log.batches()] == ["0", "1", "2", "3"]
    found = {str(path.relative_to(log.path.parent)) for path in log.path.parent.rglob("*.parquet")}
    assert found == log.parts() and len(found) == 2

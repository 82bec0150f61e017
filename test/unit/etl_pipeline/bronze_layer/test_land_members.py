"""Landing members of archives and sheets of workbooks: a batch each, the rest of the archive for a later run."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import pytest
import xlsxwriter

from systock.errors import StorageError
from systock.extract.source_files import SourceFiles

from .project import NOW, Project


def packed(days: dict[int, str]) -> bytes:
    """An archive with a member per day of January."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for day, content in days.items():
            archive.writestr(zipfile.ZipInfo(f"s_202401{day:02}.csv", (2024, 1, day, 12, 0, 0)), content)
    return target.getvalue()


def workbook(sheets: dict[str, list[list[str]]]) -> bytes:
    target = io.BytesIO()
    book = xlsxwriter.Workbook(target)
    for name, rows in sheets.items():
        sheet = book.add_worksheet(name)
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
    book.close()
    return target.getvalue()


def test_a_member_is_a_batch_and_a_second_landing_opens_nothing(tmp_path: Path) -> None:
    project = Project(tmp_path, "name:%Y%m%d")
    project.write("jan.zip", packed({2: "id\n2\n", 1: "id\n1\n", 3: 'id\n"3\n', 4: "id\n1\n"}))
    counts = project.counts()
    assert (counts.files, counts.lines, counts.repeats, counts.rejected) == (2, 2, 1, 1)
    assert [(batch.path, batch.known_at.day) for batch in project.batches()] == [
        ("in/jan.zip/s_20240101.csv", 1),
        ("in/jan.zip/s_20240102.csv", 2),
        ("in/jan.zip/s_20240104.csv", 4),
    ]
    (refused,) = project.log.rejected()
    assert refused.path == "in/jan.zip/s_20240103.csv"
    assert not any((project.bronze / "tmp").iterdir())
    with patch("systock.extract.zip_archive.ZipFile", side_effect=AssertionError("opened")):
        summary = project.land()
    assert (summary.unchanged, summary.commits) == (4, [])
    # It is packed anew, the broken member mended and one more in it.
    project.write("jan.zip", packed({2: "id\n2\n", 1: "id\n1\n", 3: 'id\n"3"\n', 4: "id\n1\n", 5: "id\n5\n"}), 9)
    assert project.counts().files == 2
    assert project.log.rejected() == []


def test_members_outside_the_span_wait_for_a_later_run(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.write("jan.zip", packed({day: f"id\n{day}\n" for day in range(1, 6)}))
    first = datetime(2024, 1, 1, tzinfo=UTC)
    project.land(between=(first, first + timedelta(days=2)))
    assert [batch.path[-6:] for batch in project.batches()] == ["01.csv", "02.csv"]
    project.land()
    assert [batch.path[-6:] for batch in project.batches()] == ["01.csv", "02.csv", "03.csv", "04.csv", "05.csv"]


def test_a_damaged_archive_is_refused_once(tmp_path: Path) -> None:
    project = Project(tmp_path)
    path = project.write("jan.zip", packed({1: "id\n1\n"})[:-8])
    assert project.counts().rejected == 1
    assert project.land().unchanged == 0 and project.land().tables == {}
    (refused,) = project.log.rejected()
    assert refused.path == "in/jan.zip" and "damaged" in refused.reason
    path.unlink()
    project.land()
    assert project.log.rejected() == []


def test_a_full_disk_is_no_fault_of_the_member(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.write("jan.zip", packed({1: "id\n1\n"}))
    full = OSError(28, "No space left on device")
    with (
        patch("systock.extract.zip_archive.os.utime", side_effect=full),
        pytest.raises(StorageError, match="disk is full"),
    ):
        project.land()
    assert project.log.rejected() == [] and not (project.bronze / "tmp").exists()
    assert project.counts().files == 1


def test_an_archive_that_changes_meanwhile_waits_as_a_whole(tmp_path: Path) -> None:
    project = Project(tmp_path)
    path = project.write("jan.zip", packed({1: "id\n1\n", 2: "id\n2\n"}))

    def changing(*given: object) -> object:
        path.write_bytes(packed({1: "id\n1\n", 2: "id\n3\n"}))
        return local(*given)  # type: ignore[arg-type]

    local = SourceFiles.local
    with patch.object(SourceFiles, "local", changing):
        assert project.counts().waiting == 2
    assert project.counts().files == 2


def test_the_sheets_of_a_workbook_land_together(tmp_path: Path) -> None:
    project = Project(tmp_path, sales={"path": "in/*.xlsx", "sheet": "Store *"})
    project.write(
        "counts.xlsx", workbook({"Store 1": [["id"], ["1"]], "Store 2": [["id"], ["1"], ["2"]], "Notes": [["x"]]})
    )
    counts = project.counts()
    assert (counts.files, counts.lines) == (1, 3)
    assert [(batch.path, project.rows(batch)) for batch in project.batches()] == [
        ("in/counts.xlsx/Store 1", [(2, None, "1")]),
        ("in/counts.xlsx/Store 2", [(2, None, "1"), (3, None, "2")]),
    ]
    assert {batch.known_at for batch in project.batches()} == {NOW}
    assert project.land().unchanged == 1
    # Saved again with one sheet changed: only that one is news.
    project.write("counts.xlsx", workbook({"Store 1": [["id"], ["1"]], "Store 2": [["id"], ["3"]]}), 9)
    project.land()
    assert [batch.repeat_of for batch in project.batches()] == [None, None, 1, None]

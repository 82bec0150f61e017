"""What the disk refuses becomes an error that says what to do."""

from __future__ import annotations

import errno
import stat
from pathlib import Path

import pytest

from systock.errors import StorageError
from systock.etl_pipeline.bronze_layer.durable import make_folder, move, storage_errors, sync_file


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO])
def test_refusals_are_storage_errors(tmp_path: Path, code: int) -> None:
    with pytest.raises(StorageError) as caught, storage_errors(tmp_path):
        raise OSError(code, "no", "part.parquet")
    may_pass = code in (errno.ENOSPC, errno.EDQUOT, errno.EIO)  # what may not be written stays so
    assert (caught.value.where, caught.value.transient) == ("part.parquet", may_pass)
    assert caught.value.todo and caught.value.state


def test_other_errors_stay_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), storage_errors(tmp_path):
        move(tmp_path / "none", tmp_path / "x")


def test_folders_and_files(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    make_folder(folder)
    make_folder(folder)
    file = folder / "x"
    file.write_text("x")
    sync_file(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o444
    with pytest.raises(StorageError), storage_errors(folder):
        raise PermissionError(errno.EACCES, "Permission denied")

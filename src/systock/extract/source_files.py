"""The files of one source wherever they lie: in the project, in archives, in remote stores; each as a file to read."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from systock.extract.batch import FileVersion, FoundFile, SourceSettings
from systock.extract.find_files import find_files, merged
from systock.extract.remote_files import RemoteFiles, is_remote
from systock.extract.text_stream import reading
from systock.extract.zip_archive import members, unpack


class SourceFiles:
    """Finds a source's files and hands them over; what is no file of the project is copied into the folder `spool`.

    A copy lasts while it is read, that of a remote archive until close().
    """

    def __init__(self, name: str, settings: SourceSettings, project_dir: Path, spool: Path) -> None:
        self.name, self.settings = name, settings
        self._project_dir, self._spool = project_dir, spool
        self._stores: dict[str, RemoteFiles] = {}
        self._archives: dict[FoundFile, Path] = {}

    def find(self, table: str) -> list[FoundFile]:
        """All files that the patterns of a table mean, by path."""
        paths = [*self.settings.tables[table].path]
        found = find_files(
            [path for path in paths if not is_remote(path)],
            self._project_dir,
            f"sources.{self.name}.tables.{table}.path",
        )
        return merged(found + [file for path in paths if is_remote(path) for file in self._store(path).find(path)])

    def is_still(self, file: FoundFile) -> bool:
        """Does it lie there, as it was found?"""
        if is_remote(file.path):
            return self._store(file.path).is_still(file)
        try:
            status = (self._project_dir / file.path).stat()
        except OSError:
            return False
        return (status.st_size, status.st_mtime_ns) == (file.size, file.modified_ns)

    def members(self, archive: FoundFile, timezone: str) -> list[FoundFile]:
        """The members of an archive that are meant."""
        with self._archive(archive) as stored, reading(archive.path), open(stored, "rb") as file:
            return members(archive, file, timezone)

    @contextmanager
    def local(self, version: FileVersion) -> Iterator[Path]:
        """A version as a file of this machine."""
        if version.archive is None and not is_remote(version.path):
            yield self._project_dir / version.path
            return
        copy = self._new_copy()
        try:
            if version.archive is not None:
                with self._archive(version.archive) as stored, reading(version.path):
                    unpack(version, version.archive, stored, copy)
            else:
                found = FoundFile(version.path, version.size, version.modified_ns)
                self._store(version.path).fetch(found, copy)
            yield copy
        finally:
            copy.unlink(missing_ok=True)

    def close(self) -> None:
        """Remove the copies."""
        for copy in self._archives.values():
            with suppress(OSError):
                copy.unlink()

    @contextmanager
    def _archive(self, archive: FoundFile) -> Iterator[Path]:
        if not is_remote(archive.path):
            yield self._project_dir / archive.path
            return
        if archive not in self._archives:
            self._archives[archive] = copy = self._new_copy()
            try:
                self._store(archive.path).fetch(archive, copy)
            except BaseException:
                self._archives.pop(archive).unlink(missing_ok=True)
                raise
        yield self._archives[archive]

    def _new_copy(self) -> Path:
        self._spool.mkdir(parents=True, exist_ok=True)
        return self._spool / uuid.uuid4().hex

    def _store(self, path: str) -> RemoteFiles:
        address = RemoteFiles.address_of(path)
        if address not in self._stores:
            self._stores[address] = RemoteFiles(address, self.settings.remote, self.name)
        return self._stores[address]

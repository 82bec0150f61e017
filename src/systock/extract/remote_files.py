"""Files in S3-compatible stores and on SFTP servers, through fsspec: found by pattern, brought here in a stream."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn, TypeVar, cast
from urllib.parse import SplitResult, urlsplit

from systock.errors import SettingsError, SourceError
from systock.extract.batch import FileChanging, FileRejected, FoundFile, RemoteSettings, Secret
from systock.extract.find_files import ARCHIVE_SUFFIX, UNFINISHED_SUFFIXES, name_test

SCHEMES = ("s3://", "sftp://")

#: Faults that trying again does not mend, by their names in the libraries.
_LASTING = {
    "PermissionError", "SFTPPermissionDenied", "PermissionDenied", "HostKeyNotVerifiable", "NoCredentialsError",
    "PartialCredentialsError", "KeyImportError", "KeyEncryptionError", "IllegalUserName", "ParamValidationError",
    "InvalidRegionError", "InvalidConfigError",
}  # fmt: skip
_Result = TypeVar("_Result")


def is_remote(path: str) -> bool:
    """Is it the address of a remote file, or pattern of such?"""
    return path.startswith(SCHEMES)


class RemoteFiles:
    """The files behind the addresses of one store: `s3://bucket` or `sftp://user@host:port`.

    A network fault, or nothing coming for longer than the timeout, is a transient SourceError. Of a file's version its
    modification time tells the microseconds; the nanoseconds stand for its ETag, which tells two of one instant apart.
    """

    def __init__(self, address: str, settings: RemoteSettings, source: str) -> None:
        self._address, self._settings, self._source = address, settings, source
        self._seconds = settings.timeout.total_seconds()
        self._system = self._guarded(address, lambda: _file_system(urlsplit(address), settings, source))

    @staticmethod
    def address_of(path: str) -> str:
        """The store that holds a remote path."""
        parts = urlsplit(path)
        return f"{parts.scheme}://{parts.netloc}"

    def find(self, pattern: str) -> list[FoundFile]:
        """The files that a pattern means, as find_files has it for those of the project."""
        parts = [part for part in pattern.removeprefix(self._address).split("/") if part not in ("", ".")]

        async def every() -> list[FoundFile]:
            return [file async for file in self._walk("", parts)]

        return self._run(pattern, every())

    def is_still(self, file: FoundFile) -> bool:
        """Is it there, in this version?"""
        try:
            now = self._run(file.path, self._info(file.path))
        except FileNotFoundError:
            return False
        return _version(now) == _version(file)

    def fetch(self, file: FoundFile, target: Path) -> None:
        """Bring a file here, as one with its size and modification time; raises FileChanging, FileRejected, SourceError."""
        try:
            self._run(file.path, self._stream(file.path, target))
        except FileNotFoundError:
            raise FileChanging("the file went away before it was read", where=file.path) from None
        except SourceError as error:
            if error.transient:
                raise
            raise FileRejected(error.what, where=file.path, todo=error.todo, again=True) from None
        if not self.is_still(file) or target.stat().st_size != file.size:
            raise FileChanging("the file changed while it was read: it waits for the next run", where=file.path)
        os.utime(target, ns=(file.modified_ns, file.modified_ns))

    async def _walk(self, folder: str, parts: Sequence[str]) -> AsyncIterator[FoundFile]:
        head, rest = parts[0], parts[1:]
        if head == "**":
            async for file in self._walk(folder, rest or ["*"]):
                yield file
        matches: Callable[[str], object] = (lambda name: True) if head == "**" else name_test(head)
        try:
            entries = await self._within(self._system._ls(self._inside(folder) or "/", detail=True))
        except FileNotFoundError:
            if folder == "" and self._address.startswith("s3:"):
                raise self._no_bucket() from None
            return
        for entry in entries:
            name = entry["name"].rstrip("/").rpartition("/")[2]
            below = f"{folder}/{name}"
            if (
                not name
                or name.startswith(".")
                or not matches(name)
                or entry["name"].strip("/") == self._inside(folder).strip("/")
            ):
                continue
            if entry["type"] == "link":
                try:
                    entry = await self._within(self._system._info(self._inside(below)))
                except FileNotFoundError:
                    continue
            if entry["type"] == "directory":
                if head == "**" or rest:
                    async for file in self._walk(below, parts if head == "**" else rest):
                        yield file
                continue
            is_archive = name.lower().endswith(ARCHIVE_SUFFIX)
            if (
                head != "**" and not name.lower().endswith(UNFINISHED_SUFFIXES)
                and (not rest or (is_archive and head.lower().endswith(ARCHIVE_SUFFIX)))
            ):  # fmt: skip
                yield self._found(below, entry, ("/".join(rest or ["**"]),) if is_archive else ())

    def _inside(self, path: str) -> str:
        """A path as its file system has it: with the bucket, where there is one."""
        parts = urlsplit(self._address)
        return f"{parts.netloc}{path}" if parts.scheme == "s3" else path

    def _found(self, path: str, info: Mapping[str, Any], members: tuple[str, ...] = ()) -> FoundFile:
        modified: datetime = info.get("LastModified") or info["mtime"]
        tag = int.from_bytes(hashlib.sha256(str(info.get("ETag", "")).encode()).digest()[:8]) % 1000
        seconds = int(modified.timestamp())
        modified_ns = seconds * 1_000_000_000 + modified.microsecond * 1000 + tag
        return FoundFile(f"{self._address}{path}", int(info["size"]), modified_ns, members)

    async def _info(self, address: str) -> FoundFile:
        path = address.removeprefix(self._address)
        return self._found(path, await self._within(self._system._info(self._inside(path))))

    async def _within(self, work: Awaitable[_Result]) -> _Result:
        return await asyncio.wait_for(work, self._seconds)

    async def _stream(self, address: str, target: Path) -> None:
        """Bring a file here, as long as something comes."""
        from fsspec.callbacks import Callback

        came = Callback()
        path = self._inside(address.removeprefix(self._address))
        work = asyncio.ensure_future(self._system._get_file(path, str(target), callback=came, max_concurrency=1))
        try:
            before = None
            while not work.done() and (before is None or came.value > before):
                before = came.value
                await asyncio.wait({work}, timeout=self._seconds)
            if not work.done():
                raise TimeoutError
            work.result()
        finally:
            work.cancel()

    def _run(self, address: str, work: Coroutine[Any, Any, _Result]) -> _Result:
        from fsspec.asyn import sync

        return self._guarded(address, lambda: cast(_Result, sync(self._system.loop, lambda: work)))

    def _guarded(self, address: str, call: Callable[[], _Result]) -> _Result:
        try:
            return call()
        except (FileNotFoundError, SettingsError, SourceError):
            raise
        except Exception as error:  # whatever the libraries and the network have to say
            self._fail(address, error)

    def _no_bucket(self) -> SourceError:
        return SourceError(
            f"there is no bucket {urlsplit(self._address).netloc!r}", where=self._address,
            state="What landed before stays; the next run goes on.",
            todo=f"Correct path of the table, or endpoint_url and region of [sources.{self._source}.remote].",
        )  # fmt: skip

    def _fail(self, address: str, error: Exception) -> NoReturn:
        kinds = {kind.__name__ for kind in type(error).__mro__}
        setting = f"[sources.{self._source}.remote]"
        said = " ".join(str(error).split()) or type(error).__name__
        if kinds & {"TimeoutError", "FSTimeoutError"}:
            said = f"nothing came for {self._seconds:g} seconds"
        if kinds & _LASTING:
            fault = SourceError(
                f"access is refused: {said}", where=address, todo=f"Check {setting} and the rights there."
            )
        else:
            fault = SourceError(
                f"cannot be reached: {said}", where=address, state="What landed before stays; the next run goes on.",
                todo=f"Check that it answers, and {setting}; then run again.",
            )  # fmt: skip
            fault.transient = True
        raise fault from None


def _version(file: FoundFile) -> tuple[int, int, int]:
    # One question may answer with parts of the second, the other without.
    return file.size, file.modified_ns // 1_000_000_000, file.modified_ns % 1000


def _file_system(address: SplitResult, settings: RemoteSettings, source: str) -> Any:
    def secret(value: Secret | None) -> str | None:
        return value.get_secret_value() if value is not None else None

    seconds = settings.timeout.total_seconds()
    try:
        if address.scheme == "s3":
            from s3fs import S3FileSystem

            return S3FileSystem(
                anon=settings.anonymous,
                key=secret(settings.access_key),
                secret=secret(settings.secret_key),
                endpoint_url=settings.endpoint_url or None,
                client_kwargs={"region_name": settings.region} if settings.region else {},
                config_kwargs={"connect_timeout": seconds, "read_timeout": seconds, "retries": {"max_attempts": 2}},
                use_listings_cache=False,
                skip_instance_cache=True,
            )
        from sshfs import SSHFileSystem
    except ImportError as error:
        raise SettingsError(
            f"{address.scheme}:// paths need the package {error.name}", where=f"sources.{source}",
            todo="Install SyStock with it: pip install 'systock[remote]'.",
        ) from None  # fmt: skip
    options: dict[str, Any] = {
        "port": address.port, "username": address.username, "password": secret(settings.password),
        "client_keys": [os.path.expanduser(settings.private_key)] if settings.private_key else None,
        "passphrase": secret(settings.passphrase),
    }  # fmt: skip
    return SSHFileSystem(
        address.hostname,
        # Never without a look at the server's key: the one that is set, else those that this user knows.
        known_hosts=f"* {settings.host_key}\n".encode() if settings.host_key else (),
        connect_timeout=seconds,
        login_timeout=seconds,
        keepalive_interval=max(1.0, seconds / 3),
        skip_instance_cache=True,
        **{name: value for name, value in options.items() if value is not None},
    )

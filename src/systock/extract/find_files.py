"""Files that match a table's path patterns: inside the project only, without hidden and half-written ones."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import translate
from pathlib import Path

from systock.errors import SettingsError

#: Names that programs give to files that are not finished.
UNFINISHED_SUFFIXES = (".tmp", ".part", ".partial", ".crdownload", "~")


@dataclass(frozen=True)
class FoundFile:
    """A file as it lies there now; path is relative to the project."""

    path: str
    size: int
    modified_ns: int


def find_files(patterns: str | Sequence[str], project_dir: Path, setting: str) -> list[FoundFile]:
    """All files that one of the patterns names, by path; `**` stands for any folders, and does not follow links."""
    root = os.path.realpath(project_dir)
    found: dict[str, FoundFile] = {}
    for pattern in (patterns,) if isinstance(patterns, str) else patterns:
        parts = pattern.split("/")
        if pattern.startswith(("/", "~")) or "\\" in pattern or ".." in parts or re.match(r"[A-Za-z]:", pattern):
            raise SettingsError(
                f"{pattern!r} leaves the project folder: only paths inside it are read",
                where=setting,
                todo="give a path relative to the project, and copy the files into it",
            )
        parts = [part for part in parts if part not in ("", ".")]
        for entry in _walk(root, "", parts, root, setting):
            if entry.path not in found:
                found[entry.path] = entry
    return [found[path] for path in sorted(found)]


def _walk(folder: str, path: str, parts: list[str], root: str, setting: str) -> Iterator[FoundFile]:
    if not parts:
        return
    head, rest = parts[0], parts[1:]
    if head == "**":
        # Zero folders, then every folder below; a pattern that ends in ** means all files below.
        yield from _walk(folder, path, rest or ["*"], root, setting)
        matches = _always
    else:
        matches = re.compile(translate(head)).match if any(sign in head for sign in "*?[") else head.__eq__  # type: ignore[assignment]
    try:
        with os.scandir(folder) as scan:
            entries = [entry for entry in scan if not entry.name.startswith(".") and matches(entry.name)]
    except (FileNotFoundError, NotADirectoryError):
        return
    except PermissionError as error:
        raise SettingsError(
            f"the folder {path or '.'!r} cannot be read: {error.strerror}", where=setting, todo="check its permissions"
        ) from None
    for entry in entries:
        below = f"{path}/{entry.name}" if path else entry.name
        try:
            link = entry.is_symlink()
            if link and head != "**":
                _inside(entry.path, root, below, setting)
            if head == "**":
                if not link and entry.is_dir():
                    yield from _walk(entry.path, below, parts, root, setting)
            elif rest:
                if entry.is_dir():
                    yield from _walk(entry.path, below, rest, root, setting)
            elif entry.is_file() and not entry.name.lower().endswith(UNFINISHED_SUFFIXES):
                status = entry.stat()
                yield FoundFile(below, status.st_size, status.st_mtime_ns)
        except FileNotFoundError:
            continue  # It went away while the folder was read, or is a link to nothing.


def _always(name: str) -> bool:
    return True


def _inside(target: str, root: str, path: str, setting: str) -> None:
    real = os.path.realpath(target)
    if real != root and not real.startswith(root + os.sep):
        raise SettingsError(
            f"{path!r} is a link that leaves the project folder (to {real!r}): only files inside it are read",
            where=setting,
            todo="copy the files into the project, or narrow the path",
        )

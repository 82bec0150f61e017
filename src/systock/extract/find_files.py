"""Files that match a table's path patterns: inside the project only, without hidden and half-written ones.

A pattern may go on behind a `.zip`: `2024.zip/till/*.csv` means members of the archive, `2024.zip` alone all of them.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from fnmatch import translate
from pathlib import Path

from systock.errors import SettingsError
from systock.extract.batch import FoundFile

#: Names that programs give to files that are not finished.
UNFINISHED_SUFFIXES = (".tmp", ".part", ".partial", ".crdownload", "~")
ARCHIVE_SUFFIX = ".zip"


def find_files(patterns: str | Sequence[str], project_dir: Path, setting: str) -> list[FoundFile]:
    """All files that one of the patterns names, by path; `**` stands for any folders, and does not follow links.

    A link that leaves the project is found with where it leads, and never followed. Raises SettingsError for a pattern that does.
    """
    root = os.path.realpath(project_dir)
    found: list[FoundFile] = []
    for pattern in (patterns,) if isinstance(patterns, str) else patterns:
        parts = pattern.split("/")
        if pattern.startswith(("/", "~")) or "\\" in pattern or ".." in parts or re.match(r"[A-Za-z]:", pattern):
            raise SettingsError(
                f"{pattern!r} leaves the project folder: only paths inside it are read",
                where=setting,
                todo="give a path relative to the project, and copy the files into it",
            )
        parts = [part for part in parts if part not in ("", ".")]
        found += _walk(root, "", parts, root, setting)
    return merged(found)


def merged(found: Iterable[FoundFile]) -> list[FoundFile]:
    """Each file once, by path; of an archive the members that any of the patterns means."""
    by_path: dict[str, FoundFile] = {}
    for file in found:
        before = by_path.setdefault(file.path, file)
        by_path[file.path] = replace(before, members=tuple(dict.fromkeys(before.members + file.members)))
    return [by_path[path] for path in sorted(by_path)]


def _walk(folder: str, path: str, parts: list[str], root: str, setting: str) -> Iterator[FoundFile]:
    if not parts:
        return
    head, rest = parts[0], parts[1:]
    if head == "**":
        # Zero folders, then every folder below; a pattern that ends in ** means all files below.
        yield from _walk(folder, path, rest or ["*"], root, setting)
        matches: Callable[[str], object] = _always
    else:
        matches = name_test(head)
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
            leads_to = os.path.realpath(entry.path) if link and head != "**" else root
            if leads_to != root and not leads_to.startswith(root + os.sep):
                yield FoundFile(below, 0, entry.stat(follow_symlinks=False).st_mtime_ns, leads_to=leads_to)
            elif head == "**":
                if not link and entry.is_dir():
                    yield from _walk(entry.path, below, parts, root, setting)
            elif rest and entry.is_dir():
                yield from _walk(entry.path, below, rest, root, setting)
            elif entry.is_file() and not entry.name.lower().endswith(UNFINISHED_SUFFIXES):
                is_archive = entry.name.lower().endswith(ARCHIVE_SUFFIX)
                if not rest or (is_archive and head.lower().endswith(ARCHIVE_SUFFIX)):
                    status, members = entry.stat(), ("/".join(rest or ["**"]),) if is_archive else ()
                    yield FoundFile(below, status.st_size, status.st_mtime_ns, members)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ELOOP):
                raise
            # It went away while the folder was read, or is a link to nothing, or to itself.


def member_matches(member: str, pattern: str) -> bool:
    """Is a member of an archive, by its path there, one that a pattern means? As with files: none hidden or unfinished."""
    names = member.split("/")
    if any(name.startswith(".") or name == "__MACOSX" for name in names) or member.lower().endswith(
        UNFINISHED_SUFFIXES
    ):
        return False
    return _matches(names, pattern.split("/"))


def _matches(names: Sequence[str], parts: Sequence[str]) -> bool:
    if not parts or not names:
        return not parts and not names
    if parts[0] == "**":
        return _matches(names, parts[1:] or ["*"]) or _matches(names[1:], parts)
    return bool(name_test(parts[0])(names[0])) and _matches(names[1:], parts[1:])


def name_test(part: str) -> Callable[[str], object]:
    """Whether a name is one that a part of a pattern means."""
    return re.compile(translate(part)).match if any(sign in part for sign in "*?[") else part.__eq__


def _always(name: str) -> bool:
    return True

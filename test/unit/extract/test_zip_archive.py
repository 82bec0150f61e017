"""Archives: which members are meant, each as a file of its own, and what is refused."""

from __future__ import annotations

import io
import os
import struct
import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from systock.extract.batch import FileChanging, FileRejected, FileVersion, Listing, SeenFile
from systock.extract.extract_files import list_files, settings_text
from systock.extract.source_files import SourceFiles

from .reading import collect, read_file, source_settings, write

NOW = datetime(2024, 6, 30, tzinfo=UTC)


def packed(members: dict[str, bytes | str], at: tuple[int, ...] = (2024, 5, 31, 12, 0, 0)) -> bytes:
    """A zip archive of these members."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name, at)  # type: ignore[arg-type]
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return target.getvalue()


def listed(project: Path, path: str | list[str], seen: Any = None, timezone: str = "UTC", **settings: Any) -> Listing:
    """What one table finds."""
    source = source_settings(sales={"path": path, **settings})
    files = SourceFiles("pos", source, project, project / "spool")
    return list_files(files, seen or {}, NOW, timezone=timezone, sleep=lambda seconds: None)


def unpacked(project: Path, version: FileVersion) -> AbstractContextManager[Path]:
    """The member as a file."""
    return SourceFiles("pos", source_settings(sales={"path": "x"}), project, project / "spool").local(version)


def contents(project: Path, listing: Listing) -> dict[str, dict[int, tuple[str | None, ...]]]:
    """The rows of every member that was found."""
    found = {}
    for version in listing.pending:
        table = source_settings(sales={"path": "x"}).tables["sales"]
        with unpacked(project, version) as file:
            reader = read_file(version, table, project, file)
            found[version.path] = collect(reader).rows
    return found


def test_every_member_is_a_file_of_its_own(tmp_path: Path) -> None:
    write(
        tmp_path / "in/may.zip",
        packed({"a.csv": "id\n1\n", "till/b.csv": "id\n2\n", "till/": "", "c.json": '[{"id":3}]'}),
    )
    listing = listed(tmp_path, "in/*.zip")
    assert contents(tmp_path, listing) == {
        "in/may.zip/a.csv": {2: ("1",)},
        "in/may.zip/c.json": {1: ("3",)},
        "in/may.zip/till/b.csv": {2: ("2",)},
    }
    assert not any((tmp_path / "spool").iterdir())


@pytest.mark.parametrize(
    ("pattern", "members"),
    [
        ("may.zip", ["a.csv", "b.txt", "x/a.csv", "x/y/a.csv"]),
        ("may.zip/**", ["a.csv", "b.txt", "x/a.csv", "x/y/a.csv"]),
        ("may.zip/*.csv", ["a.csv"]),
        ("*.zip/*/*.csv", ["x/a.csv"]),
        ("may.zip/**/*.csv", ["a.csv", "x/a.csv", "x/y/a.csv"]),
        ("m?y.ZIP", []),
        ("may.zip/x/y/a.csv", ["x/y/a.csv"]),
        (["may.zip/a.*", "may.zip/b.*"], ["a.csv", "b.txt"]),
        ("**/*.zip", ["a.csv", "b.txt", "x/a.csv", "x/y/a.csv"]),
        ("*/*.csv", []),
    ],
)
def test_a_pattern_goes_on_into_the_archive(tmp_path: Path, pattern: str | list[str], members: list[str]) -> None:
    names = ["a.csv", "b.txt", "x/a.csv", "x/y/a.csv", ".hidden.csv", "__MACOSX/a.csv", "x/.git/a.csv", "c.csv.tmp"]
    write(tmp_path / "may.zip", packed(dict.fromkeys(names, "id\n1\n")))
    found = [version.path for version in listed(tmp_path, pattern).pending]
    assert found == [f"may.zip/{member}" for member in members]


def test_a_folder_may_be_called_like_an_archive(tmp_path: Path) -> None:
    write(tmp_path / "may.zip/a.csv", "id\n1\n")
    assert [version.path for version in listed(tmp_path, "may.zip/*.csv").pending] == ["may.zip/a.csv"]


def test_a_member_has_the_time_that_it_was_packed_with(tmp_path: Path) -> None:
    write(tmp_path / "a.zip", packed({"x.csv": "id\n1\n"}))
    (version,) = listed(tmp_path, "a.zip", timezone="Europe/Berlin").pending
    assert version.extracted_at == datetime(2024, 5, 31, 10, tzinfo=UTC)
    write(tmp_path / "a.zip", packed({"x.csv": "id\n1\n"}, (1980, 1, 1, 0, 0, 0)), modified=1_700_000_000)
    (version,) = listed(tmp_path, "a.zip").pending
    assert version.extracted_at == datetime.fromtimestamp(1_700_000_000, UTC)
    # As an instant, where there is one: without any zone to guess.
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        info = zipfile.ZipInfo("x.csv", (2024, 5, 31, 12, 0, 0))
        info.extra = b"\x75\x70\x01\x00\x00" + struct.pack("<HHBi", 0x5455, 5, 1, 1_710_000_000)
        archive.writestr(info, "id\n1\n")
    write(tmp_path / "a.zip", target.getvalue())
    (version,) = listed(tmp_path, "a.zip", timezone="Asia/Tokyo").pending
    assert version.extracted_at == datetime.fromtimestamp(1_710_000_000, UTC)


def test_a_members_name_states_its_instant(tmp_path: Path) -> None:
    write(tmp_path / "2024.zip", packed({"s_20240301.csv": "id\n1\n", "s_20240302.csv": "id\n2\n", "s.csv": "id\n3\n"}))
    listing = listed(tmp_path, "2024.zip", known_at="name:%Y%m%d")
    assert [version.known_at and version.known_at.date().isoformat() for version in listing.pending] == [
        "2024-03-01",
        "2024-03-02",
    ]
    assert [version.path for version, _ in listing.rejected] == ["2024.zip/s.csv"]


def seen_of(project: Path, listing: Listing, refused: dict[str, str] | None = None) -> dict[tuple[str, str], SeenFile]:
    """What the log knows after all of it was dealt with."""
    seen = {
        ("sales", version.path): SeenFile(version.size, version.modified_ns, (refused or {}).get(version.path))
        for version in listing.pending
    }
    return seen | {
        ("sales", version.path): SeenFile(version.size, version.modified_ns, text) for version, text in listing.archives
    }


def test_an_archive_that_was_dealt_with_is_not_opened_again(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zip", packed({"x.csv": "id\n1\n", "y.csv": "id\n2\n"}))
    seen = seen_of(tmp_path, listed(tmp_path, "a.zip/*"))
    with patch("systock.extract.zip_archive.ZipFile", side_effect=AssertionError("opened")):
        again = listed(tmp_path, "a.zip/*", seen)
    assert (again.pending, again.unchanged, again.gone) == ([], 2, [])
    # With other settings it is looked into again, but what landed is not read again; other members are.
    wider = listed(tmp_path, ["a.zip/x*"], seen)
    assert (wider.pending, wider.unchanged) == ([], 1)
    # With another time its members are: their own times say whether they are new.
    write(path, packed({"x.csv": "id\n1\n", "y.csv": "id\n2\n", "z.csv": "id\n3\n"}), modified=1_700_000_001)
    newer = listed(tmp_path, "a.zip/*", seen)
    assert [version.path for version in newer.pending] == ["a.zip/z.csv"]
    path.unlink()
    assert listed(tmp_path, "a.zip/*", seen).gone == [("sales", "a.zip")]


def test_a_refused_member_is_tried_again_when_the_settings_change(tmp_path: Path) -> None:
    write(tmp_path / "a.zip", packed({"x.csv": "id\n1\n", "y.csv": "id\n2\n"}))
    text = settings_text(source_settings(sales={"path": "a.zip"}).tables["sales"], "landing")
    seen = seen_of(tmp_path, listed(tmp_path, "a.zip"), {"a.zip/x.csv": text})
    assert (listed(tmp_path, "a.zip", seen).pending, listed(tmp_path, "a.zip", seen).gone) == ([], [])
    again = listed(tmp_path, "a.zip", seen, delimiter=";")
    assert [version.path for version in again.pending] == ["a.zip/x.csv"]


@pytest.mark.parametrize("name", ["../x.csv", "/etc/x.csv", "in/../../x.csv", "C:/x.csv", "..\\x.csv", "\\x.csv"])
def test_a_member_whose_path_leaves_the_archive_refuses_it(tmp_path: Path, name: str) -> None:
    write(tmp_path / "a.zip", packed({"a.csv": "id\n1\n", "AA" + "b" * (len(name) - 2): "id\n2\n"}))
    data = (tmp_path / "a.zip").read_bytes().replace(b"AA" + b"b" * (len(name) - 2), name.encode())
    write(tmp_path / "a.zip", data)
    listing = listed(tmp_path, "a.zip")
    assert listing.pending == [] and listing.archives == []
    ((version, error),) = listing.rejected
    assert version.path == "a.zip" and "leaves the archive" in error.what
    assert not (tmp_path.parent / "x.csv").exists()


def _encrypted(data: bytes) -> bytes:
    """The same, its members marked as encrypted in both places."""
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.find(signature)
        while at >= 0:
            data = data[: at + place] + b"\x01" + data[at + place + 1 :]
            at = data.find(signature, at + 4)
    return data


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (_encrypted, "the member is encrypted"),
        (lambda data: data.replace(b"\x08\x00", b"\x09\x00"), "damaged or packed in a way that is not read"),
        (lambda data: data[:40] + bytes([data[40] ^ 255]) + data[41:], "damaged"),
    ],
)
def test_a_member_that_cannot_be_unpacked_is_refused(
    tmp_path: Path, change: Callable[[bytes], bytes], what: str
) -> None:
    write(tmp_path / "a.zip", change(packed({"x.csv": "id,name\n" + "1,some name\n" * 50})))
    (version,) = listed(tmp_path, "a.zip").pending
    with pytest.raises(FileRejected, match=what) as caught, unpacked(tmp_path, version):
        pass
    assert caught.value.where == "a.zip/x.csv"
    assert not any((tmp_path / "spool").iterdir())


def test_a_member_made_to_fill_a_disk_is_refused(tmp_path: Path) -> None:
    with patch("systock.extract.zip_archive.BOMB_BYTES", 1 << 20):
        write(tmp_path / "a.zip", packed({"zeros.csv": b"0" * (2 << 20), "x.csv": os.urandom(2 << 20)}))
        for version, refused in zip(listed(tmp_path, "a.zip").pending, (False, True), strict=True):
            if refused:
                with (
                    pytest.raises(FileRejected, match="more than 200 times") as caught,
                    unpacked(tmp_path, version),
                ):
                    pass
                assert caught.value.where == "a.zip/zeros.csv"
            else:
                with unpacked(tmp_path, version) as file:
                    assert file.stat().st_size == 2 << 20


def test_a_member_that_is_larger_than_it_says_stops_there(tmp_path: Path) -> None:
    data = packed({"x.csv": b"0" * (8 << 20)})
    said = struct.pack("<I", 8 << 20)
    write(tmp_path / "a.zip", data.replace(said, struct.pack("<I", 1000)))
    (version,) = listed(tmp_path, "a.zip").pending
    with pytest.raises(FileRejected, match="damaged"), unpacked(tmp_path, version):
        pass


def test_members_that_overlap_refuse_the_archive(tmp_path: Path) -> None:
    data = packed({"x.csv": os.urandom(5000)})
    start = data.index(b"PK\x01\x02")
    end = data.index(b"PK\x05\x06")
    entry, tail = data[start:end], bytearray(data[end:])
    tail[8:12] = struct.pack("<HH", 9, 9)
    tail[12:16] = struct.pack("<I", 9 * len(entry))
    write(
        tmp_path / "a.zip",
        data[:start] + b"".join(entry.replace(b"x.csv", b"%d.csv" % n) for n in range(9)) + bytes(tail),
    )
    ((_version, error),) = listed(tmp_path, "a.zip").rejected
    assert "overlap" in error.what


@pytest.mark.parametrize("content", [b"", b"id\n1\n", packed({"x.csv": "id\n1\n"})[:-10]])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    write(tmp_path / "a.zip", content)
    ((version, error),) = listed(tmp_path, "a.zip").rejected
    assert version.path == "a.zip" and "damaged" in error.what


def test_an_archive_within_an_archive_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.zip", packed({"b.zip": packed({"x.csv": "id\n1\n"})}))
    with pytest.raises(FileRejected, match="a zip archive or a workbook"):
        contents(tmp_path, listed(tmp_path, "a.zip"))


def test_an_archive_that_changes_before_a_member_is_read_waits(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zip", packed({"x.csv": "id\n1\n"}))
    (version,) = listed(tmp_path, "a.zip").pending
    write(path, packed({"x.csv": "id\n2\n"}), modified=1_700_000_009)
    with pytest.raises(FileChanging), unpacked(tmp_path, version):
        pass
    path.unlink()
    with pytest.raises(FileChanging), unpacked(tmp_path, version):
        pass


def test_an_archive_that_changes_while_a_member_is_unpacked_waits(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zip", packed({"x.csv": "id\n1\n"}))
    (version,) = listed(tmp_path, "a.zip").pending
    opened = zipfile.ZipFile.open

    def touched(*given: Any) -> Any:
        os.utime(path, (1_700_000_009, 1_700_000_009))
        return opened(*given)

    with patch.object(zipfile.ZipFile, "open", touched), pytest.raises(FileChanging), unpacked(tmp_path, version):
        pass
    assert not any((tmp_path / "spool").iterdir())

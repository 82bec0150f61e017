"""Encodings, compression, and what makes a file no text."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from unittest.mock import patch

import pyarrow as pa
import pytest

from systock.extract.batch import FileChanging, FileRejected

from .reading import collect, read, read_file, source_settings, streamed, version_of, write


@pytest.mark.parametrize(
    ("content", "settings"),
    [
        ("id,name\n1,Café €\n".encode(), {}),
        ("id,name\n1,Café €\n".encode("utf-8-sig"), {}),
        ("id,name\n1,Café €\n".encode("cp1252"), {}),
        ("id,name\n1,Café €\n".encode("utf-16"), {}),
        ("id,name\n1,Café €\n".encode("utf-16-le"), {"encoding": "utf-16-le"}),
        ("id,name\n1,Café €\n".encode("utf-16-be"), {"encoding": "utf-16-be"}),
        ("\ufeffid,name\n1,Café €\n".encode("utf-16-be"), {}),
        ("\ufeffid,name\n1,Café €\n".encode("utf-16-be"), {"encoding": "utf-16"}),
        ("\ufeffid,name\n1,Café €\n".encode("utf-16-le"), {"encoding": "utf-16-le"}),
        ("id,name\n1,Café €\n".encode("iso-8859-15"), {"encoding": "iso-8859-15"}),
        ("id,name\n1,Café €\n".encode("utf-8-sig"), {"encoding": "utf-8"}),
    ],
)
@pytest.mark.parametrize("small", [4, 16 << 20])
def test_the_encoding_is_found_or_set(tmp_path: Path, content: bytes, settings: dict[str, str], small: int) -> None:
    with streamed(small, 40):
        found = read(tmp_path, content, **settings)
    assert found.columns == ("id", "name")
    assert found.rows == {2: ("1", "Café €")}


@pytest.mark.parametrize("order", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(("mark", "is_set"), [("\ufeff", False), ("\ufeff", True), ("", True)])
@pytest.mark.parametrize("name", ["sales.csv", "sales.csv.gz"])
def test_utf16_is_read_in_pieces_that_cut_characters(
    tmp_path: Path, order: str, mark: str, is_set: bool, name: str
) -> None:
    encoding = {"encoding": order} if is_set else {}
    rows = {n + 1: (str(n), f"😀 é\u2028{n}") for n in range(200)}
    text = mark + "".join(f'{number},"{value}"\r\n' for number, value in rows.values())
    with streamed(64, 37):
        found = read(
            tmp_path, text.encode(order), name, header=False, columns=["id", "name"], **encoding
        )  # fmt: skip
    assert found.rows == rows


def test_utf16_text_that_is_cut_or_has_no_mark_is_rejected(tmp_path: Path) -> None:
    whole = "id\n1\n".encode("utf-16")
    with pytest.raises(FileRejected, match="not utf-16"):
        read(tmp_path, whole[:-1])
    with pytest.raises(FileRejected, match="NUL") as caught:
        read(tmp_path, "id\n1\n".encode("utf-16-le"))
    assert caught.value.todo and "utf-16" in caught.value.todo


def test_json_may_be_utf16(tmp_path: Path) -> None:
    assert read(tmp_path, '[{"id": "é"}]'.encode("utf-16"), "a.json").rows == {1: ("é",)}
    assert read(tmp_path, '{"id": "é"}\n{"id": 2}\n'.encode("utf-16"), "a.jsonl").rows == {1: ("é",), 2: ("2",)}


def test_one_byte_far_down_makes_the_whole_file_cp1252(tmp_path: Path) -> None:
    lines = "1,é\n".encode() * 100 + b"2,\xe9\n"
    with streamed(50, 33):
        found = read(tmp_path, b"id,name\n" + lines)
    assert found.rows[2] == ("1", "Ã©")
    assert found.rows[102] == ("2", "é")


def test_bytes_of_no_encoding_reject_the_file_and_name_the_row(tmp_path: Path) -> None:
    with pytest.raises(FileRejected, match=r"0xE9 is neither UTF-8 nor cp1252") as caught:
        read(tmp_path, b"id,name\n1,x\n2,\xe9 \x81\n")
    assert caught.value.where == "sales.csv, row 3"


def test_bytes_that_a_set_encoding_does_not_know_reject_the_file(tmp_path: Path) -> None:
    for small in (4, 16 << 20):
        with streamed(small, 11), pytest.raises(FileRejected, match="0xE9 is not utf-8") as caught:
            read(tmp_path, b"id,name\n1,x\n2,\xe9x\n", encoding="utf-8")
        assert caught.value.where == "sales.csv, row 3"
        assert caught.value.todo and "encoding" in caught.value.todo


def test_text_that_ends_within_a_character_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(FileRejected, match="not utf-8"):
        read(tmp_path, "id\né".encode()[:-1], encoding="utf-8")


def test_a_nul_byte_rejects_the_file(tmp_path: Path) -> None:
    with pytest.raises(FileRejected, match="NUL") as caught:
        read(tmp_path, b"id,name\n1,x\n2,a\0b\n")
    assert caught.value.where == "sales.csv, row 3"


@pytest.mark.parametrize("name", ["sales.csv.gz", "sales.csv.zst"])
def test_cut_compressed_data_are_rejected(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, "id,name\n" + "".join(f"{n},{n * 7919}\n" for n in range(20_000)))
    table = source_settings(sales={"path": name}).tables["sales"]
    whole = path.read_bytes()
    for cut in (len(whole) - 1, len(whole) // 2, 5):
        path.write_bytes(whole[:cut])
        with pytest.raises(FileRejected, match="end in the middle") as caught:
            read_file(version_of(path, tmp_path), table, tmp_path)
        assert caught.value.where == name


def test_damaged_compressed_data_are_rejected(tmp_path: Path) -> None:
    path = write(tmp_path / "sales.csv.gz", "id,name\n" + "".join(f"{n},{n * 7919}\n" for n in range(20_000)))
    table = source_settings(sales={"path": path.name}).tables["sales"]
    whole = path.read_bytes()
    # Within the data, and in the checksum at the end.
    for place in (200, len(whole) - 6):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
        with pytest.raises(FileRejected, match=r"damaged|end in the middle"):
            read_file(version_of(path, tmp_path), table, tmp_path)


def test_compression_is_known_by_the_content_not_the_name(tmp_path: Path) -> None:
    path = tmp_path / "sales.csv"
    path.write_bytes(gzip.compress(b"a\n1\n") + gzip.compress(b"2\n"))
    table = source_settings(sales={"path": "sales.csv"}).tables["sales"]
    assert collect(read_file(version_of(path, tmp_path), table, tmp_path)).rows == {2: ("1",), 3: ("2",)}
    other = tmp_path / "plain.csv.gz"
    other.write_bytes(b"a\n1\n")
    assert collect(read_file(version_of(other, tmp_path), table, tmp_path)).rows == {2: ("1",)}


def test_a_large_compressed_file_is_streamed(tmp_path: Path) -> None:
    path = tmp_path / "sales.csv.zst"
    text = b"a,b\n" + b"".join(b"%d,%d\n" % (n, n * 7919) for n in range(50_000))
    with pa.CompressedOutputStream(str(path), "zstd") as out:
        out.write(text)
    table = source_settings(sales={"path": path.name}).tables["sales"]
    with streamed(1000, 4096):
        reader = read_file(version_of(path, tmp_path), table, tmp_path)
        assert not reader.small
        assert len(collect(reader).rows) == 50_000


def test_an_archive_is_named_as_such(tmp_path: Path) -> None:
    with pytest.raises(FileRejected, match="zip archive or a workbook"):
        read(tmp_path, b"PK\x03\x04....")


def test_a_file_that_is_another_version_now_waits(tmp_path: Path) -> None:
    path = write(tmp_path / "sales.csv", "a\n1\n")
    table = source_settings(sales={"path": "sales.csv"}).tables["sales"]
    version = version_of(path, tmp_path)
    path.write_text("a\n1\n2\n")
    with pytest.raises(FileChanging):
        read_file(version, table, tmp_path)
    path.unlink()
    with pytest.raises(FileChanging):
        read_file(version, table, tmp_path)


def test_a_file_that_changes_while_it_is_read_waits(tmp_path: Path) -> None:
    path = write(tmp_path / "sales.csv", "a\n1\n")
    table = source_settings(sales={"path": "sales.csv"}).tables["sales"]
    reader = read_file(version_of(path, tmp_path), table, tmp_path)
    os.utime(path, (5, 5))
    with pytest.raises(FileChanging):
        list(reader)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_is_tried_at_every_run(tmp_path: Path) -> None:
    path = write(tmp_path / "sales.csv", "a\n1\n")
    path.chmod(0)
    table = source_settings(sales={"path": "sales.csv"}).tables["sales"]
    with pytest.raises(FileRejected) as caught:
        read_file(version_of(path, tmp_path), table, tmp_path)
    assert caught.value.again


def test_a_file_that_the_disk_does_not_give_is_tried_at_every_run(tmp_path: Path) -> None:
    path = write(tmp_path / "sales.csv", "a\n1\n")
    table = source_settings(sales={"path": "sales.csv"}).tables["sales"]
    version = version_of(path, tmp_path)
    denied = patch(
        "systock.extract.text_stream.open", side_effect=PermissionError(13, "Permission denied"), create=True
    )
    with denied, pytest.raises(FileRejected, match="Permission denied") as caught:
        read_file(version, table, tmp_path)
    assert caught.value.again

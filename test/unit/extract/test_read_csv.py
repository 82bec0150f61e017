"""CSV files: what users meet, one case each; the model test beside this one covers the combinations."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from systock.errors import SettingsError
from systock.extract import read_csv
from systock.extract.batch import FileRejected

from .reading import read, read_file, source_settings, streamed, version_of, write


def test_values_are_kept_to_the_letter_and_null_is_not_empty(tmp_path: Path) -> None:
    found = read(tmp_path, 'id,amount,note\n007,1.10,\n 8 ,"$90,000 ",""\n')
    assert found.rows == {2: ("007", "1.10", None), 3: (" 8 ", "$90,000 ", "")}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_in_the_header(tmp_path: Path, delimiter: str) -> None:
    found = read(tmp_path, f'id{delimiter}"a,b;c"{delimiter}d\n1{delimiter}2{delimiter}"3,5"\n')
    assert found.columns == ("id", "a,b;c", "d")
    assert found.rows == {2: ("1", "2", "3,5")}


def test_a_set_delimiter_is_not_questioned(tmp_path: Path) -> None:
    assert read(tmp_path, "a;b,c\n1;2,3\n", delimiter=",").rows == {2: ("1;2", "3")}


def test_without_a_header_the_settings_name_the_columns(tmp_path: Path) -> None:
    found = read(tmp_path, "1;2\n3;4\n", header=False, columns=["a", "b"])
    assert found.columns == ("a", "b")
    assert found.rows == {1: ("1", "2"), 2: ("3", "4")}


def test_without_a_header_the_first_record_is_judged_like_the_others(tmp_path: Path) -> None:
    found = read(tmp_path, '"x"y;2\n3;4\n5\n', header=False, columns=["a", "b"])
    assert found.rows == {2: ("3", "4")}
    assert list(found.malformed) == [1, 3]
    assert read(tmp_path, "\n", header=False, columns=["a", "b"]).rows == {}


def test_junk_above_and_below_is_passed_over_and_counted_in_the_row_numbers(tmp_path: Path) -> None:
    content = 'Sales report, "May\n\nid,n\n1,2\n3,4\nTotal,6\n\n   \n"printed by X\n'
    found = read(tmp_path, content, skip_rows=2, skip_footer=2)
    assert found.rows == {4: ("1", "2"), 5: ("3", "4")}
    assert found.malformed == {}


def test_ragged_lines_are_kept_as_they_are(tmp_path: Path) -> None:
    found = read(tmp_path, 'a,b\n1\n2,"x\ny",z\n3,4\n')
    assert found.rows == {4: ("3", "4")}
    assert found.malformed == {
        2: ("1", "expected 2 columns, found 1"),
        3: ('2,"x\ny",z', "expected 2 columns, found 3"),
    }


def test_a_header_within_the_file_is_a_malformed_line(tmp_path: Path) -> None:
    found = read(tmp_path, "\ufeffid,name\n1,a\n\ufeffid,name\nid,x\nid,name\n")
    assert found.rows == {2: ("1", "a"), 4: ("id", "x")}
    assert found.malformed == {3: ("id,name", "header repeated"), 5: ("id,name", "header repeated")}


def test_blank_lines_are_counted_and_no_rows(tmp_path: Path) -> None:
    found = read(tmp_path, "a,b\n\n1,2\n,\n   \n")
    assert found.rows == {3: ("1", "2")}
    assert found.malformed == {5: ("   ", "expected 2 columns, found 1")}
    assert found.reader.blank == 2


def test_a_quote_within_an_unquoted_value_is_a_character(tmp_path: Path) -> None:
    assert read(tmp_path, 'a,b\n5" pipe,x\n').rows == {2: ('5" pipe', "x")}


def test_text_behind_a_closing_quote_is_malformed_not_altered(tmp_path: Path) -> None:
    found = read(tmp_path, 'a,b\n"5" pipe",x\n1,"2"\n')
    assert found.rows == {3: ("1", "2")}
    assert found.malformed == {2: ('"5" pipe",x', "text follows a closing quote")}


def test_an_unclosed_quote_rejects_the_file_and_names_the_row(tmp_path: Path) -> None:
    with pytest.raises(FileRejected, match="never closed") as caught:
        read(tmp_path, 'a,b\n1,2\n3,"x\n4,5\n')
    assert caught.value.where == "sales.csv, row 3"


@pytest.mark.parametrize("content", ['a,"b\n1,2\n3,4\n', 'a,"b\n1,2\n3,"x"\n', '"a"x,b\n1,2\n'])
def test_wrong_quotes_in_the_header_do_not_swallow_lines(tmp_path: Path, content: str) -> None:
    with pytest.raises(FileRejected, match="quote in the header") as caught:
        read(tmp_path, content)
    assert caught.value.where == "sales.csv, row 1"


def test_without_quoting_a_quote_is_a_character(tmp_path: Path) -> None:
    assert read(tmp_path, 'a,b\n"x,"y\n', quote="").rows == {2: ('"x', '"y')}


def test_another_quote(tmp_path: Path) -> None:
    assert read(tmp_path, "a,b\n'x,''y',\"z\n", quote="'").rows == {2: ("x,'y", '"z')}


def test_a_header_over_two_lines(tmp_path: Path) -> None:
    found = read(tmp_path, '"Unit\nprice",b\n1,2\n')
    assert found.columns == ("Unit price", "b")
    assert found.rows == {2: ("1", "2")}


def test_names_are_unique_and_none_is_reserved(tmp_path: Path) -> None:
    found = read(tmp_path, "id,ID,,_row, id \n1,2,3,4,5\n")
    assert found.columns == ("id", "ID_2", "column_3", "_row_", "id_3")
    assert found.rows == {2: ("1", "2", "3", "4", "5")}


def test_a_header_alone_is_a_file_without_rows(tmp_path: Path) -> None:
    for content in ("a,b", "a,b\n", "a,b\r\n\r\n"):
        found = read(tmp_path, content)
        assert (found.columns, found.rows, found.malformed) == (("a", "b"), {}, {})


@pytest.mark.parametrize("content", ["", "\ufeff", "\n \n"])
def test_a_file_without_a_header_is_rejected(tmp_path: Path, content: str) -> None:
    with pytest.raises(FileRejected):
        read(tmp_path, content)


def test_an_empty_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileRejected, match="empty"):
        read(tmp_path, b"")


def test_line_ends_of_all_kinds(tmp_path: Path) -> None:
    for end in ("\n", "\r\n", "\r"):
        assert read(tmp_path, f"a,b{end}1,2{end}3,4").rows == {2: ("1", "2"), 3: ("3", "4")}


def test_an_empty_last_field_without_a_line_end_is_null(tmp_path: Path) -> None:
    # pyarrow alone reads it as "" when the field before it is quoted.
    assert read(tmp_path, 'a,b\n"x",').rows == {2: ("x", None)}


def test_the_content_hash_is_of_the_text_and_of_unusual_settings(tmp_path: Path) -> None:
    content = "a;b\n1;2\n"
    plain = read(tmp_path, "a,b\n1,2\n").reader.content_hash
    assert plain == hashlib.sha256(b"a,b\n1,2\n").hexdigest()
    assert read(tmp_path, "a,b\n1,2\n", name="x.csv.gz").reader.content_hash == plain
    assert read(tmp_path, "a,b\n1,2\n", name="x.csv.zst", delimiter=",").reader.content_hash == plain
    found = read(tmp_path, content).reader.content_hash
    assert read(tmp_path, content, delimiter=";").reader.content_hash == found
    assert read(tmp_path, content, delimiter=",").reader.content_hash != found
    assert read(tmp_path, content, skip_rows=1).reader.content_hash != found


def test_ten_thousand_columns(tmp_path: Path) -> None:
    names = [f"c{number}" for number in range(10_000)]
    found = read(tmp_path, ",".join(names) + "\n" + ",".join(str(n) for n in range(10_000)) + "\n1,2\n")
    assert found.columns == tuple(names)
    assert found.rows[2][-1] == "9999"
    assert found.malformed == {3: ("1,2", "expected 10000 columns, found 2")}


def test_a_line_of_fifty_megabytes_in_the_midst_of_a_stream(tmp_path: Path) -> None:
    content = b"a,b\n" + b"1,2\n" * 5_000_000 + b"3," + b"x" * 50_000_000 + b"\n4\n5,6\n"
    path = write(tmp_path / "sales.csv", content)
    table = source_settings(sales={"path": "sales.csv"}).tables["sales"]
    reader = read_file(version_of(path, tmp_path), table, tmp_path)
    rows = 0
    last: list[Any] = []
    for batch in reader:
        rows += batch.num_rows
        last += batch.slice(max(0, batch.num_rows - 3)).to_pylist()
    assert not reader.small
    assert (reader.lines, reader.malformed, rows) == (5_000_003, 1, 5_000_003)
    assert [(line["_row"], len(line["b"])) for line in last if line["a"] == "3"] == [(5_000_002, 50_000_000)]
    assert [(line["_row"], line["_malformed"]) for line in last if line["_reason"]] == [(5_000_003, "4")]


def test_a_record_over_the_limit_is_refused_with_its_row(tmp_path: Path) -> None:
    content = "a,b\n1,2\n" + "3," + "x" * 5_000 + "\n"
    limit = patch.object(read_csv, "MAX_RECORD_BYTES", 1024)
    with streamed(100, 64), limit, pytest.raises(FileRejected, match="longer than") as caught:
        read(tmp_path, content)
    assert caught.value.where == "sales.csv, row 3 or later"


def test_a_wrong_delimiter_does_not_gather_the_file_in_memory(tmp_path: Path) -> None:
    content = "a;b\n" + "1;2;3\n" * 2_000
    limit = patch.object(read_csv, "MAX_MALFORMED_BYTES", 1024)
    with streamed(100, 64), limit, pytest.raises(FileRejected, match="lines in a row have not the 2 columns"):
        read(tmp_path, content)


def test_a_delimiter_that_is_no_single_byte_is_a_wrong_setting(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, "a¦b\n", delimiter="¦")
    assert caught.value.where == "sources.pos.tables.sales.delimiter"


def test_a_crlf_in_a_value_survives_the_end_of_a_block(tmp_path: Path) -> None:
    # pyarrow drops a "\n" that begins a block behind a "\r" that ends one, in quotes as well.
    content = "a,b\n" + '1,"x\r\ny"\n' * 200
    for chunk in range(20, 40):
        with streamed(100, chunk):
            found = read(tmp_path, content)
        assert set(found.rows.values()) == {("1", "x\r\ny")}
        assert len(found.rows) == 200

"""JSON documents and JSON lines."""

from __future__ import annotations

import json
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from systock.extract import read_json
from systock.extract.batch import FileRejected

from .reading import read, streamed

DOCUMENT = '[{"id": 007.0, "n": 1.10}, {"id": 2}]'


def test_numbers_keep_their_letters_and_null_is_null(tmp_path: Path) -> None:
    content = '[{"a":1.10,"b":12345678901234567890123,"c":1e400,"d":-0,"e":null,"f":true,"g":false,"h":"1.10","i":""}]'
    values = ("1.10", "12345678901234567890123", "1e400", "-0", None, "true", "false", "1.10", "")
    assert read(tmp_path, content, "x.json").rows == {1: values}


def test_nested_values_are_compact_json_with_their_numbers(tmp_path: Path) -> None:
    content = '[{"a": {"x": [1.0, null, true, "é\\n"], "y": {}}, "b": [ ]}]'
    assert read(tmp_path, content, "x.json").rows == {1: ('{"x":[1.0,null,true,"é\\n"],"y":{}}', "[]")}


def test_columns_come_as_they_appear_and_absent_ones_are_null(tmp_path: Path) -> None:
    found = read(tmp_path, '[{"a":1},{"B":2,"a":3},{"b":4,"":5}]', "x.json")
    assert found.columns == ("a", "B", "b_2", "column_4")
    assert found.rows == {
        1: ("1", None, None, None),
        2: ("3", "2", None, None),
        3: (None, None, "4", "5"),
    }


def test_records_are_found_by_their_path(tmp_path: Path) -> None:
    content = '{"meta": {"page": 1}, "result": {"orders": [{"id": 1}, {"id": 2}], "total": 2}, "more": false}'
    found = read(tmp_path, content, "x.json", records="result.orders")
    assert found.rows == {1: ("1",), 2: ("2",)}
    assert read(tmp_path, content, "x.json", records="result").columns == ("orders", "total")


@pytest.mark.parametrize("path", ["results", "meta.page.x", "result.orders.id"])
def test_a_path_that_leads_nowhere_rejects_the_file(tmp_path: Path, path: str) -> None:
    content = '{"meta": {"page": 1}, "result": {"orders": []}}'
    with pytest.raises(FileRejected, match="leads nowhere") as caught:
        read(tmp_path, content, "x.json", records=path)
    assert caught.value.todo == "Correct sources.pos.tables.sales.records."


def test_one_object_is_one_record_and_no_records_are_none(tmp_path: Path) -> None:
    assert read(tmp_path, '{"id": 1, "lines": [{"sku": "x"}]}', "x.json").rows == {1: ("1", '[{"sku":"x"}]')}
    assert read(tmp_path, "[]", "x.json").rows == {}


def test_an_element_that_is_no_object_is_a_malformed_row(tmp_path: Path) -> None:
    found = read(tmp_path, '[{"a":1},5,"x",[1, 2]]', "x.json")
    assert found.rows == {1: ("1",)}
    assert found.malformed == {2: ("5", "not an object"), 3: ('"x"', "not an object"), 4: ("[1, 2]", "not an object")}


def test_a_name_that_stands_twice_is_a_malformed_row(tmp_path: Path) -> None:
    found = read(tmp_path, '[{"a":1,"a":2},{"a":{"x":1, "x":2}}]', "x.json")
    assert found.malformed == {1: ('{"a":1,"a":2}', "the name 'a' stands twice in the object")}
    assert found.rows == {2: ('{"x":1,"x":2}',)}


def test_records_under_a_name_that_stands_twice_reject_the_file(tmp_path: Path) -> None:
    with pytest.raises(FileRejected, match="'rows' stands twice in the document"):
        read(tmp_path, '{"rows":[{"a":1}],"rows":[{"a":2}]}', "x.json", records="rows")


@pytest.mark.parametrize("cut", range(1, len(DOCUMENT)))
def test_a_document_that_ends_early_is_rejected(tmp_path: Path, cut: int) -> None:
    with pytest.raises(FileRejected, match="not JSON"):
        read(tmp_path, DOCUMENT[:cut].replace("007", "7"), "x.json")


def test_a_document_that_goes_on_or_breaks_is_rejected_with_the_place(tmp_path: Path) -> None:
    for content in ('[{"a":1}]\n[', '[{"a":1}\n,]', '{"x":[{"a":1}],\n}'):
        with pytest.raises(FileRejected, match="line 2, character"):
            read(tmp_path, content, "x.json", records="x" if content.startswith("{") else "")


def test_lines_that_are_no_json_are_malformed_rows(tmp_path: Path) -> None:
    found = read(tmp_path, '{"a":1}\n\n{"a":\r\n{"a":2} x\n[1]\n{"a":3}', "x.jsonl")
    assert found.rows == {1: ("1",), 6: ("3",)}
    assert {row: text for row, (text, _) in found.malformed.items()} == {3: '{"a":\r', 4: '{"a":2} x', 5: "[1]"}
    assert found.malformed[4][1] == "not JSON: Extra data at character 9"
    assert found.reader.blank == 1


def test_lines_in_a_file_called_json_are_lines(tmp_path: Path) -> None:
    assert read(tmp_path, '{"a":1}\n{"a":2}\n', "x.json").rows == {1: ("1",), 2: ("2",)}
    assert read(tmp_path, '{"a":\n1}\n', "x.json").rows == {1: ("1",)}


def test_half_a_surrogate_pair_and_nul_stay_as_their_escapes(tmp_path: Path) -> None:
    found = read(tmp_path, '[{"a":"x\\ud83d","b":"\\ud83d\\ude00","c":"a\\u0000b"}]', "x.json")
    assert found.rows == {1: ("x\\ud83d", "😀", "a\\u0000b")}


def test_deep_nesting_is_refused_not_a_crash(tmp_path: Path) -> None:
    deep = "[" * 100_000
    with pytest.raises(FileRejected, match="nested too deeply"):
        read(tmp_path, "[" + deep, "x.json")
    assert read(tmp_path, '{"a":1}\n' + deep, "x.jsonl").malformed[2][1] == "nested too deeply"


def test_a_document_over_the_limit_is_refused(tmp_path: Path) -> None:
    with patch.object(read_json, "MAX_DOCUMENT_BYTES", 10), pytest.raises(FileRejected, match="more than"):
        read(tmp_path, '[{"a":1},{"a":2}]', "x.json")


def test_an_endless_line_is_refused(tmp_path: Path) -> None:
    limit = patch.object(read_json, "MAX_RECORD_BYTES", 10)
    with streamed(20, 8), limit, pytest.raises(FileRejected, match="longer than"):
        read(tmp_path, '{"a":1}\n' + "x" * 100, "x.jsonl")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('aé"\\\n€😀,{}[]:', max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('ab"é', max_size=2), inner, max_size=3),
    max_leaves=6,
)


def kept(value: object) -> str | None:
    """What bronze keeps of a value."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@given(st.lists(st.dictionaries(st.sampled_from(["a", "b", "c"]), JSON), max_size=6), st.booleans(), st.integers(1, 40))
def test_every_value_is_kept(
    tmp_path_factory: pytest.TempPathFactory, objects: list[dict[str, object]], ascii_only: bool, chunk: int
) -> None:
    folder = tmp_path_factory.mktemp("json")
    names = list(dict.fromkeys(name for found in objects for name in found))
    expected = {row: tuple(kept(found.get(name)) for name in names) for row, found in enumerate(objects, 1)}
    document = json.dumps(objects, ensure_ascii=ascii_only, indent=chunk % 3 or None)
    lines = "".join(json.dumps(found, ensure_ascii=ascii_only) + "\n" for found in objects) or "\n"
    with streamed(20, chunk), patch.object(read_json, "_BATCH_ROWS", 2):
        whole = read(folder, document, "x.json")
        assert (whole.columns, whole.rows) == (tuple(names), expected)
        if objects:
            split = read(folder, lines, "x.jsonl")
            assert (split.columns, split.rows) == (tuple(names), expected)

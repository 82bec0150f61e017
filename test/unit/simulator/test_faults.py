"""Every fault is where the answer key says."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from systock.errors import UsageError
from systock.simulator import FAULTS, AnswerKey, simulate
from systock.simulator.answer_key import FaultKey
from systock.simulator.faults import asked_faults


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, AnswerKey]:
    folder = tmp_path_factory.mktemp("chain")
    return folder, simulate(folder, days=30, stores=3, products=60, seed=12)


def lines_of(folder: Path, path: str) -> list[str]:
    content = (folder / path).read_bytes()
    content = gzip.decompress(content) if path.endswith(".gz") else content
    return content.decode("cp1252" if "suppliers" in path else "utf-8-sig").splitlines()


def text_of(folder: Path, place: FaultKey) -> str:
    assert place.row is not None
    return lines_of(folder, place.path)[place.row - 1]


def places(chain: tuple[Path, AnswerKey], fault: str) -> list[FaultKey]:
    found = [place for place in chain[1].faults if place.fault == fault]
    assert found, fault
    return found


def test_every_fault_of_the_catalogue_was_put_in(chain: tuple[Path, AnswerKey]) -> None:
    assert chain[1].fault_counts().keys() == FAULTS.keys()


@pytest.mark.parametrize(
    "fault",
    ["bad_number", "impossible_date", "amount_too_wide", "too_many_decimals", "missing_product", "unknown_sale_kind"],
)
def test_a_rewritten_cell_stands_in_the_row(chain: tuple[Path, AnswerKey], fault: str) -> None:
    for place in places(chain, fault):
        column, value = place.detail.split(" = ")
        lines = lines_of(chain[0], place.path)
        delimiter = "," if place.table == "pos.sales" else ";"
        # texts with a comma are quoted: counting from the right needs no CSV reader for the columns behind them
        assert value.strip("'") in text_of(chain[0], place).split(delimiter)
        assert column in lines[0].split(delimiter)
        assert place.found == "quarantined" and place.column


def test_malformed_lines_have_another_number_of_cells(chain: tuple[Path, AnswerKey]) -> None:
    for place in places(chain, "malformed_line") + places(chain, "incomplete_extract"):
        head = lines_of(chain[0], place.path)[2 if "suppliers" in place.path else 0]
        text = text_of(chain[0], place)
        assert place.rule == "malformed"
        if place.table == "erp.products":
            assert text.startswith("{") and not text.endswith("}")
        else:
            assert abs(text.count(",") + text.count(";") - head.count(",") - head.count(";")) >= 2


def test_duplicates_repeat_a_line_of_their_file(chain: tuple[Path, AnswerKey]) -> None:
    for place in places(chain, "duplicate_line"):
        assert lines_of(chain[0], place.path).count(text_of(chain[0], place)) == 2


def test_ties_share_key_and_time_and_nothing_tells_them_apart(chain: tuple[Path, AnswerKey]) -> None:
    found = places(chain, "tie")
    assert len(found) % 2 == 0
    for one, other in zip(found[::2], found[1::2], strict=True):
        first, second = (
            text_of(chain[0], place).split("," if place.table == "pos.sales" else ";") for place in (one, other)
        )
        assert first[:2] == second[:2] and first[20:21] == second[20:21]
        assert sum(a != b for a, b in zip(first, second, strict=True)) == 1


def test_a_superseded_line_has_a_later_twin_in_its_file(chain: tuple[Path, AnswerKey]) -> None:
    order = set()
    for place in places(chain, "superseded_line"):
        key = text_of(chain[0], place).split(",")[:2]
        rows = [number for number, line in enumerate(lines_of(chain[0], place.path), 1) if line.split(",")[:2] == key]
        assert len(rows) == 2
        order.add(rows.index(place.row or 0))
    assert order == {0, 1}, "the newer line stands once behind and once before the older one"


def test_a_cut_off_file_cannot_be_read_and_comes_again_whole(chain: tuple[Path, AnswerKey]) -> None:
    (place,) = places(chain, "truncated_gzip")
    with pytest.raises(EOFError):
        lines_of(chain[0], place.path)
    fates = {file.path: file.fate for file in chain[1].files}
    assert fates[place.path] == "rejected"
    whole = place.detail.removeprefix("whole in ")
    assert fates[whole] == "landed" and len(lines_of(chain[0], whole)) > 10


def test_a_repeated_file_is_the_same_byte_for_byte(chain: tuple[Path, AnswerKey]) -> None:
    for place in places(chain, "repeated_file"):
        first = place.detail.removeprefix("same as ")
        assert (chain[0] / place.path).read_bytes() == (chain[0] / first).read_bytes() and first != place.path


def test_codes_in_lower_case_are_codes_of_the_feed(chain: tuple[Path, AnswerKey]) -> None:
    known = {version.product_id for version in chain[1].product_versions}
    for place in places(chain, "code_case"):
        assert place.detail in text_of(chain[0], place)
        assert place.detail not in known and place.detail.upper() in known


def test_an_unknown_product_never_comes_and_a_late_one_does(chain: tuple[Path, AnswerKey]) -> None:
    folder, key = chain
    known = {version.product_id for version in key.product_versions}
    assert not known & {place.detail for place in places(chain, "unknown_product")}
    late = places(chain, "late_product")[0].detail.split()[0]
    assert late in known
    first_known = min(version.known_at for version in key.product_versions if version.product_id == late)
    sold = [
        file
        for file in key.files
        if file.table == "pos.sales" and file.known_at < first_known and file.fate == "landed"
    ]
    assert any(f",{late}," in line for file in sold for line in lines_of(folder, file.path))


def test_a_unit_without_conversion_is_explained_for_one_of_three(chain: tuple[Path, AnswerKey]) -> None:
    found = places(chain, "unit_without_conversion")
    explained = [place for place in found if "explained by" in place.detail]
    assert len(found) == 3 and len(explained) == 1
    file = explained[0].detail.split("explained by ")[1]
    assert any(";PAL0;" in line for line in lines_of(chain[0], file))
    assert all(f";{place.detail.split()[0]};" in text_of(chain[0], place) for place in found)


def test_repeated_headers_are_header_lines(chain: tuple[Path, AnswerKey]) -> None:
    for place in places(chain, "repeated_header"):
        assert text_of(chain[0], place) == lines_of(chain[0], place.path)[0] and place.row != 1


def test_asked_faults() -> None:
    assert asked_faults("all") == list(FAULTS)
    assert asked_faults("none") == asked_faults("") == []
    assert asked_faults("tie, bad_number") == ["tie", "bad_number"]
    assert asked_faults(["tie"]) == ["tie"]
    with pytest.raises(UsageError, match="'ties'"):
        asked_faults("ties,bad_number")


def test_one_fault_leaves_the_rest_alone(tmp_path: Path) -> None:
    clean = simulate(tmp_path / "none", days=9, stores=2, products=30, faults="none")
    tied = simulate(tmp_path / "tie", days=9, stores=2, products=30, faults="tie")
    assert not clean.faults and {place.fault for place in tied.faults} == {"tie"}
    changed = {place.path for place in tied.faults}
    for file in clean.files:
        same = (tmp_path / "none" / file.path).read_bytes() == (tmp_path / "tie" / file.path).read_bytes()
        assert same is (file.path not in changed)
    assert [total.true_units for total in clean.stock_totals] == [total.true_units for total in tied.stock_totals]


def test_a_document_entered_after_a_count_is_not_in_an_export_before_it(chain: tuple[Path, AnswerKey]) -> None:
    for place in places(chain, "late_posting"):
        document = text_of(chain[0], place).split(";")[:2]
        entered = text_of(chain[0], place).split(";")[-2]
        sheet = place.detail.split()[2]
        assert entered[:10] > sheet.split("_")[2]
        earlier = [
            path for path in (chain[0] / "incoming/erp").glob("movements_*") if path.name < Path(place.path).name
        ]
        lines = [line for path in earlier for line in path.read_text().splitlines()]
        assert not any(line.split(";")[:2] == document for line in lines)


def test_a_count_of_cases_and_what_the_desk_took_back_are_counted(chain: tuple[Path, AnswerKey]) -> None:
    folder, key = chain
    counted = {row.count_id: row for row in key.counts if row.known_at == key.latest}
    for place in places(chain, "count_in_cases"):
        sheet, line, *_, quantity, _ = text_of(folder, place).split(";")
        assert str(counted[f"{sheet}-{line}"].counted_units) == quantity.replace(".", "").replace(",", ".")
    for place in places(chain, "unposted_return"):
        path, row = place.detail.removeprefix("counted in ").split(" row ")
        sheet, line = lines_of(folder, path)[int(row) - 1].split(";")[:2]
        assert ",R,N," in text_of(folder, place) and ",-2.000," in text_of(folder, place)
        assert counted[f"{sheet}-{line}"].counted_units >= 2


def test_every_cause_explains_some_count(chain: tuple[Path, AnswerKey]) -> None:
    last = [row for row in chain[1].counts if row.known_at == chain[1].latest]
    names = ("late_posting_units", "in_transit_units", "unit_error_units", "unposted_return_units", "unexplained_units")
    assert {name: any(getattr(row, name) for row in last) for name in names} == dict.fromkeys(names, True)
    for row in chain[1].counts:
        if row.book_units is not None:
            assert sum(getattr(row, name) for name in names) == row.variance_at_count_units
            assert row.variance_at_count_units == row.counted_units - row.book_units + row.late_posting_units
    first = [row for row in chain[1].counts if row.known_at == chain[1].knowledge_times[0]]
    then = {row.count_id: row for row in first}
    assert any(row.count_id in then and row != then[row.count_id] and row.late_posting_units for row in last), (
        "explained anew"
    )

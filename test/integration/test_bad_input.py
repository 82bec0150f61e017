"""Broken files and broken values: refused or set aside with file, row, column and value; all else is as without them."""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path

import pytest

from bad_project import DAY_TWO, HEADER, Ran, Shop, clean, good_shop, sale, told, without_privileges
from systock import Project

GOOD = HEADER + "".join(sale(f"3-{number}") for number in range(100))


def _zip(text: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("a.csv", text)
    return made.getvalue()


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return good_shop(tmp_path / "shop")


BROKEN_FILES = {
    "truncated gzip": (gzip.compress(GOOD.encode())[:-40], ["gzip", "end in the middle", "Deliver the file again"]),
    "damaged gzip": (b"\x1f\x8b" + b"x" * 50, ["gzip", "damaged", "Deliver the file again"]),
    "empty": (b"", ["empty (0 bytes)", "Deliver the file again"]),
    "blank": (b"\n \n\n", ["no header", "deliver the file again"]),
    "byte order mark only": (b"\xef\xbb\xbf", ["no text", "Deliver the file again"]),
    "NUL byte": ((HEADER + sale("3-1") + sale("3-\0")).encode(), ["row 3", "NUL", "Deliver the file again"]),
    "NULs at the end": (GOOD.encode() + b"\0" * 4096, ["row 102", "NUL", "Deliver the file again"]),
    "no encoding at all": (GOOD.encode() + b"\xff\x81\xfe\n", ["row 102", "neither UTF-8 nor cp1252", "encoding"]),
    "zip archive": (_zip(GOOD), ["zip archive", "proper ending"]),
}


def test_broken_files_are_refused_alone_and_read_when_they_come_whole(shop: Shop) -> None:
    whole = {"pos_sales_2": DAY_TWO}
    shop.put("pos_sales_2.csv", DAY_TWO)
    for number, (content, _) in enumerate(BROKEN_FILES.values(), 3):
        shop.put(f"pos_sales_{number}.csv", content)
    ran = shop.run()
    for number, (case, (_, words)) in enumerate(BROKEN_FILES.items(), 3):
        [told_of] = [line for line in ran.out.splitlines() if f"pos_sales_{number}.csv:" in line]
        assert all(word in told_of for word in words), (case, told_of)
    shop.is_whole(**whole)
    before, others = shop.published(), shop.files("incoming", "sources", ".systock/bronze")
    again = shop.run()
    assert all(f"pos_sales_{number}.csv" in again.out for number in range(3, 3 + len(BROKEN_FILES)))  # not forgotten
    assert (shop.published(), shop.files("incoming", "sources", ".systock/bronze")) == (before, others)
    for number in range(3, 3 + len(BROKEN_FILES)):
        whole[f"pos_sales_{number}"] = GOOD.replace("3-", f"{number}-")
        shop.put(f"pos_sales_{number}.csv", whole[f"pos_sales_{number}"], moment=1_710_000_100.0)
    shop.run()
    assert shop.refused() == {}
    shop.is_whole(**whole)


BROKEN_LINES = {
    "too few fields": ("4-1,1,S1\n", ("expected 10 columns, found 3", None, "4-1,1,S1")),
    "too many fields": (sale("4-1").strip() + ",x\n", ("expected 10 columns, found 11", None, sale("4-1").strip() + ",x")),
    "header again": (HEADER, ("header repeated", None, HEADER.strip())),
    "no number": (sale("4-1", quantity="two"), ("no number", "quantity", "two")),
    "decimal comma": (sale("4-1", price='"1,50"'), ("no number", "unit_price_amount", "1,50")),
    "infinite": (sale("4-1", price="1e999"), (None, "unit_price_amount", "1e999")),
    "not a number": (sale("4-1", price="NaN"), ("no number", "unit_price_amount", "NaN")),
    "no such day": (sale("4-1", sold_at="2024-02-30T10:00:00+00:00"), (None, "sold_at", "2024-02-30T10:00:00+00:00")),
    "no such hour": (sale("4-1", sold_at="2024-02-03T25:00:00+00:00"), (None, "sold_at", "2024-02-03T25:00:00+00:00")),
    "no zone": (sale("4-1", sold_at="2024-02-03T10:00:00"), (None, "sold_at", "2024-02-03T10:00:00")),
    "too wide": (sale("4-1", price="9" * 30), ("too wide for numeric(18, 6)", "unit_price_amount", "9" * 30)),
    "too fine": (sale("4-1", quantity="0.0001"), (None, "quantity", "0.0001")),
    "product too wide": (sale("4-1", quantity="9" * 14, price="9" * 11), (None, "quantity", "9" * 14)),
    "key missing": (sale("", line="7"), (None, "sale_id", None)),
    "text after a quote": ('"4-1"x' + sale("4-1")[3:], ("text follows a closing quote", None, '"4-1"x' + sale("4-1").strip()[3:])),
}  # fmt: skip


def test_broken_lines_are_set_aside_and_heal_when_they_come_right(shop: Shop) -> None:
    good = {"pos_sales_2": DAY_TWO}
    shop.put("pos_sales_2.csv", DAY_TWO)
    for number, (line, _) in enumerate(BROKEN_LINES.values(), 3):
        good[f"pos_sales_{number}"] = HEADER + sale(f"{number}-1") + sale(f"{number}-2")
        shop.put(f"pos_sales_{number}.csv", HEADER + sale(f"{number}-1") + line + sale(f"{number}-2"))
    ran = shop.run()
    shop.is_whole(**good)
    found = {file: (row, rule, column, value) for file, row, rule, column, value in shop.set_aside()}
    assert len(shop.set_aside()) == len(BROKEN_LINES)
    for number, (case, (_, (rule, column, value))) in enumerate(BROKEN_LINES.items(), 3):
        row, found_rule, found_column, found_value = found[f"pos_sales_{number}.csv"]
        assert row == 3, case
        assert rule is None or found_rule == rule, (case, found_rule)
        assert (found_column, found_value) == (column, value), case
    assert f"{len(BROKEN_LINES)} lines in this run" in ran.out and "systock quarantine list" in ran.out
    shown = shop.systock("quarantine", "show", "1")
    assert shown.code == 0 and "pos_sales_" in shown.out
    good["pos_sales_99"] = HEADER + sale("4-1")
    shop.put("pos_sales_99.csv", good["pos_sales_99"])
    shop.run()
    shop.is_whole(**good)


def test_one_key_with_two_values_sets_both_aside_until_a_later_version_decides(shop: Shop) -> None:
    shop.put("pos_sales_2.csv", DAY_TWO + sale("4-1", quantity="1") + sale("4-1", quantity="7"))
    shop.run()
    shop.is_whole(pos_sales_2=DAY_TWO)
    assert [(row, rule) for _, row, rule, _, _ in shop.set_aside()] == [
        (row, "same key with other values at the same instant") for row in (7, 8)
    ]
    later = HEADER + sale("4-1", quantity="7", changed_at="2024-03-02T00:00:00+00:00")
    shop.put("pos_sales_3.csv", later)
    shop.run()
    shop.is_whole(pos_sales_2=DAY_TWO, pos_sales_3=later)


def test_only_a_header_with_a_column_of_its_own_beside_a_line_that_is_set_aside(shop: Shop) -> None:
    shop.replace("sources/pos/sale_line.sql", "SELECT ", "SELECT note AS employee_id, ")
    (shop.path / "incoming" / "pos_sales_2.csv").write_text(HEADER + sale("2-1", quantity="oops"))
    (shop.path / "incoming" / "pos_sales_3.csv").write_text(HEADER.strip() + ",note\n")
    ran = shop.systock("run")
    assert (ran.code, "1 set aside" in ran.out) == (0, True), ran
    assert shop.systock("rebuild", "--verify").code == 0


def test_a_product_that_is_not_known_stands_under_the_unknown_one_and_heals(shop: Shop) -> None:
    shop.put("pos_sales_2.csv", HEADER + sale("2-1", product="P9"))
    shop.run()
    key = "SELECT product_key, product_id, net_amount FROM gold.fact_sale_line WHERE product_id = 'P9'"
    assert shop.systock("query", key, "--format", "csv").out.splitlines()[1].startswith("0,P9,")
    product = '{"code": "P9", "name": "x", "cost": "1", "unit": "pcs", "changed_at": "2024-01-01T00:00:00+00:00"}\n'
    shop.put("erp_products_2.jsonl", product)
    shop.run()
    assert not shop.systock("query", key, "--format", "csv").out.splitlines()[1].startswith("0,P9,")
    shop.is_whole(**{"pos_sales_2": HEADER + sale("2-1", product="P9"), "erp_products_2.jsonl": product})


@pytest.mark.long
def test_ten_thousand_columns(shop: Shop) -> None:
    more = ",".join(f"extra {number}" for number in range(10_000))
    wide = (
        HEADER.strip()
        + f",{more}\n"
        + sale("2-1").strip()
        + "," * 10_000
        + "\n"
        + sale("2-2").strip()
        + "," * 9_999
        + "\n"
    )
    shop.put("pos_sales_2.csv", wide)
    shop.run()
    shop.is_whole(pos_sales_2=HEADER + sale("2-1"))
    [(_, row, rule, _, _)] = shop.set_aside()
    assert (row, rule) == (3, "expected 10010 columns, found 10009")


@pytest.mark.long
@pytest.mark.parametrize("readable", [True, False])
def test_a_line_of_fifty_megabytes(shop: Shop, readable: bool) -> None:
    long = "x" * (50 << 20)
    line = sale("4-1", status=long) if readable else long + "\n"
    shop.put("pos_sales_2.csv", DAY_TWO + line + sale("2-9"))
    shop.run()
    if readable:
        shop.is_whole(pos_sales_2=DAY_TWO + sale("4-1") + sale("2-9"))
        assert shop.set_aside() == []
    else:
        shop.is_whole(pos_sales_2=DAY_TWO + sale("2-9"))
        [(_, row, rule, _, _)] = shop.set_aside()
        assert (row, rule) == (7, "expected 10 columns, found 1")
        listed = shop.systock("quarantine", "list")
        assert len(listed.out) < 10_000


def test_the_wrong_encoding_is_told_with_row_and_byte_and_heals_with_the_setting(shop: Shop) -> None:
    table = 'path = "incoming/pos_sales_*.csv"'
    shop.replace("systock.toml", table, f'{table}\nencoding = "ascii"')
    shop.put("pos_sales_2.csv", DAY_TWO)
    text = HEADER + sale("4-1", status="verkauft für Grün")
    shop.put("pos_sales_3.csv", text)
    shop.run()
    reason = shop.refused()["pos_sales_3.csv"]
    assert "row 2" in reason and "0xC3" in reason and "encoding" in reason
    shop.is_whole(pos_sales_2=DAY_TWO)
    shop.replace("systock.toml", 'encoding = "ascii"', 'encoding = "utf-8"')
    shop.run()
    shop.is_whole(pos_sales_2=DAY_TWO, pos_sales_3=text)


def test_a_file_without_read_permission_is_refused_and_read_when_permitted() -> None:
    with without_privileges() as shop:
        shop.put("pos_sales_2.csv", DAY_TWO)
        locked = shop.put("pos_sales_3.csv", GOOD)
        locked.chmod(0)
        shop.run()
        reason = shop.refused()["pos_sales_3.csv"]
        assert "Permission denied" in reason and "Give read permission" in reason
        locked.chmod(0o644)  # the modification time stays as it was
        shop.run()
        assert shop.refused() == {}
        shop.sums_up()
        found = shop.gold()
    assert found == clean((("pos_sales_2", DAY_TWO), ("pos_sales_3", GOOD)))


def test_a_source_table_or_entity_that_is_not_there_is_refused_with_those_that_are(shop: Shop) -> None:
    told(shop.systock("batches", "--source", "poss"), 2, "'poss'", "Did you mean 'pos'?", "Valid: ", "counts", "erp")
    told(shop.systock("batches", "--source", "erp", "--table", "sales"), 2, "'sales'", "locations", "products")
    told(shop.systock("quarantine", "list", "--source", "nope"), 2, "'nope'", "Valid: ", "pos")
    assert shop.systock("batches", "--source", "pos", "--table", "sales").code == 0
    assert shop.systock("quarantine", "list", "--source", "counts").code == 0
    told(
        shop.systock("quarantine", "list", "--entity", "sale_lin"),
        2,
        "'sale_lin'",
        "Did you mean 'sale_line'?",
        "(file)",
    )
    for entity in ("sale_line", "location", "locations (lines)", "(file)"):
        assert shop.systock("quarantine", "list", "--entity", entity).code == 0, entity


GROESSE = HEADER + sale("4-1", product="Größe")


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """What looks broken and is not, and what is, side by side in one delivery."""
    shop = good_shop(tmp_path_factory.mktemp("odd") / "shop")
    shop.put("pos_sales_2.csv", DAY_TWO + sale("2-1") + sale("2-1"))
    shop.put("pos_sales_3.csv", HEADER)
    shop.put("pos_sales_4.csv", GROESSE.encode("utf-16"))
    shop.put("pos_sales_5.csv", GROESSE.replace("4-1", "4-2").encode("cp1252"))
    (shop.path / "incoming" / "pos_sales_6.csv").mkdir()
    shop.put("pos_sales_7.csv", b"")
    shop.put("erp_locations_2.csv", "code,name,zone,country\nS1,Berlin,Europe/Berlin,DE\nS2,A,UTC,DE\nS2,B,UTC,DE\n")
    shop.run()
    return shop


def test_repeats_headers_alone_encodings_and_folders_are_what_they_are(odd: Shop) -> None:
    """Exact repeats are one line, a header alone is a delivery without rows, UTF-16 and cp1252 are read, a folder is no file."""
    places = "code,name,zone,country\nS1,Berlin,Europe/Berlin,DE\n"
    good = {"pos_sales_2": DAY_TWO, "pos_sales_4": GROESSE, "pos_sales_5": GROESSE.replace("4-1", "4-2")}
    odd.is_whole(**good, **{"erp_locations_2.csv": places})
    assert {file for file, *_ in odd.set_aside()} == {"erp_locations_2.csv", "pos_sales_7.csv"}
    assert set(odd.refused()) == {"pos_sales_7.csv"}


def test_a_key_twice_in_a_full_extract_is_named_by_the_columns_of_the_file(odd: Shop) -> None:
    assert [found for found in odd.set_aside() if found[0] == "erp_locations_2.csv"] == [
        ("erp_locations_2.csv", row, "same key with other values at the same instant", "code", "code S2")
        for row in (3, 4)
    ]


def test_a_refused_file_is_in_the_list_of_what_is_set_aside(odd: Shop) -> None:
    listed = odd.systock("quarantine", "list")
    assert listed.code == 0
    assert "pos_sales_7.csv" in listed.out and "empty (0 bytes)" in listed.out


@pytest.fixture(scope="module")
def waiting(tmp_path_factory: pytest.TempPathFactory) -> tuple[Shop, tuple[Ran, Ran]]:
    """Lines that lack something, lines and a file that are broken; and what two runs said of them."""
    shop = good_shop(tmp_path_factory.mktemp("waiting") / "shop")
    held = sale("2-1", unit="box") + sale("2-2", unit="crate")
    shop.put("pos_sales_2.csv", HEADER + held + sale("2-3") + sale("2-4", quantity="x") + sale("2-5", quantity="y"))
    shop.put("pos_sales_3.csv", b"")
    return shop, (shop.run(), shop.run())


def test_each_run_says_what_is_held_back_until_what_it_lacks_is_there(waiting: tuple[Shop, tuple[Ran, Ran]]) -> None:
    shop, runs = waiting
    for run in runs:
        assert "Held back" in run.out and "2 lines now" in run.out
        assert "2 × sale lines: unit without conversion" in run.out
        assert "systock quarantine list" in run.out
    assert "Held back" not in shop.run("--dry-run").out
    assert Project(shop.path).held_back() == [{"entity": "sale_line", "reason": "unit without conversion", "lines": 2}]


def test_a_limit_of_none_is_all(waiting: tuple[Shop, tuple[Ran, Ran]]) -> None:
    project = Project(waiting[0].path)
    assert len(project.quarantine(0)) == len(project.quarantine(1000)) > 3 == len(project.quarantine(3))
    assert len(project.batches(limit=0)) == len(project.batches(limit=1000)) > 1 == len(project.batches(limit=1))
    assert len(project.runs(0)) == len(project.runs(1000)) > 1 == len(project.runs(1))

"""Broken files and broken values: refused or set aside with file, row, column and value; all else is as without them."""

from __future__ import annotations

import gzip
import io
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bad_project import AT, DAY_TWO, HEADER, Shop, good_shop, sale, told

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
    "blank": (b"\n \n\n", ["blank", "deliver the file again"]),
    "byte order mark only": (b"\xef\xbb\xbf", ["no text", "Deliver the file again"]),
    "NUL byte": ((HEADER + sale("3-1") + sale("3-\0")).encode(), ["row 3", "NUL", "Deliver the file again"]),
    "NULs at the end": (GOOD.encode() + b"\0" * 4096, ["row 102", "NUL", "Deliver the file again"]),
    "no encoding at all": (GOOD.encode() + b"\xff\x81\xfe\n", ["row 102", "neither UTF-8 nor cp1252", "encoding"]),
    "zip archive": (_zip(GOOD), ["zip archive", "Unpack"]),
}


@pytest.mark.parametrize("case", BROKEN_FILES)
def test_a_broken_file_is_refused_alone_and_read_when_it_comes_whole(shop: Shop, case: str) -> None:
    content, words = BROKEN_FILES[case]
    shop.put("pos_sales_3.csv", content)
    shop.put("pos_sales_2.csv", DAY_TWO)
    ran = shop.run()
    reason = shop.refused()["pos_sales_3.csv"]
    for word in words:
        assert word in reason
    assert "pos_sales_3.csv" in ran.out and words[-1] in ran.out
    assert ran.out.count("pos_sales_3.csv") == 1  # the place is told once, not twice
    shop.is_whole(pos_sales_2=DAY_TWO)
    before = shop.published()
    assert "pos_sales_3.csv" in shop.run().out  # not forgotten, and not read again
    assert shop.published() == before
    shop.put("pos_sales_3.csv", GOOD, moment=1_710_000_100.0)
    shop.run()
    assert shop.refused() == {}
    shop.is_whole(pos_sales_2=DAY_TWO, pos_sales_3=GOOD)


def test_a_refused_file_is_in_the_list_of_what_is_set_aside(shop: Shop) -> None:
    shop.put("pos_sales_3.csv", b"")
    shop.run()
    listed = shop.systock("quarantine", "list")
    assert listed.code == 0
    assert "pos_sales_3.csv" in listed.out and "empty (0 bytes)" in listed.out


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


@pytest.mark.parametrize("case", BROKEN_LINES)
def test_a_broken_line_is_set_aside_and_heals_when_it_comes_right(shop: Shop, case: str) -> None:
    line, (rule, column, value) = BROKEN_LINES[case]
    shop.put("pos_sales_2.csv", DAY_TWO + line + sale("2-9"))
    ran = shop.run()
    good = DAY_TWO + sale("2-9")
    shop.is_whole(pos_sales_2=good)
    [(file, row, found_rule, found_column, found_value)] = shop.set_aside()
    assert (file, row) == ("pos_sales_2.csv", 7)
    assert rule is None or found_rule == rule
    assert (found_column, found_value) == (column, value)
    assert "1 line in this run" in ran.out and "systock quarantine list" in ran.out
    shown = shop.systock("quarantine", "show", "1")
    assert shown.code == 0 and "pos_sales_2.csv" in shown.out
    shop.put("pos_sales_3.csv", HEADER + sale("4-1"))
    shop.run()
    shop.is_whole(pos_sales_2=good, pos_sales_3=HEADER + sale("4-1"))


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


def test_exact_repeats_are_one_line(shop: Shop) -> None:
    shop.put("pos_sales_2.csv", DAY_TWO + sale("2-1") + sale("2-1"))
    shop.run()
    shop.is_whole(pos_sales_2=DAY_TWO)
    assert shop.set_aside() == []


def test_only_a_header_is_a_delivery_without_rows(shop: Shop) -> None:
    shop.put("pos_sales_2.csv", HEADER)
    shop.run()
    assert shop.refused() == {} and shop.set_aside() == []
    shop.is_whole()


def test_a_product_that_is_not_known_stands_under_the_unknown_one_and_heals(shop: Shop) -> None:
    shop.put("pos_sales_2.csv", HEADER + sale("2-1", product="P9"))
    shop.run()
    shop.is_whole(pos_sales_2=HEADER + sale("2-1", product="P9"))
    key = "SELECT product_key, product_id, net_amount FROM gold.fact_sale_line WHERE product_id = 'P9'"
    assert shop.systock("query", key, "--format", "csv").out.splitlines()[1].startswith("0,P9,")
    product = '{"code": "P9", "name": "x", "cost": "1", "unit": "pcs", "changed_at": "2024-01-01T00:00:00+00:00"}\n'
    shop.put("erp_products_2.jsonl", product)
    shop.run()
    assert not shop.systock("query", key, "--format", "csv").out.splitlines()[1].startswith("0,P9,")
    shop.is_whole(**{"pos_sales_2": HEADER + sale("2-1", product="P9"), "erp_products_2.jsonl": product})


def test_ten_thousand_columns(shop: Shop) -> None:
    more = ",".join(f"extra {number}" for number in range(10_000))
    wide = HEADER.strip() + f",{more}\n" + sale("2-1").strip() + "," * 10_000 + "\n" + sale("2-2").strip() + "," * 9_999 + "\n"
    shop.put("pos_sales_2.csv", wide)
    shop.run()
    shop.is_whole(pos_sales_2=HEADER + sale("2-1"))
    [(_, row, rule, _, _)] = shop.set_aside()
    assert (row, rule) == (3, "expected 10010 columns, found 10009")


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


def test_utf16_and_cp1252_read_as_what_they_are(shop: Shop) -> None:
    text = HEADER + sale("4-1", product="Größe")
    shop.put("pos_sales_2.csv", text.encode("utf-16"))
    shop.put("pos_sales_3.csv", text.replace("4-1", "4-2").encode("cp1252"))
    shop.run()
    shop.is_whole(pos_sales_2=text, pos_sales_3=text.replace("4-1", "4-2"))


def test_a_folder_named_like_a_file_is_no_file(shop: Shop) -> None:
    (shop.path / "incoming" / "pos_sales_2.csv").mkdir()
    shop.put("pos_sales_3.csv", DAY_TWO)
    shop.run()
    shop.is_whole(pos_sales_3=DAY_TWO)


@pytest.fixture
def unprivileged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Permissions count: root, for whom they don't, becomes nobody for the length of a test."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_file_without_read_permission_is_refused_and_read_when_permitted(unprivileged: None) -> None:
    import shutil
    import tempfile

    folder = Path(tempfile.mkdtemp())  # below a folder that others may enter
    try:
        os.seteuid(os.getuid())
        shop = good_shop(folder / "shop")
        if os.getuid() == 0:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, 65534, 65534)
            os.seteuid(65534)
        shop.put("pos_sales_2.csv", DAY_TWO)
        locked = shop.put("pos_sales_3.csv", GOOD)
        locked.chmod(0)
        shop.run()
        reason = shop.refused()["pos_sales_3.csv"]
        assert "Permission denied" in reason and "Give read permission" in reason
        shop.is_whole(pos_sales_2=DAY_TWO)
        locked.chmod(0o644)  # the modification time stays as it was
        shop.run()
        shop.is_whole(pos_sales_2=DAY_TWO, pos_sales_3=GOOD)
    finally:
        os.seteuid(os.getuid())
        shutil.rmtree(folder, ignore_errors=True)


__all__ = ["AT", "told"]

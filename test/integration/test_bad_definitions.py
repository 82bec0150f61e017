"""Wrong mappings, models, settings and paths: one message with file, line and name, exit code 2, nothing written."""

from __future__ import annotations

from pathlib import Path

import pytest

from bad_project import DAY_TWO, Shop, good_shop, told

MAPPING = "sources/pos/sale_line.sql"
SALES = 'path = "incoming/pos_sales_*.csv"'

#: file, old text, new text, words of the message
WRONG_MAPPINGS = {
    "syntax": (MAPPING, "SELECT receipt AS sale_id,", "SELECT receipt AS sale_id AS,", [f"{MAPPING}:1"]),
    "unclosed": (MAPPING, "COALESCE(status, '')", "COALESCE(status, '", [MAPPING]),
    "empty": (MAPPING, None, "", [MAPPING]),
    "two statements": (MAPPING, None, "SELECT 1; DROP TABLE gold.fact_sale_line", [MAPPING]),
    "no select": (MAPPING, None, "DELETE FROM bronze.pos__sales", [MAPPING]),
    "no such output": (MAPPING, "quantity AS quantity", "quantity AS quantiti", [f"{MAPPING}:2", "'quantiti'", "'quantity'"]),
    "missing key column": (MAPPING, "line AS line_no,", "", [MAPPING, "key column line_no"]),
    "no such raw table": (MAPPING, "bronze.pos__sales", "bronze.pos__sale", [f"{MAPPING}:3", "bronze.pos__sale", "bronze.pos__sales"]),
    "other source's table": (MAPPING, "bronze.pos__sales", "bronze.erp__products", [f"{MAPPING}:3", "bronze.erp__products"]),
    "reads a file": (MAPPING, "bronze.pos__sales", "read_csv('/etc/passwd')", [MAPPING]),
    "cast": (MAPPING, "quantity AS quantity", "CAST(quantity AS integer) AS quantity", [f"{MAPPING}:2", "'quantity'", "to int"]),
    "cast of a part": (MAPPING, "quantity AS quantity", "CAST(COALESCE(NULLIF(TRIM(quantity), ''), '0') AS numeric(18, 3)) AS quantity", [f"{MAPPING}:2", "'quantity'"]),
    "cast of a case": (MAPPING, "quantity AS quantity", "CAST(CASE WHEN status = '' THEN quantity ELSE '0' END AS bigint) AS quantity", [f"{MAPPING}:2", "'quantity'"]),
    "cast in a condition": (MAPPING, "COALESCE(status, '')", "CAST(quantity AS integer) > 0 AND COALESCE(status, '')", [f"{MAPPING}:3", "'quantity'"]),
    "cast in a CTE": (MAPPING, None, "WITH l AS (SELECT receipt, CAST(line AS integer) AS line_no FROM bronze.pos__sales) SELECT receipt AS sale_id, line_no FROM l", [f"{MAPPING}:1", "'line'"]),
    "not portable": (MAPPING, "quantity AS quantity", "TRY_CAST(quantity AS int) AS quantity", [f"{MAPPING}:2"]),
}  # fmt: skip

MODEL = """-- One basket.
-- refresh: by key
CREATE TABLE gold.fact_basket (
    sale_key   bigint PRIMARY KEY, -- the sale
    line_count bigint NOT NULL     -- its lines
);

SELECT sale_key, COUNT(*) AS line_count FROM gold.fact_sale_line GROUP BY sale_key;
"""
VERSIONS = """-- What was believed of a basket.
-- refresh: versions
-- kept since: silver.period_clos
CREATE TABLE gold.fact_basket (
    sale_line_key uuid        NOT NULL, -- line
    known_from_at timestamptz NOT NULL, -- from
    known_to_at   timestamptz NOT NULL, -- to
    PRIMARY KEY (sale_line_key, known_from_at)
);

SELECT sale_line_key FROM gold.fact_sale_line;
"""
WRONG_MODELS = {
    "syntax": (MODEL.replace("GROUP BY sale_key", "GROUP sale_key"), [":8"]),
    "no such table": (MODEL.replace("FROM gold.fact_sale_line", "FROM gold.fact_sale_lines"), ["gold.fact_sale_lines"]),
    "no such column": (MODEL.replace("SELECT sale_key", "SELECT sale_keys AS sale_key"), ["sale_keys"]),
    "a cycle": (MODEL.replace("FROM gold.fact_sale_line", "FROM gold.fact_basket"), ["gold.fact_basket"]),
    "no sentence": (MODEL.replace("-- One basket.\n", ""), []),
    "columns differ": (MODEL.replace("AS line_count", "AS lines"), ["line_count"]),
    "kept since nothing": (VERSIONS, ["silver.period_clos,", "period_close"]),
    "a file function": (MODEL.replace("gold.fact_sale_line ", "read_text('/etc/passwd') "), []),
}

WRONG_SETTINGS = {
    "unknown setting": ('currency = "EUR"', 'currancy = "EUR"', ["currancy", "currency"]),
    "wrong zone": ('"Europe/Berlin"', '"Europe/Berlim"', ["timezone", "Europe/Berlim"]),
    "wrong currency": ('currency = "EUR"', 'currency = "EURO"', ["currency", "EURO"]),
    "wrong type": ("moves_stock = true", 'moves_stock = "often"', ["sources.pos.moves_stock", "often"]),
    "wrong mode": ('mode = "full"', 'mode = "fuII"', ["sources.erp.tables.locations.mode", "fuII", "append"]),
    "changes without key": ('key = ["receipt", "line"]\n', "", ["sources.pos.tables.sales", "key"]),
    "unknown source in codes_of": ('product = "erp"', 'product = "epr"', ["codes_of", "epr"]),
    "no TOML": ('currency = "EUR"', "currency = EUR", ["systock.toml", "line"]),
    "source name": ("[sources.counts]", "[sources.Counts]", ["Counts"]),
    "no such encoding": (SALES, f'{SALES}\nencoding = "utf-99"', ["sources.pos.tables.sales.encoding", "utf-99"]),
    "long delimiter": (SALES, f'{SALES}\ndelimiter = ";;"', ["sources.pos.tables.sales.delimiter", ";;"]),
    "calendar": ("calendar_from = 2023-12-01", "calendar_from = 2025-12-01", ["calendar_"]),
    "parent folder": (SALES, 'path = "../*.csv"', ["sources.pos.tables.sales.path", "../*.csv"]),
    "parent in the middle": (SALES, 'path = "incoming/../../*.csv"', ["sources.pos.tables.sales.path", "incoming/../../*.csv"]),
    "absolute": (SALES, 'path = "/etc/*"', ["sources.pos.tables.sales.path", "/etc/*"]),
    "home": (SALES, 'path = "~/*.csv"', ["sources.pos.tables.sales.path", "~/*.csv"]),
    "target outside": ("[sources.pos]\n", '[target]\nurl = "postgres://x"\n[sources.pos]\n', ["target", "postgres://x"]),
}  # fmt: skip


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    made = good_shop(tmp_path / "shop")
    made.put("pos_sales_2.csv", DAY_TWO)
    return made


def _everything(shop: Shop) -> dict[str, str]:
    """All files but the run log and the lock, which say that a run was tried."""
    names = ("state.sqlite", "lock")
    return {name: text for name, text in shop.files(".").items() if not name.endswith(names)}


def _is_refused(shop: Shop, *words: str) -> None:
    before = _everything(shop)
    told(shop.systock("run"), 2, *words)
    assert _everything(shop) == before, "something was written"
    assert shop.systock("query", "SELECT 1 AS one", "--format", "csv").code in (
        0,
        2,
    )  # 2: settings that nobody can read


@pytest.mark.parametrize("case", WRONG_MAPPINGS)
def test_a_wrong_mapping_is_refused_before_anything_is_written(shop: Shop, case: str) -> None:
    file, old, new, words = WRONG_MAPPINGS[case]
    right = (shop.path / file).read_text()
    if old is None:
        (shop.path / file).write_text(new)
    else:
        shop.replace(file, old, new)
    _is_refused(shop, *words)
    (shop.path / file).write_text(right)


def test_a_raw_column_that_no_file_has_is_refused_when_all_files_have_landed(shop: Shop) -> None:
    shop.replace(MAPPING, "store AS location_id", "shop AS location_id")
    before, built = shop.published(), shop.files(".systock")[".systock/build.duckdb"]
    told(shop.systock("run"), 2, f"{MAPPING}:1", "'shop'", "bronze.pos__sales", "store")
    assert (shop.published(), shop.files(".systock")[".systock/build.duckdb"]) == (before, built)
    shop.replace(MAPPING, "shop AS location_id", "store AS location_id")
    shop.run()
    shop.is_whole(pos_sales_2=DAY_TWO)


def test_a_cast_that_no_value_of_a_file_can_stop_is_no_error(shop: Shop) -> None:
    shop.replace(MAPPING, "quantity AS quantity", "CAST(try_number(quantity) AS numeric(18, 3)) AS quantity")
    shop.replace(MAPPING, "line AS line_no", "CAST(CASE WHEN line = '1' THEN 1 ELSE 2 END AS integer) AS line_no")
    shop.replace(MAPPING, "price AS unit_price_amount", "CAST(price AS text) AS unit_price_amount")
    shop.run()
    shop.is_whole(pos_sales_2=DAY_TWO)


@pytest.mark.parametrize("case", WRONG_MODELS)
def test_a_wrong_model_is_refused_before_anything_is_written(shop: Shop, case: str) -> None:
    text, words = WRONG_MODELS[case]
    model = shop.path / "models" / "fact_basket.sql"
    model.parent.mkdir()
    model.write_text(text)
    _is_refused(shop, "models/fact_basket.sql", *words)


@pytest.mark.parametrize("case", WRONG_SETTINGS)
def test_a_wrong_setting_is_refused_before_anything_is_written(shop: Shop, case: str) -> None:
    old, new, words = WRONG_SETTINGS[case]
    shop.replace("systock.toml", old, new)
    _is_refused(shop, *words)


def test_a_link_out_of_the_project_is_refused_alone(shop: Shop, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "pos_sales_3.csv").write_text(DAY_TWO.replace("2-", "3-"))
    (shop.path / "incoming" / "pos_sales_3.csv").symlink_to(outside / "pos_sales_3.csv")
    shop.replace("systock.toml", SALES, 'path = ["incoming/pos_sales_*.csv", "incoming/*/pos_sales_*.csv"]')
    (shop.path / "incoming" / "more").symlink_to(outside)
    ran = shop.run()
    for link in ("pos_sales_3.csv", "more"):
        [told_of] = [line for line in ran.out.splitlines() if f"incoming/{link}" in line]
        for word in ("link that leaves the project", str(outside), "sources.pos.tables.sales.path"):
            assert word in told_of, (link, told_of)
    shop.is_whole(pos_sales_2=DAY_TWO)


def test_a_key_that_no_file_has_is_refused_when_all_files_have_landed(shop: Shop) -> None:
    before = shop.published()
    for setting, right, wrong in (
        ("key", 'key = ["receipt", "line"]', 'key = ["receipt", "lien"]'),
        ("updated_at", 'updated_at = "changed_at"', 'updated_at = "changd_at"'),
    ):
        shop.replace("systock.toml", right, wrong)
        told(shop.systock("run"), 2, f"sources.pos.tables.sales.{setting}", "bronze.pos__sales", "did you mean")
        assert shop.published() == before
        shop.replace("systock.toml", wrong, right)
    shop.run()
    shop.is_whole(pos_sales_2=DAY_TWO)


def test_a_link_to_nothing_and_a_link_within_are_no_harm(shop: Shop) -> None:
    (shop.path / "incoming" / "pos_sales_3.csv").symlink_to("nowhere.csv")
    (shop.path / "archive").mkdir()
    (shop.path / "incoming" / "pos_sales_2.csv").rename(shop.path / "archive" / "day2.csv")
    (shop.path / "incoming" / "pos_sales_2.csv").symlink_to("../archive/day2.csv")
    shop.run()
    shop.is_whole(pos_sales_2=DAY_TWO)


def test_after_a_wrong_definition_is_mended_the_run_is_whole(shop: Shop) -> None:
    shop.replace(MAPPING, "bronze.pos__sales", "bronze.pos__sale")
    assert shop.systock("run").code == 2
    shop.replace(MAPPING, "bronze.pos__sale ", "bronze.pos__sales ")
    shop.replace("systock.toml", 'currency = "EUR"', 'currancy = "EUR"')
    assert shop.systock("run").code == 2
    shop.replace("systock.toml", 'currancy = "EUR"', 'currency = "EUR"')
    shop.run()
    shop.is_whole(pos_sales_2=DAY_TWO)


def test_a_failing_check_publishes_nothing(shop: Shop) -> None:
    model = shop.path / "models" / "fact_basket.sql"
    model.parent.mkdir()
    model.write_text(MODEL.replace("bigint NOT NULL  ", "bigint NOT NULL CHECK (line_count > 1)"))
    before = shop.published()
    told(shop.systock("run"), 1, "gold.fact_basket", "line_count > 1", "keep the last generation")
    assert shop.published() == before
    read = shop.systock("query", "SELECT count(*) AS n FROM gold.fact_sale_line", "--format", "csv")
    assert (read.code, read.out.split()) == (0, ["n", "20"])
    told(shop.systock("run"), 1, "line_count > 1")  # and not published by the next run either
    assert shop.published() == before
    model.write_text(MODEL)
    shop.run()
    with_model = shop.gold()
    assert with_model.pop("gold.fact_basket")[0] == 25
    model.unlink()
    shop.run()
    shop.is_whole(pos_sales_2=DAY_TWO)
    assert shop.gold() == with_model


@pytest.mark.long
def test_a_check_that_new_lines_break_publishes_nothing_of_them(shop: Shop) -> None:
    model = shop.path / "models" / "fact_basket.sql"
    model.parent.mkdir()
    model.write_text(MODEL.replace("bigint NOT NULL  ", "bigint NOT NULL CHECK (line_count < 2)"))
    shop.run()
    before = shop.published()
    shop.put("pos_sales_3.csv", DAY_TWO.replace("2-1,1,", "2-1,2,").replace("2-1,2,", "1-1,2,"))
    told(shop.systock("run"), 1, "gold.fact_basket", "line_count < 2")
    assert shop.published() == before
    told(shop.systock("run"), 1, "gold.fact_basket", "line_count < 2")
    assert shop.published() == before

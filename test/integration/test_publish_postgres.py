"""Publishing to a real PostgreSQL: what it holds is what the file holds, whatever was missed, changed by hand or added."""

from __future__ import annotations

import random

import pytest

from published import Shop, deliver_day, sale_rows
from small_chain import deliver
from systock.data_warehouse import touched_log
from systock.errors import TargetError
from systock.pipeline_manager.definitions import SCHEMA

pytest.importorskip("psycopg", reason="psycopg is not installed")


def test_first_load_then_only_what_a_day_touches(new_shop: Shop) -> None:
    assert new_shop.run()["how"] == "first"
    assert new_shop.differences() == []
    before = dict(new_shop.rows("SELECT CAST(sale_line_key AS text), CAST(xmin AS text) FROM gold.fact_sale_line"))
    deliver_day(new_shop.path, 2)
    target = new_shop.run()
    assert (target["how"], target["had"], target["generation"]) == ("changes", 1, 2)
    written = {table["table"]: table["written"] for table in target["tables"]}
    assert written["gold.fact_sale_line"] == 20 and "gold.dim_product" not in written
    after = dict(new_shop.rows("SELECT CAST(sale_line_key AS text), CAST(xmin AS text) FROM gold.fact_sale_line"))
    # What is noted for the server is nothing that readers of the file come upon.
    listed = "SELECT schema_name, count(*) FROM duckdb_tables() WHERE table_name LIKE 'touched%' GROUP BY ALL"
    assert [row["schema_name"] for row in new_shop.project.query(listed).to_pylist()] == ["work"]
    assert len(after) == 40 and before.items() <= after.items(), "rows of the day before were written again"
    assert new_shop.differences() == []
    assert new_shop.run() == {**target, "how": "nothing", "had": 2, "why": "it is up to date", "tables": []}


def test_answers_are_those_of_the_file(shop: Shop) -> None:
    sql = "SELECT business_date, net_amount FROM serve.sales_daily ORDER BY business_date"
    assert shop.rows(sql) == [tuple(row.values()) for row in shop.project.query(sql).to_pylist()] != []
    asked = "SELECT product_id, on_hand_units FROM serve.stock_as_of(DATE '2024-03-01', TIMESTAMPTZ '9999-01-01') ORDER BY 1"
    assert shop.rows(asked) == [tuple(row.values()) for row in shop.project.query(asked).to_pylist()] != []


def test_no_setting_of_the_server_changes_what_arrives(new_shop: Shop) -> None:
    for setting in (
        "datestyle = 'German, DMY'", "intervalstyle = 'sql_standard'", "bytea_output = 'escape'", "extra_float_digits = -3",
        "timezone = 'Asia/Tokyo'", "client_encoding = 'LATIN1'", "row_security = off", "search_path = 'evil'",
        "standard_conforming_strings = off", "quote_all_identifiers = on",
    ):  # fmt: skip
        new_shop.admin.execute(f'ALTER DATABASE "{new_shop.database}" SET {setting}'.encode())
    new_shop.project.target_init()
    assert new_shop.run()["how"] == "first"
    # The same line again, in a later file: nothing but when it was last seen is new.
    deliver(new_shop.path, "pos_sales", sale_rows(1, 1), "again", modified=1_712_900_000.0)
    assert new_shop.run()["how"] == "changes" and new_shop.project.target_status()["next"] == "nothing"
    assert new_shop.project.target_sync()["how"] == "nothing" and new_shop.differences() == []
    seen = "SELECT count(*) FROM silver.sale_line__versions WHERE _extracted_at > TIMESTAMPTZ '2024-04-11 00:00:00+00'"
    assert new_shop.rows(seen) == [(1,)]


def test_missed_generations_come_at_once_also_when_nothing_is_new(shop: Shop) -> None:
    shop.publish_to("postgresql://nobody@127.0.0.1:1/none")
    for day in (2, 3):
        deliver_day(shop.path, day)
        with pytest.raises(TargetError, match="did not answer") as failed:
            shop.run()
        assert f"generation {day}" in str(failed.value) and failed.value.exit_code == 1
    [last, *_] = shop.project.runs()
    assert (last["status"], last["generation"]) == ("failed", 3)
    shop.publish_to(shop.url)
    assert shop.generation() == 1
    target = shop.run()
    assert (target["how"], target["had"], target["generation"]) == ("changes", 1, 3)
    assert shop.differences() == []


def test_any_changes_at_all_come_over(shop: Shop) -> None:
    """Corrections, withdrawn lines, renamed and vanished places, recounts, in random order, some generations missed."""
    chance = random.Random(5)
    for step in range(4):
        for _ in range(chance.randint(1, 3)):
            match chance.randint(0, 4):
                case 0:
                    deliver_day(shop.path, chance.randint(2, 28), chance.randint(1, 5), f"n{step}{chance.random()}")
                case 1:
                    at = f"2024-04-{step + 1:02d}T10:00:00+00:00"
                    rows = [(*row[:5], str(chance.randint(-3, 3) or 1), *row[6:9], at) for row in sale_rows(1, 8)]
                    rows = [(*row[:8], chance.choice(["", "draft"]), at) for row in rows]
                    deliver(shop.path, "pos_sales", rows, f"c{step}{chance.random()}", 1_713_000_000.0 + step)
                case 2:
                    places = [("S1", f"First {step}", "Europe/Berlin"), ("S3", "Third", "America/New_York")]
                    deliver(
                        shop.path, "erp_locations", places[: chance.randint(1, 2)], f"{step}", 1_713_000_000.0 + step
                    )
                case 3:
                    at = f"2024-03-{step + 2:02d}T00:00:00+00:00"
                    deliver(
                        shop.path,
                        "erp_products",
                        [(f"P{step % 3}", f"y{step}", "2", "pcs", at)],
                        f"{step}x",
                        1_713_000_000.0 + step,
                    )
                case 4:
                    count = [("S1", f"P{step % 3}", f"2024-03-{step + 2:02d}", str(chance.randint(0, 60)))]
                    deliver(shop.path, "counts_counts", count, f"{step}x", 1_713_000_000.0 + step)
        if chance.random() < 0.4:
            shop.publish_to("postgresql://nobody@127.0.0.1:1/none")
            with pytest.raises(TargetError):
                shop.run()
            shop.publish_to(shop.url)
        else:
            assert shop.run()["how"] in ("changes", "nothing")
            assert shop.differences() == []
    assert shop.run()["how"] in ("changes", "nothing") and shop.differences() == []


def test_a_target_older_than_the_log_is_compared_row_by_row(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(touched_log, "KEPT_GENERATIONS", 1)
    shop.publish_to("postgresql://nobody@127.0.0.1:1/none")
    for day in (2, 3):
        deliver_day(shop.path, day)
        with pytest.raises(TargetError):
            shop.run()
    shop.publish_to(shop.url)
    target = shop.run()
    assert (target["how"], target["had"], target["generation"]) == ("compare", 1, 3)
    assert {table["table"]: table["written"] for table in target["tables"]}["gold.fact_sale_line"] == 40
    assert shop.differences() == []


def test_a_warehouse_built_anew_writes_only_what_differs(shop: Shop) -> None:
    shop.project.run(full=True)
    [last, *_] = shop.project.runs()
    target = last["summary"]["target"]
    assert target["how"] == "compare" and target["generation"] == 2
    assert not {table["table"] for table in target["tables"]} & {"gold.fact_sale_line", "gold.dim_product"}
    assert shop.differences() == []


def test_snapshots_come_over(shop: Shop) -> None:
    shop.project.snapshot_take(kind="stock")
    assert shop.rows("SELECT count(*) FROM snapshot.stock_state") == [(3,)]
    assert shop.differences() == []


def test_changes_by_hand_are_told_and_mended(shop: Shop) -> None:
    shop.admin.execute("UPDATE gold.fact_sale_line SET quantity_units = 99 WHERE product_id = 'P1'")
    shop.admin.execute("DELETE FROM gold.fact_stock_count")
    deliver_day(shop.path, 2)
    summary = shop.project.run()
    told = "\n".join(summary.warnings)
    assert "UPDATE on gold.fact_sale_line" in told and "DELETE on gold.fact_stock_count" in told
    assert "systock target sync --full" in told
    assert len(shop.project.target_status()["hand_changes"]) == 2
    assert [text.partition(":")[0] for text in shop.differences()] == ["gold.fact_sale_line", "gold.fact_stock_count"]
    mended = {table["table"]: table["written"] for table in shop.project.target_sync(full=True)["tables"]}
    assert mended == {"gold.fact_sale_line": 7, "gold.fact_stock_count": 3}
    assert shop.differences() == [] and shop.project.target_status()["hand_changes"] == []
    assert not any("by hand" in warning for warning in shop.project.run().warnings)


def test_dropped_keys_and_indexes_are_told_and_made_again(shop: Shop) -> None:
    hangs = """SELECT conname FROM pg_constraint WHERE connamespace = CAST('gold' AS regnamespace) AND contype <> 'n'
        UNION ALL SELECT indexname FROM pg_indexes WHERE schemaname = 'gold' ORDER BY 1"""
    made = shop.rows(hangs)
    [(index,)] = shop.rows(
        "SELECT min(indexname) FROM pg_indexes WHERE tablename = 'fact_sale_line' AND indexname !~ 'pkey'"
    )
    shop.admin.execute(f'DROP INDEX gold."{index}"'.encode())
    shop.admin.execute("ALTER TABLE gold.dim_product DROP CONSTRAINT dim_product_pkey CASCADE")
    deliver_day(shop.path, 2)
    summary = shop.project.run()
    told = "\n".join(summary.warnings)
    assert (
        f"index {index} of gold.fact_sale_line" in told and "primary key dim_product_pkey of gold.dim_product" in told
    )
    assert "systock target sync --full" in told and shop.differences() == []
    assert {
        "table": "gold.dim_product",
        "part": "primary key",
        "name": "dim_product_pkey",
    } in shop.project.target_status()["dropped"]
    assert shop.project.target_sync(full=True)["how"] == "compare"
    assert shop.rows(hangs) == made and shop.project.target_status()["dropped"] == []


def test_questions_changed_by_hand_are_told_and_made_anew(shop: Shop) -> None:
    """A view with other rows, one that reads with its owner's rights, a function with another body, one that is gone."""
    asked = "SELECT count(*) FROM serve.location_current"
    made = shop.rows(asked)
    shop.admin.execute(
        """DO $$ BEGIN EXECUTE 'CREATE OR REPLACE VIEW serve.location_current WITH (security_invoker = true) AS SELECT * FROM ('
        || rtrim(pg_get_viewdef('serve.location_current'::regclass), ';') || ') AS made WHERE false'; END $$"""
    )
    shop.admin.execute("ALTER VIEW serve.sales_daily SET (security_invoker = false)")
    shop.admin.execute("ALTER FUNCTION serve.stock_as_of(date, timestamptz) SECURITY DEFINER")
    shop.admin.execute("DROP PROCEDURE meta.prune(interval)")
    changed = {
        ("meta.prune", "procedure", "dropped"), ("serve.location_current", "view", "changed"),
        ("serve.sales_daily", "view", "changed"), ("serve.stock_as_of", "function", "changed"),
    }  # fmt: skip
    # What is noted when something else is made otherwise is not what somebody made of these.
    shop.admin.execute("UPDATE systock.object SET told = '' WHERE name = 'gold.dim_date'")
    for _ in range(2):
        deliver_day(shop.path, 2)
        told = "\n".join(shop.project.run().warnings)
        assert "altered by hand on the server: view serve.location_current (changed)" in told and "sync --full" in told
        altered = shop.project.target_status()["altered"]
        assert {(each["name"], each["kind"], each["what"]) for each in altered} == changed and shop.rows(asked) == [
            (0,)
        ]
    shop.project.target_sync(full=True)
    assert shop.project.target_status()["altered"] == [] and shop.rows(asked) == made != [(0,)]
    options = "SELECT reloptions FROM pg_class WHERE oid = CAST('serve.sales_daily' AS regclass)"
    assert shop.rows(options) == [(["security_invoker=true"],)]
    # A server that had none of that noted, or was another version then: nothing is told, all is made anew when asked.
    shop.admin.execute("ALTER VIEW serve.sales_daily SET (security_invoker = false)")
    shop.admin.execute("ALTER TABLE systock.object DROP COLUMN definition")
    assert shop.project.target_status()["altered"] == []
    shop.project.target_sync(full=True)
    assert shop.rows(options) == [(["security_invoker=true"],)] and not any(
        "by hand" in warning for warning in shop.project.run().warnings
    )


def test_rights_of_others_are_told_and_left(shop: Shop) -> None:
    assert shop.project.target_status()["other_rights"] == []
    shop.admin.execute("GRANT SELECT ON gold.dim_product, serve.sales_daily, serve.sales_weekly TO PUBLIC")
    shop.admin.execute("GRANT UPDATE (product_name) ON gold.dim_product TO systock_analyst")
    shop.admin.execute("GRANT USAGE ON SCHEMA gold, systock TO systock_reader")
    shop.admin.execute("GRANT EXECUTE ON PROCEDURE meta.prune(interval) TO systock_analyst")
    shop.project.target_sync(full=True)
    assert [tuple(each.values()) for each in shop.project.target_status()["other_rights"]] == [
        ("PUBLIC", "SELECT", "table gold.dim_product"),
        ("PUBLIC", "SELECT", "table serve.sales_daily and 1 more"),
        ("systock_analyst", "EXECUTE", "procedure meta.prune"),
        ("systock_analyst", "UPDATE", "table gold.dim_product (product_name)"),
        ("systock_reader", "USAGE", "schema gold"),
        ("systock_reader", "USAGE", "schema systock"),
    ]


def test_tables_altered_by_hand_stop_the_run_until_asked(shop: Shop) -> None:
    shop.admin.execute("ALTER TABLE gold.fact_store_day ADD COLUMN mine text")
    shop.admin.execute("DROP TABLE gold.dim_holiday CASCADE")
    deliver_day(shop.path, 2)
    with pytest.raises(TargetError, match=r"(?s)gold.dim_holiday, gold.fact_store_day.*sync --full"):
        shop.run()
    assert shop.generation() == 1
    assert shop.project.target_sync(full=True)["how"] == "anew"
    assert shop.differences() == [] and shop.generation() == 2
    assert shop.rows("SELECT count(*) FROM pg_namespace WHERE nspname LIKE '%__old%'") == [(0,)]


@pytest.mark.long
def test_columns_are_renamed_and_added_in_place(new_shop: Shop) -> None:
    """Of a table that is referred to and one that refers, with keys, checks and an index; others' views stay."""
    models = new_shop.path / "models"
    models.mkdir()

    def define(key: str, former: str, header: str = "", more: str = "", value: str = "") -> None:
        (models / "mine.sql").write_text(
            f"""-- Mine.\n-- refresh: full\n{header}CREATE TABLE gold.mine (
    {key} integer PRIMARY KEY, -- key
    {former} bigint NOT NULL CHECK ({former} <> 1) REFERENCES gold.dim_product (product_key){more} -- product
);\n
SELECT
    CAST(p.product_key % 1000 AS integer) AS {key}, p.product_key AS {former}{value}
FROM gold.dim_product AS p;\n"""
        )
        (models / "view.sql").write_text(
            "-- Asked.\n-- refresh: view\nCREATE TABLE serve.asked_mine (\n    k integer -- k\n);\n\n"
            f"SELECT mine.{key} AS k\nFROM gold.mine AS mine;\n"
        )

    define("k", "p")
    new_shop.run()
    new_shop.admin.execute("CREATE VIEW public.theirs AS SELECT k FROM gold.mine")
    before = new_shop.rows("SELECT k FROM gold.mine ORDER BY 1")
    oid = "SELECT CAST(CAST('gold.mine' AS regclass) AS oid)"
    made = new_shop.rows(oid)
    more = ", -- was p\n    odd bigint REFERENCES gold.dim_product (product_key)"
    define("kk", "product", "-- renamed: k to kk, p to product\n", more, ", NULLIF(p.product_key, 0) AS odd")
    assert "gold.mine: k becomes kk, p becomes product, odd comes" in str(new_shop.project.run(dry_run=True).target)
    target = new_shop.run()
    assert target["how"] == "in place" and new_shop.rows(oid) == made
    assert {table["table"]: table["written"] for table in target["tables"]}[
        "gold.mine"
    ] == 3  # but not the unknown product
    assert (
        new_shop.rows("SELECT kk FROM gold.mine ORDER BY 1")
        == new_shop.rows("SELECT k FROM public.theirs ORDER BY 1")
        == before
    )
    assert new_shop.differences() == [] and new_shop.run()["how"] == "nothing"
    hangs = """SELECT conname FROM pg_constraint WHERE conrelid = CAST('gold.mine' AS regclass) AND contype <> 'n'
        UNION ALL SELECT indexname FROM pg_indexes WHERE schemaname = 'gold' AND tablename = 'mine' ORDER BY 1"""
    there = new_shop.rows(hangs)
    new_shop.admin.execute("DROP VIEW public.theirs")
    new_shop.admin.execute("UPDATE systock.object SET structure = '', parts = NULL WHERE name = 'gold.mine'")
    deliver_day(new_shop.path, 2)
    assert new_shop.run()["how"] == "anew" and new_shop.rows(hangs) == there
    # What somebody dropped can't follow a new name.
    new_shop.admin.execute("ALTER TABLE gold.mine DROP CONSTRAINT mine_odd_fkey")
    define(
        "kk", "product", "-- renamed: odd to even\n", more.replace("odd", "even"), ", NULLIF(p.product_key, 0) AS even"
    )
    assert new_shop.run()["how"] == "anew" and len(new_shop.rows(hangs)) == len(there)


@pytest.mark.long
def test_what_a_snapshot_reported_keeps_its_values_under_the_new_name(shop: Shop) -> None:
    """Stated, it is renamed there and in bronze; not stated it would be lost, and what to type is told."""
    shop.project.snapshot_take(kind="product")
    kept = shop.rows("SELECT product_id, product_name FROM snapshot.product_state ORDER BY 1")
    file = shop.path / "models" / "product_state.sql"
    file.parent.mkdir()
    text = (SCHEMA / "snapshots" / "product_state.sql").read_text()
    text = text.replace("product_name         text", "title                text")
    text = text.replace("product.product_name,", "product.product_name AS title,")
    file.write_text(text)
    with pytest.raises(TargetError, match=r"(?s)would lose.*product_name.*-- renamed: old_name to new_name"):
        shop.run()
    file.write_text(text.replace("-- refresh: snapshot", "-- refresh: snapshot\n-- renamed: product_name to title"))
    assert shop.run()["how"] == "in place"
    assert shop.rows("SELECT product_id, title FROM snapshot.product_state ORDER BY 1") == kept != []
    assert shop.differences() == []


@pytest.mark.long
def test_tables_made_otherwise_are_made_beside_and_swapped(shop: Shop) -> None:
    """An own table: it comes, gets a wider column and another, its view changes, it goes; others' views stop that."""
    models = shop.path / "models"
    models.mkdir()

    def define(columns: str, select: str, view: str) -> None:
        (models / "mine.sql").write_text(
            f"-- Mine.\n-- refresh: full\nCREATE TABLE gold.mine (\n{columns}\n);\n\n{select};\n"
        )
        (models / "view.sql").write_text(
            f"-- Asked.\n-- refresh: view\nCREATE TABLE serve.asked_mine (\n    a integer -- a\n);\n\nSELECT {view} AS a\nFROM gold.mine AS mine;\n"
        )

    define("    a integer PRIMARY KEY -- a", "SELECT 1 AS a", "mine.a")
    assert "gold.mine: comes" in str(shop.project.run(dry_run=True).target)
    assert shop.run()["how"] == "anew" and shop.rows("SELECT a FROM serve.asked_mine") == [(1,)]
    define("    a integer PRIMARY KEY -- a", "SELECT 1 AS a", "mine.a + 1")
    assert shop.run()["how"] == "compare" and shop.rows("SELECT a FROM serve.asked_mine") == [(2,)]
    define(
        "    a bigint PRIMARY KEY, -- a\n    b text -- b",
        "SELECT CAST(1 AS bigint) AS a, 'x' AS b",
        "CAST(mine.a AS integer)",
    )
    shop.admin.execute("CREATE VIEW public.theirs AS SELECT a FROM gold.mine")
    with pytest.raises(TargetError, match=r"public\.theirs"):
        shop.run()
    shop.admin.execute("DROP VIEW public.theirs")
    target = shop.run()
    assert target["how"] == "anew" and "gold.mine: b comes, a is widened from integer to bigint" in target["why"]
    assert shop.rows("SELECT a, b FROM gold.mine") == [(1, "x")] and shop.differences() == []
    for file in models.iterdir():
        file.unlink()
    assert "gold.mine: goes" in shop.run()["why"]
    assert not shop.has("gold.mine") and shop.differences() == []
    assert shop.rows("SELECT count(*) FROM pg_namespace WHERE nspname LIKE '%__old%'") == [(0,)]

"""Rows by place on a real PostgreSQL: a role that is named sees its places in every table and question, all others see everything."""

from __future__ import annotations

import json
import re
import shutil
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from published import Shop, sale_rows, shop_on
from small_chain import deliver
from systock import Project
from systock.data_warehouse.function_arguments import arguments_of
from systock.data_warehouse.table_file import load_folder
from systock.errors import SettingsError, TargetError
from systock.pipeline_manager.definitions import SCHEMA
from systock.simulator import simulate, write_project

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")

#: A place and a role that would do harm where they were not quoted.
ODD_PLACE = "O'Neil\\; $$--"
LOCATIONS = [("S1", "First North"), ("S2", "Second South"), (ODD_PLACE, "Third South")]
SCHEMAS = ("gold", "silver", "snapshot", "meta", "serve")
QUESTIONS = [table for table in load_folder(SCHEMA).values() if not table.is_stored or table.refresh == "snapshot"]


class Restricted:
    """A role of the settings and somebody who has it and may read."""

    def __init__(self, shop: Shop) -> None:
        ending = uuid.uuid4().hex[:8]
        self.shop, self.role, self.user = shop, f"Nö\"rth' $$; \\ {ending}", f"anna_{ending}"
        self.more: list[str] = []

    def allow(self, **places: list[str]) -> None:
        """Write the settings so that the role sees these places."""
        sections = f'[target.row_access.{json.dumps(self.role, ensure_ascii=False)}]\nrights = "analyst"\n'
        sections += "".join(f"{name} = {json.dumps(value)}\n" for name, value in places.items())
        self.shop.publish_to(self.shop.url, sections if places else "")

    def grant(self) -> None:
        """Let the user read, by the role alone."""
        self.shop.admin.execute(f"CREATE ROLE {self.user}".encode())
        self.shop.admin.execute(f"GRANT {quoted(self.role)} TO {self.user}".encode())

    def told(self) -> list[str]:
        """What `target status` says of row_access."""
        return [row["what"] for row in self.shop.project.target_status()["row_access"]]

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What the user sees."""
        with self.shop.admin.transaction():
            self.shop.admin.execute(f"SET LOCAL ROLE {self.user}".encode())
            return self.shop.rows(sql)

    def ids(self, table: str) -> set[str]:
        """The places that the user sees in a table."""
        return {place for (place,) in self.rows(f"SELECT location_id FROM {table}")}

    def drop(self) -> None:
        for name in (self.user, self.role):
            if self.shop.rows("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)):
                self.shop.admin.execute(f"DROP OWNED BY {quoted(name)}".encode())
                self.shop.admin.execute(f"DROP ROLE {quoted(name)}".encode())


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@contextmanager
def restricted_on(shop: Shop) -> Iterator[Restricted]:
    made = Restricted(shop)
    try:
        yield made
    finally:
        made.drop()


@pytest.fixture(scope="module")
def regions(first_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with sales in three places of two regions, that ran."""
    project = tmp_path_factory.mktemp("regions") / "shop"
    shutil.copytree(first_project, project)
    region = "SELECT code AS location_id, name AS location_name, zone AS timezone, split_part(name, ' ', 2) AS region"
    (project / "sources/erp/location.sql").write_text(f"{region} FROM bronze.erp__locations\n")
    deliver(project, "erp_locations", [(*place, "") for place in LOCATIONS], "2", 1_713_000_000.0)
    for number, (place, _) in enumerate(LOCATIONS[1:], 2):
        rows = [(f"{number}{row[0]}", row[1], place, *row[3:]) for row in sale_rows(2, 5)]
        deliver(project, "pos_sales", rows, f"at{number}", 1_713_000_000.0 + number)
    # That no zone is told is no fault of a zone.
    assert "time zone" not in str(Project(project).run().warnings)
    return project


@pytest.fixture
def north(target_server: str, regions: Path, tmp_path: Path) -> Iterator[Restricted]:
    """That project, published with the role seeing the northern region."""
    with shop_on(target_server, regions, tmp_path) as shop, restricted_on(shop) as made:
        made.allow(regions=["North"])
        shop.project.target_init()
        shop.run()
        made.grant()
        yield made


def test_a_role_sees_its_places_and_others_all(north: Restricted) -> None:
    assert north.ids("gold.fact_sale_line") == north.ids("serve.sales_daily") == {"S1"}
    assert north.ids("gold.dim_location") == {"S1", "(unknown)"} and north.ids("serve.location_current") == {"S1"}
    assert north.ids("serve.sales_as_of('2024-03-01', '2024-03-31', '9999-01-01')") == {"S1"}
    assert north.ids("serve.stock_as_of('2024-03-31', '9999-01-01')") == {"S1"}
    assert north.rows("SELECT count(*) FROM gold.dim_product")[0][0] == 4
    everything = {place for place, _ in LOCATIONS}
    assert north.told() == []
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="set role"), north.shop.admin.transaction():
        north.shop.admin.execute(f"SET LOCAL SESSION AUTHORIZATION {north.user}".encode())
        north.shop.admin.execute("SET ROLE systock_analyst")
    # A policy that somebody changed under its own name.
    [(policy,)] = north.rows(
        "SELECT CAST(polname AS text) FROM pg_policy WHERE polrelid = CAST('gold.fact_sale_line' AS regclass) AND NOT polpermissive"
    )
    made = north.rows(
        "SELECT schemaname, tablename, policyname, roles, qual, with_check FROM pg_policies ORDER BY 1, 2, 3"
    )
    north.shop.admin.execute(f"ALTER POLICY {policy} ON gold.fact_sale_line USING (true)".encode())
    assert north.ids("serve.sales_daily") == everything
    assert north.told() == ["tables lack policies of SyStock, or have others"]
    told = north.shop.project.run().warnings
    assert f"changed by hand on the server and put right: policy {policy} of gold.fact_sale_line" in told
    assert north.ids("serve.sales_daily") == {"S1"} and north.told() == []
    assert (
        north.rows(
            "SELECT schemaname, tablename, policyname, roles, qual, with_check FROM pg_policies ORDER BY 1, 2, 3"
        )
        == made
    )
    assert north.shop.project.target_status()["other_rights"] == []
    # Who may take a wider role, by whichever group, is told of.
    north.shop.admin.execute(f"GRANT systock_reader TO {quoted(north.role)}".encode())
    north.shop.admin.execute(f"GRANT systock_analyst TO {north.user}".encode())
    ways = north.told()
    assert [line.partition(" and see all")[0] for line in ways] == [
        f"{north.role} is held to its places, but may SET ROLE systock_reader",
        f"{north.user} is held to its places, but may SET ROLE systock_analyst",
    ]
    assert f'REVOKE "systock_analyst" FROM {quoted(north.user)}' in ways[1]
    warned = [row["for"] for row in north.shop.project.target_init() if row["kind"] == "warning"]
    assert warned == ways and set(ways) <= set(north.shop.project.run().warnings)
    north.shop.admin.execute(f"REVOKE {quoted(north.role)} FROM {north.user}".encode())
    assert len(north.told()) == 1
    assert north.ids("gold.fact_sale_line") == north.ids("serve.sales_daily") == everything
    assert north.shop.differences() == []


def test_a_place_that_stands_still_is_answered_as_the_file_does(north: Restricted) -> None:
    """S1 sold a day less than others: up to which day it is known does not hang on who asks."""
    assert north.rows("SELECT last_date FROM gold.last_day WHERE fact_kind = 'stock'") == [(date(2024, 3, 2),)]
    assert north.rows("SELECT max(business_date) FROM gold.fact_sale_line") == [(date(2024, 3, 1),)]
    asked = {name: (name, columns) for name, columns in north.shop.rows(_LOCATED) if name.startswith("serve.")}
    asked |= {
        "serve.stock_as_of": ("serve.stock_as_of(DATE '2024-03-02', TIMESTAMPTZ '9999-01-01')", ["location_id"]),
        "serve.sales_as_of": (
            "serve.sales_as_of(DATE '2024-03-01', DATE '2024-03-02', TIMESTAMPTZ '9999-01-01')", ["location_id"],
        ),
    }  # fmt: skip
    [(key,)] = north.shop.rows("SELECT DISTINCT location_durable_key FROM gold.dim_location WHERE location_id = 'S1'")
    filled = 0
    with duckdb.connect(str(north.shop.path / "warehouse.duckdb"), read_only=True) as file:
        file.execute("SET TimeZone = 'UTC'")
        north.shop.admin.execute("SET TimeZone = 'UTC'")
        for name, (of, columns) in asked.items():
            mine = " OR ".join(f"{c} = {key}" if c.endswith("key") else f"{c} = 'S1'" for c in columns)
            names = [
                f'"{column}"'
                for (column,) in file.execute(f"SELECT column_name FROM (DESCRIBE SELECT * FROM {of})").fetchall()
            ]
            here = file.execute(f"SELECT {', '.join(names)} FROM {of} WHERE {mine}").fetchall()
            there = north.rows(f"SELECT {', '.join(names)} FROM {of}")
            assert Counter(map(_in_utc, there)) == Counter(map(_in_utc, here)), name
            filled += bool(here)
    assert filled >= 10


def _in_utc(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(value.astimezone(UTC) if isinstance(value, datetime) else value for value in row)


@pytest.mark.long
def test_settings_and_descriptions_move_what_is_seen(north: Restricted) -> None:
    """Both places of one code, a place in its region since the last run, another setting by init alone, none at all."""
    shop = north.shop
    north.allow(locations=[f"erp/{ODD_PLACE}"], regions=["North"])
    assert [row["for"] for row in shop.project.target_init() if row["name"] == north.role] == [
        "row_access: sees 2 of 3 places"
    ]
    assert north.ids("serve.sales_daily") == {"S1", ODD_PLACE}
    north.allow(regions=["North"])
    assert shop.run()["how"] == "nothing" and north.ids("serve.sales_daily") == {"S1"}
    moved = [("S1", "First South", ""), ("S2", "Second North", ""), (ODD_PLACE, "Third South", "")]
    deliver(shop.path, "erp_locations", moved, "3", 1_714_000_000.0)
    shop.run()
    assert north.ids("serve.sales_daily") == {"S2"}
    shop.admin.execute("ALTER TABLE gold.fact_sale_line DISABLE ROW LEVEL SECURITY")
    shop.run()
    assert north.ids("gold.fact_sale_line") == {"S2"}
    shop.project.target_sync(full=True)
    shop.admin.execute("UPDATE systock.object SET structure = '' WHERE name = 'gold.dim_date'")
    assert shop.project.target_sync(full=True)["how"] == "anew" and north.ids("gold.fact_sale_line") == {"S2"}
    north.allow()
    shop.project.target_init()
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        north.ids("serve.sales_daily")
    shop.admin.execute(f"GRANT systock_analyst TO {north.user}".encode())
    assert north.ids("serve.sales_daily") == {place for place, _ in LOCATIONS}
    assert shop.rows("SELECT DISTINCT polname FROM pg_policy") == [("systock_all",)]


def test_everything_on_a_server_has_a_comment(shop: Shop) -> None:
    silent = """SELECT CAST(c.oid AS regclass) || '.' || a.attname FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
        WHERE c.relnamespace = CAST('systock' AS regnamespace) AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
            AND col_description(c.oid, a.attnum) IS NULL
        UNION ALL SELECT CAST(CAST(p.oid AS regprocedure) AS text) FROM pg_proc AS p
        WHERE p.pronamespace = CAST('systock' AS regnamespace) AND obj_description(p.oid, 'pg_proc') IS NULL"""
    assert shop.rows(silent) == []


def test_statistics_tell_readers_no_values(shop: Shop) -> None:
    """Whoever reads `serve` may select from what lies beneath; what the planner sampled of it is hidden all the same."""

    def sampled(role: str) -> int:
        with shop.admin.transaction():
            shop.admin.execute(f"SET LOCAL ROLE {role}".encode())
            asked = "SELECT count(*) FROM pg_stats WHERE schemaname = ANY(%s) AND most_common_vals IS NOT NULL"
            return int(shop.rows(asked, (list(SCHEMAS),))[0][0])

    # As an older SyStock left it, but for a table that others made a policy for: ours would open it.
    for table, name in shop.rows("SELECT CAST(CAST(polrelid AS regclass) AS text), polname FROM pg_policy"):
        shop.admin.execute(f"DROP POLICY {name} ON {table}".encode())
        shop.admin.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY".encode())
    shop.admin.execute("CREATE POLICY none ON gold.dim_supplier USING (false)")
    shop.admin.execute("ALTER TABLE gold.dim_supplier ENABLE ROW LEVEL SECURITY")
    assert sampled("systock_owner") > 50 and sampled("systock_reader") > 50
    assert shop.project.target_status()["next"] == "row_access"
    shop.run()
    assert [sampled(role) for role in ("systock_reader", "systock_analyst", "systock_keeper", "systock_loader")] == [
        0
    ] * 4
    assert shop.project.target_status()["next"] == "nothing" and sampled("systock_owner") > 50
    assert shop.rows("SELECT polname FROM pg_policy WHERE polrelid = CAST('gold.dim_supplier' AS regclass)") == [
        ("none",)
    ]
    [(rows,)] = shop.rows("SELECT count(*) FROM serve.sales_daily")
    shop.admin.execute("SET ROLE systock_reader")
    assert shop.rows("SELECT count(*) FROM serve.sales_daily") == [(rows,)] != [(0,)]
    shop.admin.execute("RESET ROLE")


def test_what_is_printed_holds_at_once(target_server: str, regions: Path, tmp_path: Path) -> None:
    """`target init --sql` makes roles, policies and rights where tables are there; before that nobody reads, and status tells."""
    with shop_on(target_server, regions, tmp_path) as shop, restricted_on(shop) as north:
        north.allow(regions=["North"])
        shop.admin.execute(shop.project.target_init_sql().encode())
        north.allow()
        shop.run()
        north.grant()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            north.ids("gold.fact_sale_line")
        north.allow(regions=["North"])
        status = shop.project.target_status()
        assert status["next"] == "row_access" and [row["next_run"] for row in status["row_access"]] == ["yes"] * 3
        shop.admin.execute("CREATE TABLE gold.stranger AS SELECT 1 AS location_durable_key")
        shop.admin.execute("ALTER TABLE gold.stranger OWNER TO systock_owner")
        printed = shop.project.target_init_sql()
        shop.admin.execute(printed.encode())
        assert north.ids("gold.fact_sale_line") == north.ids("serve.sales_daily") == {"S1"} and north.told() == []
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            north.rows("SELECT * FROM gold.stranger")
        north.allow(locations=[f"erp/{ODD_PLACE}"])
        assert north.told() == ["the places that roles see have changed"]
        shop.admin.execute(shop.project.target_init_sql().encode())
        assert north.ids("serve.sales_daily") == {ODD_PLACE} and shop.project.target_status()["next"] == "nothing"
        shop.admin.execute("ALTER TABLE gold.fact_sale_line DISABLE ROW LEVEL SECURITY")
        assert north.told() == ["tables lack policies of SyStock, or have others"]
        shop.run()
        assert north.told() == []


def test_places_that_there_are_none_of_stop_with_those_that_there_are(north: Restricted) -> None:
    shop = north.shop
    north.allow(locations=["S3"], regions=["Nort"])
    with pytest.raises(
        TargetError, match=r"(?s)no 'S3'. Valid: .*S1, S2.*no 'Nort'. Valid: North, South. Did you mean 'North'"
    ):
        shop.project.target_init()
    assert north.ids("serve.sales_daily") == {"S1"}
    told = "\n".join(shop.project.run().warnings)
    assert "there is no 'S3'" in told and north.rows("SELECT * FROM serve.sales_daily") == []
    shop.admin.execute("DROP TABLE systock.visible_location CASCADE")
    with pytest.raises(TargetError, match="older SyStock"):
        shop.run()


def test_a_first_publication_stops_at_unknown_places_and_missing_roles(
    target_server: str, first_project: Path, tmp_path: Path
) -> None:
    with shop_on(target_server, first_project, tmp_path) as shop, restricted_on(shop) as role:
        shop.project.target_init()
        role.allow(locations=["S9"])
        with pytest.raises(TargetError, match="roles that the server does not have"):
            shop.run()
        (shop.path / "warehouse.duckdb").rename(shop.path / "away.duckdb")
        shop.project.target_init()
        (shop.path / "away.duckdb").rename(shop.path / "warehouse.duckdb")
        with pytest.raises(TargetError, match=r"no 'S9'. Valid: S1, S2."):
            shop.run()
        assert not shop.has("gold.fact_sale_line")


@pytest.mark.parametrize("role", ["systock_loader", "public", "pg_monitor", "", "x" * 64])
def test_roles_that_can_not_be_restricted(role: str, tmp_path: Path) -> None:
    text = f'[project]\nname = "x"\n[target.row_access.{json.dumps(role)}]\nregions = ["North"]\n'
    (tmp_path / "systock.toml").write_text(text)
    with pytest.raises(SettingsError, match=r"target.row_access"):
        Project(tmp_path).target_init()


def test_no_place_has_a_nul_in_its_name(tmp_path: Path) -> None:
    text = '[project]\nname = "x"\n[target.row_access.north]\nregions = ["No\\u0000rth"]\n'
    (tmp_path / "systock.toml").write_text(text)
    with pytest.raises(SettingsError, match=r"target.row_access.north.regions.* is not the name of a place"):
        Project(tmp_path).target_init()


@pytest.mark.long
def test_every_table_and_question_of_a_chain(target_server: str, tmp_path: Path) -> None:
    """Of what names a place, exactly the rows of the role's; what each place is answered alone is answered as before."""
    chain = tmp_path / "chain"
    simulate(chain, days=20, stores=3, products=25, seed=5)
    write_project(chain)
    with shop_on(target_server, chain, tmp_path) as shop, restricted_on(shop) as role:
        [first, second, *_] = sorted(row["location_id"] for row in _stores(shop))
        role.allow(locations=[first, second])
        shop.project.target_init()
        shop.project.run(until="2024-03-12")
        shop.project.snapshot_take()
        shop.run()
        role.grant()
        mine = f"IN ({', '.join(repr(name) for name in (first, second))})"
        differs = []
        relations = shop.rows(_LOCATED)
        for table, columns in relations:
            keys = f"IN (SELECT location_durable_key FROM gold.dim_location WHERE location_id {mine})"
            either = " OR ".join(f"{name} {keys if name.endswith('key') else mine}" for name in columns)
            is_place = " OR location_key = 0" if table == "gold.dim_location" else ""
            asked = f"SELECT CAST(r AS text) FROM {table} AS r"
            own = f"{asked} WHERE {either}{is_place}"
            if sorted(role.rows(asked)) != sorted(shop.rows(own)):
                differs.append(table)
        # What the goods of a transfer are worth is posted at its other end, too.
        assert len(relations) > 45 and differs == ["gold.stock_cost"]
        for table in QUESTIONS:
            if table.refresh == "function":
                values = {"known_at": "TIMESTAMPTZ '9999-01-01'", "first_date": "DATE '2024-03-01'"}
                given = ", ".join(values.get(a, "DATE '2024-03-15'") for a in arguments_of(table))
                asked = f"SELECT CAST(r AS text) FROM {table.qualified}({given}) AS r"
                rows = sorted(role.rows(asked))
                assert rows == sorted(shop.rows(f"{asked} WHERE location_id {mine}")) != []
        ledger = "SELECT count(*) FROM gold.stock_count_explanation"
        counted = f"{ledger} WHERE ledger_entry_key IN (SELECT ledger_entry_key FROM gold.stock_ledger WHERE location_id {mine})"
        assert role.rows(ledger) == shop.rows(counted) != [(0,)]
        assert role.rows("SELECT count(*) FROM snapshot.product_state") == [(0,)]
        own = shop.rows(f"SELECT sum(net_units) FROM serve.sales_daily WHERE location_id {mine}")
        assert role.rows("SELECT sum(net_units) FROM serve.top_products") == own


def _stores(shop: Shop) -> list[dict[str, Any]]:
    shop.settings = re.sub(r"(?ms)^\[(target|run)\].*?(?=^\[|\Z)", "", shop.settings)
    shop.publish_to("duckdb:///warehouse.duckdb")
    shop.project.run(until="2024-03-02")
    found = shop.project.query(
        "SELECT location_id FROM serve.location_current WHERE location_type = 'store'"
    ).to_pylist()
    shop.publish_to(shop.url)
    return list(found)


#: Tables and views with a place in them, and the columns of its key and code.
_LOCATED = """
    SELECT format('%s.%s', n.nspname, c.relname), array_agg(CAST(a.attname AS text))
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace JOIN pg_attribute AS a ON a.attrelid = c.oid
    WHERE n.nspname IN ('gold', 'serve', 'snapshot') AND c.relkind IN ('r', 'v')
        AND a.attname ~ '^((from|to)_)?location_(id|durable_key)$' GROUP BY 1 ORDER BY 1"""

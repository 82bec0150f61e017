"""Refresh by key, rule by rule: which keys a change touches, and that recomputing them is enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from sqlglot import exp

from systock.data_warehouse.refresh_keys import RefreshPlan, plan_refresh
from systock.errors import DefinitionError

from ...property.refresh_world import Followed, Rows, World

TABLES = {
    "s.header": {"sale": "text", "shop": "text", "day": "integer"},
    "s.line": {"sale": "text", "line": "text", "product": "text", "units": "integer"},
    "s.product": {"product": "text", "since": "integer", "until": "integer", "category": "text"},
    "s.banned": {"product": "text"},
    "s.project": {"currency": "text"},
    "s.move": {"product": "text", "shop": "text", "moment": "integer", "units": "integer", "status": "text"},
    "s.count": {"product": "text", "shop": "text", "moment": "integer", "units": "integer"},
    "s.shop": {"shop_key": "bigint", "source": "text", "shop": "text", "city": "text"},
}


@pytest.fixture(scope="module")
def world() -> World:
    return World(TABLES)


def rows(*lines: str) -> Rows:
    """'a 1 -' → ('a', 1, NULL) as SQL literals."""

    def literal(word: str) -> str:
        return "NULL" if word == "-" else word if word.lstrip("-").isdigit() else f"'{word}'"

    return [tuple(map(literal, line.split())) for line in lines]


def follow(
    world: World,
    sql: str,
    key: Sequence[str],
    before: Mapping[str, Rows],
    after: Mapping[str, Rows],
    definitions: Mapping[str, str] | None = None,
) -> Followed:
    plan = world.plan(sql, key, definitions)
    assert plan.whole is None
    return world.follow(plan, sql, before, {**before, **after})


def scans(query: exp.Query) -> dict[str, int]:
    """The tables that a query reads, by name, with how often."""
    found: dict[str, int] = {}
    for table in query.find_all(exp.Table):
        if table.db:
            found[table.name] = found.get(table.name, 0) + 1
    return found


def touched_joins(query: exp.Query) -> list[exp.Select]:
    """The SELECTs that keep only touched rows."""
    joins = (join for join in query.find_all(exp.Join) if join.kind == "SEMI" and join.this.name == "touched")
    return [join.parent for join in joins if isinstance(join.parent, exp.Select)]


def restricted_scans(query: exp.Query) -> set[str]:
    """The tables that keep only touched rows right at the scan."""
    found = set()
    for select in touched_joins(query):
        scan = select.args["from_"].this
        if isinstance(scan, exp.Table) and scan.db and len(select.args["joins"]) == 1:
            found.add(scan.name)
    return found


# ---------------------------------------------------------------------------------------------- what the keys are


FACT = """
    SELECT fact_key(l.sale, l.line) AS line_key, l.sale, h.shop, h.day, l.units, p.category, s.currency
    FROM s.line AS l
    INNER JOIN s.header AS h ON h.sale = l.sale
    CROSS JOIN s.project AS s
    LEFT JOIN s.product AS p ON p.product = l.product AND p.since <= h.day AND h.day < p.until
"""


def test_a_key_function_is_replaced_by_its_arguments(world: World) -> None:
    plan = world.plan(FACT, ["line_key"])
    assert plan.columns == ("k1", "k2")
    assert plan.meanings == ("l.sale", "l.line")


def test_an_expression_is_replaced_by_the_columns_that_it_reads(world: World) -> None:
    plan = world.plan("SELECT l.sale || '/' || l.line AS name, l.units FROM s.line AS l", ["name"])
    assert plan.meanings == ("l.sale", "l.line")


def test_a_group_expression_stays_an_expression(world: World) -> None:
    sql = "SELECT COALESCE(l.product, '?') AS product, SUM(l.units) AS units FROM s.line AS l GROUP BY COALESCE(l.product, '?')"
    plan = world.plan(sql, ["product"])
    assert plan.meanings == ("COALESCE(l.product, '?')",)
    done = follow(
        world,
        sql,
        ["product"],
        {"s.line": rows("1 1 a 5", "1 2 - 5", "1 3 b 5")},
        {"s.line": rows("1 1 a 5", "1 3 b 5")},
    )
    assert done.touched == {("?",)}


def test_a_column_that_equals_another_is_no_second_key(world: World) -> None:
    plan = world.plan(
        "SELECT l.sale, h.sale AS same, l.line FROM s.line AS l JOIN s.header AS h ON h.sale = l.sale",
        ["sale", "same", "line"],
    )
    assert plan.meanings == ("l.sale", "l.line")


def test_a_constant_is_no_key(world: World) -> None:
    plan = world.plan("SELECT 'pos' AS source, l.sale, l.line FROM s.line AS l", ["source", "sale", "line"])
    assert plan.meanings == ("l.sale", "l.line")


# ---------------------------------------------------------------------------------------------- joins


BEFORE = {
    "s.header": rows("1 x 10", "2 y 20"),
    "s.line": rows("1 1 a 5", "1 2 b 6", "2 1 a 7"),
    "s.product": rows("a 0 15 old", "a 15 99 new", "b 0 99 b"),
    "s.project": rows("EUR"),
}


def test_a_line_touches_itself(world: World) -> None:
    done = follow(world, FACT, ["line_key"], BEFORE, {"s.line": rows("1 1 a 5", "1 2 b 8", "2 1 a 7")})
    assert done.touched == {("1", "2")}
    assert len(done.old) == len(done.new) == 1


def test_a_header_touches_its_lines(world: World) -> None:
    done = follow(world, FACT, ["line_key"], BEFORE, {"s.header": rows("1 z 10", "2 y 20")})
    assert done.touched == {("1", "1"), ("1", "2")}


def test_a_version_touches_the_rows_in_its_span(world: World) -> None:
    done = follow(world, FACT, ["line_key"], BEFORE, {"s.product": rows("a 0 15 old", "a 15 99 newer", "b 0 99 b")})
    assert done.touched == {("2", "1")}


def test_a_version_that_comes_or_goes_heals_the_rows_without_one(world: World) -> None:
    done = follow(
        world, FACT, ["line_key"], {**BEFORE, "s.product": rows("a 0 15 old")}, {"s.product": rows("b 0 99 b")}
    )
    assert done.touched == {("1", "1"), ("1", "2")}


def test_rows_that_move_together_are_found_in_the_state_before(world: World) -> None:
    """The line goes to another sale, and its old header goes: the state after knows nothing of where it was."""
    plan = world.plan(FACT, ["line_key"])
    after = {**BEFORE, "s.header": rows("2 y 20"), "s.line": rows("1 1 a 5", "2 2 b 6", "2 1 a 7")}
    world.follow(plan, FACT, BEFORE, after)
    assert ("1", "2") not in world.touched(plan, ["s.header"], ["after"])
    assert ("1", "2") in world.touched(plan, ["s.header"], ["before"])


def test_settings_beside_all_rows_touch_every_key(world: World) -> None:
    plan = world.plan(FACT, ["line_key"])
    assert set(plan.whole_for) == {"s.project"}
    assert plan.why_whole("s.project") and plan.why_whole("s.line") is None
    done = follow(world, FACT, ["line_key"], BEFORE, {"s.project": rows("USD")})
    assert done.touched == {("1", "1"), ("1", "2"), ("2", "1")}


def test_using(world: World) -> None:
    sql = "SELECT sale, line, shop FROM s.line LEFT JOIN s.header USING (sale)"
    plan = world.plan(sql, ["sale", "line"])
    assert plan.meanings == ("line.sale", "line.line")
    assert restricted_scans(plan.recompute("touched")) == {"line"}
    done = follow(world, sql, ["sale", "line"], BEFORE, {"s.header": rows("1 x 10")})
    assert done.touched == {("2", "1")}


def test_a_self_join_is_two_occurrences(world: World) -> None:
    sql = """SELECT l.sale, l.line, b.units AS next_units FROM s.line AS l
             LEFT JOIN s.line AS b ON b.sale = l.sale AND b.product = l.product AND b.line > l.line"""
    plan = world.plan(sql, ["sale", "line"])
    assert len(plan.touched("s.line", "changed")) == 2
    before = {"s.line": rows("1 1 a 5", "1 2 a 6", "1 3 b 7")}
    done = follow(world, sql, ["sale", "line"], before, {"s.line": rows("1 1 a 5", "1 2 a 9", "1 3 b 7")})
    assert done.touched == {("1", "1"), ("1", "2")}


def test_a_key_from_an_outer_join_is_followed_with_and_without_a_match(world: World) -> None:
    sql = """SELECT COALESCE(p.category, '?') AS category, SUM(l.units) AS units FROM s.line AS l
             LEFT JOIN s.product AS p ON p.product = l.product GROUP BY COALESCE(p.category, '?')"""
    before = {"s.line": rows("1 1 a 5", "1 2 b 6"), "s.product": rows("b 0 9 x")}
    done = follow(world, sql, ["category"], before, {"s.product": rows("b 0 9 x", "a 0 9 y")})
    assert done.touched == {("?",), ("y",)}
    done = follow(world, sql, ["category"], before, {"s.product": rows()})
    assert done.touched == {("?",), ("x",)}


def test_a_filter_on_the_outer_joined_side_hides_no_change(world: World) -> None:
    sql = """SELECT l.sale, l.line FROM s.line AS l LEFT JOIN s.product AS p ON p.product = l.product AND p.since = 1
             WHERE p.category IS NULL"""
    before = {"s.line": rows("1 1 a 5", "1 2 b 6"), "s.product": rows("b 1 9 x")}
    done = follow(world, sql, ["sale", "line"], before, {"s.product": rows("b 1 9 x", "a 1 9 y", "b 2 9 z")})
    assert done.touched == {("1", "1")}


def test_an_outer_join_through_another_one(world: World) -> None:
    sql = """SELECT l.sale, l.line, b.product AS banned FROM s.line AS l
             LEFT JOIN s.product AS p ON p.product = l.product
             LEFT JOIN s.banned AS b ON b.product = COALESCE(p.category, l.product)"""
    before = {
        "s.line": rows("1 1 a 5", "1 2 b 6", "1 3 c 6"),
        "s.product": rows("b 0 9 a", "c 0 9 x"),
        "s.banned": rows(),
    }
    done = follow(world, sql, ["sale", "line"], before, {"s.banned": rows("a")})
    assert done.touched == {("1", "1"), ("1", "2")}


def test_rows_without_a_match_pass_a_condition_that_bears_null(world: World) -> None:
    """The outer join on the way to the occurrence must stay one."""
    sql = """SELECT l.sale, l.line, h.shop FROM s.line AS l LEFT JOIN s.product AS p ON p.product = l.product
             INNER JOIN s.header AS h ON h.sale = COALESCE(p.category, l.sale)"""
    before = {"s.line": rows("1 1 a 5", "2 1 b 5"), "s.product": rows("b 0 9 1"), "s.header": rows("1 x 0")}
    done = follow(world, sql, ["sale", "line"], before, {"s.header": rows("1 y 0")})
    assert done.touched == {("1", "1"), ("2", "1")}


# ---------------------------------------------------------------------------------------------- subqueries


def test_not_exists(world: World) -> None:
    sql = "SELECT l.sale, l.line FROM s.line AS l WHERE NOT EXISTS (SELECT 1 FROM s.banned AS b WHERE b.product = l.product)"
    before = {"s.line": rows("1 1 a 5", "1 2 b 6"), "s.banned": rows("b")}
    done = follow(world, sql, ["sale", "line"], before, {"s.banned": rows("a")})
    assert done.touched == {("1", "1"), ("1", "2")}
    assert done.old == {("1", "1"): 1} and done.new == {("1", "2"): 1}


def test_a_subquery_may_use_the_same_names(world: World) -> None:
    sql = """SELECT l.sale, l.line FROM s.line AS l
             WHERE EXISTS (SELECT 1 FROM s.count AS x JOIN s.banned AS l ON l.product = x.product WHERE x.shop = '1')
             OR EXISTS (SELECT 1 FROM s.move AS l WHERE l.units = 1 AND l.product = 'a')"""
    plan = world.plan(sql, ["sale", "line"])
    assert set(plan.whole_for) == {"s.banned", "s.count", "s.move"}
    sql = "SELECT l.sale, l.line FROM s.line AS l WHERE l.units > (SELECT AVG(l.units) FROM s.move AS l WHERE l.product = l.status)"
    assert set(world.plan(sql, ["sale", "line"]).whole_for) == {"s.move"}


def test_a_correlated_subquery_anywhere(world: World) -> None:
    sql = """SELECT l.sale, l.line, (SELECT MAX(m.units) FROM s.move AS m WHERE m.product = l.product) AS most FROM s.line AS l"""
    before = {"s.line": rows("1 1 a 5", "1 2 b 6"), "s.move": rows("b x 1 1 s", "a x 1 1 s")}
    done = follow(world, sql, ["sale", "line"], before, {"s.move": rows("b x 1 3 s", "a x 1 1 s")})
    assert done.touched == {("1", "2")}


def test_a_subquery_within_a_subquery(world: World) -> None:
    sql = """SELECT h.sale, h.shop FROM s.header AS h WHERE EXISTS (SELECT 1 FROM s.line AS l WHERE l.sale = h.sale
             AND NOT EXISTS (SELECT 1 FROM s.banned AS b WHERE b.product = l.product AND b.product = h.shop))"""
    before = {
        "s.header": rows("1 a 1", "2 a 1", "3 b 1"),
        "s.line": rows("1 1 a 5", "2 1 b 6", "3 1 b 5"),
        "s.banned": rows(),
    }
    done = follow(world, sql, ["sale"], before, {"s.banned": rows("a")})
    assert done.touched == {("1",), ("2",)}, "the lines between are not looked at"


def test_in_as_a_filter_is_a_join(world: World) -> None:
    sql = "SELECT l.sale, l.line FROM s.line AS l WHERE l.product IN (SELECT b.product FROM s.banned AS b)"
    done = follow(world, sql, ["sale", "line"], {"s.line": rows("1 1 a 5", "1 2 b 6")}, {"s.banned": rows("a", "-")})
    assert done.touched == {("1", "1")}


@pytest.mark.parametrize(
    "condition",
    [
        "l.product NOT IN (SELECT b.product FROM s.banned AS b)",
        "(l.product IN (SELECT b.product FROM s.banned AS b)) IS NULL",
        "NOT l.product IN (SELECT b.product FROM s.banned AS b)",
    ],
)
def test_in_elsewhere_is_not(world: World, condition: str) -> None:
    """A NULL among the values changes the answer for rows that it does not equal."""
    sql = f"SELECT l.sale, l.line FROM s.line AS l WHERE {condition}"
    assert set(world.plan(sql, ["sale", "line"]).whole_for) == {"s.banned"}
    before = {"s.line": rows("1 1 a 5", "1 2 b 6"), "s.banned": rows("c")}
    done = follow(world, sql, ["sale", "line"], before, {"s.banned": rows("-", "c")})
    assert done.touched == {("1", "1"), ("1", "2")}


def test_in_of_limited_rows_is_not(world: World) -> None:
    sql = "SELECT l.sale, l.line FROM s.line AS l WHERE l.product IN (SELECT b.product FROM s.banned AS b ORDER BY b.product LIMIT 1)"
    before = {"s.line": rows("1 1 a 5", "1 2 b 6"), "s.banned": rows("b")}
    done = follow(world, sql, ["sale", "line"], before, {"s.banned": rows("a", "b")})
    assert done.touched == {("1", "1"), ("1", "2")}


def test_a_subquery_that_is_not_correlated_touches_everything(world: World) -> None:
    sql = "SELECT l.sale, l.line FROM s.line AS l WHERE l.units > (SELECT MIN(m.units) FROM s.move AS m)"
    plan = world.plan(sql, ["sale", "line"])
    assert set(plan.whole_for) == {"s.move"}
    done = follow(world, sql, ["sale", "line"], {"s.line": rows("1 1 a 5", "1 2 b 6")}, {"s.move": rows("a x 1 4 s")})
    assert len(done.touched) == 2


def test_lateral(world: World) -> None:
    sql = """SELECT l.sale, l.line, m.moment FROM s.line AS l
             LEFT JOIN LATERAL (SELECT m.moment FROM s.move AS m WHERE m.product = l.product ORDER BY m.moment DESC LIMIT 1) AS m ON TRUE"""
    before = {"s.line": rows("1 1 a 5", "1 2 b 6"), "s.move": rows("b x 1 1 s", "b x 2 1 s", "a x 7 1 s")}
    done = follow(world, sql, ["sale", "line"], before, {"s.move": rows("b x 1 1 s", "a x 7 1 s")})
    assert done.touched == {("1", "2")}


def test_a_day_table_is_followed_through_its_arguments(world: World) -> None:
    sql = """WITH span AS (SELECT m.product, m.moment, LEAD(m.moment) OVER (PARTITION BY m.product ORDER BY m.moment) AS next_moment FROM s.move AS m)
             SELECT span.product, spine.day, span.moment FROM span CROSS JOIN LATERAL date_spine(
                 add_days(DATE '2024-01-01', span.moment), add_days(DATE '2024-01-01', COALESCE(span.next_moment - 1, 9))) AS spine"""
    plan = world.plan(sql, ["product", "day"])
    assert plan.meanings == ("m.product",)
    before = {"s.move": rows("a x 1 1 s", "b x 2 1 s")}
    done = follow(world, sql, ["product", "day"], before, {"s.move": rows("a x 1 1 s", "b x 2 1 s", "a x 4 1 s")})
    assert done.touched == {("a",)}


# ---------------------------------------------------------------------------------------------- groups and windows


def test_an_aggregate_touches_the_group_that_a_row_left_and_the_one_it_came_to(world: World) -> None:
    sql = "SELECT l.product, SUM(l.units) AS units, COUNT(*) AS lines FROM s.line AS l GROUP BY l.product HAVING COUNT(*) > 1"
    before = {"s.line": rows("1 1 a 5", "1 2 a 6", "1 3 b 7", "1 4 c 8", "1 5 - 1")}
    after = {"s.line": rows("1 1 a 5", "1 2 b 6", "1 3 b 7", "1 4 c 8", "1 5 - 1", "1 6 - 1")}
    done = follow(world, sql, ["product"], before, after)
    assert done.touched == {("a",), ("b",), (None,)}
    assert done.new == {("b", 13, 2): 1, (None, 2, 2): 1}


def test_null_keys_are_keys(world: World) -> None:
    sql = "SELECT l.product, l.sale, MAX(l.units) AS units FROM s.line AS l GROUP BY l.product, l.sale"
    before = {"s.line": rows("- 1 - 5", "- 2 a 6", "1 3 - 7")}
    done = follow(world, sql, ["product", "sale"], before, {"s.line": rows("- 1 - 9", "- 2 a 6", "1 3 - 7")})
    assert done.touched == {(None, None)}
    assert done.old == {(None, None, 5): 1} and done.new == {(None, None, 9): 1}


def test_a_coarser_window_widens_the_key(world: World) -> None:
    sql = """WITH sold AS (SELECT h.shop, l.product, SUM(l.units) AS units FROM s.line AS l JOIN s.header AS h ON h.sale = l.sale
                           GROUP BY h.shop, l.product)
             SELECT shop, product, units, RANK() OVER (PARTITION BY shop ORDER BY units DESC) AS place FROM sold"""
    plan = world.plan(sql, ["shop", "product"])
    assert plan.meanings == ("h.shop",)
    before = {"s.header": rows("1 x 0", "2 y 0"), "s.line": rows("1 1 a 5", "1 2 b 6", "2 1 a 7")}
    done = follow(world, sql, ["shop", "product"], before, {"s.line": rows("1 1 a 7", "1 2 b 6", "2 1 a 7")})
    assert done.touched == {("x",)}
    assert len(done.old) == 2


def test_a_key_made_by_a_window_is_replaced_by_its_partition(world: World) -> None:
    sql = """SELECT 'pos' AS source, l.sale AS sale_id, CAST(ROW_NUMBER() OVER (PARTITION BY l.product, l.sale ORDER BY l.line) AS text) AS no,
             l.units FROM s.line AS l"""
    plan = world.plan(sql, ["source", "sale_id", "no"])
    assert plan.meanings == ("l.sale", "l.product")
    before = {"s.line": rows("1 1 a 5", "1 2 a 6", "1 3 b 6", "2 1 a 7")}
    done = follow(world, sql, ["source", "sale_id", "no"], before, {"s.line": rows("1 2 a 6", "1 3 b 6", "2 1 a 7")})
    assert done.touched == {("1", "a")}


def test_windows_over_columns_of_windows_keep_to_what_is_certain(world: World) -> None:
    """Runs between counts: the second window's segment is itself a window's value."""
    sql = """WITH entry AS (
                 SELECT m.product, m.shop, m.moment, m.units, m.status, 0 AS is_count FROM s.move AS m
                 UNION ALL
                 SELECT c.product, c.shop, c.moment, c.units, 'sellable' AS status, 1 AS is_count FROM s.count AS c
             ),
             keyed AS (SELECT dim_key(product, shop) AS pair_key, product, moment, units, status, is_count FROM entry),
             segmented AS (
                 SELECT keyed.*, SUM(is_count) OVER (PARTITION BY pair_key, status ORDER BY moment, is_count
                     ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS segment FROM keyed
             )
             SELECT pair_key, moment, status, SUM(units) OVER (PARTITION BY pair_key, status, segment ORDER BY moment, is_count
                 ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS balance FROM segmented"""
    plan = world.plan(sql, ["pair_key", "moment"])
    assert plan.meanings == ("product", "shop", "status")
    assert restricted_scans(plan.recompute("touched")) == {"move", "count"}
    before = {
        "s.move": rows("a x 1 1 sellable", "a x 4 2 sellable", "b x 1 5 sellable", "a x 2 9 hold"),
        "s.count": rows("a x 5 7", "b x 3 2"),
    }
    done = follow(world, sql, ["pair_key", "moment"], before, {"s.count": rows("a x 3 6", "b x 3 2")})
    assert done.touched == {("a", "x", "sellable")}


def test_runs_by_lag_with_filters_on_windows(world: World) -> None:
    sql = """WITH marked AS (
                 SELECT product, moment, units, LEAD(moment) OVER (PARTITION BY product ORDER BY moment) AS next_moment,
                     LAG(units) OVER (PARTITION BY product ORDER BY moment) AS units_before FROM s.move
             )
             SELECT product, moment AS from_moment, LEAD(moment) OVER (PARTITION BY product ORDER BY moment) AS to_moment, units
             FROM marked WHERE units_before IS NULL OR units_before <> units"""
    plan = world.plan(sql, ["product", "from_moment"])
    assert plan.meanings == ("s.move.product",) or plan.meanings == ("move.product",)
    before = {"s.move": rows("a x 1 1 s", "a x 2 1 s", "a x 3 2 s", "b x 1 1 s")}
    done = follow(
        world,
        sql,
        ["product", "from_moment"],
        before,
        {"s.move": rows("a x 1 1 s", "a x 2 2 s", "a x 3 2 s", "b x 1 1 s")},
    )
    assert done.touched == {("a",)}


TYPE_2 = """
    WITH version AS (
        SELECT product, since, category, LEAD(since) OVER (PARTITION BY product ORDER BY since) AS until FROM s.product
    )
    SELECT dim_key(product, category) AS version_key, dim_key(product) AS durable_key, product, until FROM version
    UNION ALL
    SELECT 0 AS version_key, 0 AS durable_key, '(unknown)' AS product, NULL AS until FROM s.project AS project
"""


def test_a_type_2_dimension_with_its_unknown_member(world: World) -> None:
    plan = world.plan(TYPE_2, ["version_key"])
    assert plan.meanings == ("product.product",)
    before = {"s.product": rows("a 1 0 x", "a 5 0 y", "b 1 0 x"), "s.project": rows("EUR")}
    done = follow(
        world, TYPE_2, ["version_key"], before, {"s.product": rows("a 1 0 x", "a 3 0 z", "a 5 0 y", "b 1 0 x")}
    )
    assert done.touched == {("a",)}
    done = follow(world, TYPE_2, ["version_key"], before, {"s.project": rows("EUR", "USD")})
    assert done.touched == {("a",), ("b",), (None,)}
    assert sum(done.new.values()) - sum(done.old.values()) == 1


def test_distinct_and_distinct_on(world: World) -> None:
    before = {"s.line": rows("1 1 a 5", "1 2 a 6", "1 3 b 7", "2 1 b 8")}
    after = {"s.line": rows("1 1 a 5", "1 2 a 6", "1 3 c 7", "2 1 b 8")}
    sql = "SELECT DISTINCT l.sale, l.product FROM s.line AS l"
    assert follow(world, sql, ["sale", "product"], before, after).touched == {("1", "b"), ("1", "c")}
    sql = "SELECT DISTINCT ON (l.sale) l.sale, l.product, l.units FROM s.line AS l ORDER BY l.sale, l.units DESC"
    assert follow(world, sql, ["sale"], before, after).touched == {("1",)}
    sql = "SELECT DISTINCT ON (l.units) l.sale, l.line FROM s.line AS l ORDER BY l.units, l.sale, l.line"
    assert world.plan(sql, ["sale", "line"]).meanings == ("l.units",)


def test_a_union_without_doubles(world: World) -> None:
    sql = "SELECT l.product, l.sale FROM s.line AS l UNION SELECT m.product, m.shop FROM s.move AS m"
    before = {"s.line": rows("x 1 a 5", "y 1 a 6"), "s.move": rows("a x 1 1 s")}
    done = follow(world, sql, ["product", "sale"], before, {"s.line": rows("y 1 a 6")})
    assert done.touched == {("a", "x")} and done.old == done.new == {("a", "x"): 1}


def test_branches_of_a_union_are_told_apart_by_their_literals(world: World) -> None:
    sql = """SELECT product, kind, SUM(units) AS units FROM (
                 SELECT l.product, 'line' AS kind, l.units FROM s.line AS l UNION ALL SELECT m.product, m.status, m.units FROM s.move AS m
             ) AS entry GROUP BY product, kind"""
    plan = world.plan(sql, ["product", "kind"])
    assert plan.meanings == ("product", "kind")
    before = {"s.line": rows("x 1 a 5", "y 1 b 6"), "s.move": rows("a x 1 1 line", "b x 1 1 hold")}
    done = follow(world, sql, ["product", "kind"], before, {"s.move": rows("a x 1 2 line", "b x 1 1 hold")})
    assert done.touched == {("a", "line")} and done.new == {("a", "line", 7): 1}


def test_a_with_query_that_is_used_twice(world: World) -> None:
    sql = """WITH sold AS (SELECT l.product, l.sale, SUM(l.units) AS units FROM s.line AS l GROUP BY l.product, l.sale)
             SELECT a.product, a.sale, a.units, b.units AS others FROM sold AS a LEFT JOIN sold AS b ON b.product = a.product AND b.sale <> a.sale"""
    before = {"s.line": rows("1 1 a 5", "2 1 a 6", "3 1 b 7")}
    done = follow(world, sql, ["product", "sale"], before, {"s.line": rows("1 1 a 8", "2 1 a 6", "3 1 b 7")})
    assert done.touched == {("a", "1"), ("a", "2")}


# ---------------------------------------------------------------------------------------------- two that change together


def test_two_aggregates_over_joins_that_change_together(world: World) -> None:
    """Neither run sees both: before, the new rows meet nothing; after, both totals have passed their limits."""
    sql = """WITH sold AS (
                 SELECT l.product, SUM(l.units) AS units FROM s.line AS l JOIN s.header AS h ON h.sale = l.sale GROUP BY l.product
             ),
             moved AS (
                 SELECT m.product, MAX(m.units) AS units FROM s.move AS m JOIN s.count AS c ON c.shop = m.shop GROUP BY m.product
             )
             SELECT sold.product, sold.units FROM sold JOIN moved ON moved.product = sold.product
             WHERE sold.units < 6 AND moved.units < 8"""
    before = {
        "s.header": rows("1 x 0"), "s.line": rows("1 1 a 5", "1 2 b 5"),
        "s.move": rows("a x 1 5 s", "b x 1 6 s"), "s.count": rows("q x 0 0"),
    }  # fmt: skip
    after = {
        "s.header": rows("1 x 0", "2 x 0"), "s.line": rows("1 1 a 5", "1 2 b 5", "2 1 a 1"),
        "s.move": rows("a x 1 5 s", "b x 1 6 s", "a y 1 9 s"), "s.count": rows("q x 0 0", "q y 0 0"),
    }  # fmt: skip
    done = follow(world, sql, ["product"], before, after)
    assert done.touched == {("a",)}
    assert done.old == {("a", 5): 1} and not done.new


def test_an_outer_joined_join_that_changes_with_an_aggregate(world: World) -> None:
    sql = """WITH sold AS (
                 SELECT l.product, SUM(l.units) AS units FROM s.line AS l JOIN s.header AS h ON h.sale = l.sale GROUP BY l.product
             ),
             counted AS (SELECT m.product, c.units FROM s.move AS m JOIN s.count AS c ON c.shop = m.shop)
             SELECT sold.product, sold.units FROM sold LEFT JOIN counted ON counted.product = sold.product WHERE counted.units IS NULL"""
    before = {"s.header": rows("1 x 0"), "s.line": rows("1 1 a 5", "1 2 b 6"), "s.move": rows(), "s.count": rows()}
    after = {
        "s.header": rows("1 x 0", "2 x 0"), "s.line": rows("1 1 a 5", "1 2 b 6", "2 1 a 1"),
        "s.move": rows("a y 1 9 s"), "s.count": rows("q y 0 0"),
    }  # fmt: skip
    done = follow(world, sql, ["product"], before, after)
    assert ("a",) in done.touched and ("b",) not in done.touched


# ---------------------------------------------------------------------------------------------- how far it reaches


def test_the_restriction_reaches_the_scan_that_holds_the_key(world: World) -> None:
    query = world.plan(FACT, ["line_key"]).recompute("touched")
    assert restricted_scans(query) == {"line"}
    assert len(touched_joins(query)) == 1


def test_the_restriction_follows_equal_columns(world: World) -> None:
    sql = "SELECT h.sale, l.line, h.shop FROM s.line AS l JOIN s.header AS h ON h.sale = l.sale"
    assert restricted_scans(world.plan(sql, ["sale", "line"]).recompute("touched")) == {"line"}


def test_the_restriction_reaches_each_side_that_holds_a_part(world: World) -> None:
    sql = """SELECT h.shop, l.product, SUM(l.units) AS units FROM s.line AS l JOIN s.header AS h ON h.sale = l.sale
             GROUP BY h.shop, l.product"""
    query = world.plan(sql, ["shop", "product"]).recompute("touched")
    assert restricted_scans(query) == {"line", "header"}
    assert len(touched_joins(query)) == 3
    before = {"s.header": rows("1 x 0", "2 y 0"), "s.line": rows("1 1 a 5", "1 2 b 6", "2 1 a 7", "2 2 b 8")}
    after = {"s.line": rows("1 1 a 6", "1 2 b 6", "2 1 a 7", "2 2 b 9")}
    done = follow(world, sql, ["shop", "product"], before, after)
    assert done.touched == {("x", "a"), ("y", "b")}
    assert set(done.old) == {("x", "a", 5), ("y", "b", 8)}, "not ('x', 'b') and ('y', 'a'), whose parts are touched"


def test_the_restriction_reaches_what_is_joined_by_a_key(world: World) -> None:
    """An aggregate joined LEFT is not computed for all products."""
    sql = """SELECT l.sale, l.line, l.product, m.units FROM s.line AS l
             LEFT JOIN (SELECT product, SUM(units) AS units FROM s.move GROUP BY product) AS m ON m.product = l.product"""
    plan = world.plan(sql, ["product", "sale", "line"])
    assert restricted_scans(plan.recompute("touched")) == {"line", "move"}


def test_the_restriction_does_not_pass_a_window_that_it_would_change(world: World) -> None:
    sql = """SELECT l.sale, l.line, m.place FROM s.line AS l
             JOIN (SELECT product, shop, RANK() OVER (PARTITION BY shop ORDER BY units) AS place FROM s.move) AS m ON m.product = l.product"""
    plan = world.plan(sql, ["sale", "line"])
    before = {"s.line": rows("1 1 a 5", "1 2 b 6"), "s.move": rows("a x 1 5 s", "b x 1 3 s")}
    done = world.follow(plan, sql, before, {**before, "s.line": rows("1 1 a 7", "1 2 b 6")})
    assert done.touched == {("1", "1")} and done.new == {("1", "1", 2): 1}


def test_the_restriction_makes_no_row_lose_its_match(world: World) -> None:
    sql = """SELECT p.category, SUM(l.units) AS units FROM s.line AS l
             LEFT JOIN (SELECT DISTINCT product, category FROM s.product) AS p ON p.product = l.product GROUP BY p.category"""
    before = {"s.line": rows("1 1 a 5", "1 2 b 6"), "s.product": rows("a 0 9 x", "b 0 9 y")}
    done = follow(world, sql, ["category"], before, {"s.product": rows("b 0 9 y")})
    assert done.touched == {("x",), (None,)}
    assert done.new == {(None, 5): 1}, "b, whose category is not touched, is not without one"


def test_joins_that_the_keys_do_not_need_are_left_out(world: World) -> None:
    [query] = world.plan(FACT, ["line_key"]).touched("s.line", "changed.lines")
    assert scans(query) == {"lines": 1}


def test_what_is_joined_to_few_changed_rows_is_not_computed_for_all(world: World) -> None:
    sql = """WITH dated AS (SELECT l.sale, l.line, l.product, MAX(h.day) AS day FROM s.line AS l LEFT JOIN s.header AS h ON h.sale = l.sale
                            GROUP BY l.sale, l.line, l.product)
             SELECT d.sale, d.line, p.category FROM dated AS d LEFT JOIN s.product AS p ON p.product = d.product AND p.since <= d.day"""
    [query] = world.plan(sql, ["sale", "line"]).touched("s.product", "changed.products")
    assert "changed.products AS touched_key" in query.sql()
    before = {"s.line": rows("1 1 a 5", "1 2 b 5"), "s.header": rows("1 x 5"), "s.product": rows("a 3 9 x", "a 7 9 y")}
    done = follow(world, sql, ["sale", "line"], before, {"s.product": rows("a 3 9 z", "a 7 9 y", "b 6 9 b")})
    assert done.touched == {("1", "1")}


DURABLE = """
    SELECT COALESCE(s.shop_key, dim_key(m.status, m.shop)) AS shop_key, m.moment,
        SUM(m.units) OVER (PARTITION BY COALESCE(s.shop_key, dim_key(m.status, m.shop)) ORDER BY m.moment) AS units
    FROM s.move AS m LEFT JOIN s.shop AS s ON s.source = m.status AND s.shop = m.shop
"""
SHOP = "SELECT dim_key(source, shop) AS shop_key, source, shop, city FROM s.raw UNION ALL SELECT 0 AS shop_key, '?' AS source, '?' AS shop, '?' AS city"


def test_a_key_taken_from_the_dimension_is_seen_through_with_its_definition(world: World) -> None:
    assert world.plan(DURABLE, ["shop_key", "moment"]).meanings == ("COALESCE(s.shop_key, DIM_KEY(m.status, m.shop))",)
    plan = world.plan(DURABLE, ["shop_key", "moment"], {"s.shop": SHOP})
    assert plan.meanings == ("m.status", "m.shop")
    assert restricted_scans(plan.recompute("touched")) == {"move"}


@pytest.mark.parametrize(
    ("definition", "on"),
    [
        (SHOP.replace("dim_key(source, shop)", "dim_key(city)"), "s.source = m.status AND s.shop = m.shop"),
        (SHOP.replace("dim_key(source, shop)", "dim_key(shop, source)"), "s.source = m.status AND s.shop = m.shop"),
        (SHOP, "s.shop = m.shop"),
        (SHOP + " UNION ALL SELECT 0, '!', '!', '!'", "s.source = m.status AND s.shop = m.shop"),
        (
            SHOP.replace("0 AS shop_key, '?' AS source", "0 AS shop_key, a.x AS source"),
            "s.source = m.status AND s.shop = m.shop",
        ),
        (SHOP + " EXCEPT SELECT 0, '!', '!', '!'", "s.source = m.status AND s.shop = m.shop"),
        (SHOP, "s.source = m.product AND s.shop = m.shop"),
    ],
)
def test_a_key_of_another_meaning_is_not_seen_through(world: World, definition: str, on: str) -> None:
    sql = DURABLE.replace("s.source = m.status AND s.shop = m.shop", on)
    plan = world.plan(sql, ["shop_key", "moment"], {"s.shop": definition})
    assert plan.meanings == ("COALESCE(s.shop_key, DIM_KEY(m.status, m.shop))",)


# ---------------------------------------------------------------------------------------------- what is whole


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT l.sale, l.line, RANK() OVER (ORDER BY l.units) AS place FROM s.line AS l", "a window without PARTITION BY at RANK()"),
        ("SELECT l.sale, l.line FROM s.line AS l ORDER BY l.sale LIMIT 5", "a LIMIT or OFFSET"),
        ("SELECT l.sale, l.line FROM s.line AS l OFFSET 5", "a LIMIT or OFFSET"),
        ("SELECT l.sale, l.line FROM s.line AS l FETCH FIRST 5 ROWS ONLY", "a LIMIT or OFFSET"),
        ("SELECT l.sale, l.line FROM s.line AS l EXCEPT SELECT m.product, m.shop FROM s.move AS m", "EXCEPT"),
        ("SELECT l.sale, l.line FROM s.line AS l INTERSECT SELECT m.product, m.shop FROM s.move AS m", "INTERSECT"),
        ("SELECT l.sale, l.line FROM s.line AS l FULL JOIN s.header AS h ON h.sale = l.sale", "a FULL JOIN"),
        ("SELECT l.sale, l.line FROM s.line AS l RIGHT JOIN s.header AS h ON h.sale = l.sale", "a RIGHT JOIN"),
        ("SELECT l.sale, l.line FROM s.line AS l JOIN (s.header AS h JOIN s.move AS m ON m.shop = h.shop) ON h.sale = l.sale", "parenthes"),
        ("SELECT l.sale, l.line FROM s.line AS l TABLESAMPLE BERNOULLI (10)", "a sample"),
        ("SELECT l.sale, l.line, SUM(l.units) AS n FROM s.line AS l GROUP BY ROLLUP (l.sale, l.line)", "GROUPING SETS, ROLLUP or CUBE"),
        ("WITH RECURSIVE r AS (SELECT l.sale, l.line FROM s.line AS l UNION ALL SELECT sale, line FROM r) SELECT sale, line FROM r", "a recursive WITH"),
        ("SELECT MAX(l.sale) AS sale, MIN(l.line) AS line FROM s.line AS l", "a key computed by a window, an aggregate or a subquery"),
        ("SELECT 'a' AS sale, 'b' AS line, l.units FROM s.line AS l", "a key without a column of an input"),
        ("SELECT DISTINCT ON (1 + 1) l.sale, l.line FROM s.line AS l ORDER BY 1 + 1, l.sale", "PARTITION BY"),
    ],
)  # fmt: skip
def test_whole_with_a_reason(world: World, sql: str, reason: str) -> None:
    plan = world.plan(sql, ["sale", "line"])
    assert plan.whole is not None and reason in plan.whole
    assert plan.why_whole("s.line") == plan.whole
    with pytest.raises(DefinitionError, match="only be refreshed whole"):
        plan.recompute("touched")


def test_a_limit_further_in_makes_only_its_inputs_whole(world: World) -> None:
    sql = """SELECT l.sale, l.line, b.product FROM s.line AS l
             LEFT JOIN (SELECT product FROM s.banned ORDER BY product LIMIT 1) AS b ON b.product = l.product"""
    plan = world.plan(sql, ["sale", "line"])
    assert plan.whole is None and set(plan.whole_for) == {"s.banned"}
    before = {"s.line": rows("1 1 a 5", "1 2 b 5"), "s.banned": rows("b")}
    assert len(follow(world, sql, ["sale", "line"], before, {"s.banned": rows("a", "b")}).touched) == 2


def test_inputs_and_wrong_definitions(world: World) -> None:
    assert world.plan(FACT, ["line_key"]).inputs == {"s.line", "s.header", "s.project", "s.product"}
    assert world.plan(FACT, ["line_key"]).touched("s.banned", "changed") == []
    with pytest.raises(DefinitionError, match="not a column of the table"):
        world.plan("SELECT l.sale FROM s.line AS l", ["line"])
    with pytest.raises(DefinitionError, match="can not be resolved"):
        world.plan("SELECT l.missing FROM s.line AS l", ["missing"])
    with pytest.raises(DefinitionError, match="columns are not known"):
        world.plan("SELECT l.sale FROM s.nowhere AS l", ["sale"])


def test_a_plan_is_shown_without_its_tree(world: World) -> None:
    assert "Block" not in repr(world.plan(FACT, ["line_key"]))
    assert isinstance(world.plan(FACT, ["line_key"]), RefreshPlan)


def test_names_that_need_quotes() -> None:
    tables = {"bronze.pos__invoice": {'"Invoice No"': "text", '"order"': "text", '"at"': "text", '"Units"': "integer"}}
    world = World(tables)
    schema = {"bronze.pos__invoice": ("Invoice No", "order", "at", "Units")}
    sql = """WITH "Lines" AS (SELECT i."Invoice No", i."order", i."at", SUM(i."Units") AS "group" FROM bronze.pos__invoice AS i
                              GROUP BY i."Invoice No", i."order", i."at")
             SELECT a."Invoice No" AS sale, a."order" AS "from", b."group" AS "Units" FROM "Lines" AS a
             LEFT JOIN "Lines" AS b ON b."Invoice No" = a."Invoice No" AND b."order" = a."at" """
    plan = plan_refresh(world.query(sql), ["sale", "from", "Units"], ["sale", "from"], schema)
    assert plan.whole is None
    before = {"bronze.pos__invoice": rows("1 a a 5", "1 b a 6", "2 a a 7")}
    done = world.follow(plan, sql, before, {"bronze.pos__invoice": rows("1 a a 6", "1 b a 6", "2 a a 7")})
    assert done.touched == {("1", "a"), ("1", "b")}


def test_a_lateral_item_may_use_the_name_of_a_later_one(world: World) -> None:
    sql = """SELECT l.sale, l.line, m.units, x.shop FROM s.line AS l
             CROSS JOIN LATERAL (SELECT MAX(x.units) AS units FROM s.move AS x WHERE x.product = l.product) AS m
             LEFT JOIN s.header AS x ON x.sale = l.sale"""
    before = {"s.line": rows("1 1 a 5", "1 2 b 6"), "s.header": rows("1 x 1"), "s.move": rows("a x 1 1 s", "b x 1 1 s")}
    done = follow(world, sql, ["sale", "line"], before, {"s.move": rows("a x 1 1 s", "b x 1 7 s")})
    assert done.touched == {("1", "2")}

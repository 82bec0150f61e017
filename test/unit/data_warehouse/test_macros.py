"""Macros on DuckDB and PostgreSQL, each against an independent computation in Python."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from systock.data_warehouse.content_hash import canonical_columns
from systock.data_warehouse.engine.base import QueryError
from systock.data_warehouse.engine.duckdb import DuckDBEngine, connect
from systock.data_warehouse.macros import MACROS, define_zones, dim_key_of, fact_key_of, key_text
from systock.data_warehouse.portable_sql import DIALECTS, compile_text
from systock.errors import DefinitionError
from systock.load.copy_rows import CopiedColumn, copy_rows

from ... import servers

ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Europe/Dublin", "UTC"]


class Engine:
    """An engine that macros are compiled for: DuckDB, or PostgreSQL where it is given a connection."""

    def __init__(self, duckdb: DuckDBEngine, postgres: Any = None) -> None:
        self.duckdb, self.postgres = duckdb, postgres
        self.dialect = "postgres" if postgres is not None else "duckdb"

    @property
    def refused(self) -> type[Exception]:
        import psycopg

        return psycopg.Error

    def ask(self, portable: str, zones: tuple[str, ...] | None = None) -> list[tuple[Any, ...]]:
        """The rows of a query in portable SQL, for the zones in use if given; QueryError where the engine refuses."""
        if zones is not None:
            self.duckdb.execute(define_zones(zones))
        sql = compile_text(portable, self.dialect, zones_defined=zones is not None)
        sql = sql.replace('"main"."given"', "given").replace("main.given", "given")
        if self.postgres is None:
            return self.duckdb.rows(sql)
        try:
            rows = self.postgres.execute(sql).fetchall()
        except self.refused as error:
            raise QueryError(str(error), sql=sql) from error
        # Instants come in the session's zone, where two of them may look alike.
        return [tuple(v.astimezone(UTC) if isinstance(v, datetime) and v.tzinfo else v for v in row) for row in rows]

    def holds(self, text: str | None) -> str | None:
        """A text as the engine can hold it: PostgreSQL's have no NUL."""
        return text.replace("\0", "") if text is not None and self.postgres is not None else text

    def give(self, rows: pa.Table) -> None:
        """Put rows into the table that is read as main.given."""
        self.duckdb.connection.register("given", rows)
        if self.postgres is not None:
            types = [(name, canonical) for name, canonical in canonical_columns(self.duckdb, "given")]
            self.postgres.execute("DROP TABLE IF EXISTS given")
            listed = ", ".join(f"{name} {type_}" for name, type_ in types)
            self.postgres.execute(f"CREATE TEMP TABLE given ({listed})")
            columns = [CopiedColumn(name, name, type_) for name, type_ in types]
            copy_rows(self.duckdb, "SELECT * FROM given", columns, self.postgres, "given")


@pytest.fixture(scope="module")
def duckdb() -> Iterator[Engine]:
    with connect(None) as opened:
        yield Engine(opened)


@pytest.fixture(scope="module")
def postgres(duckdb: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")
    for address in servers.postgres(tmp_path_factory.mktemp("server")):
        server = servers.Server("postgres", address, Path())
        with psycopg.connect(server.url, autocommit=True) as opened:
            opened.execute("SET timezone = 'America/New_York'")
            yield Engine(duckdb.duckdb, opened)
        server.close()


@pytest.fixture(scope="module", params=["duckdb", "postgres"])
def engine(request: pytest.FixtureRequest) -> Engine:
    return cast(Engine, request.getfixturevalue(request.param))


def values(engine: Engine, expression: str, zones: tuple[str, ...] | None = None, **columns: pa.Array) -> list[Any]:
    """What a portable expression gives on the rows of Arrow columns, in their order."""
    count = len(next(iter(columns.values())))
    engine.give(pa.table({"row_no": pa.array(range(count)), **columns}))
    made = engine.ask(f"SELECT t.row_no, {expression} AS made FROM main.given AS t ORDER BY t.row_no", zones)
    return [row[1] for row in made]


def value(engine: Engine, expression: str) -> Any:
    """What a portable expression without columns gives."""
    [(made,)] = engine.ask(f"SELECT {expression} AS made")
    return made


def decimals(scale: int, digits: int = 18) -> st.SearchStrategy[Decimal]:
    """Numbers of numeric(digits, scale): small ones, any, and those at the limits."""
    limit = 10**digits - 1
    whole = st.one_of(
        st.integers(-1000, 1000),
        st.integers(-(10**9), 10**9),
        st.integers(-limit, limit),
        st.sampled_from([limit, -limit, limit - 1, 10 ** (digits - 1), 5 * 10 ** (digits - 1)]),
    )
    return whole.map(lambda n: Decimal(n).scaleb(-scale, None))


def rounded(exact: Decimal, scale: int) -> Decimal:
    return exact.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP)


def outcomes(engine: Engine, call: str, scale: int, pairs: list[tuple[Decimal, Decimal]], sa: int, sb: int) -> None:
    """The call equals exact arithmetic where the result has 18 digits, and is refused where it does not."""
    expected: list[Decimal | None] = []
    with localcontext() as context:
        context.prec = 200
        for a, b in pairs:
            if call == "mul":
                expected.append(rounded(a * b, scale))
            else:
                expected.append(None if b == 0 else rounded(a / b, scale))
    limit = Decimal(10) ** (18 - scale)
    fitting = [i for i, result in enumerate(expected) if result is None or abs(result) < limit]
    if fitting:
        columns = {
            "a": pa.array([pairs[i][0] for i in fitting], pa.decimal128(18, sa)),
            "b": pa.array([pairs[i][1] for i in fitting], pa.decimal128(18, sb)),
        }
        assert values(engine, f"{call}(t.a, t.b, {scale})", **columns) == [expected[i] for i in fitting]
    for i in set(range(len(pairs))) - set(fitting):
        one = {"a": pa.array([pairs[i][0]], pa.decimal128(18, sa)), "b": pa.array([pairs[i][1]], pa.decimal128(18, sb))}
        with pytest.raises(QueryError):
            values(engine, f"{call}(t.a, t.b, {scale})", **one)
        break  # one is enough: each is a query of its own


# Scales of amounts, unit costs, quantities and rates, and none.
SCALES = st.sampled_from([0, 3, 4, 6, 8])


@given(data=st.data(), sa=SCALES, sb=SCALES, scale=SCALES)
def test_mul_is_exact(engine: Engine, data: st.DataObject, sa: int, sb: int, scale: int) -> None:
    pairs = data.draw(st.lists(st.tuples(decimals(sa), decimals(sb)), min_size=1, max_size=40))
    outcomes(engine, "mul", scale, pairs, sa, sb)


@given(data=st.data(), sa=SCALES, sb=SCALES, scale=SCALES)
def test_safe_div_is_exact(engine: Engine, data: st.DataObject, sa: int, sb: int, scale: int) -> None:
    pairs = data.draw(st.lists(st.tuples(decimals(sa), decimals(sb)), min_size=1, max_size=40))
    outcomes(engine, "safe_div", scale, pairs, sa, sb)


@given(data=st.data(), scale=st.sampled_from([0, 2, 4, 6]))
def test_safe_div_at_and_beside_ties(engine: Engine, data: st.DataObject, scale: int) -> None:
    """Quotients of exactly n + 1/2 units of the last place, and one unit of the dividend beside them."""
    pairs = []
    for _ in range(data.draw(st.integers(1, 30))):
        n = data.draw(st.integers(-(10**7), 10**7))
        b = data.draw(st.integers(1, 10**4)) * 2 * data.draw(st.sampled_from([-1, 1]))
        nudge = data.draw(st.sampled_from([-1, 0, 1]))
        a = Decimal((2 * n + 1) * b // 2).scaleb(-scale) + Decimal(nudge).scaleb(-6)
        pairs.append((a, Decimal(b)))
    outcomes(engine, "safe_div", scale, pairs, 6, 0)


@given(data=st.data(), scale=st.sampled_from([0, 2, 4]))
def test_mul_at_and_beside_ties(engine: Engine, data: st.DataObject, scale: int) -> None:
    """Odd numbers of units halved, up to where doubles have no halves left, and 1e-8 of the factor beside them."""
    pairs = []
    for _ in range(data.draw(st.integers(1, 30))):
        odd = 2 * data.draw(st.integers(-(10 ** data.draw(st.integers(1, 17))), 10**17)) + 1
        nudge = data.draw(st.sampled_from([-1, 0, 1]))
        pairs.append((Decimal(odd).scaleb(-scale), Decimal("0.5") + Decimal(nudge).scaleb(-8)))
    outcomes(engine, "mul", scale, pairs, scale, 8)


def test_mul_and_safe_div_of_other_types(engine: Engine) -> None:
    assert value(engine, "mul(CAST('99999999999999.9999' AS numeric(18, 4)), 1, 4)") == Decimal("99999999999999.9999")
    assert value(engine, "mul(2000000000, 2000, 0)") == Decimal(4_000_000_000_000)
    assert value(engine, "mul(CAST(3 AS bigint), CAST('1.005' AS numeric(18, 3)), 2)") == Decimal("3.02")
    assert value(engine, "mul(NULL, CAST('1.5' AS numeric(18, 4)), 2)") is None
    assert value(engine, "mul(sum(x.q), max(x.q), 2)".join(["(SELECT ", " FROM (VALUES (1.5), (2.5)) AS x (q))"])) == 10
    assert value(engine, "safe_div(7, 2, 0)") == 4
    assert value(engine, "safe_div(-7, 2, 0)") == -4
    assert value(engine, "safe_div(1, 3, 6)") == Decimal("0.333333")
    assert value(engine, "safe_div(CAST('0.49999999' AS numeric(18, 8)), 1, 0)") == 0
    assert value(engine, "safe_div(1, CAST('0.0000000001' AS numeric(38, 10)), 2)") == Decimal(10**10)
    assert value(engine, "safe_div(5, 0, 2)") is None
    assert value(engine, "safe_div(5, NULL, 2)") is None
    assert value(engine, "safe_div(CAST(1 AS double precision), CAST(8 AS double precision), 4)") == Decimal("0.1250")
    assert str(value(engine, "mul(1.5, 1.5, 3)")) == "2.250"


@given(st.lists(st.tuples(st.integers(-(2**62), 2**62), st.integers(-50, 50)), min_size=1, max_size=50))
def test_int_div_cuts_toward_zero(engine: Engine, pairs: list[tuple[int, int]]) -> None:
    made = values(engine, "int_div(t.a, t.b)", a=pa.array([a for a, _ in pairs]), b=pa.array([b for _, b in pairs]))
    assert made == [None if b == 0 else (abs(a) // abs(b)) * (1 if (a < 0) == (b < 0) else -1) for a, b in pairs]


texts = st.one_of(st.none(), st.text(max_size=12), st.sampled_from(["", "1:", ":", "0:", "é", "👍🏽", "a\x00b", "N"]))


@given(st.lists(st.tuples(texts, texts, texts), min_size=1, max_size=50))
@example([(None, "", "x"), ("", None, "x"), ("1:a", "", None)])
def test_keys_equal_their_python_definition(engine: Engine, rows: list[tuple[str | None, ...]]) -> None:
    rows = [tuple(map(engine.holds, row)) for row in rows]
    columns = {name: pa.array([row[i] for row in rows], pa.string()) for i, name in enumerate("abc")}
    assert values(engine, "dim_key(t.a, t.b, t.c)", **columns) == [dim_key_of(*row) for row in rows]
    assert values(engine, "fact_key(t.a, t.b, t.c)", **columns) == [fact_key_of(*row) for row in rows]
    assert values(engine, "row_hash(t.a, t.b, t.c)", **columns) == [fact_key_of(*row).hex for row in rows]


def test_python_definition_of_keys() -> None:
    assert key_text("pos", None, "", "é1") == "3:pos:0:2:é1"
    digest = hashlib.md5("3:pos:0:2:é1".encode()).hexdigest()
    assert dim_key_of("pos", None, "", "é1") == int(digest[:15], 16)
    assert fact_key_of("pos", None, "", "é1") == uuid.UUID(digest)
    assert 0 < dim_key_of("x") < 2**60


@given(st.lists(st.tuples(texts, texts), min_size=2, max_size=2, unique=True))
def test_different_parts_have_different_key_texts(pairs: list[tuple[str | None, str | None]]) -> None:
    assert key_text(*pairs[0]) != key_text(*pairs[1])
    if pairs[0][0] is not None and pairs[0][1] is not None:
        assert key_text(*pairs[0]) != key_text(pairs[0][0] + pairs[0][1])


def test_keys_with_null_literals_and_one_part(engine: Engine) -> None:
    assert value(engine, "dim_key('a', NULL)") == dim_key_of("a", None)
    assert value(engine, "fact_key('a')") == fact_key_of("a")
    assert (
        value(engine, "row_hash(1, TRUE, DATE '2024-01-01', CAST('1.50' AS numeric(18, 2)), NULL)")
        == fact_key_of("1", "true", "2024-01-01", "1.50", None).hex
    )
    with pytest.raises(QueryError):
        value(engine, "dim_key(1)")  # numbers are cast by whoever writes the key


instants = st.datetimes(datetime(1980, 1, 1), datetime(2037, 12, 31))


@given(st.lists(instants, min_size=1, max_size=50))
def test_instant_text(engine: Engine, times: list[datetime]) -> None:
    column = pa.array(times, pa.timestamp("us", "UTC"))
    expected = [str((t - datetime(1970, 1, 1)) // timedelta(microseconds=1)) for t in times]
    assert values(engine, "instant_text(t.a)", a=column) == expected
    assert value(engine, "instant_of_epoch(1.000001)") == datetime(1970, 1, 1, 0, 0, 1, 1, tzinfo=UTC)


def utc_of_wall(wall: datetime, zone: str) -> datetime:
    """The rule, by zoneinfo: fold = 1 is the second of two hours; in a gap the offset from before it shifts forward."""
    local = wall.replace(tzinfo=ZoneInfo(zone), fold=1).astimezone(UTC)
    if local.astimezone(ZoneInfo(zone)).replace(tzinfo=None) == wall:
        return local
    return wall.replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(UTC)


CHANGES = [  # wall clocks around changes of the clocks
    datetime(2024, 3, 31, 2, 30), datetime(2024, 10, 27, 2, 30), datetime(2024, 3, 10, 2, 30), datetime(2024, 11, 3, 1, 30),
    datetime(2024, 10, 6, 2, 15), datetime(2024, 4, 7, 1, 45), datetime(2024, 3, 31, 3, 0), datetime(2024, 10, 27, 3, 0),
]  # fmt: skip


@pytest.mark.parametrize("listed", [None, (), tuple(ZONES), ("Europe/Berlin",)])
@given(
    st.lists(st.tuples(st.one_of(instants, st.sampled_from(CHANGES)), st.sampled_from(ZONES)), min_size=1, max_size=60)
)
@example([(wall, zone) for wall in CHANGES for zone in ZONES])
def test_zones_both_ways(engine: Engine, listed: tuple[str, ...] | None, rows: list[tuple[datetime, str]]) -> None:
    zone = pa.array([zone for _, zone in rows])
    made = values(
        engine, "local_to_utc(t.a, t.z)", listed, a=pa.array([w for w, _ in rows], pa.timestamp("us")), z=zone
    )
    assert made == [utc_of_wall(wall, zone) for wall, zone in rows]
    back = values(engine, "utc_to_local(t.a, t.z)", listed, a=pa.array(made, pa.timestamp("us", "UTC")), z=zone)
    assert back == [u.astimezone(ZoneInfo(z)).replace(tzinfo=None) for u, (_, z) in zip(made, rows, strict=True)]


def test_ambiguous_and_skipped_hours(engine: Engine) -> None:
    def utc(wall: str, zone: str) -> datetime:
        return value(engine, f"local_to_utc(TIMESTAMP '{wall}', '{zone}')")

    assert utc("2024-10-27 02:30:00", "Europe/Berlin") == datetime(2024, 10, 27, 1, 30, tzinfo=UTC)  # the second
    assert utc("2024-03-31 02:30:00", "Europe/Berlin") == datetime(2024, 3, 31, 1, 30, tzinfo=UTC)  # = 03:30 summer
    assert utc("2024-11-03 01:30:00", "America/New_York") == datetime(2024, 11, 3, 6, 30, tzinfo=UTC)
    assert utc("2024-03-10 02:30:00", "America/New_York") == datetime(2024, 3, 10, 7, 30, tzinfo=UTC)
    assert utc("2024-04-07 01:45:00", "Australia/Lord_Howe") == datetime(2024, 4, 6, 15, 15, tzinfo=UTC)
    assert utc("2024-10-06 02:15:00", "Australia/Lord_Howe") == datetime(2024, 10, 5, 15, 45, tzinfo=UTC)


NO_ZONES = [
    None,
    "",
    " ",
    "Nowhere",
    "Europe/Berlin ",
    " UTC",
    "'",
    "%Z",
    "BST",
    "PST",
    "JST",
    "CEST",
    "UTC+2",
    "GMT+2",
    "+02",
]


@given(st.lists(st.one_of(st.text(max_size=10), st.sampled_from(["+02:00", "Z", "utc", "PST8PDT"])), max_size=20))
def test_an_unknown_zone_is_null_and_stops_nothing(engine: Engine, texts: list[str]) -> None:
    zones = [*NO_ZONES, *map(engine.holds, texts), "PST8PDT", "Etc/GMT+2", "GB", "Australia/Lord_Howe"]
    wall = pa.array([datetime(2024, 1, 1)] * len(zones), pa.timestamp("us"))
    for listed in (None, (), ("Europe/Berlin",)):
        made = values(engine, "local_to_utc(t.a, t.z)", listed, a=wall, z=pa.array(zones, pa.string()))
        for zone, instant in zip(zones, made, strict=True):
            assert instant is None or zone not in NO_ZONES
        assert None not in made[-4:]


@given(st.lists(st.tuples(instants, st.sampled_from(ZONES), st.times()), min_size=1, max_size=50))
def test_business_date_and_its_start(engine: Engine, rows: list[tuple[datetime, str, time]]) -> None:
    zone, cut = pa.array([z for _, z, _ in rows]), pa.array([c for _, _, c in rows], pa.time64("us"))
    at = pa.array([t for t, _, _ in rows], pa.timestamp("us", "UTC"))
    expected = []
    for t, z, c in rows:
        wall = t.replace(tzinfo=UTC).astimezone(ZoneInfo(z)).replace(tzinfo=None)
        expected.append((wall - (datetime.combine(date.min, c) - datetime.min)).date())
    assert values(engine, "business_date(t.a, t.z, t.c)", a=at, z=zone, c=cut) == expected
    days = pa.array(expected, pa.date32())
    starts = [utc_of_wall(datetime.combine(d, c), z) for d, (_, z, c) in zip(expected, rows, strict=True)]
    assert values(engine, "start_of_business_date(t.a, t.z, t.c)", a=days, z=zone, c=cut) == starts


days = st.dates(date(1900, 1, 1), date(2199, 12, 31))


@given(st.lists(st.tuples(days, days, st.integers(-5000, 5000)), min_size=1, max_size=50))
def test_dates(engine: Engine, rows: list[tuple[date, date, int]]) -> None:
    a, b, n = (pa.array(column) for column in zip(*rows, strict=True))
    assert values(engine, "date_diff(t.a, t.b)", a=a, b=b) == [(x - y).days for x, y, _ in rows]
    assert values(engine, "add_days(t.a, t.n)", a=a, n=n) == [x + timedelta(days=k) for x, _, k in rows]
    assert values(engine, "iso_day_of_week(t.a)", a=a) == [x.isoweekday() for x, _, _ in rows]
    assert values(engine, "iso_week(t.a)", a=a) == [x.isocalendar().week for x, _, _ in rows]
    assert values(engine, "iso_year(t.a)", a=a) == [x.isocalendar().year for x, _, _ in rows]
    assert values(engine, "day_name_en(t.a)", a=a) == [x.strftime("%A") for x, _, _ in rows]
    assert values(engine, "month_name_en(t.a)", a=a) == [x.strftime("%B") for x, _, _ in rows]


@given(st.lists(st.tuples(instants, instants, st.integers(-(10**9), 10**9)), min_size=1, max_size=50))
def test_hours_between_two_instants(engine: Engine, rows: list[tuple[datetime, datetime, int]]) -> None:
    """Any two instants, and odd halves of a thousandth of an hour, 1.8 seconds each."""
    pairs = [(a, b) for a, b, _ in rows]
    pairs += [(datetime(2000, 1, 1) + timedelta(milliseconds=1800 * n), datetime(2000, 1, 1)) for *_, n in rows]
    a, b = (pa.array(column, pa.timestamp("us", "UTC")) for column in zip(*pairs, strict=True))
    micro = timedelta(microseconds=1)
    assert values(engine, "hours_between(t.a, t.b)", a=a, b=b) == [
        rounded(Decimal((x - y) // micro) / 3_600_000_000, 3) for x, y in pairs
    ]


def test_date_spine_in_from_and_lateral(engine: Engine) -> None:
    def rows(sql: str) -> list[tuple[Any, ...]]:
        return engine.ask(sql)

    first = [(date(2024, 2, 28),), (date(2024, 2, 29),), (date(2024, 3, 1),)]
    assert (
        rows("SELECT spine.day FROM date_spine(DATE '2024-02-28', DATE '2024-03-01') AS spine ORDER BY spine.day")
        == first
    )
    assert rows("SELECT d.x FROM date_spine(DATE '2024-02-28', DATE '2024-03-01') AS d (x) ORDER BY d.x") == first
    assert rows("SELECT spine.day FROM date_spine(DATE '2024-03-01', DATE '2024-02-28') AS spine") == []
    lateral = """
        WITH span AS (SELECT * FROM (VALUES ('a', DATE '2024-01-01', DATE '2024-01-02'), ('b', DATE '2024-01-05', DATE '2024-01-05'),
            ('c', DATE '2024-01-05', DATE '2024-01-04'), ('d', CAST(NULL AS date), DATE '2024-01-04')) AS v (name, f, t))
        SELECT span.name, spine.day FROM span {} date_spine(span.f, span.t) AS spine {} ORDER BY span.name, spine.day"""
    inner = [("a", date(2024, 1, 1)), ("a", date(2024, 1, 2)), ("b", date(2024, 1, 5))]
    assert rows(lateral.format("CROSS JOIN LATERAL", "")) == inner
    assert rows(lateral.format("LEFT JOIN LATERAL", "ON TRUE")) == [*inner, ("c", None), ("d", None)]


@pytest.mark.parametrize(
    ("text", "form", "made"),
    [
        ("31/12/2024", "%d/%m/%Y", "2024-12-31"),
        ("1/2/2024", "%d/%m/%Y", "2024-02-01"),
        ("31/02/2024", "%d/%m/%Y", "31/02/2024"),
        ("01/02/24", "%d/%m/%Y", "01/02/24"),
        ("01/02/24", "%d/%m/%y", "2024-02-01"),
        ("2024-12-31", "%d/%m/%Y", "2024-12-31"),
        ("", "%d/%m/%Y", ""),
        ("20241231", "%Y%m%d", "2024-12-31"),
        ("soon", "%Y%m%d", "soon"),
    ],
)
def test_iso_date(duckdb: Engine, text: str, form: str, made: str) -> None:
    assert values(duckdb, f"iso_date(t.a, '{form}')", a=pa.array([text, None])) == [made, None]


def test_iso_timestamp(duckdb: Engine) -> None:
    column = pa.array(["31.12.2024 23:59:58", "31.12.2024 24:00:00", "1.1.2024 00:00:00", None])
    expected = ["2024-12-31 23:59:58", "31.12.2024 24:00:00", "2024-01-01 00:00:00", None]
    assert values(duckdb, "iso_timestamp(t.a, '%d.%m.%Y %H:%M:%S')", a=column) == expected
    assert value(duckdb, "iso_timestamp('20241231 2359.125', '%Y%m%d %H%M.%f')") == "2024-12-31 23:59:00.125"


@given(st.lists(texts, min_size=1, max_size=50))
@example(["Straße", "ÄÖäö", "ß", "İı", "abcXYZ", None])
def test_ascii_case(engine: Engine, given_texts: list[str | None]) -> None:
    given_texts = [engine.holds(text) for text in given_texts]
    column = pa.array(given_texts, pa.string())
    for name, by_bytes in (("upper_ascii", bytes.upper), ("lower_ascii", bytes.lower)):
        expected = [None if x is None else by_bytes(x.encode()).decode() for x in given_texts]
        assert values(engine, f"{name}(t.a)", a=column) == expected


def test_json_get(duckdb: Engine) -> None:
    column = pa.array(['{"a":{"b":[{"c":"x"},2.50,null,true]},"d/e":"~"}', "{bad", "", "[]", None])
    for path, made in (
        ("a.b.0.c", "x"),
        ("a.b.1", "2.5"),
        ("a.b.2", None),
        ("a.b.3", "true"),
        ("d/e", "~"),
        ("z", None),
    ):
        assert values(duckdb, f"json_get(t.a, '{path}')", a=column) == [made, None, None, None, None]
    assert values(duckdb, "json_get(t.a, 'a.b.0')", a=column)[0] == '{"c":"x"}'
    with pytest.raises(DefinitionError, match="path"):
        compile_text("json_get(x, 'a..b')")


def test_try_number(engine: Engine) -> None:
    column = pa.array(
        [
            "123456789.12345678905",
            "-99999999.99999999996",
            "12.5",
            " -3 ",
            "1e3",
            "",
            "1,5",
            "1_000",
            "abc",
            "+.5",
            "0.12345678905",
            "9" * 29,
            None,
            "nan",
            "inf",
            "- ",
        ]
    )
    expected = [Decimal("123456789.1234567891"), Decimal(-100000000), Decimal("12.5"), Decimal(-3), Decimal(1000), None, None, None, None, Decimal("0.5"), Decimal("0.1234567891"), None, None, None, None, None]  # fmt: skip
    assert values(engine, "try_number(t.a)", a=column) == expected


@given(st.lists(st.text("0159+-.eE_ \t,", max_size=12), min_size=1, max_size=100))
@example(
    [
        "1.",
        ".",
        ".5",
        "1e27",
        "1e28",
        "1e400",
        "1e-400",
        "9" * 28 + ".99999999994",
        "9" * 28 + ".99999999995",
        "1e",
        "\xa01",
        "\u0661",
    ]
)
def test_what_is_a_number_is_one_on_both_engines(duckdb: Engine, postgres: Engine, numbers: list[str]) -> None:
    column = pa.array(numbers)
    assert values(duckdb, "try_number(t.a)", a=column) == values(postgres, "try_number(t.a)", a=column)


def test_quantile(engine: Engine) -> None:
    sql = "SELECT quantile(v.x, 0.5) AS m, quantile(v.x, 0.9) FILTER (WHERE v.x > 1) AS n FROM (VALUES (1.0), (2.0), (4.0), (NULL)) AS v (x)"
    assert engine.ask(sql) == [(2.0, 3.8)]


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        ("mul(1, 2)", "mul.. got 2 arguments"),
        ("mul(1, 2, x)", "must be a literal"),
        ("mul(1, 2, 19)", "'19' as its scale"),
        ("dim_key()", "got 0 arguments"),
        ("iso_date(x, y)", "argument 2 of iso_date"),
    ],
)
def test_wrong_calls_name_the_signature(sql: str, what: str) -> None:
    with pytest.raises(DefinitionError, match=what) as caught:
        compile_text(sql)
    assert caught.value.todo


def test_every_macro_is_described_and_runs_on_duckdb() -> None:
    for macro in MACROS.values():
        assert "duckdb" in macro.spellings, macro.name
        assert set(macro.spellings) <= {*DIALECTS, "spark"}
        assert macro.meaning and macro.signature().startswith(f"{macro.name}(")
    with pytest.raises(DefinitionError, match="not available on postgres"):
        compile_text("json_get(x, 'a')", "postgres")

"""The data set: a year of a chain as CSV files, the days after it, and corrections; the same bytes every time."""

from __future__ import annotations

import argparse
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb

from benchmarks.size import STORES, Size

#: The first day after the history, whatever its length.
END = date(2026, 1, 1)
#: Changes whenever the files would come out differently.
VERSION = 1


# A small mixing function instead of hash(), whose values may change between versions of DuckDB.
_MACROS = """
CREATE MACRO scramble(x) AS (((x % 4294967296) * 1103515245) % 4294967296);
CREATE MACRO folded(x) AS xor(x, x >> 15);
CREATE MACRO mix(x) AS folded(scramble(folded(scramble(x))));
CREATE MACRO share(x, salt) AS mix(x + salt * 40503) / 4294967296.0;
"""

# A quarter of the articles keep their first version; the others have five, spread over the history.
_PRODUCTS = """
CREATE TABLE product AS
SELECT
    p, printf('A%05d', p) AS article, p % 20 = 7 AS by_weight, CASE WHEN p % 3 = 0 THEN 19 ELSE 7 END AS tax_rate,
    CAST(0.8 + 60 * pow(share(p, 1), 3) AS DECIMAL(9, 2)) AS price,
    CAST((0.8 + 60 * pow(share(p, 1), 3)) * (0.45 + 0.3 * share(p, 2)) AS DECIMAL(9, 4)) AS cost,
    CASE WHEN p % 4 = 0 THEN [] ELSE [
        CAST(floor($days * (k - 0.5 + share(p * 8 + k, 3)) / 5) AS INTEGER) FOR k IN [1, 2, 3, 4]
    ] END AS changes
FROM range($products) AS products (p);

CREATE TABLE article AS
SELECT
    article, printf('40%011d', p * 7919) AS ean, 'Article ' || p AS name, 'Brand ' || p % 60 AS brand,
    'Department ' || p % 8 AS department, 'Group ' || p % 48 AS article_group,
    CASE WHEN by_weight THEN 'kg' ELSE 'pc' END AS unit,
    CAST(price * (1 + 0.03 * version) AS DECIMAL(9, 2)) AS price,
    CAST(cost * (1 + 0.025 * version) AS DECIMAL(9, 4)) AS cost,
    CASE version WHEN 0 THEN $start::TIMESTAMP - INTERVAL '30 days'
        ELSE $start::TIMESTAMP + to_days(changes[version]) + INTERVAL '2 hours' END AS changed_at
FROM product, range(5) AS versions (version)
WHERE version <= len(changes)
ORDER BY changed_at, article;

CREATE TABLE site AS
SELECT
    s, printf('S%02d', s + 1) AS site, 'Store ' || s + 1 AS name, 'Region ' || s % 4 AS region,
    CASE WHEN s % 5 = 4 THEN 'PT' ELSE 'DE' END AS country,
    CASE WHEN s % 5 = 4 THEN 'Europe/Lisbon' ELSE 'Europe/Berlin' END AS timezone, '2015-03-01' AS opened_on,
    300 + 40 * s AS area, s IN (7, 8) AS is_late, 0.6 + 0.8 * s / ($stores - 1) AS weight
FROM range($stores) AS sites (s);
"""

# Receipts of 1 to 5 lines, 24 lines to every 8 receipts. Two stores sell until half past one at night.
_SALES = """
CREATE TABLE sale AS
WITH counted_day AS (
    SELECT
        d, s, $start::DATE + CAST(d AS INTEGER) AS day, site, timezone, is_late,
        CAST(round(
            $lines_a_day / $stores * weight
            * [0.85, 0.9, 0.9, 0.95, 1.05, 1.15, 1.2][dayofweek($start::DATE + CAST(d AS INTEGER)) + 1]
        ) AS BIGINT) AS lines
    FROM range($days + $later) AS days (d), site
),

numbered_line AS (
    SELECT
        *,
        i // 24 * 8
        + [0, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 6, 6, 7, 7, 7, 7][i % 24 + 1] AS receipt_no,
        [1, 1, 2, 1, 2, 3, 1, 2, 3, 4, 5, 1, 2, 3, 4, 1, 2, 3, 1, 2, 1, 2, 3, 4][i % 24 + 1] AS line
    FROM counted_day, LATERAL range(lines) AS numbers (i)
),

drawn_line AS (
    SELECT
        *, ((d + $offset) * 32 + s) * 8192 + i AS seed, ((d + $offset) * 32 + s) * 8192 + receipt_no AS receipt_seed
    FROM numbered_line
),

timed_line AS (
    SELECT
        *,
        day::TIMESTAMP + to_seconds(CAST(
            CASE WHEN is_late THEN 36000 ELSE 28800 END
            + (CASE WHEN is_late THEN 55800 ELSE 50400 END) * (receipt_no + share(receipt_seed, 4)) / (lines / 3.0 + 2)
        AS BIGINT)) AS sold_at,
        CAST(floor($products * pow(share(seed, 5), 2)) AS BIGINT) AS p,
        share(seed, 6) < 0.012 AS is_return,
        share(seed, 7) AS amount_share,
        share(seed, 8) < 0.1 AS is_discounted
    FROM drawn_line
),

priced_line AS (
    SELECT
        line.*, product.article, product.tax_rate,
        CASE WHEN is_return THEN -1 ELSE 1 END * CASE
            WHEN product.by_weight THEN CAST(0.2 + 2 * amount_share AS DECIMAL(9, 3))
            ELSE CAST(CASE WHEN amount_share < 0.7 THEN 1 WHEN amount_share < 0.9 THEN 2
                ELSE 3 + floor(60 * (amount_share - 0.9)) END AS DECIMAL(9, 3))
        END AS quantity,
        CAST(product.price * (
            1 + 0.03 * len(list_filter(product.changes, LAMBDA change: change <= line.d))
        ) AS DECIMAL(9, 2)) AS price
    FROM timed_line AS line
    INNER JOIN product ON product.p = line.p
),

discounted_line AS (
    SELECT *, CASE WHEN is_discounted THEN CAST(quantity * price * 0.1 AS DECIMAL(9, 2)) ELSE 0.00 END AS discount
    FROM priced_line
),

first_line AS (
    SELECT
        s, d, seed, printf('%s-%s-%04d', site, strftime(day, '%y%m%d'), receipt_no + 1) AS receipt, line, site AS store,
        1 + receipt_no % 4 AS till, printf('C%03d', s * 6 + (d + receipt_no // 50) % 6) AS cashier, article, sold_at,
        CASE WHEN is_return THEN 'R' ELSE 'S' END AS kind, quantity, price, discount,
        CAST(
            CAST(CAST(quantity * price AS DECIMAL(9, 2)) - discount AS DOUBLE) * tax_rate / (100 + tax_rate)
        AS DECIMAL(9, 2)) AS tax,
        CASE WHEN share(receipt_seed, 9) < 0.3
            THEN printf('K%07d', CAST(share(receipt_seed, 10) * 40000 AS BIGINT)) END AS card,
        CASE WHEN is_discounted AND seed % 2 = 0 THEN 'P' || (d + $offset) // 14 END AS promotion,
        share(seed, 11) < 0.004 AS void,
        sold_at - CASE timezone WHEN 'Europe/Lisbon' THEN INTERVAL '0 hours' ELSE INTERVAL '1 hour' END
        + INTERVAL '5 seconds' AS changed_at
    FROM discounted_line
)

SELECT * EXCLUDE (s, d, seed) FROM first_line
UNION ALL
-- Two of a thousand lines are voided on the morning after.
SELECT * EXCLUDE (s, d, seed) REPLACE (
    TRUE AS void, $start::TIMESTAMP + to_days(CAST(d AS INTEGER) + 1) + INTERVAL '6 hours' AS changed_at
)
FROM first_line
WHERE share(seed, 12) < 0.002;

CREATE TABLE sale_file AS
SELECT
    store,
    CASE WHEN changed_at < $end::TIMESTAMP THEN date_trunc('month', changed_at)::DATE
        ELSE changed_at::DATE END AS file_date,
    receipt, line, till, cashier, article, sold_at, kind, quantity, price, discount, tax, card, promotion, void,
    changed_at
FROM sale
WHERE changed_at < $end::TIMESTAMP + INTERVAL '$later days'
ORDER BY file_date, store, changed_at, receipt, line;
DROP TABLE sale;
"""

# What the tills sold, posted per day, no two postings of a day in one second; three of a thousand come up to 20 days
# late.
_POSTINGS = """
CREATE TABLE posting_file AS
WITH drawn AS (
    SELECT
        d, j, (d + $offset) * 8192 + j AS seed, $start::DATE + CAST(d AS INTEGER) AS day,
        share((d + $offset) * 8192 + j, 21) AS kind_share
    FROM range($days + $later) AS days (d), range($postings_a_day) AS numbers (j)
),

typed AS (
    SELECT *,
        CASE WHEN kind_share < 0.8 THEN '251' WHEN kind_share < 0.92 THEN '101' WHEN kind_share < 0.95 THEN '301'
            WHEN kind_share < 0.98 THEN '701' ELSE '551' END AS type,
        printf('A%05d', CAST(floor($products * pow(share(seed, 22), 2)) AS BIGINT)) AS article,
        CAST(floor($stores * share(seed, 23)) AS BIGINT) AS s,
        share(seed, 24) AS amount_share,
        day::TIMESTAMP + to_seconds(25200 + j * 57600 // $postings_a_day) AS posted_at,
        share(seed, 26) AS late_share
    FROM drawn
),

posted AS (
    SELECT *,
        -- never before the opening
        CASE WHEN late_share < 0.003
            THEN posted_at - to_days(CAST(least(d, 1 + floor(6666 * late_share)) AS INTEGER))
            ELSE posted_at END AS occurred_at,
        CASE type
            WHEN '251' THEN -1 - CAST(floor(4 * amount_share) AS INTEGER)
            WHEN '101' THEN 10 + CAST(floor(15 * amount_share) AS INTEGER)
            WHEN '301' THEN -2 - CAST(floor(6 * amount_share) AS INTEGER)
            WHEN '701' THEN CAST(floor(7 * amount_share) AS INTEGER) - 3
            ELSE -1 - CAST(floor(2 * amount_share) AS INTEGER)
        END AS quantity
    FROM typed
)

SELECT
    day AS file_date, 1 AS part, printf('%s-%05d', strftime(day, '%y%m%d'), j) AS posting, type,
    printf('S%02d', s + 1) AS site, article, occurred_at, posted_at, quantity,
    CASE type WHEN '101' THEN CAST(0.5 + 20 * pow(share(seed, 27), 3) AS DECIMAL(9, 4)) END AS unit_cost,
    CASE type WHEN '101' THEN 'PO' || seed // 12 END AS document, CASE type WHEN '301' THEN 'T' || seed END AS transfer
FROM posted
UNION ALL
SELECT
    day, 1, printf('%s-%05d-2', strftime(day, '%y%m%d'), j), '302', printf('S%02d', (s + 7) % $stores + 1), article,
    occurred_at, posted_at, -quantity, NULL, NULL, 'T' || seed
FROM posted
WHERE type = '301'
UNION ALL
SELECT
    $start::DATE, 0, printf('OPEN-S%02d-A%05d', s + 1, p), '561', printf('S%02d', s + 1), printf('A%05d', p),
    $start::TIMESTAMP + INTERVAL '4 hours', $start::TIMESTAMP + INTERVAL '4 hours', 20 + mix(p * 32 + s) % 60,
    NULL, NULL, NULL
FROM range($products) AS products (p), range($stores) AS sites (s)
ORDER BY file_date, part, posted_at, posting;
"""


def generate(folder: Path, size: Size) -> None:
    """Write the data set: incoming/ is the history, later/ what follows, made.json says that it is whole."""
    made = {"version": VERSION, **asdict(size)}
    marker = folder / "made.json"
    if marker.exists() and json.loads(marker.read_text()) == made:
        return
    for part in ("incoming", "later"):
        shutil.rmtree(folder / part, ignore_errors=True)
    with duckdb.connect() as db:
        start = END - timedelta(days=size.days)
        values = {
            **asdict(size),
            "stores": STORES,
            "offset": max(0, Size.days - size.days),
            "start": f"'{start}'",
            "end": f"'{END}'",
        }
        for script in (_MACROS, _PRODUCTS, _SALES, _POSTINGS):
            for name, value in sorted(values.items(), key=lambda item: -len(item[0])):
                script = script.replace(f"${name}", str(value))
            db.execute(script)
        for path, day, sql in [*_files(db, folder, start), *_corrections(db, folder, size)]:
            path.parent.mkdir(parents=True, exist_ok=True)
            db.execute(f"COPY ({sql}) TO '{path}' (FORMAT csv, HEADER)")
            _set_time(path, day)
    marker.write_text(json.dumps(made))


_INSTANT = "strftime({0}, '%Y-%m-%dT%H:%M:%SZ') AS {0}"


def _files(db: duckdb.DuckDBPyConnection, folder: Path, start: date) -> Iterator[tuple[Path, date, str]]:
    """Path, day of delivery and SELECT of each file."""
    incoming = folder / "incoming"
    changed_at = _INSTANT.format("changed_at")
    sites = f"SELECT * EXCLUDE (s, is_late, weight), '{start}T00:00:00Z' AS changed_at FROM site ORDER BY site"
    yield incoming / "erp" / f"sites_{start}.csv", start, sites
    articles = f"SELECT * REPLACE ({changed_at}) FROM article WHERE {{}} ORDER BY article.changed_at, article"
    yield incoming / "erp" / f"articles_{start}.csv", start, articles.format(f"article.changed_at < '{start}'")
    for (month,) in db.execute(
        f"SELECT DISTINCT date_trunc('month', changed_at)::DATE FROM article WHERE changed_at >= '{start}' ORDER BY 1"
    ).fetchall():
        condition = f"date_trunc('month', article.changed_at) = '{month}' AND article.changed_at >= '{start}'"
        yield incoming / "erp" / f"articles_changed_{month:%Y-%m}.csv", _after(month), articles.format(condition)
    for file_date, store in db.execute("SELECT DISTINCT file_date, store FROM sale_file ORDER BY ALL").fetchall():
        is_later = file_date >= END
        name = f"sales_{store}_{file_date}.csv" if is_later else f"sales_{store}_{file_date:%Y-%m}.csv"
        where = _later(folder, file_date) if is_later else incoming
        sold_at = "strftime(sold_at, '%Y-%m-%d %H:%M:%S') AS sold_at"
        sales = f"""
            SELECT receipt, line, store, till, cashier, article, {sold_at}, kind, quantity, price, discount, tax, card,
                promotion, void, {changed_at}
            FROM sale_file WHERE file_date = '{file_date}' AND store = '{store}'"""
        yield where / "pos" / name, file_date + timedelta(1) if is_later else _after(file_date), sales
    instants = f"{_INSTANT.format('occurred_at')}, {_INSTANT.format('posted_at')}"
    for file_date, part in db.execute("SELECT DISTINCT file_date, part FROM posting_file ORDER BY ALL").fetchall():
        where = _later(folder, file_date) if file_date >= END else incoming
        name = f"postings_{file_date}.csv" if part else f"postings_{file_date}_opening.csv"
        postings = f"""
            SELECT posting, type, site, article, quantity, unit_cost, {instants}, document, transfer
            FROM posting_file WHERE file_date = '{file_date}' AND part = {part}"""
        yield where / "erp" / name, file_date + timedelta(1), postings


def _corrections(db: duckdb.DuckDBPyConnection, folder: Path, size: Size) -> Iterator[tuple[Path, date, str]]:
    """One article of one version each, of middling sales, whose cost was wrong from the start."""
    middle = size.products // 4 // 4 * 4
    for number in range(size.later):
        path = folder / "later" / f"correction-{number + 1}" / "erp" / f"articles_corrected_{number + 1}.csv"
        # At the same instant as the first version, delivered later: it takes that version's place.
        row = f"CAST(cost + 0.11 AS DECIMAL(9, 4)) AS cost, {_INSTANT.format('changed_at')}"
        article = f"A{middle + 4 * number:05d}"
        yield (
            path,
            END + timedelta(size.later + number),
            f"SELECT * REPLACE ({row}) FROM article WHERE article = '{article}'",
        )


def _later(folder: Path, day: date) -> Path:
    return folder / "later" / f"day-{(day - END).days + 1}"


def _after(month: date) -> date:
    return (month.replace(day=1) + timedelta(32)).replace(day=1)


def _set_time(path: Path, day: date) -> None:
    stamp = datetime(day.year, day.month, day.day, 5, tzinfo=UTC).timestamp()
    os.utime(path, (stamp, stamp))


def main() -> None:
    """Write a data set; started as a process of its own, so that its memory is not the measuring one's."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path)
    for name, value in asdict(Size()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=value)
    given = vars(parser.parse_args())
    folder = given.pop("folder")
    folder.mkdir(parents=True, exist_ok=True)
    generate(folder, Size(**given))


if __name__ == "__main__":
    main()

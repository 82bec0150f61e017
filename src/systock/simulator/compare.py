"""The check of a warehouse against the answer key, figure by figure and to the last decimal, at any of its knowledge times.

Everything is asked in SQL of what is published, as any reader would: nothing of what computed it is known here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any, Protocol

from systock.simulator.answer_key import AnswerKey, FaultKey, ProductVersionKey
from systock.simulator.compare_counts import compare_counts
from systock.simulator.compare_papers import compare_papers
from systock.simulator.comparison import Comparison, Figure, Group, Value

Line = tuple[str, int]  # file and row
_OPEN_END = "TIMESTAMPTZ '9999-12-31 00:00:00+00'"
_BEGINNING = "1900-01-01T00:00:00Z"
_COUNTS = ("lines", "kept", "unchanged", "superseded", "duplicates", "quarantined", "left_out")
_CATEGORY = {"superseded": "superseded", "duplicate": "duplicates", "unchanged": "unchanged", "left_out": "left_out"}
_ENTITIES = ("sale_line", "stock_movement", "stock_count", "product", "product_unit", "exchange_rate")
# what the key says, where the warehouse says it, and the unit of its sum (None: the currency)
_SALES: tuple[tuple[str, str, str, str | None], ...] = (
    ("sale lines", "lines", "lines", "lines"),
    ("receipts", "receipts", "transactions", "receipts"),
    ("units", "units", "net_units", "units"),
    ("units sold", "sold_units", "sold_units", "units"),
    ("units returned", "returned_units", "returned_units", "units"),
    ("gross sales", "gross_amount", "gross", None),
    ("discount", "discount_amount", "discount", None),
    ("returns", "returned_net_amount", "returns_amount", None),
    ("net sales", "net_amount", "net_amount", None),
    ("tax", "tax_amount", "tax_amount", None),
    ("net sales in {currency}", "net_amount_eur", "reporting_net_amount", "{currency}"),
)


class Warehouse(Protocol):
    """What answers: a project, or anything else that takes SQL and gives an Arrow table."""

    def query(self, sql: str) -> Any:
        """Rows of one SELECT."""


def compare(warehouse: Warehouse, key: AnswerKey, rejected: Collection[str]) -> Comparison:
    """Compare what is published with the key; rejected: paths of the files that could not be read."""
    asked = _Asked(warehouse, key, key.latest, frozenset(rejected))
    return Comparison(
        (
            *_line_counts(asked),
            *_figures(asked),
            _product_versions(asked),
            _set_aside(asked),
            _faults(asked),
        )
    )


def compare_as_known(warehouse: Warehouse, key: AnswerKey, known_at: str) -> Comparison:
    """Compare what a warehouse says that knows what was known at `known_at`, one of the key's knowledge times."""
    return Comparison((*_figures(_Asked(warehouse, key, known_at, frozenset())),))


def _figures(asked: _Asked) -> Iterable[Group]:
    """What was sold, lay where, was ordered and counted: all that the key says per knowledge time."""
    yield from _sales(asked)
    yield from _stock(asked)
    yield from compare_papers(asked.key, asked.known_at, asked.rows)
    yield from compare_counts(asked.key, asked.known_at, asked.rows)


class _Asked:
    """The answers that several groups need, each asked for once."""

    def __init__(self, warehouse: Warehouse, key: AnswerKey, known_at: str, rejected: frozenset[str]) -> None:
        self.key, self.known_at, self.rejected, self._warehouse = key, known_at, rejected, warehouse

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of a SELECT; instants and dates as the key writes them."""
        return [tuple(_plain(value) for value in row.values()) for row in self._warehouse.query(sql).to_pylist()]

    @cached_property
    def files(self) -> dict[str, tuple[str, str, dict[str, int]]]:
        """Per landed file its fate, the time at which it became known, and its counts."""
        # Stored lines are counted where they are stored, and once more by what became of them: the first is meant here.
        counts = ", ".join(f"SUM(counted.{name})" for name in _COUNTS)
        found = self.rows(
            f"""SELECT batch.path, batch.repeat_of IS NOT NULL, batch.known_at, batch.malformed, {counts}
            FROM meta.batch AS batch LEFT JOIN meta.row_count AS counted ON counted.batch_no = batch.batch_no AND NOT EXISTS (
                SELECT 1 FROM meta.row_count AS stored
                WHERE stored.batch_no = counted.batch_no AND stored.entity LIKE '% (lines)' AND counted.entity NOT LIKE '% (lines)')
            GROUP BY batch.batch_no, batch.path, batch.repeat_of, batch.known_at, batch.malformed"""
        )
        return {
            path: (
                "repeated" if repeated else "landed",
                known_at,
                {"malformed": malformed, **{n: int(v or 0) for n, v in zip(_COUNTS, values, strict=True)}},
            )
            for path, repeated, known_at, malformed, *values in found
        }

    @cached_property
    def _asked_at(self) -> dict[str, str]:
        """When systems were asked, as it was and as the key has it: it cannot know when that will be."""
        live = {file.path: file.known_at for file in self.key.files if file.is_live}
        return {known_at: live[path] for path, (_, known_at, _) in self.files.items() if path in live}

    def when(self, known_at: str) -> str:
        """The key's time for one at which something became known."""
        return self._asked_at.get(known_at, known_at)

    @cached_property
    def quarantined(self) -> dict[Line, tuple[str, str]]:
        """Rule class and column of every line that was set aside."""
        found = self.rows(
            """SELECT batch.path, aside.row_no, aside.rule, aside.column_name
            FROM silver.quarantine AS aside JOIN meta.batch AS batch ON batch.batch_no = aside.batch_no"""
        )
        return {(path, row): (_rule_class(rule, column), column or "") for path, row, rule, column in found}

    @cached_property
    def unknown_products(self) -> dict[Line, str]:
        """The lines of receipts whose product is not known, and its code."""
        found = self.rows(
            f"""SELECT batch.path, line._row, fact.product_id FROM gold.fact_sale_line AS fact
            JOIN silver.sale_line__versions AS line
                ON line.source_name = fact.source_name AND line.sale_id = fact.sale_id AND line.line_no = fact.line_no
            JOIN meta.batch AS batch ON batch.batch_no = line._batch_no
            WHERE fact.product_key = 0 AND line.known_to_at = {_OPEN_END}"""
        )
        return {(path, row): product for path, row, product in found}

    @cached_property
    def unconverted(self) -> set[Line]:
        """The lines that are held back for want of a conversion."""
        found = self.rows(
            f"""SELECT batch.path, move._row, held.entity || ' ' || held.natural_key
            FROM gold.unconverted_line AS held
            LEFT JOIN silver.stock_movement__versions AS move
                ON held.entity = 'stock_movement' AND move.source_name = held.source_name
                AND move.movement_id = held.natural_key AND move.known_to_at = {_OPEN_END}
            LEFT JOIN meta.batch AS batch ON batch.batch_no = move._batch_no"""
        )
        # what is no movement has no place in a file here: by its own name it is found to be too much
        return {(path, row) if path is not None else (name, 0) for path, row, name in found}

    @cached_property
    def known_from(self) -> dict[Line, str]:
        """Since when that is known which the lines of files with faults say."""
        paths = ", ".join("'" + path.replace("'", "''") + "'" for path in sorted({f.path for f in self.key.faults}))
        if not paths:
            return {}
        found = self.rows(
            " UNION ALL ".join(
                f"""SELECT batch.path, version._row, MIN(version.known_from_at)
                FROM silver.{entity}__versions AS version JOIN meta.batch AS batch ON batch.batch_no = version._batch_no
                WHERE batch.path IN ({paths}) GROUP BY batch.path, version._row"""
                for entity in _ENTITIES
            )
        )
        return {(path, row): self.when(known_from) for path, row, known_from in found}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value


def _rule_class(rule: str, column: str | None) -> str:
    """The key's name for what the quarantine says in words."""
    if rule.startswith("same key"):
        return "tie"
    if rule.startswith(("breaks ", "missing: ")):
        return "check"
    if column is None:
        return "malformed"
    return "not_null" if rule == "missing" else "cast"


def _matched(name: str, of: str, expected: Mapping[Any, Value], found: Mapping[Any, Value], unit: str | None) -> Group:
    """One figure for everything that either side names."""
    every = sorted(expected.keys() | found.keys())
    figures = (Figure(" ".join(str(part) for part in one), expected.get(one), found.get(one), unit) for one in every)
    return Group(name, of, tuple(figures))


def _line_counts(asked: _Asked) -> Iterable[Group]:
    """What became of every file and of its lines, per table."""
    figures: dict[str, list[Figure]] = defaultdict(list)
    named = {file.path for file in asked.key.files}
    for file in asked.key.files:
        fate, _, found = asked.files.get(file.path, ("rejected" if file.path in asked.rejected else None, "", {}))
        own = figures[file.table]
        own.append(Figure(f"{file.path}: fate", file.fate, fate))
        if file.fate == "repeated":
            # It stores nothing: all its lines are known. What was malformed in it the key counts where it came first.
            said = {**dict.fromkeys(_COUNTS, 0), "lines": file.lines, "unchanged": file.lines}
        else:
            said = {name: getattr(file, name) for name in (*_COUNTS, "malformed")}
        if file.is_live and found:  # what comes twice, at the edge of two pages or read again by a window, counts once
            found = {**found, "lines": found["lines"] - found["duplicates"], "duplicates": 0}
        if file.fate != "rejected" or found:
            for name, value in said.items():
                unit = name if name == "lines" else None
                own.append(Figure(f"{file.path}: {name}", value, found.get(name), unit))
    for path in sorted((asked.files.keys() | asked.rejected) - named):
        figures["files that nobody sent"].append(Figure(f"{path}: fate", None, asked.files.get(path, ("rejected",))[0]))
    for table, own in sorted(figures.items()):
        yield Group(f"lines of {table}", "counts", tuple(own))


def _sales(asked: _Asked) -> Iterable[Group]:
    """Every figure of every store-day."""
    currency = asked.key.currency_code
    names = [column for _, _, column, _ in _SALES]
    # The key's gross and discount are those of all lines, returns too; sales_daily gives those of sale lines.
    found = asked.rows(
        f"""SELECT location_id, business_date, currency_code, {", ".join(names)} FROM (
            SELECT location_id, business_date, currency_code, SUM(gross_amount) AS gross, SUM(discount_amount) AS discount
            FROM gold.fact_sale_line WHERE is_counted GROUP BY location_id, business_date, currency_code
        ) AS fact FULL JOIN (
            SELECT location_id, business_date, currency_code, {", ".join(n for n in names if n not in ("gross", "discount"))}
            FROM serve.sales_daily
        ) AS daily USING (location_id, business_date, currency_code)"""
    )
    expected = [day for day in asked.key.sales if day.known_at == asked.known_at]
    for number, (name, attribute, _, unit) in enumerate(_SALES, start=3):
        group = _matched(
            name.format(currency=currency),
            "store-days",
            {(day.location_id, day.business_date, day.currency_code): getattr(day, attribute) for day in expected},
            {row[:3]: row[number] for row in found},
            unit and unit.format(currency=currency),
        )
        if unit is None:
            figures = (Figure(one.name, one.expected, one.found, one.name.split()[-1]) for one in group.figures)
            group = Group(group.name, group.of, tuple(figures))
        yield group


def _stock(asked: _Asked) -> Iterable[Group]:
    """What lay where at the end of the key's days, and its sums."""
    key = asked.key
    expected = [row for row in key.on_hand if row.known_at == asked.known_at]
    totals = {(row.business_date,): row.units for row in key.stock_totals if row.known_at == asked.known_at}
    summed: dict[Any, Value] = {}
    [(last,)] = asked.rows("SELECT MAX(business_date) FROM serve.stock_daily")
    for [day] in sorted(totals):
        held = f"from_date <= DATE '{day}' AND to_date > DATE '{day}' AND on_hand_units IS NOT NULL"
        # stock_daily ends with the last day on which anything happened
        daily = last is not None and day <= last
        found = asked.rows(
            f"""SELECT location_id, product_id, stock_status, on_hand_units
            FROM {"serve.stock_daily" if daily else "gold.fact_stock_interval"}
            WHERE {f"business_date = DATE '{day}'" if daily else held}"""
        )
        yield _matched(
            f"on hand on {day}",
            "products at places",
            {(r.location_id, r.product_id, r.stock_status): r.units for r in expected if r.business_date == day},
            {row[:3]: row[3] for row in found},
            "units",
        )
        [(summed[day,],)] = asked.rows(f"SELECT SUM(on_hand_units) FROM gold.fact_stock_interval WHERE {held}")
    yield _matched("on hand, sums", "days", totals, summed, None)


def _product_versions(asked: _Asked) -> Group:
    """Which description of a product held from when on, and since when that is known."""
    expected: dict[Any, Value] = {}
    held: dict[str, str] = {}
    for version in sorted(asked.key.product_versions, key=lambda one: (one.product_id, one.version_at)):
        product = version.product_id
        expected[product, version.version_at, "known from"] = version.known_at
        said = _described(version)
        # a version that says what the one before it said is none of its own
        if held.get(product) != said:
            expected[product, version.version_at if product in held else _BEGINNING, "valid from"] = said
        held[product] = said
    found: dict[Any, Value] = {}
    for product, valid_from, *said_now in asked.rows(
        """SELECT product_id, valid_from_at, product_name, list_price_amount, standard_cost_amount, status
        FROM gold.dim_product WHERE product_key <> 0"""
    ):
        found[product, valid_from, "valid from"] = ", ".join(str(part) for part in said_now)
    for product, version_at, known_from in asked.rows(
        "SELECT product_id, version_at, MIN(known_from_at) FROM silver.product__versions GROUP BY product_id, version_at"
    ):
        found[product, version_at, "known from"] = asked.when(known_from)
    return _matched("product versions", "dates and descriptions", expected, found, None)


def _described(version: ProductVersionKey) -> str:
    price, cost = version.list_price_amount.quantize(Decimal("1.0000")), version.standard_cost_amount
    return f"{version.product_name}, {price}, {cost.quantize(Decimal('1.000000'))}, {version.status}"


def _set_aside(asked: _Asked) -> Group:
    """Everything that was not taken as it came, and nothing else."""
    expected: dict[Any, Value] = {}
    for fault in asked.key.faults:
        if fault.found == "quarantined":
            expected[fault.path, fault.row or 0] = fault.rule
        elif fault.found == "rejected_file":
            expected[fault.path, 0] = "rejected"
        elif fault.found == "unknown_member" and fault.table == "pos.sales":
            expected[fault.path, fault.row or 0] = f"unknown product {fault.detail}"
        elif fault.found == "unconverted" and not _is_explained(fault):
            expected[fault.path, fault.row or 0] = "unconverted"
    found: dict[Any, Value] = {
        **{line: f"unknown product {product}" for line, product in asked.unknown_products.items()},
        **dict.fromkeys(asked.unconverted, "unconverted"),
        **{line: rule for line, (rule, _) in asked.quarantined.items()},
        **{(path, 0): "rejected" for path in asked.rejected},
    }
    return _matched("set aside or not resolved", "lines and files", expected, found, None)


def _faults(asked: _Asked) -> Group:
    """Every fault that was put in, at its file and row."""
    known_at = {file.path: file.known_at for file in asked.key.files}
    counts = {file.path: file for file in asked.key.files}
    figures = []
    for fault in asked.key.faults:
        where = (fault.path, fault.row or 0)
        since = f"known from {known_at[fault.path]}"
        now = _what_became(asked, where)
        match fault.found:
            case "quarantined":
                expected, found = f"{fault.rule} {fault.column}".strip(), now
                if not fault.column and now.startswith(fault.rule):
                    found = fault.rule
            case "unknown_member" if fault.table == "pos.sales":
                expected, found = f"unknown product {fault.detail}", now
            case "unknown_member":  # a master record that came late: since then its lines have a product
                waiting = fault.detail.split()[0] in asked.unknown_products.values()
                expected, found = since, "its lines are still without it" if waiting else now
            case "unconverted":
                expected = since if _is_explained(fault) else "unconverted"
                found = now
            case "rejected_file":
                expected, found = "rejected", "rejected" if fault.path in asked.rejected else now
            case "repeated_file":
                expected, found = "repeated", asked.files.get(fault.path, ("missing",))[0]
            case "superseded" | "duplicate" | "unchanged" | "left_out" as category:
                # Such a line leaves no trace of its own, but in its file's counts.
                name = _CATEGORY[category]
                counted = asked.files[fault.path][2].get(name) if fault.path in asked.files else None
                agrees = not now and counted == getattr(counts[fault.path], name)
                expected, found = category, category if agrees else now or f"{counted} lines {name} in its file"
            case _:  # restated, kept
                expected, found = since, now if fault.row is not None else _file_since(asked, fault.path)
        figures.append(
            Figure(f"{fault.fault}: {fault.path}" + (f" row {fault.row}" if fault.row else ""), expected, found or None)
        )
    return Group("injected faults found", "places", tuple(figures))


def _is_explained(fault: FaultKey) -> bool:
    return " explained by " in fault.detail


def _what_became(asked: _Asked, where: Line) -> str:
    if where in asked.quarantined:
        return " ".join(asked.quarantined[where]).strip()
    if where in asked.unknown_products:
        return f"unknown product {asked.unknown_products[where]}"
    if where in asked.unconverted:
        return "unconverted"
    return f"known from {asked.known_from[where]}" if where in asked.known_from else ""


def _file_since(asked: _Asked, path: str) -> str:
    fate, known_at, _ = asked.files.get(path, ("", "", {}))
    return f"known from {known_at}" if fate == "landed" else fate

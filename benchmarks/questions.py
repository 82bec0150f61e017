"""The questions of serve that the server is measured by: each about one place and one month, or a place as it is now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from benchmarks.generate import END

#: The last whole month of the history; what a place sold or held then.
_LAST = END.replace(day=1) - timedelta(1)
_FIRST = _LAST.replace(day=1)


def _day(value: date) -> str:
    return f"DATE '{value}'"


@dataclass(frozen=True)
class Question:
    """sql: with {place}, the key of a place. is_summed: it returns one row; else as many as there are."""

    name: str
    sql: str
    is_summed: bool

    @property
    def words(self) -> str:
        """What it is about, in words."""
        when = " and a month" if _day(_FIRST) in self.sql else " and a day" if _day(_LAST) in self.sql else ""
        return f"{self.name} of a place{when}"

    def of(self, place: int) -> str:
        """The question about a place."""
        return self.sql.format(place=place)


def _at(view: str, columns: str, where: str = "") -> str:
    more = f" AND {where}" if where else ""
    return f"SELECT {columns} FROM serve.{view} WHERE location_durable_key = {{place}}{more}"


_NOW = "TIMESTAMPTZ '9999-01-01 00:00:00+00'"
_DAYS = f"business_date BETWEEN {_day(_FIRST)} AND {_day(_LAST)}"
_MONTH = f"month_start_date = {_day(_FIRST)}"
_SALES_AS_OF = f"sales_as_of({_day(_FIRST)}, {_day(_LAST)}, {_NOW})"
_STOCK_AS_OF = f"stock_as_of({_day(_LAST)}, {_NOW})"

QUESTIONS = tuple(
    Question(name, sql, is_summed)
    for is_summed, asked in (
        (True, {
            "sales_daily": _at("sales_daily", "sum(net_units), sum(net_amount)", _DAYS),
            "sales_as_of": _at(_SALES_AS_OF, "sum(net_units), sum(reporting_net_amount)"),
            "sales_weekly": _at(
                "sales_weekly", "sum(net_units), sum(reporting_net_amount)",
                f"week_start_date BETWEEN {_day(_FIRST)} AND {_day(_LAST)}",
            ),
            "sales_trend": _at("sales_trend", "sum(reporting_net_amount)", _DAYS),
            "store_performance": _at("store_performance", "sum(net_units), sum(reporting_net_amount)", _MONTH),
            "product_movement": _at("product_movement", "sum(sold_units), sum(closing_units)", _MONTH),
            "returns": _at("returns", "sum(sold_units), sum(returned_units)", _MONTH),
            "shrinkage": _at("shrinkage", "sum(reporting_shrinkage_amount)", _MONTH),
            "count_accuracy": _at("count_accuracy", "sum(count_lines)", _DAYS),
            "restatements": _at("restatements", "sum(restated_reporting_net_amount)", _DAYS),
            "cost_as_posted": _at("cost_as_posted", "sum(cost_amount)", _DAYS),
            "stock_daily": _at("stock_daily", "sum(on_hand_units), count(*)", _DAYS),
            "stock_as_of": _at(_STOCK_AS_OF, "sum(on_hand_units), sum(value_amount)"),
            "stock_value": _at("stock_value", "sum(reporting_value_amount)"),
            "stockouts": _at("stockouts", "sum(stockout_days), sum(ranged_days)"),
            "stock_on_hand": _at("stock_on_hand", "sum(on_hand_units)"),
        }),
        (False, {
            "sales_as_of": _at(_SALES_AS_OF, "*"),
            "product_movement": _at("product_movement", "*", _MONTH),
            "returns": _at("returns", "*", _MONTH),
            "stock_daily": _at("stock_daily", "*", _DAYS),
            "stock_on_hand": _at("stock_on_hand", "*"),
            "stock_as_of": _at(_STOCK_AS_OF, "*"),
        }),
    )
    for name, sql in asked.items()
)  # fmt: skip

"""How large a data set is: apart from the generator, since the measuring process stays small without DuckDB."""

from __future__ import annotations

from dataclasses import dataclass

STORES = 20


@dataclass(frozen=True)
class Size:
    """How large a data set is. later: number of single days, and of corrections, that follow the history."""

    days: int = 365
    lines_a_day: int = 13_700
    postings_a_day: int = 3_885
    products: int = 2_000
    later: int = 3

    @classmethod
    def scaled(cls, scale: float, later: int) -> Size:
        """About `scale` times the lines: fewer days and less per day in equal parts."""
        root = scale**0.5
        return cls(
            days=max(10, round(cls.days * root)),
            lines_a_day=max(STORES * 24, round(cls.lines_a_day * root)),
            postings_a_day=max(100, round(cls.postings_a_day * root)),
            products=max(40, round(cls.products * root)),
            later=later,
        )

    @classmethod
    def ledger(cls, movements: float) -> Size:
        """About so many movements and no sale line, in more than three years."""
        days = 1_213
        products = max(40, round(min(2_000, movements / 500)))
        return cls(days, 0, max(4, round((movements - products * STORES) / days / 1.03)), products, 0)

    def movements(self) -> int:
        """How many movements: postings, and the stock that each store opens with."""
        return round(self.days * self.postings_a_day * 1.03) + self.products * STORES

    def shorter(self) -> Size:
        """The same chain with a tenth of the history."""
        return Size(max(1, self.days // 10), self.lines_a_day, self.postings_a_day, self.products, self.later)

    def words(self) -> str:
        """The history in words."""
        lines = self.days * self.lines_a_day / 1e6
        return f"{lines:.3g} M sale lines, {self.movements() / 1e6:.2g} M movements"

    def day_words(self) -> str:
        """One more day in words."""
        return f"{self.lines_a_day * 1.05 / 1000:.2g} k lines and {self.postings_a_day * 1.03 / 1000:.2g} k movements"

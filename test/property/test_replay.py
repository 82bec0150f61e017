"""Gold is a function of what landed: however landing is cut into runs, and current state in whatever order it lands."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from current_state import current_gold
from small_chain import deliver, make_project
from systock import Project
from systock.data_warehouse.content_hash import table_hashes
from systock.data_warehouse.engine.duckdb import connect

PRODUCT = st.sampled_from(["P1", "P2", "p3"])
STORE = st.sampled_from(["S1", "S2"])
MOMENT = st.integers(0, 40).map(
    lambda hours: f"2024-03-{29 + hours // 24:02d}T{hours % 24:02d}:30:00+00:00" if hours < 48 else ""
)
QUANTITY = st.sampled_from(["1", "2", "-1", "10", "2.5"])
PRICE = st.sampled_from(["1.10", "2.5", "x", "99.99"])
ROWS = {
    "pos_sales": st.tuples(st.sampled_from("12"), st.sampled_from("12"), STORE, PRODUCT, MOMENT, QUANTITY, st.sampled_from(["", "box"]), PRICE, st.sampled_from(["", "", "draft"]), MOMENT),
    "erp_products": st.tuples(PRODUCT, st.sampled_from("ABC"), st.sampled_from(["1", "2.25"]), st.sampled_from(["pcs"]), MOMENT),
    "erp_locations": st.tuples(STORE, st.sampled_from("XY"), st.sampled_from(["Europe/Berlin", "America/New_York"])),
    "erp_movements": st.tuples(st.sampled_from("1234"), STORE, PRODUCT, MOMENT, st.sampled_from(["opening", "receipt", "adjustment"]), st.sampled_from(["5", "0", "20"]), MOMENT),
    "erp_units": st.tuples(PRODUCT, st.just("box"), st.just("6")),
    "shop_orders": st.tuples(st.sampled_from("123"), MOMENT, MOMENT),
    "shop_lines": st.tuples(st.sampled_from("123"), st.sampled_from("12"), PRODUCT, QUANTITY, PRICE, MOMENT),
    "counts_counts": st.tuples(STORE, PRODUCT, st.sampled_from(["2024-03-29", "2024-03-30"]), st.sampled_from(["0", "7"])),
}  # fmt: skip
DELIVERY = st.sampled_from(sorted(ROWS)).flatmap(
    lambda table: st.tuples(st.just(table), st.lists(ROWS[table], min_size=1, max_size=6, unique=True))
)
# Each is a run: a short search has few of them.
DELIVERIES = st.lists(DELIVERY, min_size=2, max_size=8 if settings.default.max_examples > 10 else 5)


def hashes(project: Path) -> dict[str, object]:
    """Content hash of every table of the published warehouse."""
    with connect(project / "warehouse.duckdb", read_only=True) as engine:
        return table_hashes(engine)


def gold(project: Path) -> dict[str, object]:
    return dict(current_gold(project / "warehouse.duckdb"))


class Folder:
    """A temporary project folder, gone at the end."""

    def __init__(self, known_at: str) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="systock-"))
        self.path = make_project(self.root / "project", known_at)

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.root)


@settings(max_examples=max(2, settings.default.max_examples // 4))
@given(deliveries=DELIVERIES)
def test_runs_cut_anywhere_end_in_the_same_silver_and_gold(deliveries: list) -> None:
    with Folder("name:k%Y%m%dT%H%M%SZ") as one, Folder("name:k%Y%m%dT%H%M%SZ") as many:
        for number, (table, rows) in enumerate(deliveries):
            for project in (one, many):
                deliver(project, table, rows, f"k20240401T{number:02d}0000Z")
            Project(many).run()
        Project(one).run()
        assert hashes(one) == hashes(many)
        assert all(table["same"] for table in Project(many).rebuild(verify=True)["tables"])


@settings(max_examples=max(2, settings.default.max_examples // 4))
@given(deliveries=DELIVERIES, data=st.data())
def test_current_state_does_not_depend_on_the_order_of_landing(deliveries: list, data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(deliveries))))
    with Folder("landing") as sorted_, Folder("landing") as shuffled:
        for number in order:
            table, rows = deliveries[number]
            for project in (sorted_, shuffled):
                deliver(project, table, rows, f"{number}", modified=1_712_000_000.0 + number)
            Project(shuffled).run()
        Project(sorted_).run()  # all that came since, in the order of their times
        assert gold(sorted_) == gold(shuffled)

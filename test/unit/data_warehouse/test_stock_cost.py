"""The cost kernel against cases worked by hand and published ones, whose source each names."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pyarrow as pa
import pytest

from ledger_entries import Entry, balanced, batch, layers, postings
from systock.data_warehouse.cost_chunk import CostMethod
from systock.data_warehouse.cost_columns import OUTPUT_COLUMNS
from systock.data_warehouse.stock_cost import cost_postings
from systock.errors import IntegrityError

METHODS: list[CostMethod] = ["moving_average", "fifo"]


def short(entries: list[Entry], method: CostMethod, zero_start: bool = True) -> list[tuple]:
    """Per posting: entry, kind, amount, value after; amounts as short texts."""

    def text(value: Decimal | None) -> str | None:
        return None if value is None else f"{value.normalize() + 0:f}"

    return [
        (row["ledger_entry_key"], row["posting_kind"], text(row["cost_amount"]), text(row["value_after_amount"]))
        for row in postings(entries, method, zero_start)
    ]


def total(rows: list[dict], kind: str) -> Decimal:
    return sum((row["cost_amount"] for row in rows if row["posting_kind"] == kind), Decimal(0))


# Weygandt, Kimmel, Kieso, Financial Accounting, the Englehart problem of the inventory chapter: under a perpetual system the
# stock at the end of March is 2,450 by FIFO and 2,424 by moving average, cost of goods sold 4,000 and 4,026.
ENGLEHART = [
    Entry(1, "opening", 200, "4.00"),
    Entry(10, "receipt", 500, "4.50"),
    Entry(15, "sale", -500),
    Entry(20, "receipt", 400, "4.75"),
    Entry(25, "sale", -400),
    Entry(30, "receipt", 300, "5.00"),
]


@pytest.mark.parametrize(("method", "stock", "sold"), [("fifo", 2450, 4000), ("moving_average", 2424, 4026)])
def test_englehart(method: CostMethod, stock: int, sold: int) -> None:
    rows = postings(ENGLEHART, method)
    assert round(rows[-1]["value_after_amount"]) == stock
    assert round(-rows[2]["cost_amount"] - rows[4]["cost_amount"]) == sold


def test_waterway_moving_average() -> None:
    # Kieso, Weygandt, Warfield, Intermediate Accounting, Waterway Industries: 53,602 with averages cut to 9.921 and 10.308.
    rows = postings(
        [
            Entry(1, "opening", 9200, "9.71"),
            Entry(6, "receipt", 6300, "10.23"),
            Entry(7, "sale", -7400),
            Entry(26, "receipt", 8200, "10.69"),
            Entry(31, "sale", -11100),
        ],
        "moving_average",
    )
    assert [round(row["unit_cost_after_amount"], 3) for row in rows[1:4:2]] == [Decimal("9.921"), Decimal("10.308")]
    assert abs(rows[-1]["value_after_amount"] - 53602) < 5


def test_sport_box_fifo() -> None:
    # A textbook exercise as answered on techwhiff.com: 5 at 30, 50 at 35, 100 at 40, 30 at 40, sold 45 and 120: 6,300 and 800 left.
    rows = postings(
        [
            Entry(1, "opening", 5, 30),
            Entry(3, "receipt", 50, 35),
            Entry(6, "receipt", 100, 40),
            Entry(17, "sale", -45),
            Entry(23, "receipt", 30, 40),
            Entry(31, "sale", -120),
        ],
        "fifo",
    )
    assert [row["cost_amount"] for row in rows if row["cost_amount"] < 0] == [-1550, -4750]
    assert rows[-1]["value_after_amount"] == 800


def test_sap_receipt_with_price_variance() -> None:
    # SAP Library, "Goods Receipt with Price Variance": 1,000 at 5.00 and 400 at 5.70: 7,280 / 1,400 = 5.20.
    rows = postings([Entry(1, "opening", 1000, 5), Entry(2, "receipt", 400, "5.70")], "moving_average")
    assert (rows[-1]["value_after_amount"], rows[-1]["unit_cost_after_amount"]) == (7280, Decimal("5.2"))


@pytest.mark.parametrize("method", METHODS)
def test_sap_late_cost_with_half_of_the_goods_gone(method: CostMethod) -> None:
    # SAP Library, "Settlement in the Case of Stock Shortage": of 40 delivered 20 were issued: 50 % to the stock, 50 % to a price
    # difference account.
    late = [
        Entry(1, "receipt", 40, 10, document="order"),
        Entry(2, "sale", -20),
        Entry(3, "revaluation", amount=80, document="order"),
    ]
    assert short(late, method)[2:] == [("e2", "entry", "80", "240"), ("e2", "variance", "-40", "240")]


@pytest.mark.parametrize("method", METHODS)
def test_invoice_below_the_order_with_one_of_three_gone(method: CostMethod) -> None:
    # The SAP rule with figures, from a question in SAP's forum: 3 at 50, one issued, the invoice says 10 each: the two in stock are
    # worth 20, the price difference of the third is expensed.
    late = [
        Entry(1, "receipt", 3, 50, document="order"),
        Entry(2, "sale", -1),
        Entry(3, "revaluation", amount=-120, document="order"),
    ]
    assert short(late, method)[2:] == [("e2", "entry", "-120", "20"), ("e2", "variance", "40", "20")]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("units", "amount"), [(13, 15), (1000, 4)])
def test_odoo_landed_cost_leaves_no_cent_behind(method: CostMethod, units: int, amount: int) -> None:
    # Odoo, addons/stock_landed_costs/test/stock_landed_costs_rounding.yml: 15.00 over 13 units (4.00 over 1,000) that leave one
    # by one must all be expensed.
    rows = postings(
        [
            Entry(1, "receipt", units, 0, document="order"),
            Entry(2, "revaluation", amount=amount, document="order"),
            *[Entry(3 + number, "sale", -1) for number in range(units)],
        ],
        method,
    )
    assert rows[-1]["value_after_amount"] == 0
    assert sum(row["cost_amount"] for row in rows) == 0


@pytest.mark.parametrize("method", METHODS)
def test_odoo_delivery_without_stock_settled_at_another_standard(method: CostMethod) -> None:
    # Odoo forum, "revaluation of WH/OUT": 5 delivered at a cost of 10 with none on hand; at a cost of 15 a count finds 25.
    rows = short([Entry(1, "sale", -5, standard=10), Entry(2, "count", 25, standard=15)], method)
    assert rows[0] == ("e0", "entry", "-50", "-50")
    assert rows[1:] == [("e1", "entry", "450", "375"), ("e1", "revaluation", "-25", "375")]


@pytest.mark.parametrize("method", METHODS)
def test_the_last_unit_takes_the_last_cent(method: CostMethod) -> None:
    thirds = [Entry(1, "receipt", 2, "0.3333"), Entry(1, "receipt", 1, "0.3334"), *[Entry(2, "sale", -1)] * 3]
    rows = postings(thirds, method)
    assert sum(row["cost_amount"] for row in rows[2:]) == -1
    assert rows[-1]["value_after_amount"] == 0


def test_issues_keep_the_average_to_the_last_place() -> None:
    rows = postings(
        [Entry(1, "receipt", 2, 1), Entry(1, "receipt", 1, 2), *[Entry(2, "sale", "-0.001")] * 999], "moving_average"
    )
    assert {row["unit_cost_after_amount"] for row in rows[1:]} == {Decimal("1.333333")}


def test_what_a_receipt_states_is_its_cost_however_little_came() -> None:
    entries = [Entry(1, "count", 0), Entry(2, "receipt", "0.001", "1.234567"), Entry(3, "receipt", 5)]
    rows = postings(entries, "moving_average")
    assert [row["unit_cost_after_amount"] for row in rows] == [None, Decimal("1.234567"), Decimal("1.234567")]


@pytest.mark.parametrize("method", METHODS)
def test_halves_round_away_from_zero(method: CostMethod) -> None:
    rows = short([Entry(1, "sale", "-0.5", standard="0.0001"), Entry(2, "receipt", "1.5", standard="0.0001")], method)
    assert [row[2] for row in rows] == ["-0.0001", "0.0002"]
    thirds = [Entry(1, "receipt", 3, "0.666667"), Entry(2, "sale", -1)]
    assert short(thirds, method)[1][2] == "-0.6667"


# What happens below zero: 10 at 2.00 are there, 14 are sold, 10 arrive at 3.00.
BELOW_ZERO = [Entry(1, "receipt", 10, 2), Entry(2, "sale", -14), Entry(3, "receipt", 10, 3)]


@pytest.mark.parametrize("method", METHODS)
def test_a_receipt_that_turns_the_balance_positive_sets_its_cost(method: CostMethod) -> None:
    assert short(BELOW_ZERO, method) == [
        ("e0", "entry", "20", "20"),
        ("e1", "entry", "-28", "-8"),
        ("e2", "entry", "30", "18"),
        ("e2", "revaluation", "-4", "18"),  # 4 units were costed at 2.00 that cost 3.00
    ]


@pytest.mark.parametrize("method", METHODS)
def test_while_the_balance_is_not_positive_the_last_cost_holds(method: CostMethod) -> None:
    still_short = [*BELOW_ZERO[:2], Entry(3, "receipt", 3, 3), Entry(4, "receipt", 5, 4)]
    assert short(still_short, method)[2:] == [
        ("e2", "entry", "9", "-2"),  # the unit still owed stays at 2.00
        ("e2", "revaluation", "-3", "-2"),
        ("e3", "entry", "20", "16"),
        ("e3", "revaluation", "-2", "16"),
    ]


def test_what_is_sold_short_again_takes_the_cost_that_is_the_last_by_each_method() -> None:
    entries = [*BELOW_ZERO[:2], Entry(3, "receipt", 3, 3), Entry(4, "sale", -1)]
    assert short(entries, "moving_average")[-1] == ("e3", "entry", "-2", "-4")
    assert short(entries, "fifo")[-1] == ("e3", "entry", "-3", "-5")


def test_a_return_comes_back_at_the_average_or_at_what_its_sale_cost() -> None:
    entries = [
        Entry(1, "receipt", 10, 2),
        Entry(2, "sale", -10),
        Entry(3, "receipt", 10, 5),
        Entry(4, "customer_return", 1, gives_back="e1"),
        Entry(5, "customer_return", 1),
    ]
    assert [row[2] for row in short(entries, "moving_average")[3:]] == ["5", "5"]
    assert [row[2] for row in short(entries, "fifo")[3:]] == ["2", "5"]
    # a return that states its cost, and one whose sale is not there, or is of another product
    assert short([*entries[:3], Entry(4, "customer_return", 1, 7, gives_back="e1")], "fifo")[3][2] == "7"
    assert short([*entries[:3], Entry(4, "customer_return", 1, gives_back="gone")], "fifo")[3][2] == "5"
    other = Entry(2, "sale", -1, product="Q", standard=9)
    assert short([*entries[:3], other, Entry(4, "customer_return", 1, gives_back="e3")], "fifo")[4][2] == "5"


@pytest.mark.parametrize(("method", "left"), [("moving_average", "-12"), ("fifo", "-8")])
@pytest.mark.parametrize("kind", ["supplier_return", "write_off", "adjustment", "sale"])
def test_what_leaves_takes_the_average_or_the_oldest_whatever_it_states(
    kind: str, method: CostMethod, left: str
) -> None:
    entries = [Entry(1, "receipt", 5, 2), Entry(2, "receipt", 5, 4), Entry(3, kind, -4, 9)]
    assert short(entries, method)[2][2] == left


@pytest.mark.parametrize(("method", "gain", "loss"), [("moving_average", "6", "-9"), ("fifo", "8", "-6")])
def test_a_count_values_its_variance_at_the_current_cost(method: CostMethod, gain: str, loss: str) -> None:
    entries = [Entry(1, "receipt", 5, 2), Entry(2, "receipt", 5, 4), Entry(3, "count", 12), Entry(4, "count", 9)]
    assert [row[2] for row in short(entries, method)[2:]] == [gain, loss]


@pytest.mark.parametrize("method", METHODS)
def test_without_a_balance_there_is_cost_but_no_value_until_it_starts(method: CostMethod) -> None:
    entries = [
        Entry(1, "sale", -1, standard=4),
        Entry(2, "receipt", 10, 5, standard=4),
        Entry(3, "sale", -2, standard=4),
        Entry(4, "count", 20, standard=4),
        Entry(5, "sale", -1, standard=4),
    ]
    assert short(entries, method, zero_start=False) == [
        ("e0", "entry", "-4", None),
        ("e1", "entry", "50", None),
        ("e2", "entry", "-10", None),
        ("e3", "entry", "100", "100"),
        ("e4", "entry", "-5", "95"),
    ]


@pytest.mark.parametrize("method", METHODS)
def test_an_opening_starts_the_value_at_what_it_states(method: CostMethod) -> None:
    assert short([Entry(1, "opening", 10, 5, standard=4)], method, zero_start=False) == [("e0", "entry", "50", "50")]
    assert short([Entry(1, "opening", 10, standard=4)], method, zero_start=False) == [("e0", "entry", "40", "40")]
    assert short([Entry(1, "opening", -10, 5)], method, zero_start=False) == [("e0", "entry", "-50", "-50")]


@pytest.mark.parametrize("method", METHODS)
def test_while_no_document_states_a_cost_stock_stands_at_standard(method: CostMethod) -> None:
    entries = [
        Entry(1, "receipt", 10, standard=4),
        Entry(2, "sale", -1, standard=5),
        Entry(3, "receipt", 9, 7, standard=6),
        Entry(4, "sale", -1, standard=8),
    ]
    rows = short(entries, method)
    assert rows[:5] == [
        ("e0", "entry", "40", "40"),
        ("e1", "entry", "-5", "45"),
        ("e1", "revaluation", "10", "45"),
        ("e2", "entry", "63", "117"),
        ("e2", "revaluation", "9", "117"),
    ]
    assert rows[5:] == [("e3", "entry", "-6.5" if method == "moving_average" else "-6", rows[5][3])]


@pytest.mark.parametrize("method", METHODS)
def test_no_cost_is_made_up_and_the_first_one_values_what_is_there(method: CostMethod) -> None:
    entries = [
        Entry(1, "count", 10),
        Entry(2, "sale", -4),
        Entry(3, "receipt", 2, 3),
        Entry(4, "count", 7, place="other"),
    ]
    assert short(entries, method) == [
        ("e0", "entry", None, None),
        ("e1", "entry", None, None),
        ("e2", "entry", "6", "24"),
        ("e2", "revaluation", "18", "24"),
        ("e3", "entry", "21", "21"),  # elsewhere at the last cost stated for the product
    ]


def out(hour: int, units: int, **more: object) -> Entry:
    return Entry(hour, "transfer_out", -units, place="depot", transfer="T", **more)  # type: ignore[arg-type]


def into(hour: int, units: int, **more: object) -> Entry:
    return Entry(hour, "transfer_in", units, transfer="T", **more)  # type: ignore[arg-type]


DEPOT = [Entry(1, "receipt", 10, 2, place="depot"), Entry(2, "receipt", 10, 4, place="depot")]


@pytest.mark.parametrize(
    ("method", "parts"),
    [("moving_average", ["-36", "12", "12", "12"]), ("fifo", ["-28", "8", "8", "12"])],  # 10 x 2 + 2 x 4
)
def test_a_transfer_carries_its_cost_in_parts(method: CostMethod, parts: list[str]) -> None:
    rows = short([*DEPOT, out(3, 12), into(4, 4), into(5, 4), into(6, 4)], method)
    assert [row[1:3] for row in rows[2:]] == [("transfer", part) for part in parts]


@pytest.mark.parametrize("method", METHODS)
def test_what_will_not_arrive_leaves_the_transit_at_its_cost(method: CostMethod) -> None:
    rows = short([DEPOT[0], out(3, 5), into(4, 3), Entry(5, "transfer_loss", -2, transfer="T")], method)
    assert rows[1:] == [
        ("e1", "transfer", "-10", "10"),
        ("e2", "transfer", "6", "6"),
        ("e3", "transit_loss", "-4", None),
    ]


@pytest.mark.parametrize("method", METHODS)
def test_received_at_the_instant_of_its_shipment_it_costs_what_that_costs(method: CostMethod) -> None:
    # within one instant what comes in stands before what goes out
    rows = short([DEPOT[0], into(3, 5, standard=99), out(3, 5)], method)
    assert rows[1:] == [("e1", "transfer", "10", "10"), ("e2", "transfer", "-10", "10")]


@pytest.mark.parametrize("method", METHODS)
def test_the_true_cost_follows_what_was_received_before_its_shipment(method: CostMethod) -> None:
    # received at the depot's cost of that moment, 2.00; one of five is sold; shipped after the depot was revalued to 3.00
    rows = short(
        [DEPOT[0], into(3, 5), Entry(4, "sale", -1), Entry(5, "revaluation", cost=3, place="depot"), out(6, 5)], method
    )
    assert rows[1:] == [
        ("e1", "transfer", "10", "10"),
        ("e2", "entry", "-2", "8"),
        ("e3", "entry", "10", "30"),
        ("e4", "transfer", "-15", "15"),
        ("e4", "transfer", "5", "12"),
        ("e4", "variance", "-1", "12"),
    ]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("excess", "amount"),
    [
        (into(4, 3, cost=7), "21"),  # nothing shipped: what it states
        (into(4, 3), "27"),  # else the receiver's own cost
    ],
)
def test_received_and_never_shipped(method: CostMethod, excess: Entry, amount: str) -> None:
    struck_off = Entry(5, "transfer_loss", 3, transfer="T")
    rows = short([Entry(1, "receipt", 1, 9), excess, struck_off], method)
    assert rows[1][1:3] == ("transfer", amount)
    assert rows[2] == ("e2", "transit_loss", amount, None)


@pytest.mark.parametrize("method", METHODS)
def test_received_more_than_shipped_costs_the_same_as_what_was_shipped(method: CostMethod) -> None:
    rows = short([Entry(1, "receipt", 1, 9), DEPOT[0], out(3, 5), into(4, 6)], method)
    assert rows[3] == ("e3", "transfer", "12", "21")


DEAR_STORE = [DEPOT[0], Entry(1, "receipt", 10, 8), out(2, 3)]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("parts", [[5], [3, 2], [1, 4], [2, 1, 1, 1], [3, 1, 1]])
def test_received_beyond_what_was_shipped_it_costs_the_same_in_however_many_receipts(
    method: CostMethod, parts: list[int]
) -> None:
    receipts = [into(3 + number, units) for number, units in enumerate(parts)]
    # 10 x 8 + 3 x 2 + 2 x 2; and what was bought meanwhile makes no difference to that
    assert short([*DEAR_STORE, *receipts], method)[-1][3] == "90"
    assert short([*DEAR_STORE, *receipts[:-1], Entry(8, "receipt", 1, 50), replace(receipts[-1], hour=9)], method)[-1][3] == "140"  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("receipts", [[into(5, 15)], [into(5, 14), into(6, 1)], [into(5, 10), into(6, 5)]])
def test_received_beyond_several_shipments_it_costs_what_the_last_one_did(
    method: CostMethod, receipts: list[Entry]
) -> None:
    sent = [DEPOT[0], out(2, 10), Entry(3, "receipt", 10, 6, place="depot"), out(4, 4)]
    assert short([*sent, *receipts], method)[-1][3] == "50"  # 10 x 2 + 4 x 6 + 1 x 6


@pytest.mark.parametrize("method", METHODS)
def test_received_after_it_was_lost_it_costs_what_was_shipped(method: CostMethod) -> None:
    lost = Entry(3, "transfer_loss", -3, transfer="T")
    assert short([*DEAR_STORE, lost, into(4, 2)], method)[-1] == ("e4", "transfer", "4", "84")


@pytest.mark.parametrize("method", METHODS)
def test_a_shipment_to_come_tells_the_cost_before_one_that_was(method: CostMethod) -> None:
    dearer = Entry(4, "revaluation", cost=3, place="depot")
    assert short([*DEAR_STORE, into(3, 3), dearer, into(5, 2), out(6, 2)], method)[-2] == ("e5", "transfer", "6", "92")


@pytest.mark.parametrize("method", METHODS)
def test_received_beyond_goods_of_unknown_cost_it_is_unknown_too(method: CostMethod) -> None:
    goods = [Entry(1, "count", 5, place="depot"), out(2, 5), Entry(3, "count", 1, standard=4), into(4, 5, standard=4)]
    assert short([*goods, into(5, 2, standard=4)], method)[-2:] == [
        ("e4", "transfer", None, "32"),
        ("e4", "revaluation", "8", "32"),
    ]


@pytest.mark.parametrize("method", METHODS)
def test_goods_of_unknown_cost_arrive_at_the_cost_of_their_new_place(method: CostMethod) -> None:
    goods = [Entry(1, "count", 5, place="depot"), out(2, 5), Entry(3, "count", 1, standard=4), into(4, 5, standard=4)]
    assert short(goods, method)[1:] == [
        ("e1", "transfer", None, None),
        ("e2", "entry", "4", "4"),
        ("e3", "transfer", None, "24"),
        ("e3", "revaluation", "20", "24"),
    ]


@pytest.mark.parametrize("method", METHODS)
def test_transfers_without_an_id_share_one_transit(method: CostMethod) -> None:
    rows = short([DEPOT[0], Entry(2, "transfer_out", -4, place="depot"), Entry(3, "transfer_in", 4)], method)
    assert rows[2] == ("e2", "transfer", "8", "8")


KIT = [
    Entry(1, "receipt", 10, 2, product="A"),
    Entry(1, "receipt", 10, 3, product="B"),
    Entry(5, "production_out", -4, product="A", document="M"),
    Entry(5, "production_out", -2, product="B", document="M"),
]


@pytest.mark.parametrize("method", METHODS)
def test_a_kit_costs_what_its_components_cost(method: CostMethod) -> None:
    for hour in (5, 6):  # at the same instant the ledger has the kit first, later it has it last
        rows = postings([*KIT, Entry(hour, "production_in", 2, product="K", document="M")], method)
        kit = [row for row in rows if row["product_durable_key"] == "K"]
        assert [(row["cost_amount"], row["unit_cost_after_amount"]) for row in kit] == [(14, 7)]


@pytest.mark.parametrize("method", METHODS)
def test_several_outputs_share_by_quantity_to_the_last_cent(method: CostMethod) -> None:
    outputs = [Entry(6, "production_in", 1, product=name, document="M", place="plant") for name in ("K", "L", "M")]
    rows = postings([*KIT, *outputs], method)
    assert [row["cost_amount"] for row in rows[-3:]] == [Decimal(text) for text in ("4.6667", "4.6666", "4.6667")]


@pytest.mark.parametrize("method", METHODS)
def test_a_component_used_later_at_another_cost_follows_the_kit(method: CostMethod) -> None:
    entries = [
        KIT[0],
        Entry(2, "production_in", 2, product="K", document="M"),
        Entry(3, "sale", -1, product="K"),
        Entry(4, "revaluation", cost=5, product="A"),
        KIT[2],
    ]
    assert short(entries, method)[1:] == [
        ("e1", "entry", "8", "8"),
        ("e2", "entry", "-4", "4"),
        ("e3", "entry", "30", "50"),
        ("e4", "entry", "-20", "30"),
        ("e4", "settlement", "12", "10"),
        ("e4", "variance", "-6", "10"),
    ]


@pytest.mark.parametrize("method", METHODS)
def test_production_without_a_known_cost_of_all_components_goes_by_the_kit(method: CostMethod) -> None:
    entries = [
        KIT[0],
        Entry(1, "count", 10, product="B"),
        *KIT[2:],
        Entry(6, "production_in", 2, product="K", document="M", standard=20),
        Entry(7, "production_in", 1, 30, product="K"),
    ]
    assert [row[2] for row in short(entries, method)[4:]] == ["40", "30"]


def test_a_late_cost_finds_its_goods_wherever_transfers_took_them() -> None:
    # 10 came in; 3 are under way, 2 arrived, 1 is sold, 4 are left: by FIFO only the one sold is gone
    entries = [
        Entry(1, "receipt", 10, 2, place="depot", document="order"),
        Entry(2, "sale", -1, place="depot"),
        out(3, 5),
        into(4, 2),
        Entry(5, "revaluation", amount=10, place="depot", document="order"),
        into(6, 3),
    ]
    assert short(entries, "fifo")[4:] == [
        ("e4", "entry", "10", "12"),
        ("e4", "settlement", "-2", "12"),
        ("e4", "settlement", "2", "6"),
        ("e4", "transfer", "-3", "12"),
        ("e4", "variance", "-1", "12"),
        ("e5", "transfer", "9", "15"),
    ]
    assert short(entries, "moving_average")[4:6] == [("e4", "entry", "10", "12"), ("e4", "variance", "-6", "12")]


@pytest.mark.parametrize("method", METHODS)
def test_a_late_cost_is_put_on_once_however_much_is_there(method: CostMethod) -> None:
    entries = [
        Entry(1, "receipt", 10, 2),
        Entry(2, "receipt", 5, 2, document="order"),
        Entry(3, "revaluation", amount=5, document="order"),
    ]
    assert short(entries, method)[2:] == [("e2", "entry", "5", "35")]


@pytest.mark.parametrize("method", METHODS)
def test_a_late_cost_is_for_the_receipts_at_its_place_else_for_those_elsewhere(method: CostMethod) -> None:
    entries = [
        Entry(1, "receipt", 10, 2, document="order"),
        Entry(1, "receipt", 10, 2, place="depot", document="order"),
        Entry(2, "sale", -5, place="depot"),
    ]
    here = [*entries, Entry(3, "revaluation", amount=20, document="order")]
    assert short(here, method)[3:] == [("e3", "entry", "20", "40")]
    elsewhere = [*entries, Entry(3, "revaluation", amount=40, place="office", document="order")]
    assert short(elsewhere, method)[3:] == [
        ("e3", "entry", "40", "0"),
        ("e3", "settlement", "-20", "0"),
        ("e3", "settlement", "20", "40"),
        ("e3", "settlement", "-10", "0"),
        ("e3", "settlement", "10", "20"),
        ("e3", "variance", "-10", "0"),
    ]


def test_a_late_cost_is_spread_over_layers_to_the_last_cent() -> None:
    entries = [*[Entry(hour, "receipt", 1, 1) for hour in range(3)], Entry(4, "revaluation", amount="0.01")]
    assert short(entries, "fifo")[3:] == [("e3", "entry", "0.01", "3.01")]
    assert [row["layer_amount"] for row in layers(entries)] == [Decimal("1.0033"), Decimal("1.0034"), Decimal("1.0033")]


@pytest.mark.parametrize("method", METHODS)
def test_a_late_cost_is_a_variance_where_goods_stand_at_standard_or_at_no_known_cost(method: CostMethod) -> None:
    for standard in (2, None):
        receipt = Entry(1, "receipt", 4, document="D", standard=standard)
        rows = short([receipt, Entry(2, "revaluation", amount=4, document="D", standard=standard)], method)
        assert [row[1:3] for row in rows[1:]] == [("entry", "4"), ("variance", "-4")]


def test_a_late_cost_does_not_price_goods_of_unknown_cost() -> None:
    entries = [
        Entry(1, "receipt", 4, place="depot", document="D"),
        Entry(2, "receipt", 1, 5),
        Entry(3, "revaluation", amount=8, document="D"),
        Entry(4, "sale", -1, place="depot"),
    ]
    assert short(entries, "fifo")[2:] == [
        ("e2", "entry", "8", "5"),
        ("e2", "variance", "-8", "5"),
        ("e3", "entry", "-5", "15"),
        ("e3", "revaluation", "20", "15"),
    ]


@pytest.mark.parametrize("method", METHODS)
def test_a_late_cost_without_its_receipt_goes_to_what_is_there(method: CostMethod) -> None:
    for document in (None, "of another receipt"):
        late = [Entry(1, "receipt", 4, 2), Entry(2, "sale", -1), Entry(3, "revaluation", amount=3, document=document)]
        assert short(late, method)[2:] == [("e2", "entry", "3", "9")]
    gone = [Entry(1, "receipt", 4, 2), Entry(2, "sale", -4), Entry(3, "revaluation", amount=3)]
    assert short(gone, method)[2:] == [("e2", "entry", "3", "0"), ("e2", "variance", "-3", "0")]


@pytest.mark.parametrize("method", METHODS)
def test_a_credit_takes_no_more_than_the_goods_are_worth(method: CostMethod) -> None:
    credit = [Entry(1, "receipt", 4, 2, document="D"), Entry(2, "revaluation", amount=-11, document="D")]
    assert short(credit, method)[1:] == [("e1", "entry", "-11", "0"), ("e1", "variance", "3", "0")]


def test_a_credit_takes_no_more_than_the_goods_under_way_are_worth() -> None:
    receipt = Entry(1, "receipt", 4, 2, place="depot", document="D")
    credit = [receipt, out(2, 4), Entry(3, "revaluation", amount=-11, place="depot", document="D"), into(4, 4)]
    assert short(credit, "fifo")[2:] == [
        ("e2", "entry", "-11", "0"),
        ("e2", "transfer", "8", "0"),
        ("e2", "variance", "3", "0"),
        ("e3", "transfer", "0", "0"),
    ]


@pytest.mark.parametrize("method", METHODS)
def test_a_unit_cost_in_a_revaluation_is_the_new_cost_of_all(method: CostMethod) -> None:
    entries = [Entry(1, "receipt", 4, 2), Entry(2, "revaluation", cost="1.5"), Entry(3, "sale", -1)]
    assert short(entries, method)[1:] == [("e1", "entry", "-2", "6"), ("e2", "entry", "-1.5", "4.5")]
    assert short([entries[0], Entry(2, "revaluation")], method)[1:] == [("e1", "entry", "0", "8")]


def test_layers_keep_their_date_through_transfers_and_counts_make_new_ones() -> None:
    entries = [*DEPOT, out(3, 12), into(4, 12), Entry(5, "count", 14), Entry(6, "sale", -9)]
    found = [
        (row["location_durable_key"], row["origin_entry_key"], row["layer_at"].day * 24 + row["layer_at"].hour - 24, row["layer_units"], row["layer_amount"])
        for row in layers(entries)
    ]  # fmt: skip
    assert found == [
        ("depot", "e1", 2, 8, 32),
        ("store", "e0", 1, 1, 2),
        ("store", "e1", 2, 2, 8),
        ("store", "e4", 5, 2, Decimal("4.6667")),  # what was found: at 28.00 / 12
    ]


def test_older_goods_that_arrive_later_leave_first() -> None:
    entries = [*DEPOT[:1], Entry(2, "receipt", 5, 9), out(3, 5), into(4, 5), Entry(5, "sale", -6)]
    assert short(entries, "fifo")[-1][2] == "-19"


@pytest.mark.parametrize("method", METHODS)
def test_however_it_is_cut_into_batches(method: CostMethod, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("systock.data_warehouse.stock_cost.ROWS_AT_ONCE", 3)
    rows = balanced(
        [
            Entry(hour, "receipt", 1, hour, product=f"P{group}", group=group)
            for group in range(5)
            for hour in range(group + 1)
        ]
    )
    whole = pa.Table.from_batches(cost_postings([batch(rows)], method)).to_pylist()
    cut = pa.Table.from_batches(cost_postings([batch([row]) for row in rows], method)).to_pylist()
    assert cut == whole
    assert len(cut) == 15
    assert tuple(whole[0]) == OUTPUT_COLUMNS


def test_no_entries_no_postings() -> None:
    assert list(cost_postings([], "fifo")) == []
    assert list(cost_postings([batch([])], "fifo")) == []


@pytest.mark.parametrize("rows_at_once", [1, 100])
@pytest.mark.parametrize("order", [[1, 0, 2], [0, 2, 1], [2, 0, 1]])
def test_entries_out_of_order_are_refused(order: list[int], rows_at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("systock.data_warehouse.stock_cost.ROWS_AT_ONCE", rows_at_once)
    rows = balanced([Entry(1, "sale", -1), Entry(2, "sale", -1), Entry(1, "sale", -1, group=2)])
    with pytest.raises(IntegrityError, match="not in the order"):
        list(cost_postings([batch([rows[place]]) for place in order], "fifo"))


@pytest.mark.parametrize("cost", ["100000000000", "999999999999"])
def test_a_value_beyond_the_digits_of_its_column_is_refused(cost: str) -> None:
    rows = balanced([Entry(1, "receipt", 999_999, cost)])
    with pytest.raises(IntegrityError, match=r"does not fit numeric\(18, 4\)"):
        list(cost_postings([batch(rows)], "moving_average"))

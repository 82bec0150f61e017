"""Fills a Tryton database as a shop does, through Tryton's own models (proteus); runs in an environment that has them.

Arguments: the file of settings, the name of the database, the step (one of STEPS). Prints what it made as JSON.
"""

import datetime
import json
import sys
from decimal import Decimal

from proteus import Model, Wizard, config

DAY = datetime.date.today() - datetime.timedelta(days=20)


def day(number):
    return DAY + datetime.timedelta(days=number)


def one(model, *domain):
    [found] = Model.get(model).find(list(domain))
    return found


def product(name, price, unit="Unit", kind="goods"):
    template = Model.get("product.template")(
        name=name,
        default_uom=one("product.uom", ("name", "=", unit)),
        type=kind,
        salable=True,
        purchasable=True,
        list_price=Decimal(price),
    )
    template.sale_uom = template.default_uom
    [variant] = template.products
    variant.suffix_code = name.upper()
    template.save()
    return template.products[0]


def moved(article, quantity, source, target, when, cost, state="do"):
    move = Model.get("stock.move")(
        product=article, quantity=quantity, unit=article.default_uom, from_location=source, to_location=target,
        effective_date=when, company=one("company.company"),
    )  # fmt: skip
    move.unit_price = Decimal(cost)
    move.currency = one("currency.currency", ("code", "=", "USD"))
    move.save()
    if state:
        move.click(state)
    return move


def carried(article, quantity, source, target, when, unit=None):
    """An internal shipment, done."""
    shipment = Model.get("stock.shipment.internal")(from_location=source, to_location=target, planned_date=when)
    shipment.effective_date = when
    move = shipment.moves.new(product=article)
    move.unit = unit or article.default_uom
    move.quantity = quantity
    move.from_location, move.to_location = source, target
    shipment.save()
    for button in ("wait", "assign_force", "do"):
        shipment.click(button)
    assert shipment.state == "done"


def sold(warehouse, when, lines, to="confirm"):
    sale = Model.get("sale.sale")(
        party=one("party.party", ("name", "=", "Buyer")),
        sale_date=when,
        invoice_method="manual",
        warehouse=warehouse,
    )
    for article, quantity, price, unit in lines:
        line = sale.lines.new(product=article)
        line.unit = unit or article.default_uom
        line.quantity = quantity
        line.unit_price = Decimal(price)
    sale.save()
    for button in {"": (), "quote": ("quote",), "confirm": ("quote", "confirm", "process")}[to]:
        sale.click(button)
    return sale


def shipped(sale, upto="done", when=None):
    [shipment] = sale.shipments
    # What is all assigned already need not be forced.
    if shipment.state == "waiting":
        shipment.click("assign_force")
    for button in {"assign": (), "pick": ("pick",), "done": ("pick", "pack", "do")}[upto]:
        shipment.effective_date = when
        shipment.save()
        shipment.click(button)


def begin_with_preferences():
    """As a user of the company."""
    config.get_config()._context = Model.get("res.user").get_preferences(True, {})


def begin():
    currency = Model.get("currency.currency")(name="US Dollar", symbol="$", code="USD", rounding=Decimal("0.01"))
    currency.rates.new(date=DAY, rate=Decimal("1"))
    currency.save()
    company = Wizard("company.company.config")
    company.execute("company")
    party = Model.get("party.party")(name="Our shop")
    party.save()
    company.form.party, company.form.currency = party, currency
    company.execute("add")
    begin_with_preferences()
    for name in ("Buyer", "Maker"):
        party = Model.get("party.party")(name=name)
        party.addresses.new(street="1 High Street")
        party.save()
    main = one("stock.location", ("type", "=", "warehouse"))
    [second] = main.duplicate(default={"name": "Second shop", "code": "W2"})
    shelf = Model.get("stock.location")(name="Shelf A", type="storage", parent=main.storage_location)
    shelf.save()
    supplier = one("stock.location", ("type", "=", "supplier"))
    transit = one("stock.location", ("name", "=", "Transit"))
    tea, rice, gift = (
        product("Tea", "10.05"),
        product("Rice", "3.20", unit="Kilogram"),
        product("Gift wrap", "2", kind="service"),
    )
    kilo, gram = one("product.uom", ("name", "=", "Kilogram")), one("product.uom", ("name", "=", "Gram"))

    # 100 tea and 50 kg of rice come into the input zone and are put away, ten of the tea on a shelf of the storage zone.
    moved(tea, 100, supplier, main.input_location, day(0), cost="4.1234")
    moved(rice, 50, supplier, main.input_location, day(0), cost="1.50")
    carried(tea, 80, main.input_location, main.storage_location, day(1))
    carried(tea, 10, main.input_location, shelf, day(1))
    carried(rice, 50000, main.input_location, main.storage_location, day(1), unit=gram)
    # 20 go to the second shop by way of the transit, five of them are still on their way.
    carried(tea, 20, main.storage_location, transit, day(2))
    carried(tea, 15, transit, second.storage_location, day(3))
    # Neither a draft nor a cancelled move moved anything.
    moved(tea, 7, supplier, main.storage_location, day(3), cost="4", state=None)
    cancelled = moved(tea, 9, supplier, main.storage_location, day(3), cost="4", state=None)
    cancelled.click("cancel")

    made = {
        # sold and sent: 3 tea and 500 g of rice, and a service
        "sent": sold(main, day(4), [(tea, 3, "10.05", None), (rice, 500, "0.0032", gram), (gift, 1, "2", None)]),
        # ordered and set aside
        "assigned": sold(main, day(5), [(tea, 4, "9.99", None)]),
        # picked, so that it lies in the output zone
        "picked": sold(main, day(5), [(tea, 2, "10.05", None)]),
        # no sales
        "draft": sold(main, day(5), [(tea, 50, "10.05", None)], to=""),
        "quotation": sold(main, day(5), [(tea, 60, "10.05", None)], to="quote"),
        "cancelled": sold(main, day(5), [(tea, 70, "10.05", None)], to="quote"),
    }
    made["cancelled"].click("cancel")
    shipped(made["sent"], when=day(6))
    shipped(made["assigned"], "assign")
    shipped(made["picked"], "pick", when=day(6))
    # One tea breaks.
    inventory = Model.get("stock.inventory")(location=main.storage_location, date=day(7), empty_quantity="keep")
    inventory.save()
    inventory.click("complete_lines")
    for line in inventory.lines:
        if line.product == tea:
            line.quantity = line.expected_quantity - 1
    inventory.save()
    inventory.click("confirm")
    return {
        "main": main.id, "second": second.id, "transit": transit.id, "tea": tea.id, "rice": rice.id, "gift": gift.id,
        "numbers": {name: sale.number for name, sale in made.items()}, "kilo": kilo.id, "day": DAY.isoformat(),
    }  # fmt: skip


def go_on():
    sale = next(
        sale for sale in Model.get("sale.sale").find([("state", "in", ["processing", "done"])], order=[("id", "ASC")])
    )
    back = Wizard("sale.return_sale", [sale])
    back.execute("return_")
    [returned] = Model.get("sale.sale").find([("origin", "=", f"sale.sale,{sale.id}")])
    # One tea comes back, nothing else.
    for line in list(returned.lines):
        if line.product.template.name != "Tea":
            returned.lines.remove(line)
        else:
            line.quantity = -1
    returned.sale_date = day(8)
    returned.save()
    for button in ("quote", "confirm", "process"):
        returned.click(button)
    [shipment] = returned.shipment_returns
    shipment.effective_date = day(9)
    shipment.save()
    shipment.click("receive")
    shipment.click("do")
    period = Model.get("stock.period")(date=day(9), company=one("company.company"))
    period.save()
    period.click("close")
    # Ten tea are bought.
    order = Model.get("purchase.purchase")(
        party=one("party.party", ("name", "=", "Maker")), purchase_date=day(10), invoice_method="manual",
        warehouse=Model.get("stock.location").find([("type", "=", "warehouse")], order=[("id", "ASC")])[0],
    )  # fmt: skip
    line = order.lines.new()
    line.product = one("product.product", ("code", "=", "TEA"))
    line.quantity, line.unit_price = 10, Decimal("4.5")
    order.save()
    for button in ("quote", "confirm", "process"):
        order.click(button)
    shipment = Model.get("stock.shipment.in")(supplier=order.party, effective_date=day(11), warehouse=order.warehouse)
    for move in order.moves:
        # As a proxy of its own: this one belongs to the order.
        move = Model.get("stock.move")(move.id)
        shipment.incoming_moves.append(move)
        move.quantity = 6
    shipment.save()
    shipment.click("receive")
    return {"returned": returned.number, "bought": order.number}


def kits():
    """A kit of other products, sold and sent, and what Tryton itself says of it."""
    tea, rice = (one("product.product", ("code", "=", code)) for code in ("TEA", "RICE"))
    gram = one("product.uom", ("name", "=", "Gram"))
    hamper = product("Hamper", "35", kind="kit")
    for article, quantity, unit in ((tea, 3, tea.default_uom), (rice, 250, gram)):
        part = hamper.components.new(product=article)
        part.quantity, part.unit = quantity, unit
    hamper.save()
    hamper = one("product.product", ("code", "=", "HAMPER"))
    main = Model.get("stock.location").find([("type", "=", "warehouse")], order=[("id", "ASC")])[0]
    made = {
        "sent": sold(main, day(12), [(hamper, 2, "35", None)]),
        "assigned": sold(main, day(12), [(hamper, 1, "35", None)]),
        "quotation": sold(main, day(12), [(hamper, 5, "35", None)], to="quote"),
    }
    shipped(made["sent"], when=day(13))
    shipped(made["assigned"], "assign")
    lines = {name: Model.get("sale.line").find([("sale", "=", sale.id)]) for name, sale in made.items()}
    return {
        "hamper": hamper.id, "numbers": {name: sale.number for name, sale in made.items()},
        "report": [(name, line.quantity, line.actual_quantity) for name, found in lines.items() for line in found],
    }  # fmt: skip


STEPS = {"begin": begin, "go on": go_on, "kits": kits}

if __name__ == "__main__":
    settings, database, step = sys.argv[1:]
    config.set_trytond(database, config_file=settings).skip_warning = True
    begin_with_preferences()
    print(json.dumps(STEPS[step]()))

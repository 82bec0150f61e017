"""A real Vendure server for tests: installed from its npm packages, filled through its own Admin and Shop API."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

PACKAGES = ["@vendure/core@3.7.3", "sql.js@1.14.2"]
USER = PASSWORD = "superadmin"


@contextmanager
def vendure_server(folder: Path) -> Iterator[str]:
    """The address of a server that is empty but for what Vendure itself puts there."""
    if not shutil.which("npm") or not shutil.which("node"):
        pytest.skip("there is no npm here")
    done = subprocess.run(
        # Without scripts nothing is compiled: its database, sql.js, and its password hashing bring what they need.
        ["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder), *PACKAGES],
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"Vendure cannot be installed from npm: {done.stderr[-300:]}")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    script = Path(__file__).with_name("vendure_server.cjs")
    log = folder / "server.log"
    with log.open("w") as output:
        server = subprocess.Popen(
            ["node", str(script), str(port), str(folder / "node_modules"), str(folder)],
            # It writes where it stands, and would tell its makers that it was started.
            cwd=folder, env={**os.environ, "VENDURE_DISABLE_TELEMETRY": "true"}, stdout=output, stderr=output,
        )  # fmt: skip
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(240):
            try:
                _post(f"{address}/admin-api", "{ __typename }", {}, {})
                break
            except OSError:
                if server.poll() is not None:
                    break
                time.sleep(0.5)
        else:
            pytest.fail(f"Vendure did not start: {log.read_text()[-2000:]}")
        assert server.poll() is None, log.read_text()[-2000:]
        yield address
    finally:
        server.terminate()
        server.wait(timeout=30)


def _post(
    url: str, query: str, variables: dict[str, Any], headers: dict[str, str]
) -> tuple[dict[str, Any], str | None]:
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json", **headers})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read()), answer.headers.get("vendure-auth-token")


class Api:
    """One session of the Admin or of the Shop API."""

    def __init__(self, url: str) -> None:
        self._url, self._headers = url, dict[str, str]()

    def __call__(self, query: str, **variables: Any) -> Any:
        """The only field of the answer's data. An ErrorResult is an error here."""
        found, token = _post(self._url, query, variables, self._headers)
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        assert "errors" not in found, json.dumps(found["errors"])[:2000]
        [value] = found["data"].values()
        assert not isinstance(value, dict) or "errorCode" not in value, value
        return value


FAILED = "... on ErrorResult { errorCode message }"
LINES = "lines { id quantity productVariant { sku } } payments { id } state code id subTotal subTotalWithTax"


class Shop:
    """What a shop does, each as one call of the Admin API. Prices in cents, without tax of 20 %, in USD."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.admin = Api(f"{address}/admin-api")
        self.admin(
            f"mutation ($u: String!, $p: String!) {{ login(username: $u, password: $p) {{ __typename {FAILED} }} }}",
            u=USER, p=PASSWORD,
        )  # fmt: skip
        self._set_up()
        self.variants = dict[str, str]()

    def reader(self, user: str, password: str, *permissions: str) -> None:
        """An administrator who may do no more than this."""
        role = self.admin(
            "mutation ($i: CreateRoleInput!) { createRole(input: $i) { id } }",
            i={"code": user, "description": "reads", "permissions": permissions, "channelIds": [self.channel]},
        )["id"]
        self.admin(
            "mutation ($i: CreateAdministratorInput!) { createAdministrator(input: $i) { id } }",
            i={"firstName": "a", "lastName": "b", "emailAddress": user, "password": password, "roleIds": [role]},
        )

    def cart(self, sku: str) -> None:
        """Somebody is still shopping."""
        Api(f"{self.address}/shop-api")(
            f"mutation ($v: ID!) {{ addItemToOrder(productVariantId: $v, quantity: 1) {{ __typename {FAILED} }} }}",
            v=self.variants[sku],
        )

    def _set_up(self) -> None:
        admin = self.admin
        country = admin(
            "mutation ($i: CreateCountryInput!) { createCountry(input: $i) { id } }",
            i={"code": "US", "enabled": True, "translations": [{"languageCode": "en", "name": "USA"}]},
        )["id"]  # fmt: skip
        zone = admin(
            "mutation ($i: CreateZoneInput!) { createZone(input: $i) { id } }", i={"name": "US", "memberIds": [country]}
        )["id"]
        self.channel = admin("{ activeChannel { id } }")["id"]
        admin(
            f"mutation ($i: UpdateChannelInput!) {{ updateChannel(input: $i) {{ __typename {FAILED} }} }}",
            i={"id": self.channel, "defaultTaxZoneId": zone, "defaultShippingZoneId": zone, "pricesIncludeTax": False},
        )  # fmt: skip
        self.tax = admin(
            "mutation ($i: CreateTaxCategoryInput!) { createTaxCategory(input: $i) { id } }", i={"name": "Standard"}
        )["id"]
        admin(
            "mutation ($i: CreateTaxRateInput!) { createTaxRate(input: $i) { id } }",
            i={"name": "20", "enabled": True, "value": 20, "categoryId": self.tax, "zoneId": zone},
        )  # fmt: skip
        self.shipping = admin(
            "mutation ($i: CreateShippingMethodInput!) { createShippingMethod(input: $i) { id } }",
            i={
                "code": "post", "fulfillmentHandler": "manual-fulfillment",
                "checker": {"code": "default-shipping-eligibility-checker", "arguments": [{"name": "orderMinimum", "value": "0"}]},
                "calculator": {"code": "default-shipping-calculator", "arguments": [
                    {"name": "rate", "value": "500"}, {"name": "includesTax", "value": "exclude"}, {"name": "taxRate", "value": "0"},
                ]},
                "translations": [{"languageCode": "en", "name": "Post", "description": ""}],
            },
        )["id"]  # fmt: skip

    def prices_include_tax(self) -> None:
        """From now on: what has a price keeps it, with the tax in it."""
        self.admin(
            f"mutation ($i: UpdateChannelInput!) {{ updateChannel(input: $i) {{ __typename {FAILED} }} }}",
            i={"id": self.channel, "pricesIncludeTax": True},
        )

    def location(self, name: str) -> str:
        found: str = self.admin(
            "mutation ($i: CreateStockLocationInput!) { createStockLocation(input: $i) { id } }", i={"name": name}
        )["id"]
        return found

    def product(self, sku: str, price: int, levels: dict[str, int], track: str = "TRUE") -> None:
        product = self.admin(
            "mutation ($i: CreateProductInput!) { createProduct(input: $i) { id } }",
            i={"enabled": True, "translations": [{"languageCode": "en", "name": sku.title(), "slug": sku.lower(), "description": ""}]},
        )["id"]  # fmt: skip
        [variant] = self.admin(
            "mutation ($i: [CreateProductVariantInput!]!) { createProductVariants(input: $i) { id } }",
            i=[{
                "productId": product, "sku": sku, "price": price, "taxCategoryId": self.tax, "trackInventory": track,
                "stockLevels": [{"stockLocationId": where, "stockOnHand": units} for where, units in levels.items()],
                "translations": [{"languageCode": "en", "name": f"{sku.title()} large"}],
            }],
        )  # fmt: skip
        self.variants[sku] = variant["id"]

    def update(self, sku: str, **fields: Any) -> None:
        self.admin(
            "mutation ($i: [UpdateProductVariantInput!]!) { updateProductVariants(input: $i) { id } }",
            i=[{"id": self.variants[sku], **fields}],
        )

    def coupon(self, code: str, percent: int) -> None:
        self.admin(
            f"mutation ($i: CreatePromotionInput!) {{ createPromotion(input: $i) {{ __typename {FAILED} }} }}",
            i={
                "enabled": True, "couponCode": code, "conditions": [],
                "actions": [{"code": "order_percentage_discount", "arguments": [{"name": "discount", "value": str(percent)}]}],
                "translations": [{"languageCode": "en", "name": code}],
            },
        )  # fmt: skip

    def draft(self, items: dict[str, int], coupon: str | None = None) -> str:
        admin = self.admin
        order: str = admin("mutation { createDraftOrder { id } }")["id"]
        for sku, quantity in items.items():
            admin(
                f"mutation ($o: ID!, $i: AddItemToDraftOrderInput!) {{ addItemToDraftOrder(orderId: $o, input: $i) {{ __typename {FAILED} }} }}",
                o=order, i={"productVariantId": self.variants[sku], "quantity": quantity},
            )  # fmt: skip
        if coupon:
            admin(
                f"mutation ($o: ID!, $c: String!) {{ applyCouponCodeToDraftOrder(orderId: $o, couponCode: $c) {{ __typename {FAILED} }} }}",
                o=order, c=coupon,
            )  # fmt: skip
        return order

    def ordered(self, items: dict[str, int], coupon: str | None = None) -> str:
        """A draft that became an order, not yet paid."""
        order = self.draft(items, coupon)
        self.admin(
            f"mutation ($o: ID!, $i: CreateCustomerInput) {{ setCustomerForDraftOrder(orderId: $o, input: $i) {{ __typename {FAILED} }} }}",
            o=order, i={"firstName": "A", "lastName": "B", "emailAddress": f"buyer{order}@example.com"},
        )  # fmt: skip
        self.admin(
            "mutation ($o: ID!, $i: CreateAddressInput!) { setDraftOrderShippingAddress(orderId: $o, input: $i) { id } }",
            o=order, i={"streetLine1": "1 High Street", "countryCode": "US"},
        )  # fmt: skip
        self.admin(
            f"mutation ($o: ID!, $s: ID!) {{ setDraftOrderShippingMethod(orderId: $o, shippingMethodId: $s) {{ __typename {FAILED} }} }}",
            o=order, s=self.shipping,
        )  # fmt: skip
        self.to_state(order, "ArrangingPayment")
        return order

    def paid(self, items: dict[str, int], coupon: str | None = None) -> str:
        order = self.ordered(items, coupon)
        self.admin(
            f"mutation ($i: ManualPaymentInput!) {{ addManualPaymentToOrder(input: $i) {{ __typename {FAILED} }} }}",
            i={"orderId": order, "method": "cash", "metadata": {}},
        )  # fmt: skip
        if self.look(order)["state"] == "ArrangingPayment":
            self.to_state(order, "PaymentSettled")
        return order

    def to_state(self, order: str, state: str) -> None:
        self.admin(
            "mutation ($o: ID!, $s: String!) { transitionOrderToState(id: $o, state: $s) { __typename "
            "... on OrderStateTransitionError { errorCode message transitionError } } }",
            o=order, s=state,
        )  # fmt: skip

    def look(self, order: str) -> Any:
        return self.admin(f"query ($o: ID!) {{ order(id: $o) {{ {LINES} }} }}", o=order)

    def _lines(self, order: str, items: dict[str, int]) -> list[dict[str, Any]]:
        lines = {line["productVariant"]["sku"]: line["id"] for line in self.look(order)["lines"]}
        return [{"orderLineId": lines[sku], "quantity": quantity} for sku, quantity in items.items()]

    def fulfil(self, order: str, items: dict[str, int], *states: str) -> str:
        handler = {"code": "manual-fulfillment", "arguments": [{"name": "method", "value": "x"}, {"name": "trackingCode", "value": ""}]}  # fmt: skip
        fulfilment: str = self.admin(
            "mutation ($i: FulfillOrderInput!) { addFulfillmentToOrder(input: $i) "
            f"{{ ... on Fulfillment {{ id }} {FAILED} }} }}",
            i={"lines": self._lines(order, items), "handler": handler},
        )["id"]  # fmt: skip
        for state in states:
            self.admin(
                "mutation ($f: ID!, $s: String!) { transitionFulfillmentToState(id: $f, state: $s) "
                f"{{ __typename {FAILED} }} }}",
                f=fulfilment, s=state,
            )  # fmt: skip
        return fulfilment

    def cancel(self, order: str, items: dict[str, int] | None = None) -> None:
        lines = {} if items is None else {"lines": self._lines(order, items)}
        self.admin(
            f"mutation ($i: CancelOrderInput!) {{ cancelOrder(input: $i) {{ __typename {FAILED} }} }}",
            i={"orderId": order, "reason": "test", **lines},
        )

    def refund(self, order: str, items: dict[str, int], amount: int, settle: bool = True) -> None:
        [payment] = self.look(order)["payments"]
        refund = self.admin(
            f"mutation ($i: RefundOrderInput!) {{ refundOrder(input: $i) {{ ... on Refund {{ id }} {FAILED} }} }}",
            i={
                "paymentId": payment["id"], "reason": "test", "amount": amount,
                "lines": self._lines(order, items), "shipping": 0, "adjustment": 0,
            },
        )["id"]  # fmt: skip
        if settle:
            self.admin(
                f"mutation ($i: SettleRefundInput!) {{ settleRefund(input: $i) {{ __typename {FAILED} }} }}",
                i={"id": refund, "transactionId": "t"},
            )

    def modify(self, order: str, adjust: dict[str, int], add: dict[str, int]) -> None:
        """Change what is in a paid order; what is paid back or too little is settled."""
        state = self.look(order)["state"]
        self.to_state(order, "Modifying")
        [payment] = self.look(order)["payments"]
        before = self.admin("query ($o: ID!) { order(id: $o) { totalWithTax } }", o=order)["totalWithTax"]
        changed = {
            "orderId": order, "adjustOrderLines": self._lines(order, adjust),
            "addItems": [{"productVariantId": self.variants[sku], "quantity": units} for sku, units in add.items()],
        }  # fmt: skip
        mutation = f"mutation ($i: ModifyOrderInput!) {{ modifyOrder(input: $i) {{ ... on Order {{ totalWithTax }} {FAILED} }} }}"
        after = self.admin(mutation, i={**changed, "dryRun": True})["totalWithTax"]
        refund = {"refund": {"paymentId": payment["id"], "amount": before - after}} if after < before else {}
        self.admin(mutation, i={**changed, **refund, "dryRun": False})
        if after > before:
            self.to_state(order, "ArrangingAdditionalPayment")
            self.admin(
                f"mutation ($i: ManualPaymentInput!) {{ addManualPaymentToOrder(input: $i) {{ __typename {FAILED} }} }}",
                i={"orderId": order, "method": "cash", "metadata": {}},
            )
        self.to_state(order, state)

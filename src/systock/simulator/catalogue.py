"""What a simulated chain is made up from: stores, kinds of goods, brands, suppliers, tax rates and price levels."""

from __future__ import annotations

# prices in percent of those in EUR
PRICE_LEVEL = {"EUR": 100, "USD": 115, "GBP": 90, "CHF": 125}
# (food, other) in 1/100000
TAX_RATES = {"DE": (7_000, 19_000), "US": (0, 8_875), "GB": (0, 20_000), "CH": (2_600, 8_100)}

CET = ("Europe/Berlin", "EUR")
_EST = ("America/New_York", "USD")
_CST = ("America/Chicago", "USD")
# name, region, city, country, (zone, currency), cutover hour, price includes tax, opens, closes, open on Sunday,
# supplied by the warehouse, busy, area
STORES: tuple[tuple[str, str, str, str, tuple[str, str], int, bool, int, float, bool, bool, float, str], ...] = (
    ("Berlin Mitte", "Nordost", "Berlin", "DE", CET, 0, True, 8, 21, False, True, 1.1, "612,5"),
    ("Köln Hauptbahnhof", "West", "Köln", "DE", CET, 3, True, 10, 26.5, True, True, 1.0, "188"),
    ("New York Soho", "US East", "New York", "US", _EST, 4, False, 9, 21, True, False, 1.2, "540"),
    ("München Süd", "Süd", "München", "DE", CET, 0, True, 8, 20, False, True, 0.9, "705,25"),
    ("Düsseldorf Königsallee", "West", "Düsseldorf", "DE", CET, 0, True, 9, 20, False, True, 0.8, "433"),
    ("London Camden", "UK", "London", "GB", ("Europe/London", "GBP"), 0, True, 8, 22, True, True, 1.0, "377,5"),
    ("Zürich Löwenplatz", "Schweiz", "Zürich", "CH", ("Europe/Zurich", "CHF"), 0, True, 8, 20, False, True, 0.8, "298"),
    ("Chicago Loop", "US Central", "Chicago", "US", _CST, 4, False, 9, 21, True, False, 0.9, "610"),
)
MORE_CITIES = (
    "Hamburg",
    "Frankfurt",
    "Stuttgart",
    "Nürnberg",
    "Leipzig",
    "Göttingen",
    "Münster",
    "Lübeck",
    "Würzburg",
    "Görlitz",
)
# code, top level, second level, third levels, base unit, case units, food, fresh, season, price range in cents, share
CATEGORIES: tuple[tuple[str, str, str, tuple[str, ...], str, int, bool, bool, str, tuple[int, int], float], ...] = (
    ("DA", "Food", "Dairy", ("Milk", "Yoghurt", "Butter"), "EA", 12, True, True, "", (89, 399), 0.14),
    ("FV", "Food", "Fruit & vegetables", ("Fruit", "Vegetables"), "KG", 0, True, True, "summer", (149, 899), 0.08),
    ("BK", "Food", "Bakery", ("Bread", "Rolls"), "EA", 0, True, True, "", (49, 549), 0.07),
    ("DR", "Food", "Drinks", ("Water", "Juice", "Beer", "Wine"), "EA", 6, True, False, "summer", (79, 1299), 0.15),
    ("SN", "Food", "Snacks", ("Chocolate", "Crisps", "Ice cream"), "EA", 12, True, False, "", (99, 499), 0.14),
    ("DY", "Food", "Dry goods", ("Pasta", "Rice", "Sauce"), "EA", 12, True, False, "", (99, 599), 0.14),
    ("HH", "Non-food", "Household", ("Cleaning", "Paper"), "EA", 6, False, False, "", (149, 1499), 0.12),
    ("BC", "Non-food", "Body care", ("Hair", "Teeth", "Skin"), "EA", 6, False, False, "", (119, 1999), 0.10),
    ("GA", "Non-food", "Garden", ("Seeds", "Barbecue"), "EA", 6, False, False, "spring", (199, 4999), 0.06),
)
BRANDS = (
    "Hanse",
    "Brüder Groß",
    "Nordlicht",
    "Alba",
    "O'Hara",
    "Weiß & Söhne",
    "Eigenmarke",
    "Lumen",
    "Café Noir",
    "Tern",
)
SUPPLIERS = (
    ("Müller Großhandel GmbH", "DE"),
    ("Frischdienst Jäger KG", "DE"),
    ("Hansa Import & Export", "DE"),
    ("Løvland A/S", "DK"),
    ("Société Générale d'Épicerie", "FR"),
    ("Van der Berg B.V.", "NL"),
    ("Käserei Zürcher AG", "CH"),
    ("Empire Distribution Inc.", "US"),
    ("Grüne Wiese Bio eG", "DE"),
    ("Señorío Exportación S.L.", "ES"),
    ("Papierwerk Süd", "DE"),
    ("Beauté SARL", "FR"),
)

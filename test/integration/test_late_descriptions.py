"""A late, older description of an article or a place: the rows that it makes, joins or splits, and the facts that follow."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from small_chain import deliver, make_project
from systock import Project

# The articles and places that nobody describes have key 0: what a sale here tells of is either its article or its place.
FACTS = """
SELECT line.sale_id, line.product_key + line.location_key, article.product_name || ' ' || place.location_name,
    greatest(CAST(article.valid_from_at AS DATE), CAST(place.valid_from_at AS DATE))
FROM gold.fact_sale_line AS line
JOIN gold.dim_product AS article ON article.product_key = line.product_key
    AND article.valid_from_at <= line.sold_at AND article.valid_to_at > line.sold_at
JOIN gold.dim_location AS place ON place.location_key = line.location_key
    AND place.valid_from_at <= line.sold_at AND place.valid_to_at > line.sold_at
ORDER BY line.sale_id"""
DESCRIBED = """
SELECT (SELECT list(product_name ORDER BY valid_from_at) FROM gold.dim_product WHERE product_key <> 0),
    (SELECT list(location_name ORDER BY valid_from_at) FROM gold.dim_location WHERE location_key <> 0)"""

ALWAYS = date(1900, 1, 1)


def described(project: Path, day: int, article: str, place: str) -> None:
    """What the ERP says on a day of March 2024 of P1 and of S1."""
    at = datetime(2024, 3, day, tzinfo=UTC)
    deliver(project, "erp_products", [("P1", article, "1", "pcs", at.isoformat())], str(day))
    deliver(project, "erp_locations", [("S1", place, "UTC")], str(day), modified=at.timestamp())


def facts(project: Path) -> list[tuple]:
    return [tuple(row.values()) for row in Project(project).query(FACTS).to_pylist()]


def rows_of(project: Path) -> list[list[str]]:
    return list(Project(project).query(DESCRIBED).to_pylist()[0].values())


def test_a_late_description_that_equals_the_following_one_begins_it_earlier_and_one_between_splits_it(
    tmp_path: Path,
) -> None:
    project = make_project(tmp_path / "p")
    described(project, 1, "Tea", "Mitte")
    described(project, 20, "Green tea", "Nord")
    sold = [
        ("article 1", "S9", "P1", "2024-03-12T10:00:00Z"),
        ("article 2", "S9", "P1", "2024-03-22T10:00:00Z"),
        ("place 1", "S1", "P9", "2024-03-12T10:00:00Z"),
        ("place 2", "S1", "P9", "2024-03-22T10:00:00Z"),
    ]
    deliver(project, "pos_sales", [(sale, "1", *of, at, "1", "", "2", "", at) for sale, *of, at in sold], "1")
    Project(project).run()
    first = facts(project)
    assert [fact[2:] for fact in first] == [
        ("Tea (unknown)", ALWAYS), ("Green tea (unknown)", date(2024, 3, 20)),
        ("(unknown) Mitte", ALWAYS), ("(unknown) Nord", date(2024, 3, 20)),
    ]  # fmt: skip
    described(project, 10, "Green tea", "Nord")
    Project(project).run()
    joined = facts(project)
    assert [fact[2:] for fact in joined] == [
        ("Green tea (unknown)", date(2024, 3, 10)), ("Green tea (unknown)", date(2024, 3, 10)),
        ("(unknown) Nord", date(2024, 3, 10)), ("(unknown) Nord", date(2024, 3, 10)),
    ]  # fmt: skip
    assert rows_of(project) == [["Tea", "Green tea"], ["Mitte", "Nord"]]
    for early, late, before in ((0, 1, first[1]), (2, 3, first[3])):
        assert joined[early][1] == joined[late][1] != before[1], "one row, with the earlier instant's key"
    assert all(table["same"] for table in Project(project).rebuild(verify=True)["tables"])
    described(project, 15, "Herbal tea", "Ost")
    Project(project).run()
    split = facts(project)
    assert split[0::2] == joined[0::2], "the first part keeps its key"
    assert split[1::2] == first[1::2], "the second is a row of its own, by the instant that it always had"
    assert rows_of(project) == [["Tea", "Green tea", "Herbal tea", "Green tea"], ["Mitte", "Nord", "Ost", "Nord"]]


@pytest.mark.parametrize("landings", [[(1, 13), (19, 20, 25)], [(19, 25), (20, 1), (13,)]])
def test_an_article_that_comes_back_begins_when_its_source_made_it_if_that_was_after_it_went(
    tmp_path: Path, landings: list[tuple[int, ...]]
) -> None:
    """Full extracts: gone on the 13th and on the 20th; back on the 19th, made on the 16th, and on the 25th, made before it went."""
    project = make_project(tmp_path / "p")
    settings = project / "systock.toml"
    of_products = 'path = "incoming/erp_products_*.jsonl"\nmode = '
    settings.write_text(settings.read_text().replace(f'{of_products}"changes"', f'{of_products}"full"'))
    extracts = {1: ("Tea", 1), 13: None, 19: ("Green tea", 16), 20: None, 25: ("Green tea", 16)}
    for days in landings:
        for day in days:
            said = [("P1", *found) for found in [extracts[day]] if found] + [("P2", "Cup", 1)]
            rows = [(code, name, "1", "pcs", f"2024-03-{made:02}T00:00:00+00:00") for code, name, made in said]
            deliver(project, "erp_products", rows, str(day), modified=datetime(2024, 3, day, tzinfo=UTC).timestamp())
        Project(project).run()
    found = Project(project).query("""SELECT product_name, CAST(valid_from_at AS date) AS since, CAST(valid_to_at AS date) AS until
        FROM gold.dim_product WHERE product_id = 'P1' ORDER BY valid_from_at""")
    assert [tuple(row.values()) for row in found.to_pylist()] == [
        ("Tea", ALWAYS, date(2024, 3, 13)),
        ("Green tea", date(2024, 3, 16), date(2024, 3, 20)),
        ("Green tea", date(2024, 3, 25), date(9999, 12, 31)),
    ]
    assert all(table["same"] for table in Project(project).rebuild(verify=True)["tables"])

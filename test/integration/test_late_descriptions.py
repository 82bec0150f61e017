"""A late, older description of an article or a place: the rows that it makes, joins or splits, and the facts that follow."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from small_chain import deliver, make_project
from systock import Project

FACTS = """
SELECT line.sale_id, line.product_key, article.product_name, day(article.valid_from_at), line.location_key, place.location_name,
    day(place.valid_from_at)
FROM gold.fact_sale_line AS line
JOIN gold.dim_product AS article ON article.product_key = line.product_key
    AND article.valid_from_at <= line.sold_at AND article.valid_to_at > line.sold_at
JOIN gold.dim_location AS place ON place.location_key = line.location_key
    AND place.valid_from_at <= line.sold_at AND place.valid_to_at > line.sold_at
ORDER BY line.sale_id"""
DESCRIBED = """
SELECT (SELECT list(product_name ORDER BY valid_from_at) FROM gold.dim_product WHERE product_key <> 0),
    (SELECT list(location_name ORDER BY valid_from_at) FROM gold.dim_location WHERE location_key <> 0)"""


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
    sold = [("a", "2024-03-12T10:00:00Z"), ("b", "2024-03-22T10:00:00Z")]
    deliver(project, "pos_sales", [(sale, "1", "S1", "P1", at, "1", "", "2", "", at) for sale, at in sold], "1")
    Project(project).run()
    [(*_,), (_, article, _, _, place, _, _)] = first = facts(project)
    assert [fact[2:4] + fact[5:] for fact in first] == [("Tea", 1, "Mitte", 1), ("Green tea", 20, "Nord", 20)]
    described(project, 10, "Green tea", "Nord")
    Project(project).run()
    joined = facts(project)
    assert [fact[2:4] + fact[5:] for fact in joined] == [("Green tea", 10, "Nord", 10)] * 2
    assert rows_of(project) == [["Tea", "Green tea"], ["Mitte", "Nord"]]
    assert joined[0][1] == joined[1][1] != article and joined[0][4] == joined[1][4] != place, (
        "the earlier instant's key"
    )
    assert all(table["same"] for table in Project(project).rebuild(verify=True)["tables"])
    described(project, 15, "Herbal tea", "Ost")
    Project(project).run()
    split = facts(project)
    assert split[0] == joined[0], "the first part keeps its key"
    assert split[1] == first[1], "the second is a row of its own, by the instant that it always had"
    assert rows_of(project) == [["Tea", "Green tea", "Herbal tea", "Green tea"], ["Mitte", "Nord", "Ost", "Nord"]]

"""The row equation: what became of every landed line, each term counted on its own, and the check that they add up."""

from __future__ import annotations

from systock.data_warehouse.engine.base import Engine
from systock.errors import IntegrityError

#: The terms: lines = kept + unchanged + superseded + duplicates + quarantined + left_out.
TERMS = ("kept", "unchanged", "superseded", "duplicates", "quarantined", "left_out")


def record(engine: Engine, source: str, entity: str, batches: str) -> None:
    """Store the terms of the batches in relation `batches` (batch_no), and raise IntegrityError where they don't add up.

    Reads `merged_count` (from versions), the quarantine and `left_out_count (_batch_no, lines)`; a batch that repeats
    the content of an earlier one, and was not read again, has only unchanged lines.
    """
    engine.execute(f"""INSERT INTO meta.row_count
        WITH term AS (
            SELECT _batch_no AS batch_no, term, lines FROM merged_count WHERE term <> 'tied'
            UNION ALL
            SELECT batch_no, 'quarantined', count(*) FROM silver.quarantine
            WHERE source_name = '{source}' AND entity = '{entity}' AND batch_no IN (SELECT batch_no FROM {batches})
                AND known_from_at = landed_at GROUP BY ALL
            UNION ALL
            SELECT _batch_no, 'left_out', lines FROM left_out_count
        ), counted AS (
            SELECT batch_no, {", ".join(f"sum(lines) FILTER (WHERE term = '{'duplicate' if t == 'duplicates' else t}') AS {t}" for t in TERMS)}
            FROM term GROUP BY batch_no
        )
        SELECT b.batch_no, '{source}', '{entity}', b.known_at, b.lines,
            {", ".join(f"coalesce(c.{t}, 0)" + (" + CASE WHEN b.repeat_of IS NULL OR c.batch_no IS NOT NULL THEN 0 ELSE b.lines END" if t == "unchanged" else "") for t in TERMS)}
        FROM meta.batch AS b LEFT JOIN counted AS c ON c.batch_no = b.batch_no
        WHERE b.batch_no IN (SELECT batch_no FROM {batches})""")
    broken = engine.rows(f"""SELECT r.batch_no, b.path, r.lines, {", ".join("r." + t for t in TERMS)}
        FROM meta.row_count AS r JOIN meta.batch AS b ON b.batch_no = r.batch_no
        WHERE r.source_name = '{source}' AND r.entity = '{entity}' AND r.lines <> {" + ".join("r." + t for t in TERMS)}
            AND r.batch_no IN (SELECT batch_no FROM {batches}) ORDER BY ALL LIMIT 1""")
    if broken:
        batch, path, lines, *terms = broken[0]
        said = " + ".join(f"{value} {term}" for term, value in zip(TERMS, terms, strict=True))
        raise IntegrityError(
            f"{lines} lines came in, but {said}", where=f"{path} (batch {batch}), entity {entity} of source {source}",
            state="Nothing was published.", todo="This is a fault in SyStock: please report it with this message.",
        )  # fmt: skip

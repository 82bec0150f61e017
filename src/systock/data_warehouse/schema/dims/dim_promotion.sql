-- A promotion: its name, how it works, and the days from its first to its last anywhere.
-- refresh: by key
CREATE TABLE gold.dim_promotion (
    promotion_key  bigint PRIMARY KEY, -- hash of source and promotion; 0 = unknown
    source_name    text   NOT NULL,    -- the source whose code promotion_id is
    promotion_id   text   NOT NULL,    -- the source's own code
    promotion_name text,               -- name; where its rows differ, the first by the alphabet
    mechanic       text,               -- percent off, two for one, ...; likewise
    from_date      date   NOT NULL,    -- first day
    to_date        date   NOT NULL     -- the day after the last one; 9999-12-31 = open
);

SELECT
    dim_key(promotion.source_name, promotion.promotion_id) AS promotion_key,
    promotion.source_name,
    promotion.promotion_id,
    MIN(promotion.promotion_name) AS promotion_name,
    MIN(promotion.mechanic) AS mechanic,
    MIN(promotion.from_date) AS from_date,
    MAX(COALESCE(promotion.to_date, DATE '9999-12-31')) AS to_date
FROM silver.promotion AS promotion
GROUP BY promotion.source_name, promotion.promotion_id
UNION ALL
SELECT
    0 AS promotion_key,
    '(unknown)' AS source_name,
    '(unknown)' AS promotion_id,
    CAST(NULL AS text) AS promotion_name,
    CAST(NULL AS text) AS mechanic,
    DATE '1900-01-01' AS from_date,
    DATE '9999-12-31' AS to_date
FROM meta.project AS project;

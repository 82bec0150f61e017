-- That a promotion covers a product at a place for some days: one row per row of the promotion (factless).
-- refresh: by key
CREATE TABLE gold.fact_promotion_coverage (
    promotion_coverage_key uuid   PRIMARY KEY,         -- hash of source, promotion, product and location
    promotion_key          bigint NOT NULL
        REFERENCES gold.dim_promotion (promotion_key), -- the promotion
    product_durable_key    bigint NOT NULL,            -- hash of the product's source and id; 0 = every product
    product_id             text   NOT NULL,            -- what it covers; '' = every product
    location_durable_key   bigint NOT NULL,            -- hash of the location's source and id; 0 = everywhere
    location_id            text   NOT NULL,            -- where; '' = everywhere
    from_date              date   NOT NULL,            -- first day
    to_date                date   NOT NULL
        CHECK (to_date > from_date)                    -- the day after the last one; 9999-12-31 = open
);

SELECT
    fact_key(
        promotion.source_name, promotion.promotion_id, promotion.product_id, promotion.location_id
    ) AS promotion_coverage_key,
    dim_key(promotion.source_name, promotion.promotion_id) AS promotion_key,
    CASE
        WHEN promotion.product_id = '' THEN 0 ELSE dim_key(promotion.product_source_name, promotion.product_id)
    END AS product_durable_key,
    promotion.product_id,
    CASE
        WHEN promotion.location_id = '' THEN 0 ELSE dim_key(promotion.location_source_name, promotion.location_id)
    END AS location_durable_key,
    promotion.location_id,
    promotion.from_date,
    COALESCE(promotion.to_date, DATE '9999-12-31') AS to_date
FROM silver.promotion AS promotion;

-- A span of days over which a place ranges a product (factless).
-- refresh: by key
CREATE TABLE gold.fact_assortment (
    product_durable_key  bigint  NOT NULL, -- hash of the product's source and id, never 0
    location_durable_key bigint  NOT NULL, -- hash of the location's source and id, never 0
    from_date            date    NOT NULL, -- first ranged business day
    to_date              date    NOT NULL
        CHECK (to_date > from_date),       -- business day after the last ranged one; 9999-12-31 = open
    product_id           text    NOT NULL, -- what
    location_id          text    NOT NULL, -- where
    is_listed            boolean NOT NULL, -- stated by a source; otherwise told from what was received
    PRIMARY KEY (product_durable_key, location_durable_key, from_date)
);

-- Where any source lists the range of a place, that list is the whole range of the place; spans that overlap or meet are one. Elsewhere
-- a stocked product is ranged from the day when it first came in or was found on the shelf up to its discontinued_date, or to the
-- closed_date of the place if that is earlier; both days are ranged.
WITH listed AS (
    SELECT
        dim_key(listing.product_source_name, listing.product_id) AS product_durable_key,
        dim_key(listing.location_source_name, listing.location_id) AS location_durable_key,
        listing.product_id,
        listing.location_id,
        listing.from_date,
        COALESCE(listing.to_date, DATE '9999-12-31') AS to_date
    FROM silver.assortment AS listing
),

listed_place AS (
    SELECT location_durable_key
    FROM listed
    GROUP BY location_durable_key
),

received AS (
    SELECT
        product_durable_key,
        location_durable_key,
        MIN(product_id) AS product_id,
        MIN(location_id) AS location_id,
        MIN(business_date) AS from_date
    FROM gold.stock_entry
    WHERE quantity_units > 0 OR counted_units > 0
    GROUP BY product_durable_key, location_durable_key
),

span AS (
    SELECT
        product_durable_key,
        location_durable_key,
        product_id,
        location_id,
        from_date,
        to_date,
        TRUE AS is_listed
    FROM listed
    UNION ALL
    SELECT
        received.product_durable_key,
        received.location_durable_key,
        received.product_id,
        received.location_id,
        received.from_date,
        LEAST(
            COALESCE(add_days(article.discontinued_date, 1), DATE '9999-12-31'),
            COALESCE(add_days(place.closed_date, 1), DATE '9999-12-31')
        ) AS to_date,
        FALSE AS is_listed
    FROM received
    LEFT JOIN listed_place
        ON listed_place.location_durable_key = received.location_durable_key
    LEFT JOIN gold.dim_product AS article
        ON article.product_durable_key = received.product_durable_key
        AND article.is_latest
    LEFT JOIN gold.dim_location AS place
        ON place.location_durable_key = received.location_durable_key
        AND place.is_latest
    WHERE listed_place.location_durable_key IS NULL AND COALESCE(article.is_stocked, TRUE)
),

reached_span AS (
    SELECT
        product_durable_key,
        location_durable_key,
        product_id,
        location_id,
        from_date,
        to_date,
        is_listed,
        MAX(to_date) OVER (
            PARTITION BY product_durable_key, location_durable_key
            ORDER BY from_date, to_date
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS reached_date
    FROM span
    WHERE to_date > from_date
),

numbered_span AS (
    SELECT
        product_durable_key,
        location_durable_key,
        product_id,
        location_id,
        from_date,
        to_date,
        is_listed,
        SUM(CASE WHEN from_date <= reached_date THEN 0 ELSE 1 END) OVER (
            PARTITION BY product_durable_key, location_durable_key ORDER BY from_date, to_date
        ) AS span_number
    FROM reached_span
)

SELECT
    product_durable_key,
    location_durable_key,
    MIN(from_date) AS from_date,
    MAX(to_date) AS to_date,
    MIN(product_id) AS product_id,
    MIN(location_id) AS location_id,
    BOOL_AND(is_listed) AS is_listed
FROM numbered_span
GROUP BY product_durable_key, location_durable_key, span_number;

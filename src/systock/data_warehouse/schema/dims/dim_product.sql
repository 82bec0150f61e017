-- An article as it was described for a time: one row per description and span of validity (type 2).
-- refresh: by key
CREATE TABLE gold.dim_product (
    product_key          bigint         PRIMARY KEY, -- hash of source, product and the version's own instant; 0 = unknown
    product_durable_key  bigint         NOT NULL,    -- hash of source and product: the same over all versions; 0 = unknown
    source_name          text           NOT NULL,    -- the source whose code product_id is
    product_id           text           NOT NULL,    -- the source's own code
    sku                  text,                       -- stock keeping unit, as printed on labels
    gtin                 text,                       -- GS1 article number (EAN, UPC)
    product_name         text,                       -- name in the source's language
    brand                text,                       -- brand name
    category_1           text,                       -- category path, top level
    category_2           text,                       -- category path, second level
    category_3           text,                       -- category path, third level
    category_4           text,                       -- category path, fourth level
    parent_product_id    text,                       -- the style that this is a variant of
    size                 text,                       -- variant size
    colour               text,                       -- variant colour
    supplier_id          text,                       -- main supplier, in the code of source_name
    base_unit            text,                       -- the unit that stock is kept in; NULL = not stated
    list_price_amount    numeric(18, 4),             -- per base unit, in currency_code
    standard_cost_amount numeric(18, 6),             -- per base unit, in currency_code
    currency_code        text           NOT NULL,    -- ISO 4217; where the source omits it, the project's
    is_stocked           boolean        NOT NULL,    -- false for services and fees
    status               text,                       -- the source's life-cycle status
    launched_date        date,                       -- first day on sale
    discontinued_date    date,                       -- last day on sale
    valid_from_at        timestamptz    NOT NULL,    -- from when this description held; the first one from 1900-01-01
    valid_to_at          timestamptz    NOT NULL
        CHECK (valid_to_at > valid_from_at),         -- until when, exclusive: next version or deletion; 9999-12-31 = open
    superseded_at        timestamptz    NOT NULL
        CHECK (superseded_at >= valid_to_at),        -- until when it is the last known description: the next one, deletions passed over
    is_current           boolean        NOT NULL,    -- open version: the source still lists the article so
    is_latest            boolean        NOT NULL     -- last known version, also of a deleted article: exactly one per durable key
);

-- Consecutive versions of equal content are one. A deletion ends the validity and is no row; an article that comes back is a
-- new version from its own instant on. Keys hold the instant at which a version first said so: a late older version moves none of
-- them, unless it says the same as the one after it, which then begins earlier and has the earlier instant's key.
WITH described AS (
    SELECT
        product.source_name,
        product.product_id,
        product.version_at,
        product.is_deleted,
        CASE WHEN product.is_deleted THEN 'deleted' ELSE row_hash(
            product.sku, product.gtin, product.product_name, product.brand, product.category_1, product.category_2,
            product.category_3, product.category_4, product.parent_product_id, product.size, product.colour,
            product.supplier_id, product.base_unit, product.list_price_amount, product.standard_cost_amount,
            COALESCE(product.currency_code, project.currency_code), product.is_stocked, product.status,
            product.launched_date, product.discontinued_date
        ) END AS content_hash
    FROM silver.product AS product
    CROSS JOIN meta.project AS project
),

compared AS (
    SELECT
        source_name,
        product_id,
        version_at,
        is_deleted,
        content_hash,
        LAG(content_hash) OVER (PARTITION BY source_name, product_id ORDER BY version_at) AS previous_hash
    FROM described
),

version AS (
    SELECT
        source_name,
        product_id,
        version_at,
        is_deleted,
        LAG(version_at) OVER (PARTITION BY source_name, product_id ORDER BY version_at) AS previous_at,
        LEAD(version_at) OVER (PARTITION BY source_name, product_id ORDER BY version_at) AS next_at,
        LEAD(is_deleted) OVER (PARTITION BY source_name, product_id ORDER BY version_at) AS is_next_deleted,
        LEAD(version_at, 2) OVER (PARTITION BY source_name, product_id ORDER BY version_at) AS next_but_one_at
    FROM compared
    WHERE previous_hash IS NULL OR previous_hash <> content_hash
)

SELECT
    dim_key(version.source_name, version.product_id, instant_text(version.version_at)) AS product_key,
    dim_key(version.source_name, version.product_id) AS product_durable_key,
    version.source_name,
    version.product_id,
    product.sku,
    product.gtin,
    product.product_name,
    product.brand,
    product.category_1,
    product.category_2,
    product.category_3,
    product.category_4,
    product.parent_product_id,
    product.size,
    product.colour,
    product.supplier_id,
    product.base_unit,
    product.list_price_amount,
    product.standard_cost_amount,
    COALESCE(product.currency_code, project.currency_code) AS currency_code,
    product.is_stocked,
    product.status,
    product.launched_date,
    product.discontinued_date,
    CASE
        WHEN version.previous_at IS NULL THEN TIMESTAMPTZ '1900-01-01 00:00:00+00' ELSE version.version_at
    END AS valid_from_at,
    COALESCE(version.next_at, TIMESTAMPTZ '9999-12-31 00:00:00+00') AS valid_to_at,
    COALESCE(
        CASE WHEN version.is_next_deleted THEN version.next_but_one_at ELSE version.next_at END,
        TIMESTAMPTZ '9999-12-31 00:00:00+00'
    ) AS superseded_at,
    version.next_at IS NULL AS is_current,
    version.next_at IS NULL OR (version.is_next_deleted AND version.next_but_one_at IS NULL) AS is_latest
FROM version
INNER JOIN silver.product AS product
    ON product.source_name = version.source_name
    AND product.product_id = version.product_id
    AND product.version_at = version.version_at
CROSS JOIN meta.project AS project
WHERE NOT version.is_deleted
UNION ALL
SELECT
    0 AS product_key,
    0 AS product_durable_key,
    '(unknown)' AS source_name,
    '(unknown)' AS product_id,
    CAST(NULL AS text) AS sku,
    CAST(NULL AS text) AS gtin,
    '(unknown)' AS product_name,
    CAST(NULL AS text) AS brand,
    CAST(NULL AS text) AS category_1,
    CAST(NULL AS text) AS category_2,
    CAST(NULL AS text) AS category_3,
    CAST(NULL AS text) AS category_4,
    CAST(NULL AS text) AS parent_product_id,
    CAST(NULL AS text) AS size,
    CAST(NULL AS text) AS colour,
    CAST(NULL AS text) AS supplier_id,
    CAST(NULL AS text) AS base_unit,
    CAST(NULL AS numeric(18, 4)) AS list_price_amount,
    CAST(NULL AS numeric(18, 6)) AS standard_cost_amount,
    project.currency_code,
    TRUE AS is_stocked,
    CAST(NULL AS text) AS status,
    CAST(NULL AS date) AS launched_date,
    CAST(NULL AS date) AS discontinued_date,
    TIMESTAMPTZ '1900-01-01 00:00:00+00' AS valid_from_at,
    TIMESTAMPTZ '9999-12-31 00:00:00+00' AS valid_to_at,
    TIMESTAMPTZ '9999-12-31 00:00:00+00' AS superseded_at,
    TRUE AS is_current,
    TRUE AS is_latest
FROM meta.project AS project;

-- Which products are valued together: those that production documents connect, directly or by way of others. A row per moved product.
-- refresh: kernel
CREATE TABLE gold.cost_group (
    product_durable_key bigint PRIMARY KEY, -- hash of the product's source and id
    cost_group          bigint NOT NULL,    -- the smallest product_durable_key of those valued together
    currency_code       text   NOT NULL     -- ISO 4217 of the group's values: that of all its products, else the project's
);

-- A link per product, to itself or to the first product of its production document; what they connect is worked out by
-- systock.data_warehouse.cost_groups. Under cost_method 'standard' nothing is valued together, and the table is empty.
WITH entry AS (
    SELECT DISTINCT
        product_durable_key,
        CASE
            WHEN movement_kind IN ('production_in', 'production_out') THEN source_name || '/' || document_id
        END AS production_id
    FROM gold.stock_entry
),

link AS (
    SELECT
        product_durable_key,
        MIN(product_durable_key) OVER (
            PARTITION BY COALESCE(production_id, CAST(product_durable_key AS text))
        ) AS linked_durable_key
    FROM entry
)

SELECT
    link.product_durable_key,
    link.linked_durable_key,
    COALESCE(article.currency_code, project.currency_code) AS currency_code
FROM link
CROSS JOIN meta.project AS project
LEFT JOIN gold.dim_product AS article
    ON article.product_durable_key = link.product_durable_key
    AND article.is_latest;

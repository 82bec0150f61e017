-- What the stock of a category at a place in one status is worth now, at cost and at list price.
-- refresh: view
CREATE TABLE serve.stock_value (
    location_durable_key        bigint         NOT NULL, -- hash of the location's source and id
    stock_status                text           NOT NULL, -- sellable, damaged, hold
    category_1                  text           NOT NULL, -- top category, as its products were last described; '(none)' = not stated
    location_id                 text           NOT NULL, -- where
    location_name               text,                    -- its last known name
    products                    bigint         NOT NULL, -- products whose stock is known and not 0
    products_unknown            bigint         NOT NULL, -- products whose stock is not known: they add nothing
    products_without_value      bigint         NOT NULL, -- products with stock and no cost, or no rate for it: they add nothing at cost
    reporting_value_amount      numeric(18, 4) NOT NULL, -- sum of on hand x cost, in the project's currency
    reporting_list_value_amount numeric(18, 4) NOT NULL, -- sum of on hand x list price, of the products that have one and a rate for it
    PRIMARY KEY (location_durable_key, stock_status, category_1)
);

-- value = sum over the products of on hand x unit cost, at the rate of the last day with any fact, as serve.stock_on_hand has it. What
-- is in transit belongs to no place and is in serve.stock_in_transit.
WITH last_day AS (
    SELECT last_date
    FROM gold.last_day
    WHERE fact_kind = 'stock'
),

stock AS (
    SELECT
        stock.location_durable_key,
        stock.stock_status,
        COALESCE(article.category_1, '(none)') AS category_1,
        stock.location_id,
        stock.location_name,
        stock.is_known,
        stock.on_hand_units,
        stock.reporting_value_amount,
        mul(stock.on_hand_units, article.list_price_amount, 4) AS list_value_amount,
        CASE WHEN article.currency_code = project.currency_code THEN 1 ELSE rate.exchange_rate END AS exchange_rate
    FROM serve.stock_on_hand AS stock
    CROSS JOIN meta.project AS project
    CROSS JOIN last_day
    LEFT JOIN serve.product_current AS article
        ON article.product_durable_key = stock.product_durable_key
    LEFT JOIN gold.exchange_rate_day AS rate
        ON rate.currency_code = article.currency_code
        AND rate.rate_date = last_day.last_date
),

valued AS (
    SELECT
        location_durable_key,
        stock_status,
        category_1,
        location_id,
        location_name,
        is_known,
        on_hand_units,
        reporting_value_amount,
        mul(list_value_amount, exchange_rate, 4) AS reporting_list_value_amount
    FROM stock
)

SELECT
    location_durable_key,
    stock_status,
    category_1,
    MIN(location_id) AS location_id,
    MIN(location_name) AS location_name,
    SUM(CASE WHEN on_hand_units <> 0 THEN 1 ELSE 0 END) AS products,
    SUM(CASE WHEN is_known THEN 0 ELSE 1 END) AS products_unknown,
    SUM(CASE WHEN on_hand_units <> 0 AND reporting_value_amount IS NULL THEN 1 ELSE 0 END) AS products_without_value,
    CAST(COALESCE(SUM(reporting_value_amount), 0) AS numeric(18, 4)) AS reporting_value_amount,
    CAST(COALESCE(SUM(reporting_list_value_amount), 0) AS numeric(18, 4)) AS reporting_list_value_amount
FROM valued
GROUP BY location_durable_key, stock_status, category_1;

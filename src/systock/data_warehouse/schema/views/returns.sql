-- What came back of a product at a location in a calendar month, against what was sold there in the same month, and against its own sales.
-- refresh: view
CREATE TABLE serve.returns (
    product_durable_key       bigint         NOT NULL, -- hash of the product's source and id
    location_durable_key      bigint         NOT NULL, -- hash of the location's source and id
    month_start_date          date           NOT NULL, -- first day of the month
    product_id                text           NOT NULL, -- what
    product_name              text,                    -- its last known name
    location_id               text           NOT NULL, -- where
    location_name             text,                    -- its last known name
    sold_units                numeric(18, 3) NOT NULL, -- units on sale lines of the month, in base units
    returned_units            numeric(18, 3) NOT NULL, -- units that came back in the month, positive
    reporting_sold_amount     numeric(18, 4) NOT NULL, -- net of the sale lines of the month, without tax, in the project's currency
    reporting_returned_amount numeric(18, 4) NOT NULL, -- net paid back in the month, positive, without tax, in the project's currency
    return_rate_units         numeric(18, 4),          -- period rate: returned_units / sold_units; NULL when nothing was sold
    return_rate_amount        numeric(18, 4),          -- period rate: reporting_returned_amount / reporting_sold_amount; NULL when nothing
                                                       -- was sold
    cohort_returned_units     numeric(18, 3) NOT NULL, -- of the units sold in the month, those that came back at any time anywhere, as far
                                                       -- as returns name their sale
    unmatched_returned_units  numeric(18, 3) NOT NULL, -- of returned_units, those that name no sale, or one that is not known (any more): they
                                                       -- are in no cohort until it is
    cohort_return_rate_units  numeric(18, 4),          -- cohort rate: cohort_returned_units / sold_units; NULL when nothing was sold
    PRIMARY KEY (product_durable_key, location_durable_key, month_start_date)
);

-- From a return to its sale by the sale's key, from a sale to its returns by what they name: either way few rows of a place and a month
-- lead to a few others.
WITH part AS (
    SELECT
        product_durable_key,
        location_durable_key,
        add_days(business_date, 1 - CAST(EXTRACT(DAY FROM business_date) AS integer)) AS month_start_date,
        product_id,
        location_id,
        CASE WHEN is_return THEN 0 ELSE quantity_units END AS sold_units,
        CASE WHEN is_return THEN -quantity_units ELSE 0 END AS returned_units,
        CASE WHEN is_return THEN 0 ELSE reporting_net_amount END AS reporting_sold_amount,
        CASE WHEN is_return THEN -reporting_net_amount ELSE 0 END AS reporting_returned_amount,
        CAST(0 AS numeric(18, 3)) AS cohort_returned_units,
        CAST(0 AS numeric(18, 3)) AS matched_units
    FROM gold.fact_sale_line
    WHERE is_counted
    UNION ALL
    SELECT
        sold.product_durable_key,
        sold.location_durable_key,
        add_days(sold.business_date, 1 - CAST(EXTRACT(DAY FROM sold.business_date) AS integer)) AS month_start_date,
        sold.product_id,
        sold.location_id,
        0 AS sold_units,
        0 AS returned_units,
        0 AS reporting_sold_amount,
        0 AS reporting_returned_amount,
        -returned.quantity_units AS cohort_returned_units,
        0 AS matched_units
    FROM gold.fact_sale_line AS returned
    INNER JOIN gold.fact_sale_line AS sold
        ON sold.source_name = returned.source_name
        -- The beginning is what a server's index has room for.
        AND LEFT(sold.sale_id, 200) = LEFT(returned.original_sale_id, 200)
        AND sold.sale_id = returned.original_sale_id
        AND sold.line_no = returned.original_line_no
    WHERE returned.is_counted AND returned.is_return AND sold.is_counted AND NOT sold.is_return
    UNION ALL
    SELECT
        returned.product_durable_key,
        returned.location_durable_key,
        add_days(
            returned.business_date, 1 - CAST(EXTRACT(DAY FROM returned.business_date) AS integer)
        ) AS month_start_date,
        returned.product_id,
        returned.location_id,
        0 AS sold_units,
        0 AS returned_units,
        0 AS reporting_sold_amount,
        0 AS reporting_returned_amount,
        0 AS cohort_returned_units,
        -returned.quantity_units AS matched_units
    FROM gold.fact_sale_line AS returned
    INNER JOIN gold.fact_sale_line AS sold
        ON sold.sale_line_key = fact_key(returned.source_name, returned.original_sale_id, returned.original_line_no)
    WHERE returned.is_counted AND returned.is_return AND sold.is_counted AND NOT sold.is_return
        AND LEFT(returned.original_sale_id, 200) IS NOT NULL AND returned.original_line_no IS NOT NULL
),

month AS (
    SELECT
        product_durable_key,
        location_durable_key,
        month_start_date,
        MIN(product_id) AS product_id,
        MIN(location_id) AS location_id,
        CAST(SUM(sold_units) AS numeric(18, 3)) AS sold_units,
        CAST(SUM(returned_units) AS numeric(18, 3)) AS returned_units,
        CAST(SUM(reporting_sold_amount) AS numeric(18, 4)) AS reporting_sold_amount,
        CAST(SUM(reporting_returned_amount) AS numeric(18, 4)) AS reporting_returned_amount,
        CAST(SUM(cohort_returned_units) AS numeric(18, 3)) AS cohort_returned_units,
        CAST(SUM(matched_units) AS numeric(18, 3)) AS matched_units
    FROM part
    GROUP BY product_durable_key, location_durable_key, month_start_date
)

SELECT
    month.product_durable_key,
    month.location_durable_key,
    month.month_start_date,
    month.product_id,
    article.product_name,
    month.location_id,
    place.location_name,
    month.sold_units,
    month.returned_units,
    month.reporting_sold_amount,
    month.reporting_returned_amount,
    safe_div(month.returned_units, month.sold_units, 4) AS return_rate_units,
    safe_div(month.reporting_returned_amount, month.reporting_sold_amount, 4) AS return_rate_amount,
    month.cohort_returned_units,
    CAST(month.returned_units - month.matched_units AS numeric(18, 3)) AS unmatched_returned_units,
    safe_div(month.cohort_returned_units, month.sold_units, 4) AS cohort_return_rate_units
FROM month
LEFT JOIN serve.product_current AS article
    ON article.product_durable_key = month.product_durable_key
LEFT JOIN serve.location_current AS place
    ON place.location_durable_key = month.location_durable_key;

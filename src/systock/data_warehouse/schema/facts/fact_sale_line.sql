-- What left, or came back, over the counter: one row per line of a receipt, invoice or web order.
-- refresh: by key
CREATE TABLE gold.fact_sale_line (
    sale_line_key              uuid           PRIMARY KEY, -- hash of source, sale and line
    source_name                text           NOT NULL,    -- the source whose receipt it is
    sale_id                    text           NOT NULL,    -- receipt or invoice
    line_no                    text           NOT NULL,    -- line within it
    sale_key                   bigint         NOT NULL,    -- hash of source and sale: what a transaction is counted by
    product_key                bigint         NOT NULL
        REFERENCES gold.dim_product (product_key),         -- version valid at sold_at; 0 = none
    product_durable_key        bigint         NOT NULL,    -- hash of the product's source and id, never 0
    product_id                 text           NOT NULL,    -- what was sold
    location_key               bigint         NOT NULL
        REFERENCES gold.dim_location (location_key),       -- version valid at sold_at; 0 = none
    location_durable_key       bigint         NOT NULL,    -- hash of the location's source and id, never 0
    location_id                text           NOT NULL,    -- where it was sold
    fulfilled_from_location_id text,                       -- where the goods came from, if from elsewhere
    customer_key               bigint         NOT NULL
        REFERENCES gold.dim_customer (customer_key),       -- 0 = not known
    customer_id                text,                       -- who bought, where known
    channel_key                bigint         NOT NULL
        REFERENCES gold.dim_channel (channel_key),         -- 0 = not known
    channel                    text           NOT NULL,    -- as the source names it, else the location's type
    sold_at                    timestamptz    NOT NULL,    -- when
    business_date              date           NOT NULL
        REFERENCES gold.dim_date (date_key),               -- local day by the location's zone and cutover as of sold_at
    sale_kind                  text           NOT NULL,    -- sale, return, exchange, cancellation
    is_counted                 boolean        NOT NULL,    -- false for test, voided and cancelled lines: kept here, never counted
    is_return                  boolean        NOT NULL,    -- goods came back: a return, or any line of negative quantity
    quantity_units             numeric(18, 3) NOT NULL,    -- in the product's base unit, signed: returns are negative
    currency_code              text           NOT NULL,    -- ISO 4217, of the amounts below
    gross_amount               numeric(18, 4) NOT NULL,    -- before discount, tax excluded, in currency_code: net_amount + discount_amount
    discount_amount            numeric(18, 4) NOT NULL,    -- discount of the line, tax excluded, in currency_code, signed like quantity
    net_amount                 numeric(18, 4) NOT NULL,    -- after discount, tax excluded, in currency_code
    tax_amount                 numeric(18, 4) NOT NULL,    -- tax on net_amount, in currency_code; paid is net_amount + tax_amount
    cost_amount                numeric(18, 4),             -- what the goods cost, in currency_code: by gold.stock_cost where the line moves
                                                           -- stock, else at the standard cost at sold_at; NULL = not known
    exchange_rate              numeric(18, 8) NOT NULL,    -- project currency per unit of currency_code on business_date; 1 when they are
                                                           -- equal
    reporting_gross_amount     numeric(18, 4) NOT NULL,    -- gross_amount in the project's currency
    reporting_discount_amount  numeric(18, 4) NOT NULL,    -- discount_amount in the project's currency: reporting gross - reporting net
    reporting_net_amount       numeric(18, 4) NOT NULL,    -- net_amount in the project's currency
    reporting_tax_amount       numeric(18, 4) NOT NULL,    -- tax_amount in the project's currency
    reporting_cost_amount      numeric(18, 4),             -- cost_amount in the project's currency; NULL = not known
    promotion_id               text,                       -- promotion applied
    original_sale_id           text,                       -- of a return: the receipt it comes from
    original_line_no           text,                       -- of a return: the line it comes from
    employee_id                text                        -- who sold it
);

-- Instants: sold_at, else the wall clock in the location's last known zone, else in the project's.
-- Versions: the one valid at sold_at; in the gap after a deletion the key is 0, while zone, cutover and cost stay the last known.
-- Units: base_units of silver.product_unit; 1 only for the base unit itself, for no unit, or where the product's base unit is not known.
-- Tax: a price that excludes it: gross = quantity x price, net = gross - discount, the tax beside it. A price that includes it:
--   quantity x price - discount is what was paid, net = paid - tax; the discount, stated with its tax, loses the tax's share
--   (x net / paid), and gross = net + discount. So gross, discount and net are all without tax.
-- Cost: that of the line's own entry in gold.stock_cost, if its source moves stock; else, and under cost_method 'standard', standard cost
--   per base unit x quantity. From the product's currency through the project's into the line's where they differ.
-- Held back, listed in gold.unconverted_line until it heals: a unit without conversion, a currency without rate, a date out of the calendar.
WITH located_line AS (
    SELECT
        line.source_name,
        line.sale_id,
        line.line_no,
        line.location_source_name,
        line.location_id,
        line.fulfilled_from_location_id,
        line.product_source_name,
        line.product_id,
        line.customer_id,
        COALESCE(
            line.sold_at, local_to_utc(line.sold_at_local, COALESCE(place.timezone, project.timezone))
        ) AS sold_at,
        line.sale_kind,
        line.is_test,
        line.is_void,
        line.quantity,
        line.unit,
        line.unit_price_amount,
        line.price_includes_tax,
        line.discount_amount,
        line.tax_amount,
        COALESCE(line.currency_code, project.currency_code) AS currency_code,
        line.channel,
        line.promotion_id,
        line.original_sale_id,
        line.original_line_no,
        line.employee_id,
        posting.ledger_entry_key IS NOT NULL AS is_posted,
        -posting.cost_amount AS posted_cost_amount,
        posting.currency_code AS posted_currency_code,
        project.currency_code AS project_currency_code,
        project.timezone AS project_timezone,
        project.business_day_cutover AS project_cutover,
        project.calendar_from_date,
        project.calendar_to_date
    FROM silver.sale_line AS line
    CROSS JOIN meta.project AS project
    LEFT JOIN gold.dim_location AS place
        ON place.source_name = line.location_source_name
        AND place.location_id = line.location_id
        AND place.is_latest
    LEFT JOIN gold.stock_cost AS posting
        ON posting.source_name = line.source_name
        AND posting.entry_id = line.sale_id
        AND posting.entry_line_no = line.line_no
        AND posting.entity = 'sale_line'
        AND posting.posting_no = 0
),

dated_line AS (
    SELECT
        line.source_name,
        line.sale_id,
        line.line_no,
        CASE WHEN line.sold_at < place.valid_to_at THEN place.location_key ELSE 0 END AS location_key,
        place.location_durable_key,
        place.location_type,
        line.location_source_name,
        line.location_id,
        line.fulfilled_from_location_id,
        line.product_source_name,
        line.product_id,
        line.customer_id,
        line.sold_at,
        business_date(
            line.sold_at,
            COALESCE(place.timezone, line.project_timezone), COALESCE(place.business_day_cutover, line.project_cutover)
        ) AS business_date,
        line.sale_kind,
        line.is_test,
        line.is_void,
        line.quantity,
        line.unit,
        line.unit_price_amount,
        line.price_includes_tax,
        line.discount_amount,
        line.tax_amount,
        line.currency_code,
        COALESCE(NULLIF(line.channel, ''), place.location_type, '(unknown)') AS channel,
        line.promotion_id,
        line.original_sale_id,
        line.original_line_no,
        line.employee_id,
        line.is_posted,
        line.posted_cost_amount,
        line.posted_currency_code,
        line.project_currency_code,
        line.calendar_from_date,
        line.calendar_to_date
    FROM located_line AS line
    LEFT JOIN gold.dim_location AS place
        ON place.source_name = line.location_source_name
        AND place.location_id = line.location_id
        AND place.valid_from_at <= line.sold_at
        AND place.superseded_at > line.sold_at
),

measured_line AS (
    SELECT
        line.source_name,
        line.sale_id,
        line.line_no,
        line.location_key,
        COALESCE(
            line.location_durable_key, dim_key(line.location_source_name, line.location_id)
        ) AS location_durable_key,
        line.location_id,
        line.fulfilled_from_location_id,
        CASE WHEN line.sold_at < article.valid_to_at THEN article.product_key ELSE 0 END AS product_key,
        COALESCE(
            article.product_durable_key, dim_key(line.product_source_name, line.product_id)
        ) AS product_durable_key,
        line.product_id,
        line.customer_id,
        line.sold_at,
        line.business_date,
        line.sale_kind,
        NOT line.is_test AND NOT line.is_void AND line.sale_kind <> 'cancellation' AS is_counted,
        line.quantity < 0 OR line.sale_kind = 'return' AS is_return,
        CASE
            WHEN line.unit IS NULL OR line.unit = latest_article.base_unit THEN line.quantity
            WHEN unit.base_units IS NOT NULL THEN mul(line.quantity, unit.base_units, 3)
            WHEN latest_article.base_unit IS NULL THEN line.quantity
        END AS quantity_units,
        mul(line.quantity, line.unit_price_amount, 4) AS price_amount,
        line.price_includes_tax,
        line.discount_amount,
        line.tax_amount,
        line.currency_code,
        line.project_currency_code,
        CASE WHEN line.currency_code = line.project_currency_code THEN 1 ELSE rate.exchange_rate END AS exchange_rate,
        article.standard_cost_amount,
        line.is_posted,
        line.posted_cost_amount,
        COALESCE(line.posted_currency_code, article.currency_code) AS cost_currency_code,
        line.channel,
        line.promotion_id,
        line.original_sale_id,
        line.original_line_no,
        line.employee_id
    FROM dated_line AS line
    LEFT JOIN gold.dim_product AS article
        ON article.source_name = line.product_source_name
        AND article.product_id = line.product_id
        AND article.valid_from_at <= line.sold_at
        AND article.superseded_at > line.sold_at
    LEFT JOIN gold.dim_product AS latest_article
        ON latest_article.source_name = line.product_source_name
        AND latest_article.product_id = line.product_id
        AND latest_article.is_latest
    LEFT JOIN silver.product_unit AS unit
        ON unit.source_name = line.product_source_name
        AND unit.product_id = line.product_id
        AND unit.unit = line.unit
    LEFT JOIN gold.exchange_rate_day AS rate
        ON rate.currency_code = line.currency_code
        AND rate.rate_date = line.business_date
    -- the day in UTC settles it for all but the calendar's ends, and is much cheaper than the local one
    WHERE CAST(utc_to_local(line.sold_at, 'UTC') AS date)
        BETWEEN add_days(line.calendar_from_date, 2) AND add_days(line.calendar_to_date, -2)
        OR line.business_date BETWEEN line.calendar_from_date AND line.calendar_to_date
),

converted_line AS (
    SELECT
        line.source_name,
        line.sale_id,
        line.line_no,
        line.location_key,
        line.location_durable_key,
        line.location_id,
        line.fulfilled_from_location_id,
        line.product_key,
        line.product_durable_key,
        line.product_id,
        line.customer_id,
        line.sold_at,
        line.business_date,
        line.sale_kind,
        line.is_counted,
        line.is_return,
        line.quantity_units,
        CASE
            WHEN line.price_includes_tax THEN line.price_amount - line.discount_amount - line.tax_amount
            ELSE line.price_amount - line.discount_amount
        END AS net_amount,
        CASE
            -- a tax of the other sign, or of an amount of nothing, is no share of the discount
            WHEN line.price_includes_tax AND line.discount_amount <> 0 AND line.tax_amount <> 0 AND (
                (line.tax_amount > 0 AND line.price_amount - line.discount_amount >= line.tax_amount)
                OR (line.tax_amount < 0 AND line.price_amount - line.discount_amount <= line.tax_amount)
            ) THEN mul_div(
                line.discount_amount,
                line.price_amount - line.discount_amount - line.tax_amount,
                line.price_amount - line.discount_amount
            )
            ELSE line.discount_amount
        END AS discount_amount,
        line.tax_amount,
        line.currency_code,
        line.project_currency_code,
        line.exchange_rate,
        line.cost_currency_code,
        CASE
            WHEN line.is_posted THEN line.posted_cost_amount
            ELSE mul(line.quantity_units, line.standard_cost_amount, 4)
        END AS own_cost_amount,
        CASE
            WHEN line.cost_currency_code = line.project_currency_code THEN 1
            WHEN line.cost_currency_code = line.currency_code THEN line.exchange_rate
            ELSE rate.exchange_rate
        END AS cost_exchange_rate,
        line.channel,
        line.promotion_id,
        line.original_sale_id,
        line.original_line_no,
        line.employee_id
    FROM measured_line AS line
    LEFT JOIN gold.exchange_rate_day AS rate
        ON rate.currency_code = line.cost_currency_code
        AND rate.rate_date = line.business_date
    WHERE line.quantity_units IS NOT NULL AND line.exchange_rate IS NOT NULL
)

SELECT
    fact_key(line.source_name, line.sale_id, line.line_no) AS sale_line_key,
    line.source_name,
    line.sale_id,
    line.line_no,
    dim_key(line.source_name, line.sale_id) AS sale_key,
    line.product_key,
    line.product_durable_key,
    line.product_id,
    line.location_key,
    line.location_durable_key,
    line.location_id,
    NULLIF(line.fulfilled_from_location_id, line.location_id) AS fulfilled_from_location_id,
    COALESCE(customer.customer_key, 0) AS customer_key,
    line.customer_id,
    COALESCE(channel.channel_key, 0) AS channel_key,
    line.channel,
    line.sold_at,
    line.business_date,
    line.sale_kind,
    line.is_counted,
    line.is_return,
    line.quantity_units,
    line.currency_code,
    line.net_amount + line.discount_amount AS gross_amount,
    line.discount_amount,
    line.net_amount,
    line.tax_amount,
    CASE
        WHEN line.cost_currency_code = line.currency_code THEN line.own_cost_amount
        ELSE safe_div(mul(line.own_cost_amount, line.cost_exchange_rate, 4), line.exchange_rate, 4)
    END AS cost_amount,
    line.exchange_rate,
    mul(line.net_amount + line.discount_amount, line.exchange_rate, 4) AS reporting_gross_amount,
    mul(line.net_amount + line.discount_amount, line.exchange_rate, 4)
    - mul(line.net_amount, line.exchange_rate, 4) AS reporting_discount_amount,
    mul(line.net_amount, line.exchange_rate, 4) AS reporting_net_amount,
    mul(line.tax_amount, line.exchange_rate, 4) AS reporting_tax_amount,
    mul(line.own_cost_amount, line.cost_exchange_rate, 4) AS reporting_cost_amount,
    line.promotion_id,
    line.original_sale_id,
    line.original_line_no,
    line.employee_id
FROM converted_line AS line
LEFT JOIN gold.dim_channel AS channel
    ON channel.channel = line.channel
LEFT JOIN gold.dim_customer AS customer
    ON customer.source_name = line.source_name
    AND customer.customer_id = line.customer_id;

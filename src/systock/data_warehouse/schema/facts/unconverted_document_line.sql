-- An order, purchase order or transfer line, a payment or a store day that is held back from its fact, and why; it leaves when it heals.
-- refresh: by key
CREATE TABLE gold.unconverted_document_line (
    unconverted_document_line_key uuid PRIMARY KEY, -- hash of entity and natural key
    entity                        text NOT NULL
        CHECK (entity IN (
            'order_line', 'purchase_order_line', 'transfer_line', 'tender', 'store_day'
        )),                                         -- the silver entity it is a row of
    source_name                   text NOT NULL,    -- the source it came from
    natural_key                   text NOT NULL,    -- document / line, sale_id / tender_no or location_id / business_date
    reason                        text NOT NULL
        CHECK (reason IN (
            'date outside the calendar', 'unit without conversion', 'sale not known', 'currency without rate'
        )),                                         -- the first of these that holds
    held_value                    text NOT NULL,    -- the date, the unit, the currency or the sale at fault
    product_id                    text,             -- what it is about; NULL for payments and store days
    location_id                   text,             -- where; of a transfer the sender; NULL when a payment's sale is not known
    business_date                 date              -- local day, by the location's zone and cutover; may lie outside gold.dim_date; NULL
                                                    -- likewise
);

-- The conditions of the five facts turned round: a line is in its fact or here. A price or a cost in a currency without rate holds
-- nothing back.
WITH paid AS (
    SELECT
        tender.source_name,
        tender.sale_id,
        tender.tender_no,
        tender.currency_code,
        sale.location_id,
        sale.business_date,
        ROW_NUMBER() OVER (
            PARTITION BY tender.source_name, tender.sale_id, tender.tender_no ORDER BY sale.sold_at, sale.line_no
        ) AS line_number
    FROM silver.tender AS tender
    LEFT JOIN gold.fact_sale_line AS sale
        ON sale.source_name = tender.source_name
        AND sale.sale_id = tender.sale_id
),

entry AS (
    SELECT
        'order_line' AS entity,
        line.source_name,
        line.order_id AS entry_id,
        line.line_no AS entry_line_no,
        line.location_source_name,
        line.location_id,
        line.product_source_name,
        line.product_id,
        line.unit,
        CAST(NULL AS text) AS currency_code,
        line.ordered_at AS stated_at,
        line.ordered_at_local AS stated_at_local,
        CAST(NULL AS date) AS stated_date
    FROM silver.order_line AS line
    UNION ALL
    SELECT
        'purchase_order_line' AS entity,
        line.source_name,
        line.purchase_order_id AS entry_id,
        line.line_no AS entry_line_no,
        line.location_source_name,
        line.location_id,
        line.product_source_name,
        line.product_id,
        line.unit,
        CAST(NULL AS text) AS currency_code,
        line.ordered_at AS stated_at,
        line.ordered_at_local AS stated_at_local,
        CAST(NULL AS date) AS stated_date
    FROM silver.purchase_order_line AS line
    UNION ALL
    SELECT
        'transfer_line' AS entity,
        line.source_name,
        line.transfer_id AS entry_id,
        line.line_no AS entry_line_no,
        line.location_source_name,
        line.from_location_id AS location_id,
        line.product_source_name,
        line.product_id,
        line.unit,
        CAST(NULL AS text) AS currency_code,
        line.shipped_at AS stated_at,
        line.shipped_at_local AS stated_at_local,
        CAST(NULL AS date) AS stated_date
    FROM silver.transfer_line AS line
    UNION ALL
    SELECT
        'tender' AS entity,
        paid.source_name,
        paid.sale_id AS entry_id,
        paid.tender_no AS entry_line_no,
        CAST(NULL AS text) AS location_source_name,
        paid.location_id,
        CAST(NULL AS text) AS product_source_name,
        CAST(NULL AS text) AS product_id,
        CAST(NULL AS text) AS unit,
        paid.currency_code,
        CAST(NULL AS timestamptz) AS stated_at,
        CAST(NULL AS timestamp) AS stated_at_local,
        paid.business_date AS stated_date
    FROM paid
    WHERE paid.line_number = 1
    UNION ALL
    SELECT
        'store_day' AS entity,
        day.source_name,
        day.location_id AS entry_id,
        CAST(day.business_date AS text) AS entry_line_no,
        day.location_source_name,
        day.location_id,
        CAST(NULL AS text) AS product_source_name,
        CAST(NULL AS text) AS product_id,
        CAST(NULL AS text) AS unit,
        CASE WHEN day.target_amount IS NOT NULL THEN day.currency_code END AS currency_code,
        CAST(NULL AS timestamptz) AS stated_at,
        CAST(NULL AS timestamp) AS stated_at_local,
        day.business_date AS stated_date
    FROM silver.store_day AS day
),

located_entry AS (
    SELECT
        entry.entity,
        entry.source_name,
        entry.entry_id,
        entry.entry_line_no,
        entry.location_source_name,
        entry.location_id,
        entry.product_id,
        entry.unit,
        COALESCE(
            entry.unit IS NOT NULL AND entry.unit <> article.base_unit AND unit.base_units IS NULL, FALSE
        ) AS is_unit_lacking,
        entry.currency_code,
        COALESCE(
            entry.stated_at, local_to_utc(entry.stated_at_local, COALESCE(place.timezone, project.timezone))
        ) AS stated_at,
        entry.stated_date,
        project.currency_code AS project_currency_code,
        project.timezone AS project_timezone,
        project.business_day_cutover AS project_cutover,
        project.calendar_from_date,
        project.calendar_to_date
    FROM entry
    CROSS JOIN meta.project AS project
    LEFT JOIN gold.dim_location AS place
        ON place.source_name = entry.location_source_name
        AND place.location_id = entry.location_id
        AND place.is_latest
    LEFT JOIN gold.dim_product AS article
        ON article.source_name = entry.product_source_name
        AND article.product_id = entry.product_id
        AND article.is_latest
    LEFT JOIN silver.product_unit AS unit
        ON unit.source_name = entry.product_source_name
        AND unit.product_id = entry.product_id
        AND unit.unit = entry.unit
),

dated_entry AS (
    SELECT
        entry.entity,
        entry.source_name,
        entry.entry_id,
        entry.entry_line_no,
        entry.location_id,
        entry.product_id,
        entry.unit,
        entry.is_unit_lacking,
        entry.currency_code,
        CASE
            WHEN entry.stated_at IS NULL THEN entry.stated_date
            ELSE business_date(
                entry.stated_at,
                COALESCE(place.timezone, entry.project_timezone),
                COALESCE(place.business_day_cutover, entry.project_cutover)
            )
        END AS business_date,
        entry.project_currency_code,
        entry.calendar_from_date,
        entry.calendar_to_date
    FROM located_entry AS entry
    LEFT JOIN gold.dim_location AS place
        ON place.source_name = entry.location_source_name
        AND place.location_id = entry.location_id
        AND place.valid_from_at <= entry.stated_at
        AND place.superseded_at > entry.stated_at
),

judged_entry AS (
    SELECT
        entry.entity,
        entry.source_name,
        entry.entry_id,
        entry.entry_line_no,
        entry.location_id,
        entry.product_id,
        entry.unit,
        entry.currency_code,
        entry.business_date,
        CASE
            WHEN entry.business_date NOT BETWEEN entry.calendar_from_date AND entry.calendar_to_date
                THEN 'date outside the calendar'
            WHEN entry.is_unit_lacking THEN 'unit without conversion'
            WHEN entry.business_date IS NULL THEN 'sale not known'
            WHEN entry.currency_code <> entry.project_currency_code AND rate.exchange_rate IS NULL
                THEN 'currency without rate'
        END AS reason
    FROM dated_entry AS entry
    LEFT JOIN gold.exchange_rate_day AS rate
        ON rate.currency_code = entry.currency_code
        AND rate.rate_date = entry.business_date
)

SELECT
    fact_key(entity, source_name, entry_id, entry_line_no) AS unconverted_document_line_key,
    entity,
    source_name,
    entry_id || ' / ' || entry_line_no AS natural_key,
    reason,
    CASE reason
        WHEN 'date outside the calendar' THEN CAST(business_date AS text)
        WHEN 'unit without conversion' THEN unit
        WHEN 'sale not known' THEN entry_id
        ELSE currency_code
    END AS held_value,
    product_id,
    location_id,
    business_date
FROM judged_entry
WHERE reason IS NOT NULL;

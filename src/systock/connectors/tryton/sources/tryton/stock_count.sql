-- What Tryton itself kept as the stock at the end of a period that was closed: it goes on from there, so it must be what the moves say.
WITH stated AS (
    SELECT
        levels.period AS period,
        levels.period_date AS period_date,
        locations.place AS place,
        CASE locations.zone WHEN 'storage' THEN 'sellable' ELSE 'hold' END AS status,
        levels.product AS product,
        SUM(try_number(levels.internal_quantity)) AS quantity
    FROM bronze.tryton__period_levels AS levels
    INNER JOIN bronze.tryton__locations AS locations ON locations.id = levels.location
    WHERE locations.type = 'storage'
    GROUP BY
        levels.period, levels.period_date, locations.place,
        CASE locations.zone WHEN 'storage' THEN 'sellable' ELSE 'hold' END, levels.product
)

SELECT
    stated.period || '/' || stated.place || '/' || stated.status || '/' || stated.product AS count_id,
    stated.place AS location_id,
    stated.product AS product_id,
    stated.status AS stock_status,
    stated.period_date AS counted_date,
    'level' AS count_kind,
    mul(stated.quantity, 1, 3) AS quantity
FROM stated;

-- A sale line that repeats another line of its invoice word for word; counted like any other, but worth a look.
-- refresh: view
CREATE TABLE serve.repeated_line (
    sale_line_key        uuid           PRIMARY KEY, -- hash of source, sale and line
    sale_id              text           NOT NULL,    -- invoice
    line_no              text           NOT NULL,    -- the line within it
    repeated_line_no     text           NOT NULL,    -- the first line of the invoice that reads the same
    product_id           text           NOT NULL,    -- what was sold
    quantity_units       numeric(18, 3) NOT NULL,    -- signed: returns are negative
    reporting_net_amount numeric(18, 4) NOT NULL     -- without tax, in the project's currency
);

SELECT
    line.sale_line_key,
    line.sale_id,
    line.line_no,
    line.original_line_no AS repeated_line_no,
    line.product_id,
    line.quantity_units,
    line.reporting_net_amount
FROM gold.fact_sale_line AS line
WHERE line.original_sale_id = line.sale_id;

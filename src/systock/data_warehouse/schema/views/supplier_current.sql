-- Each supplier as last described, deleted ones too: one row per durable key, the unknown member left out.
-- refresh: view
CREATE TABLE serve.supplier_current (
    supplier_durable_key  bigint      PRIMARY KEY, -- hash of source and supplier: what facts join on
    supplier_key          bigint      NOT NULL,    -- key of the version shown
    source_name           text        NOT NULL,    -- the source whose code supplier_id is
    supplier_id           text        NOT NULL,    -- the source's own code
    supplier_name         text,                    -- name
    country_code          text,                    -- ISO 3166-1 alpha-2
    agreed_lead_time_days integer,                 -- days from order to delivery, as agreed
    valid_from_at         timestamptz NOT NULL,    -- from when this description holds; the first one from 1900-01-01
    is_deleted            boolean     NOT NULL     -- the source no longer lists the supplier; shown as last described
);

SELECT
    supplier_durable_key,
    supplier_key,
    source_name,
    supplier_id,
    supplier_name,
    country_code,
    agreed_lead_time_days,
    valid_from_at,
    NOT is_current AS is_deleted
FROM gold.dim_supplier
WHERE is_latest AND supplier_key <> 0;

-- A customer, as last described; personal fields only as keyed hashes.
-- refresh: by key
CREATE TABLE gold.dim_customer (
    customer_key  bigint PRIMARY KEY, -- hash of source and customer; 0 = unknown
    source_name   text   NOT NULL,    -- the source whose code customer_id is
    customer_id   text   NOT NULL,    -- the source's own code
    customer_type text,               -- person, company, ...
    segment       text,               -- the source's own segment
    city          text,               -- city
    country_name  text,               -- country as the source names it
    email_hash    text                -- keyed hash of the address
);

SELECT
    dim_key(customer.source_name, customer.customer_id) AS customer_key,
    customer.source_name,
    customer.customer_id,
    customer.customer_type,
    customer.segment,
    customer.city,
    customer.country_name,
    customer.email_hash
FROM silver.customer AS customer
UNION ALL
SELECT
    0 AS customer_key,
    '(unknown)' AS source_name,
    '(unknown)' AS customer_id,
    CAST(NULL AS text) AS customer_type,
    CAST(NULL AS text) AS segment,
    CAST(NULL AS text) AS city,
    CAST(NULL AS text) AS country_name,
    CAST(NULL AS text) AS email_hash
FROM meta.project AS project;

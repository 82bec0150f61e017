-- A customer; personal fields arrive only as keyed hashes.
-- history: corrections
CREATE TABLE silver.customer (
    source_name   text NOT NULL,                              -- the source whose code customer_id is
    customer_id   text NOT NULL CHECK (customer_id <> ''),    -- the source's own code
    customer_type text,                                       -- person, company, ...
    segment       text,                                       -- the source's own segment
    city          text,                                       -- city
    country_name  text,                                       -- country as the source names it
    email_hash    text,                                       -- keyed hash of the address
    updated_at    timestamptz,                                -- when the source last changed it
    PRIMARY KEY (source_name, customer_id)
);

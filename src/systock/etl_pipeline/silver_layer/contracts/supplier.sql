-- A company that goods are bought from, as its source described it from one instant on.
-- history: valid time
CREATE TABLE silver.supplier (
    source_name           text    NOT NULL,                                 -- the source whose code supplier_id is
    supplier_id           text    NOT NULL CHECK (supplier_id <> ''),       -- the source's own code
    supplier_name         text,                                             -- name
    country_code          text    CHECK (length(country_code) = 2),         -- ISO 3166-1 alpha-2
    agreed_lead_time_days integer CHECK (agreed_lead_time_days >= 0),       -- days from order to delivery, as agreed
    updated_at            timestamptz,                                      -- when the source made this version
    PRIMARY KEY (source_name, supplier_id)
);

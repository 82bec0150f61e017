-- What one unit of a currency was worth in another on a day.
-- history: corrections
CREATE TABLE silver.exchange_rate (
    source_name        text           NOT NULL,                                          -- who published the rate
    from_currency_code text           NOT NULL CHECK (length(from_currency_code) = 3),   -- ISO 4217
    to_currency_code   text           NOT NULL CHECK (length(to_currency_code) = 3),     -- ISO 4217
    rate_date          date           NOT NULL,                                          -- the day it holds from, until the next one
    rate               numeric(18, 8) NOT NULL CHECK (rate > 0),                         -- to-currency per one from-currency
    updated_at         timestamptz,                                                      -- when the publisher last changed it
    PRIMARY KEY (source_name, from_currency_code, to_currency_code, rate_date)
);

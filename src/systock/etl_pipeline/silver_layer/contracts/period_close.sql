-- The books are closed through a business day: what becomes known later of it, or of a day before it, is booked in the open period.
-- history: corrections
CREATE TABLE silver.period_close (
    source_name         text        NOT NULL, -- the source that states it; it closes the books of all sources
    closed_through_date date        NOT NULL, -- the last business day of the period that is closed
    closed_at           timestamptz,          -- a later instant than that at which it becomes known: closed from then on only
    updated_at          timestamptz,          -- when the source last changed it
    PRIMARY KEY (source_name, closed_through_date)
);

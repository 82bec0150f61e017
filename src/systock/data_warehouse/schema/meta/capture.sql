-- The point in time that a snapshot is being captured for; empty but while one is captured.
-- refresh: build
CREATE TABLE meta.capture (
    as_of       timestamptz PRIMARY KEY, -- the instant asked for
    as_of_date  date        NOT NULL,    -- the business day that ends at or holds that instant
    ended_by_at timestamptz NOT NULL     -- business days that ended by then are whole: as_of, or the knowledge where that is later
);

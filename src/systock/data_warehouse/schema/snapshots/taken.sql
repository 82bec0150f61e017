-- A snapshot that was taken: what it is of, and what was known then.
-- refresh: build
CREATE TABLE snapshot.taken (
    snapshot_no bigint      NOT NULL, -- landing commit that brought it
    kind        text        NOT NULL, -- product_state, sales_state or stock_state
    as_of       timestamptz NOT NULL, -- the instant that it tells of
    known_at    timestamptz,          -- knowledge that it was taken from: the last landing commit then published
    is_derived  boolean     NOT NULL, -- true: taken after the day had passed, from what was known later
    row_count   bigint      NOT NULL, -- rows of the whole state
    changes     bigint      NOT NULL, -- rows that differ from the previous snapshot of its kind
    PRIMARY KEY (snapshot_no, kind)
);

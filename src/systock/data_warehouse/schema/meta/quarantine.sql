-- A line that could not be kept: where it stands, the rule that it breaks, the offending value.
-- refresh: build
CREATE TABLE silver.quarantine (
    source_name   text        NOT NULL, -- source
    table_name    text        NOT NULL, -- raw table
    entity        text        NOT NULL, -- entity that it was to become, or the raw table whose lines were stored
    batch_no      integer     NOT NULL, -- batch
    row_no        bigint      NOT NULL, -- record in the file, the first line being 1
    rule          text        NOT NULL, -- what does not hold
    column_name   text,                 -- column at fault
    value         text,                 -- offending value
    raw           text,                 -- the line as it came
    landed_at     timestamptz NOT NULL, -- when its batch became known
    known_from_at timestamptz NOT NULL, -- when it was judged so
    known_to_at   timestamptz NOT NULL  -- until when, exclusive; 9999-12-31 = it is still set aside
);

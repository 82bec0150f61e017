-- A landed batch: one version of one file of one source table.
-- refresh: build
CREATE TABLE meta.batch (
    batch_no     integer     PRIMARY KEY, -- number over the whole landing log
    batch_id     text        NOT NULL,    -- hash of source, table, position and content
    commit_no    integer     NOT NULL,    -- landing commit that it is part of
    known_at     timestamptz NOT NULL,    -- when that commit became known
    source_name  text        NOT NULL,    -- source
    table_name   text        NOT NULL,    -- raw table
    mode         text        NOT NULL,    -- append, changes or full
    path         text        NOT NULL,    -- file, relative to the project
    extracted_at timestamptz NOT NULL,    -- the instant that the extraction states
    lines        bigint      NOT NULL,    -- lines in it, malformed ones included
    malformed    bigint      NOT NULL,    -- lines that could not be split into columns
    repeat_of    integer,                 -- batch that holds the same content; then this one stored nothing
    is_complete  boolean     NOT NULL,    -- may a full extract close what it does not hold?
    held_for     text                     -- why none of its lines is taken: what the contract with the source does not allow
);

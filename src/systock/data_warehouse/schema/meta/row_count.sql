-- What became of the lines of a batch: lines = kept + unchanged + superseded + duplicates + quarantined + left_out.
-- refresh: build
CREATE TABLE meta.row_count (
    batch_no    integer     NOT NULL, -- batch
    source_name text        NOT NULL, -- source
    entity      text        NOT NULL, -- entity that the lines were conformed to, or the raw table whose lines were stored
    known_at    timestamptz NOT NULL, -- when the batch became known
    lines       bigint      NOT NULL, -- lines in the batch, malformed ones included
    kept        bigint      NOT NULL, -- lines that made a version
    unchanged   bigint      NOT NULL, -- lines that repeat what was known
    superseded  bigint      NOT NULL, -- lines that a later version of their key overtook, in the batch or before it
    duplicates  bigint      NOT NULL, -- exact repeats within the batch
    quarantined bigint      NOT NULL, -- lines set aside
    left_out    bigint      NOT NULL, -- lines that the mapping's WHERE leaves out
    PRIMARY KEY (batch_no, source_name, entity)
);

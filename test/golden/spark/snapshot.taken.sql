CREATE TABLE snapshot.taken (
  snapshot_no BIGINT NOT NULL,
  kind STRING NOT NULL,
  as_of TIMESTAMP NOT NULL,
  known_at TIMESTAMP,
  is_derived BOOLEAN NOT NULL,
  row_count BIGINT NOT NULL,
  changes BIGINT NOT NULL
);

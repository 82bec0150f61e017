CREATE TABLE meta.row_count (
  batch_no INT NOT NULL,
  source_name STRING NOT NULL,
  entity STRING NOT NULL,
  known_at TIMESTAMP NOT NULL,
  lines BIGINT NOT NULL,
  kept BIGINT NOT NULL,
  unchanged BIGINT NOT NULL,
  superseded BIGINT NOT NULL,
  duplicates BIGINT NOT NULL,
  quarantined BIGINT NOT NULL,
  left_out BIGINT NOT NULL
);

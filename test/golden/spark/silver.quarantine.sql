CREATE TABLE silver.quarantine (
  source_name STRING NOT NULL,
  table_name STRING NOT NULL,
  entity STRING NOT NULL,
  batch_no INT NOT NULL,
  row_no BIGINT NOT NULL,
  rule STRING NOT NULL,
  column_name STRING,
  value STRING,
  raw STRING,
  landed_at TIMESTAMP NOT NULL,
  known_from_at TIMESTAMP NOT NULL,
  known_to_at TIMESTAMP NOT NULL
);

CREATE TABLE meta.batch (
  batch_no INT NOT NULL,
  batch_id STRING NOT NULL,
  commit_no INT NOT NULL,
  known_at TIMESTAMP NOT NULL,
  source_name STRING NOT NULL,
  table_name STRING NOT NULL,
  mode STRING NOT NULL,
  path STRING NOT NULL,
  extracted_at TIMESTAMP NOT NULL,
  lines BIGINT NOT NULL,
  malformed BIGINT NOT NULL,
  repeat_of INT,
  is_complete BOOLEAN NOT NULL,
  held_for STRING
);

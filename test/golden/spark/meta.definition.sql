CREATE TABLE meta.definition (
  definition_hash STRING NOT NULL,
  build_id STRING NOT NULL
);

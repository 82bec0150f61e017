CREATE TABLE silver.period_close (
  source_name STRING NOT NULL,
  closed_through_date DATE NOT NULL,
  closed_at TIMESTAMP,
  updated_at TIMESTAMP
);

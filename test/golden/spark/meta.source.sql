CREATE TABLE meta.source (
  source_name STRING NOT NULL,
  moves_stock BOOLEAN NOT NULL,
  stock_starts STRING NOT NULL
);

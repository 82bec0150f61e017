CREATE TABLE silver.product_supplier (
  source_name STRING NOT NULL,
  product_source_name STRING,
  product_id STRING NOT NULL,
  supplier_source_name STRING,
  supplier_id STRING NOT NULL,
  unit_cost_amount DECIMAL(18, 6),
  currency_code STRING,
  unit STRING,
  pack_quantity DECIMAL(18, 3),
  minimum_order_quantity DECIMAL(18, 3),
  agreed_lead_time_days INT,
  updated_at TIMESTAMP
);

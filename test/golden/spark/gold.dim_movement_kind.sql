CREATE TABLE gold.dim_movement_kind (
  movement_kind_key BIGINT NOT NULL,
  movement_kind STRING NOT NULL,
  movement_kind_name STRING NOT NULL,
  quantity_sign INT NOT NULL,
  ledger_order INT NOT NULL,
  is_external BOOLEAN NOT NULL
);
SELECT
  CASE
    WHEN kind.movement_kind = '(unknown)'
    THEN 0
    ELSE GREATEST(CAST(conv(substr(md5(concat_ws('', CAST(length(kind.movement_kind) AS STRING), ':', kind.movement_kind)), 1, 15), 16, 10) AS BIGINT), CAST(1 AS BIGINT))
  END AS movement_kind_key,
  kind.movement_kind,
  kind.movement_kind_name,
  kind.quantity_sign,
  kind.ledger_order,
  kind.is_external
FROM VALUES
  ('opening', 'Opening balance', 0, 10, TRUE),
  ('receipt', 'Receipt from supplier', 1, 20, TRUE),
  ('transfer_in', 'Transfer in', 1, 30, FALSE),
  ('production_in', 'Produced', 1, 40, TRUE),
  ('customer_return', 'Return from customer', 1, 50, TRUE),
  ('supplier_return', 'Return to supplier', -1, 60, TRUE),
  ('transfer_out', 'Transfer out', -1, 70, FALSE),
  ('production_out', 'Used in production', -1, 80, TRUE),
  ('sale', 'Sale', -1, 90, TRUE),
  ('write_off', 'Write-off', -1, 100, TRUE),
  ('adjustment', 'Adjustment', 0, 110, TRUE),
  ('revaluation', 'Revaluation', 0, 120, TRUE),
  ('(unknown)', '(unknown)', 0, 900, TRUE) AS kind(movement_kind, movement_kind_name, quantity_sign, ledger_order, is_external);

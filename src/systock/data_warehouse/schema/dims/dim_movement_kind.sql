-- A kind of stock movement, and how the ledger treats it.
-- refresh: full
CREATE TABLE gold.dim_movement_kind (
    movement_kind_key  bigint  PRIMARY KEY,     -- hash of movement_kind; 0 = unknown
    movement_kind      text    NOT NULL,        -- code
    movement_kind_name text    NOT NULL,        -- English name
    quantity_sign      integer NOT NULL
        CHECK (quantity_sign BETWEEN -1 AND 1), -- 1 brings goods in, -1 takes goods out, 0 either
    ledger_order       integer NOT NULL,        -- order among movements of one instant: what comes in before what goes out
    is_external        boolean NOT NULL         -- does it change the units of the whole company? Transfers do not
);

SELECT
    CASE WHEN kind.movement_kind = '(unknown)' THEN 0 ELSE dim_key(kind.movement_kind) END AS movement_kind_key,
    kind.movement_kind,
    kind.movement_kind_name,
    kind.quantity_sign,
    kind.ledger_order,
    kind.is_external
FROM (
    VALUES
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
    ('(unknown)', '(unknown)', 0, 900, TRUE)
) AS kind (movement_kind, movement_kind_name, quantity_sign, ledger_order, is_external);

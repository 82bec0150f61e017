-- A channel that sales come through: the ones that sale lines name, and the location types that stand in where they name none.
-- refresh: full
CREATE TABLE gold.dim_channel (
    channel_key bigint  PRIMARY KEY, -- hash of channel; 0 = unknown
    channel     text    NOT NULL,    -- as the source names it, or the location's type
    is_default  boolean NOT NULL     -- a location type, which stands in for a sale line without a channel
);

WITH location_type AS (
    SELECT kind.channel
    FROM (VALUES ('store'), ('warehouse'), ('online'), ('transit'), ('virtual')) AS kind (channel)
),

named AS (
    SELECT channel, 1 AS default_no FROM location_type
    UNION ALL
    SELECT line.channel, 0 AS default_no
    FROM silver.sale_line AS line
    WHERE line.channel IS NOT NULL AND line.channel <> '' AND line.channel <> '(unknown)'
)

SELECT
    dim_key(named.channel) AS channel_key,
    named.channel,
    MAX(named.default_no) = 1 AS is_default
FROM named
GROUP BY named.channel
UNION ALL
SELECT
    0 AS channel_key,
    '(unknown)' AS channel,
    FALSE AS is_default
FROM meta.project AS project;

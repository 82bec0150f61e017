CREATE TABLE gold.dim_channel (
  channel_key BIGINT NOT NULL,
  channel STRING NOT NULL,
  is_default BOOLEAN NOT NULL
);
WITH location_type AS (
  SELECT
    kind.channel
  FROM VALUES
    ('store'),
    ('warehouse'),
    ('online'),
    ('transit'),
    ('virtual') AS kind(channel)
), named AS (
  SELECT
    channel,
    1 AS default_no
  FROM location_type
  UNION ALL
  SELECT
    line.channel,
    0 AS default_no
  FROM silver.sale_line AS line
  WHERE
    line.channel IS NOT NULL AND line.channel <> '' AND line.channel <> '(unknown)'
)
SELECT
  GREATEST(CAST(conv(substr(md5(concat_ws('', CAST(length(named.channel) AS STRING), ':', named.channel)), 1, 15), 16, 10) AS BIGINT), CAST(1 AS BIGINT)) AS channel_key,
  named.channel,
  MAX(named.default_no) = 1 AS is_default
FROM named
GROUP BY
  named.channel
UNION ALL
SELECT
  0 AS channel_key,
  '(unknown)' AS channel,
  FALSE AS is_default
FROM meta.project AS project;

-- A supplier as it was described for a time: one row per description and span of validity (type 2).
-- refresh: by key
CREATE TABLE gold.dim_supplier (
    supplier_key          bigint      PRIMARY KEY, -- hash of source, supplier and the version's own instant; 0 = unknown
    supplier_durable_key  bigint      NOT NULL,    -- hash of source and supplier: the same over all versions; 0 = unknown
    source_name           text        NOT NULL,    -- the source whose code supplier_id is
    supplier_id           text        NOT NULL,    -- the source's own code
    supplier_name         text,                    -- name
    country_code          text,                    -- ISO 3166-1 alpha-2
    agreed_lead_time_days integer,                 -- days from order to delivery, as agreed
    valid_from_at         timestamptz NOT NULL,    -- from when this description held; the first one from 1900-01-01
    valid_to_at           timestamptz NOT NULL
        CHECK (valid_to_at > valid_from_at),       -- until when, exclusive: next version or deletion; 9999-12-31 = open
    superseded_at         timestamptz NOT NULL
        CHECK (superseded_at >= valid_to_at),      -- until when it is the last known description: the next one, deletions passed over
    is_current            boolean     NOT NULL,    -- open version: the source still lists the supplier so
    is_latest             boolean     NOT NULL     -- last known version, also of a deleted supplier: exactly one per durable key
);

-- Versions as in gold.dim_product.
WITH described AS (
    SELECT
        supplier.source_name,
        supplier.supplier_id,
        supplier.version_at,
        supplier.is_deleted,
        CASE WHEN supplier.is_deleted THEN 'deleted' ELSE row_hash(
            supplier.supplier_name, supplier.country_code, supplier.agreed_lead_time_days
        ) END AS content_hash
    FROM silver.supplier AS supplier
),

compared AS (
    SELECT
        source_name,
        supplier_id,
        version_at,
        is_deleted,
        content_hash,
        LAG(content_hash) OVER (PARTITION BY source_name, supplier_id ORDER BY version_at) AS previous_hash
    FROM described
),

version AS (
    SELECT
        source_name,
        supplier_id,
        version_at,
        is_deleted,
        LAG(version_at) OVER (PARTITION BY source_name, supplier_id ORDER BY version_at) AS previous_at,
        LEAD(version_at) OVER (PARTITION BY source_name, supplier_id ORDER BY version_at) AS next_at,
        LEAD(is_deleted) OVER (PARTITION BY source_name, supplier_id ORDER BY version_at) AS is_next_deleted,
        LEAD(version_at, 2) OVER (PARTITION BY source_name, supplier_id ORDER BY version_at) AS next_but_one_at
    FROM compared
    WHERE previous_hash IS NULL OR previous_hash <> content_hash
)

SELECT
    dim_key(version.source_name, version.supplier_id, instant_text(version.version_at)) AS supplier_key,
    dim_key(version.source_name, version.supplier_id) AS supplier_durable_key,
    version.source_name,
    version.supplier_id,
    supplier.supplier_name,
    supplier.country_code,
    supplier.agreed_lead_time_days,
    CASE
        WHEN version.previous_at IS NULL THEN TIMESTAMPTZ '1900-01-01 00:00:00+00' ELSE version.version_at
    END AS valid_from_at,
    COALESCE(version.next_at, TIMESTAMPTZ '9999-12-31 00:00:00+00') AS valid_to_at,
    COALESCE(
        CASE WHEN version.is_next_deleted THEN version.next_but_one_at ELSE version.next_at END,
        TIMESTAMPTZ '9999-12-31 00:00:00+00'
    ) AS superseded_at,
    version.next_at IS NULL AS is_current,
    version.next_at IS NULL OR (version.is_next_deleted AND version.next_but_one_at IS NULL) AS is_latest
FROM version
INNER JOIN silver.supplier AS supplier
    ON supplier.source_name = version.source_name
    AND supplier.supplier_id = version.supplier_id
    AND supplier.version_at = version.version_at
WHERE NOT version.is_deleted
UNION ALL
SELECT
    0 AS supplier_key,
    0 AS supplier_durable_key,
    '(unknown)' AS source_name,
    '(unknown)' AS supplier_id,
    '(unknown)' AS supplier_name,
    CAST(NULL AS text) AS country_code,
    CAST(NULL AS integer) AS agreed_lead_time_days,
    TIMESTAMPTZ '1900-01-01 00:00:00+00' AS valid_from_at,
    TIMESTAMPTZ '9999-12-31 00:00:00+00' AS valid_to_at,
    TIMESTAMPTZ '9999-12-31 00:00:00+00' AS superseded_at,
    TRUE AS is_current,
    TRUE AS is_latest
FROM meta.project AS project;

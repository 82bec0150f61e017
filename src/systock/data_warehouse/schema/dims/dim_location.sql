-- A place as it was described for a time: one row per description and span of validity (type 2).
-- refresh: by key
CREATE TABLE gold.dim_location (
    location_key         bigint         PRIMARY KEY, -- hash of source, location and the version's own instant; 0 = unknown
    location_durable_key bigint         NOT NULL,    -- hash of source and location: the same over all versions; 0 = unknown
    source_name          text           NOT NULL,    -- the source whose code location_id is
    location_id          text           NOT NULL,    -- the source's own code
    location_name        text,                       -- name
    location_type        text           NOT NULL
        CHECK (location_type IN ('store', 'warehouse', 'online', 'transit', 'virtual', '(unknown)')), -- what kind of place
    region               text,                       -- sales region
    city                 text,                       -- city
    country_code         text,                       -- ISO 3166-1 alpha-2
    timezone             text           NOT NULL,    -- IANA zone; where the source omits it, the project's
    is_timezone_known    boolean        NOT NULL,    -- did the source state a zone that exists?
    business_day_cutover time           NOT NULL,    -- local time at which the business day begins
    currency_code        text           NOT NULL,    -- ISO 4217; where the source omits it, the project's
    opened_date          date,                       -- first trading day
    closed_date          date,                       -- last trading day
    floor_area_m2        numeric(18, 3),             -- selling area in square metres
    valid_from_at        timestamptz    NOT NULL,    -- from when this description held; the first one from 1900-01-01
    valid_to_at          timestamptz    NOT NULL
        CHECK (valid_to_at > valid_from_at),         -- until when, exclusive: next version or deletion; 9999-12-31 = open
    superseded_at        timestamptz    NOT NULL
        CHECK (superseded_at >= valid_to_at),        -- until when it is the last known description: the next one, deletions passed over
    is_current           boolean        NOT NULL,    -- open version: the source still lists the place so
    is_latest            boolean        NOT NULL     -- last known version, also of a deleted place: exactly one per durable key
);

-- Versions as in gold.dim_product. A zone that no engine knows counts as not stated.
WITH place AS (
    SELECT
        location.source_name,
        location.location_id,
        location.version_at,
        location.is_deleted,
        location.location_name,
        location.location_type,
        location.region,
        location.city,
        location.country_code,
        CASE
            WHEN utc_to_local(TIMESTAMPTZ '2000-01-01 00:00:00+00', location.timezone) IS NOT NULL
                THEN location.timezone
            ELSE project.timezone
        END AS timezone,
        utc_to_local(TIMESTAMPTZ '2000-01-01 00:00:00+00', location.timezone) IS NOT NULL AS is_timezone_known,
        COALESCE(location.business_day_cutover, project.business_day_cutover) AS business_day_cutover,
        COALESCE(location.currency_code, project.currency_code) AS currency_code,
        location.opened_date,
        location.closed_date,
        location.floor_area_m2
    FROM silver.location AS location
    CROSS JOIN meta.project AS project
),

described AS (
    SELECT
        source_name,
        location_id,
        version_at,
        is_deleted,
        CASE WHEN is_deleted THEN 'deleted' ELSE row_hash(
            location_name, location_type, region, city, country_code, timezone, is_timezone_known,
            business_day_cutover, currency_code, opened_date, closed_date, floor_area_m2
        ) END AS content_hash
    FROM place
),

compared AS (
    SELECT
        source_name,
        location_id,
        version_at,
        is_deleted,
        content_hash,
        LAG(content_hash) OVER (PARTITION BY source_name, location_id ORDER BY version_at) AS previous_hash
    FROM described
),

version AS (
    SELECT
        source_name,
        location_id,
        version_at,
        is_deleted,
        LAG(version_at) OVER (PARTITION BY source_name, location_id ORDER BY version_at) AS previous_at,
        LEAD(version_at) OVER (PARTITION BY source_name, location_id ORDER BY version_at) AS next_at,
        LEAD(is_deleted) OVER (PARTITION BY source_name, location_id ORDER BY version_at) AS is_next_deleted,
        LEAD(version_at, 2) OVER (PARTITION BY source_name, location_id ORDER BY version_at) AS next_but_one_at
    FROM compared
    WHERE previous_hash IS NULL OR previous_hash <> content_hash
)

SELECT
    dim_key(version.source_name, version.location_id, instant_text(version.version_at)) AS location_key,
    dim_key(version.source_name, version.location_id) AS location_durable_key,
    version.source_name,
    version.location_id,
    place.location_name,
    place.location_type,
    place.region,
    place.city,
    place.country_code,
    place.timezone,
    place.is_timezone_known,
    place.business_day_cutover,
    place.currency_code,
    place.opened_date,
    place.closed_date,
    place.floor_area_m2,
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
INNER JOIN place
    ON place.source_name = version.source_name
    AND place.location_id = version.location_id
    AND place.version_at = version.version_at
WHERE NOT version.is_deleted
UNION ALL
SELECT
    0 AS location_key,
    0 AS location_durable_key,
    '(unknown)' AS source_name,
    '(unknown)' AS location_id,
    '(unknown)' AS location_name,
    '(unknown)' AS location_type,
    CAST(NULL AS text) AS region,
    CAST(NULL AS text) AS city,
    CAST(NULL AS text) AS country_code,
    project.timezone,
    FALSE AS is_timezone_known,
    project.business_day_cutover,
    project.currency_code,
    CAST(NULL AS date) AS opened_date,
    CAST(NULL AS date) AS closed_date,
    CAST(NULL AS numeric(18, 3)) AS floor_area_m2,
    TIMESTAMPTZ '1900-01-01 00:00:00+00' AS valid_from_at,
    TIMESTAMPTZ '9999-12-31 00:00:00+00' AS valid_to_at,
    TIMESTAMPTZ '9999-12-31 00:00:00+00' AS superseded_at,
    TRUE AS is_current,
    TRUE AS is_latest
FROM meta.project AS project;

-- What a store reports of a day beside its receipts: opening hours, footfall, hours worked, the target.
SELECT
    days.filiale AS location_id,
    days.tag AS business_date,
    -- 02:30 after an opening at 10:00 is on the next day.
    days.auf AS opened_time,
    days.zu AS closed_time,
    NULLIF(days.besucher, '') AS visitors,
    NULLIF(days.stunden, '') AS labour_hours,
    NULLIF(days.plan, '') AS target_amount,
    days.waehrung AS currency_code,
    days.geaendert AS updated_at
FROM bronze.erp__store_days AS days;

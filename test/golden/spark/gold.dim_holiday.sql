CREATE TABLE gold.dim_holiday (
  country_code STRING NOT NULL,
  region STRING NOT NULL,
  date_key DATE NOT NULL,
  holiday_name STRING
);
SELECT
  holiday.country_code,
  holiday.region,
  holiday.holiday_date AS date_key,
  MIN(holiday.holiday_name) AS holiday_name
FROM silver.holiday AS holiday
CROSS JOIN meta.project AS project
WHERE
  holiday.holiday_date BETWEEN project.calendar_from_date AND project.calendar_to_date
GROUP BY
  holiday.country_code,
  holiday.region,
  holiday.holiday_date;

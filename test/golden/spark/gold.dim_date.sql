CREATE TABLE gold.dim_date (
  date_key DATE NOT NULL,
  calendar_year INT NOT NULL,
  calendar_quarter INT NOT NULL,
  calendar_month INT NOT NULL,
  month_name STRING NOT NULL,
  month_start_date DATE NOT NULL,
  day_of_month INT NOT NULL,
  day_of_year INT NOT NULL,
  iso_year INT NOT NULL,
  iso_week INT NOT NULL,
  iso_day_of_week INT NOT NULL,
  iso_week_start_date DATE NOT NULL,
  day_name STRING NOT NULL,
  is_weekend BOOLEAN NOT NULL,
  retail_year INT NOT NULL,
  retail_year_start_date DATE NOT NULL,
  retail_weeks_in_year INT NOT NULL,
  retail_quarter INT NOT NULL,
  retail_month INT NOT NULL,
  retail_month_name STRING NOT NULL,
  retail_week INT NOT NULL,
  retail_day_of_week INT NOT NULL,
  comparable_last_year_date DATE,
  same_week_last_year_date DATE
);
WITH calendar_day AS (
  SELECT
    spine.day AS date_key
  FROM meta.project AS project
  CROSS JOIN LATERAL (SELECT explode(CASE WHEN CAST(project.calendar_from_date AS DATE) <= CAST(project.calendar_to_date AS DATE) THEN sequence(CAST(project.calendar_from_date AS DATE), CAST(project.calendar_to_date AS DATE), INTERVAL '1' DAY) ELSE array() END) AS day) AS spine
), year_start AS (
  SELECT
    spine.day AS month_start_date,
    date_add(CAST(spine.day AS DATE), CAST((3 - (
      (weekday(date_add(CAST(spine.day AS DATE), CAST(3 AS INT))) + 1) % 7
    )) AS INT)) AS start_date
  FROM meta.project AS project
  CROSS JOIN LATERAL (SELECT explode(CASE WHEN CAST(date_add(CAST(project.calendar_from_date AS DATE), CAST((-800) AS INT)) AS DATE) <= CAST(date_add(CAST(project.calendar_to_date AS DATE), CAST(800 AS INT)) AS DATE) THEN sequence(CAST(date_add(CAST(project.calendar_from_date AS DATE), CAST((-800) AS INT)) AS DATE), CAST(date_add(CAST(project.calendar_to_date AS DATE), CAST(800 AS INT)) AS DATE), INTERVAL '1' DAY) ELSE array() END) AS day) AS spine
  WHERE
    EXTRACT(MONTH FROM spine.day) = project.retail_year_start_month
    AND EXTRACT(DAY FROM spine.day) = 1
), retail_year AS (
  SELECT
    CAST(EXTRACT(YEAR FROM month_start_date) AS INT) AS retail_year,
    month_start_date,
    start_date,
    LAG(start_date) OVER (ORDER BY start_date NULLS LAST) AS previous_start_date,
    LEAD(start_date) OVER (ORDER BY start_date NULLS LAST) AS next_start_date
  FROM year_start
), retail_day AS (
  SELECT
    calendar_day.date_key,
    retail_year.retail_year,
    retail_year.month_start_date,
    retail_year.start_date,
    retail_year.previous_start_date,
    datediff(CAST(calendar_day.date_key AS DATE), CAST(retail_year.start_date AS DATE)) AS days_into_year,
    (datediff(CAST(retail_year.next_start_date AS DATE), CAST(retail_year.start_date AS DATE)) DIV NULLIF(7, 0)) AS weeks_in_year,
    (datediff(CAST(calendar_day.date_key AS DATE), CAST(retail_year.start_date AS DATE)) DIV NULLIF(7, 0)) + 1 AS retail_week
  FROM calendar_day
  INNER JOIN retail_year
    ON calendar_day.date_key >= retail_year.start_date
    AND calendar_day.date_key < retail_year.next_start_date
), retail_quarter AS (
  SELECT
    date_key,
    retail_year,
    month_start_date,
    start_date,
    previous_start_date,
    days_into_year,
    weeks_in_year,
    retail_week,
    LEAST(((retail_week - 1) DIV NULLIF(13, 0)), 3) + 1 AS retail_quarter,
    retail_week - 13 * LEAST(((retail_week - 1) DIV NULLIF(13, 0)), 3) AS week_of_quarter
  FROM retail_day
), retail_month AS (
  SELECT
    date_key,
    retail_year,
    month_start_date,
    start_date,
    previous_start_date,
    days_into_year,
    weeks_in_year,
    retail_week,
    retail_quarter,
    3 * (
      retail_quarter - 1
    ) + CASE WHEN week_of_quarter <= 4 THEN 1 WHEN week_of_quarter <= 9 THEN 2 ELSE 3 END AS retail_month
  FROM retail_quarter
)
SELECT
  date_key,
  CAST(EXTRACT(YEAR FROM date_key) AS INT) AS calendar_year,
  CAST(EXTRACT(QUARTER FROM date_key) AS INT) AS calendar_quarter,
  CAST(EXTRACT(MONTH FROM date_key) AS INT) AS calendar_month,
  date_format(date_key, 'MMMM') AS month_name,
  date_add(CAST(date_key AS DATE), CAST((1 - CAST(EXTRACT(DAY FROM date_key) AS INT)) AS INT)) AS month_start_date,
  CAST(EXTRACT(DAY FROM date_key) AS INT) AS day_of_month,
  CAST(EXTRACT(DOY FROM date_key) AS INT) AS day_of_year,
  extract(YEAROFWEEK FROM date_key) AS iso_year,
  weekofyear(date_key) AS iso_week,
  (weekday(date_key) + 1) AS iso_day_of_week,
  date_add(CAST(date_key AS DATE), CAST((1 - (weekday(date_key) + 1)) AS INT)) AS iso_week_start_date,
  date_format(date_key, 'EEEE') AS day_name,
  (weekday(date_key) + 1) >= 6 AS is_weekend,
  retail_year,
  start_date AS retail_year_start_date,
  weeks_in_year AS retail_weeks_in_year,
  retail_quarter,
  retail_month,
  date_format(date_add(CAST(month_start_date AS DATE), CAST((30 * (
    retail_month - 1
  ) + 14) AS INT)), 'MMMM') AS retail_month_name,
  retail_week,
  (
    (weekday(date_key) + 1) % 7
  ) + 1 AS retail_day_of_week,
  CASE
    WHEN retail_week <= 52
    THEN date_add(CAST(date_key AS DATE), CAST((-364) AS INT))
  END AS comparable_last_year_date,
  CASE
    WHEN date_add(CAST(previous_start_date AS DATE), CAST(days_into_year AS INT)) < start_date
    THEN date_add(CAST(previous_start_date AS DATE), CAST(days_into_year AS INT))
  END AS same_week_last_year_date
FROM retail_month;

CREATE TABLE serve.cost_bridge (
  currency_code STRING NOT NULL,
  movement_kind STRING NOT NULL,
  period_last_date DATE NOT NULL,
  other_period_last_date DATE NOT NULL,
  period_first_date DATE NOT NULL,
  restated_amount DECIMAL(18, 4) NOT NULL,
  posted_amount DECIMAL(18, 4) NOT NULL,
  difference_amount DECIMAL(18, 4) NOT NULL,
  late_amount DECIMAL(18, 4) NOT NULL,
  corrected_amount DECIMAL(18, 4) NOT NULL,
  withdrawn_amount DECIMAL(18, 4) NOT NULL,
  revalued_amount DECIMAL(18, 4) NOT NULL
);
WITH booking AS (
  SELECT
    currency_code,
    movement_kind,
    business_date,
    posted_date,
    posting_reason,
    SUM(cost_amount) AS cost_amount
  FROM serve.cost_as_posted
  GROUP BY
    currency_code,
    movement_kind,
    business_date,
    posted_date,
    posting_reason
), booked_day AS (
  SELECT
    business_date AS day
  FROM booking
  UNION
  SELECT
    posted_date AS day
  FROM booking
), period_day AS (
  SELECT
    booked_day.day,
    COALESCE(MIN(period.closed_through_date), CAST('9999-12-31' AS DATE)) AS period_last_date
  FROM booked_day
  LEFT JOIN silver.period_close__versions AS period
    ON period.closed_through_date >= booked_day.day AND NOT period.is_deleted
  GROUP BY
    booked_day.day
), period_booking AS (
  SELECT
    booking.currency_code,
    booking.movement_kind,
    booking.posting_reason,
    own.period_last_date AS own_last_date,
    posted.period_last_date AS posted_last_date,
    booking.cost_amount
  FROM booking
  INNER JOIN period_day AS own
    ON own.day = booking.business_date
  INNER JOIN period_day AS posted
    ON posted.day = booking.posted_date
), side AS (
  SELECT
    currency_code,
    movement_kind,
    posting_reason,
    own_last_date AS period_last_date,
    posted_last_date AS other_period_last_date,
    cost_amount AS restated_amount,
    0 AS posted_amount,
    -cost_amount AS difference_amount
  FROM period_booking
  UNION ALL
  SELECT
    currency_code,
    movement_kind,
    posting_reason,
    posted_last_date AS period_last_date,
    own_last_date AS other_period_last_date,
    0 AS restated_amount,
    cost_amount AS posted_amount,
    cost_amount AS difference_amount
  FROM period_booking
), bridge AS (
  SELECT
    currency_code,
    movement_kind,
    period_last_date,
    other_period_last_date,
    SUM(restated_amount) AS restated_amount,
    SUM(posted_amount) AS posted_amount,
    SUM(difference_amount) AS difference_amount,
    SUM(CASE WHEN posting_reason = 'late' THEN difference_amount ELSE 0 END) AS late_amount,
    SUM(CASE WHEN posting_reason = 'corrected' THEN difference_amount ELSE 0 END) AS corrected_amount,
    SUM(CASE WHEN posting_reason = 'withdrawn' THEN difference_amount ELSE 0 END) AS withdrawn_amount,
    SUM(CASE WHEN posting_reason = 'revalued' THEN difference_amount ELSE 0 END) AS revalued_amount
  FROM side
  GROUP BY
    currency_code,
    movement_kind,
    period_last_date,
    other_period_last_date
), period_start AS (
  SELECT
    bridge.period_last_date,
    MAX(period.closed_through_date) AS closed_before_date
  FROM (
    SELECT DISTINCT
      period_last_date
    FROM bridge
  ) AS bridge
  INNER JOIN silver.period_close__versions AS period
    ON period.closed_through_date < bridge.period_last_date
  WHERE
    NOT period.is_deleted
  GROUP BY
    bridge.period_last_date
)
SELECT
  bridge.currency_code,
  bridge.movement_kind,
  bridge.period_last_date,
  bridge.other_period_last_date,
  COALESCE(
    date_add(CAST(period_start.closed_before_date AS DATE), CAST(1 AS INT)),
    project.calendar_from_date
  ) AS period_first_date,
  CAST(bridge.restated_amount AS DECIMAL(18, 4)) AS restated_amount,
  CAST(bridge.posted_amount AS DECIMAL(18, 4)) AS posted_amount,
  CAST(bridge.difference_amount AS DECIMAL(18, 4)) AS difference_amount,
  CAST(bridge.late_amount AS DECIMAL(18, 4)) AS late_amount,
  CAST(bridge.corrected_amount AS DECIMAL(18, 4)) AS corrected_amount,
  CAST(bridge.withdrawn_amount AS DECIMAL(18, 4)) AS withdrawn_amount,
  CAST(bridge.revalued_amount AS DECIMAL(18, 4)) AS revalued_amount
FROM bridge
CROSS JOIN meta.project AS project
LEFT JOIN period_start
  ON period_start.period_last_date = bridge.period_last_date;

CREATE TABLE meta.project (
  project_name STRING NOT NULL,
  currency_code STRING NOT NULL,
  timezone STRING NOT NULL,
  business_day_cutover STRING NOT NULL,
  retail_year_start_month INT NOT NULL,
  cost_method STRING NOT NULL,
  calendar_from_date DATE NOT NULL,
  calendar_to_date DATE NOT NULL
);

CREATE TABLE meta.capture (
  as_of TIMESTAMP NOT NULL,
  as_of_date DATE NOT NULL,
  ended_by_at TIMESTAMP NOT NULL
);

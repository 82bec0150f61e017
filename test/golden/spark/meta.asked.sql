CREATE TABLE meta.asked (
  as_of DATE NOT NULL,
  first_date DATE NOT NULL,
  last_date DATE NOT NULL,
  known_at TIMESTAMP NOT NULL
);

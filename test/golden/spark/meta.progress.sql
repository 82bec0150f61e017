CREATE TABLE meta.progress (
  generation BIGINT NOT NULL,
  commit_no INT NOT NULL,
  known_at TIMESTAMP,
  history_from_at TIMESTAMP NOT NULL
);

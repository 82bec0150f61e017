CREATE TABLE meta.generation (
  generation BIGINT NOT NULL,
  commit_no INT NOT NULL,
  known_at TIMESTAMP,
  published_at TIMESTAMP NOT NULL
);

-- A generation that readers could see: what it knew, and when it was made.
-- refresh: build
CREATE TABLE meta.generation (
    generation   bigint      PRIMARY KEY, -- number of the generation
    commit_no    integer     NOT NULL,    -- last landing commit in it
    known_at     timestamptz,             -- when that commit became known
    published_at timestamptz NOT NULL     -- when it was built for publishing
);

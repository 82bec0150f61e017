-- How far this file is: the generation it holds and the last landing commit in it; one row.
-- refresh: build
CREATE TABLE meta.progress (
    generation      bigint      PRIMARY KEY, -- number of the generation
    commit_no       integer     NOT NULL,    -- last landing commit taken in
    known_at        timestamptz,             -- when that commit became known; NULL before the first
    history_from_at timestamptz NOT NULL     -- from this instant on the tables of versions tell every state of knowledge
);

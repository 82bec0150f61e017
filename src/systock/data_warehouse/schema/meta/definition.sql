-- The definitions that this file was built by, from its first landing commit on: one row.
-- refresh: build
CREATE TABLE meta.definition (
    definition_hash text NOT NULL,   -- hash of settings, contracts, mappings, table files and version
    build_id        text PRIMARY KEY -- names this file from its making on: another one has another, by the same definitions too
);

"""What the columns and functions of SyStock's own schema on a server mean, as comments there."""

from __future__ import annotations

from systock.data_warehouse.engine.postgres_ddl import text_sql

_COLUMNS = {
    "target": {
        "one": "always true: the table has one row at most",
        "project": "name of the project that published",
        "log_id": "names the landing log that it was made from",
        "build_id": "names the build file that it was made from",
        "generation": "number of the generation",
        "commit_no": "last landing commit in it",
        "known_at": "when that commit became known; NULL before the first",
        "definition_hash": "hash of the definitions that it was made by",
        "published_at": "when it was published here, by the clock of the server",
    },
    "object": {
        "name": "table, view, function or procedure: schema.name",
        "structure": "hash of the SQL that made it",
        "told": "hash of the SQL of its comments; empty where they are part of structure",
        "columns": "names and types of its columns as they were made; NULL for functions and procedures",
        "types": "of a table: the canonical types of its columns, by name",
        "parts": "of a table: columns, checks, keys, indexes and references, each by name with its SQL",
        "definition": "hash of what the server said of a view, function or procedure right after it was made",
    },
    "hand_change": {
        "change_no": "number of the note",
        "changed_at": "when the transaction that changed it began",
        "table_name": "the table that was changed: schema.name",
        "operation": "INSERT, UPDATE, DELETE or TRUNCATE",
        "role_name": "who had logged in",
    },
    "capture": {
        "capture_no": "number of the capture",
        "capture_id": "names it for good, wherever the database is copied or put back to",
        "kind": "which kind of snapshot: product_state, sales_state or stock_state",
        "as_of": "the instant that it tells of",
        "as_of_date": "the business day of that instant",
        "project": "name of the project whose generation it was taken from",
        "log_from": "when the first landing commit of that project became known; NULL without one",
        "generation": "number of that generation",
        "known_at": "when the last landing commit in it became known; NULL before the first",
        "captured_at": "when it was captured, by the clock of the server",
        "captured_by": "who had logged in",
        "row_count": "rows of the state",
        "columns": "names of its columns, in the order of the cells",
        "landed_at": "when it came back as a snapshot; NULL while it waits",
    },
    "captured_row": {
        "capture_no": "the capture that the row is of; several rows have one, and nothing else names a row",
        "cells": "its values as text, in the order of capture.columns",
    },
    "visible_location": {
        "role_name": "the role of row_access",
        "location_durable_key": "the place: hash of its source and id",
        "source_name": "source of the place",
        "location_id": "code of the place",
        "is_whole_code": "the role sees all places that have this code",
    },
}
_FUNCTIONS = {
    "note_hand_change()": "Trigger: notes a statement of others on a table of SyStock in systock.hand_change.",
    "check_capture(timestamptz, boolean)": "Stops a capture that no state can be told of: nothing published yet, no instant, or one to come.",
}

#: The statements that make them; each may be run again.
OWN_COMMENTS = (
    *(
        f"COMMENT ON COLUMN systock.{table}.{column} IS {text_sql(text)}"
        for table, columns in _COLUMNS.items()
        for column, text in columns.items()
    ),
    *(f"COMMENT ON FUNCTION systock.{function} IS {text_sql(text)}" for function, text in _FUNCTIONS.items()),
)

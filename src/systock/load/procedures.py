"""Procedures of a server: those that capture states (see postgres_procedures), one that clears away, and who may call them."""

from __future__ import annotations

from collections.abc import Sequence

from systock.data_warehouse.engine.postgres_ddl import text_sql
from systock.data_warehouse.engine.postgres_procedures import SECURE, capture_signatures, capture_statements
from systock.data_warehouse.table_file import TableFile
from systock.load.roles import KEEPER, LOADER, OWNER

#: How long notes are kept, and dropping what nobody should read any more waits for those who still do.
_KEEP, _PATIENCE = "90 days", "2s"


def capture_procedure(kind: TableFile) -> list[str]:
    """The statements that make the procedures that capture a kind of snapshot, for those who may call them."""
    return [*capture_statements(kind), *(right for name in capture_signatures(kind) for right in _rights(name))]


def prune_procedure(schemas: Sequence[str]) -> list[str]:
    """The statements that make the procedure that clears away what a server keeps beside what is published. schemas: those that are published to.

    The last note of each kind of change by hand stays, so that the next run still tells of it; what has not landed stays.
    """
    ours = ", ".join(map(text_sql, schemas))
    return [
        f"""CREATE PROCEDURE "meta"."prune"(keep interval DEFAULT INTERVAL '{_KEEP}')
LANGUAGE plpgsql {SECURE} SET lock_timeout = '{_PATIENCE}' AS $prune$
DECLARE
    landed bigint; noted bigint; aside text;
BEGIN
    IF keep IS NULL OR keep < INTERVAL '0' THEN
        RAISE EXCEPTION 'keep is no span of time: %', coalesce(CAST(keep AS text), 'NULL') USING ERRCODE = '22023';
    END IF;
    DELETE FROM systock.capture WHERE landed_at < now() - keep;
    GET DIAGNOSTICS landed = ROW_COUNT;
    DELETE FROM systock.hand_change AS note WHERE note.changed_at < now() - keep AND EXISTS (
        SELECT FROM systock.hand_change AS later
        WHERE later.table_name = note.table_name AND later.operation = note.operation AND later.change_no > note.change_no);
    GET DIAGNOSTICS noted = ROW_COUNT;
    SELECT string_agg(format('%I', nspname), ', ') INTO aside FROM pg_namespace
    WHERE regexp_replace(nspname, '__old_\\d+$', '') = ANY(ARRAY[{ours}]) AND nspname <> ALL(ARRAY[{ours}])
        AND nspowner = to_regrole('{OWNER}');
    IF aside IS NOT NULL THEN
        BEGIN
            EXECUTE 'DROP SCHEMA ' || aside || ' CASCADE';
        EXCEPTION WHEN lock_not_available THEN
            RAISE NOTICE 'still being read, left: %', aside;
            aside := NULL;
        END;
    END IF;
    RAISE NOTICE 'removed: % captures that have landed, % notes of changes by hand, tables that went aside: %',
        landed, noted, coalesce(aside, 'none');
END
$prune$""",
        *_rights('"meta"."prune"(interval)'),
        "COMMENT ON PROCEDURE meta.prune(interval) IS "
        "'Removes captures that landed and notes of changes by hand older than keep, and tables that went aside.'",
    ]


def _rights(procedure: str) -> list[str]:
    return [
        f"REVOKE ALL ON PROCEDURE {procedure} FROM PUBLIC",
        f"GRANT EXECUTE ON PROCEDURE {procedure} TO {LOADER}, {KEEPER}",
    ]

"""States that procedures captured on a server (see postgres_procedures): the tables that keep them there until they have landed.

They lie in SyStock's own schema, which no publication makes anew, and as texts with the names of their columns, which no
definition changes: what was captured waits as it was, whatever is published meanwhile.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from systock.data_warehouse.snapshots import SNAPSHOT_SOURCE
from systock.load.target_session import TargetSession

if TYPE_CHECKING:
    import pyarrow as pa

    from systock.load.changed_rows import BuildFile

#: What the position of a landed capture says before its id.
CAPTURED = " captured "
#: So many rows are brought at a time: it bounds the memory that this takes.
_ROWS_PER_BATCH = 20_000

#: Their tables. A capture is known by capture_id: numbers come again where a server was put back from a copy.
CAPTURE_TABLES = (
    """CREATE TABLE IF NOT EXISTS systock.capture (
    capture_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, capture_id uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    kind text NOT NULL, as_of timestamptz NOT NULL, as_of_date date NOT NULL,
    project text NOT NULL, log_from timestamptz, generation bigint NOT NULL, known_at timestamptz,
    captured_at timestamptz NOT NULL, captured_by text NOT NULL DEFAULT session_user, row_count bigint NOT NULL,
    columns text[] NOT NULL, landed_at timestamptz
)""",
    "COMMENT ON TABLE systock.capture IS 'States captured here, of which generation; landed_at: when they came back as snapshots.'",
    "CREATE TABLE IF NOT EXISTS systock.captured_row (capture_no bigint NOT NULL, cells text[] NOT NULL)",
    "CREATE INDEX IF NOT EXISTS captured_row_capture_no_idx ON systock.captured_row (capture_no)",
    "COMMENT ON TABLE systock.captured_row IS 'Rows of states that have not landed yet: the values of capture.columns, as text.'",
    """CREATE OR REPLACE FUNCTION systock.check_capture(as_of timestamptz, is_published boolean) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF NOT is_published THEN
        RAISE EXCEPTION 'nothing is published here that this transaction can see' USING ERRCODE = '55000',
            DETAIL = 'Nothing was kept.', HINT = 'Run ''systock run'' first; a transaction that is older than the tables is begun anew.';
    ELSIF as_of IS NULL OR NOT isfinite(as_of) OR as_of < TIMESTAMPTZ '0001-01-02 00:00:00+00' THEN
        RAISE EXCEPTION 'as_of is no instant: %', coalesce(CAST(as_of AS text), 'NULL') USING ERRCODE = '22023',
            DETAIL = 'Nothing was kept.', HINT = 'Leave as_of out for the state of now.';
    ELSIF as_of > clock_timestamp() THEN
        RAISE EXCEPTION 'as_of is still to come: %', as_of USING ERRCODE = '22023', DETAIL = 'Nothing was kept.',
            HINT = format('Nobody can know that state before %s: leave as_of out for the state of now.', as_of);
    END IF;
END
$$""",
    "REVOKE ALL ON FUNCTION systock.check_capture(timestamptz, boolean) FROM PUBLIC",
)


@dataclass(frozen=True)
class ServerCapture:
    """A state captured on a server: of what kind, as of when, from which knowledge; its columns, and how many rows it has."""

    no: int
    id: str
    kind: str
    as_of: datetime
    as_of_date: date
    known_at: datetime | None
    captured_at: datetime
    columns: Sequence[str]
    row_count: int


def waiting_captures(session: TargetSession, project: str, log_from: str | None) -> list[ServerCapture]:
    """What was captured of a project's generations and is not marked as landed, in the order in which it was captured.

    log_from: when the first landing of the project's log became known, which tells logs apart, whatever the project is called.
    """
    rows = session.rows(
        """SELECT capture_no, CAST(capture_id AS text), kind, as_of, as_of_date, known_at, captured_at, columns, row_count
        FROM systock.capture
        WHERE landed_at IS NULL AND (log_from = CAST(%s AS timestamptz) OR (log_from IS NULL AND project = %s))
        ORDER BY captured_at, capture_no""",
        (log_from, project),
    )
    return [ServerCapture(*row) for row in rows]


def waiting_count(session: TargetSession) -> int:
    """How many captures have not landed, whosever they are."""
    return int(session.rows("SELECT count(*) FROM systock.capture WHERE landed_at IS NULL")[0][0])


def rows_of(session: TargetSession, capture: ServerCapture) -> Iterator[pa.Table]:
    """The rows of a capture, as text, part by part, within a transaction of the session."""
    import pyarrow as pa

    with session.errors(), session.connection.cursor("captured") as cursor:
        cursor.execute("SELECT cells FROM systock.captured_row WHERE capture_no = %s", (capture.no,))
        while rows := cursor.fetchmany(_ROWS_PER_BATCH):
            columns = zip(*(cells for (cells,) in rows), strict=True)
            yield pa.table([pa.array(column, pa.string()) for column in columns], names=list(capture.columns))


def captures_in(paths: Collection[str]) -> set[str]:
    """The ids of the captures among the positions of landed snapshots."""
    return {path.rpartition(CAPTURED)[2] for path in paths if CAPTURED in path}


def mark_landed(session: TargetSession, build: BuildFile) -> int:
    """Mark the captures that the build file has as landed, and drop their rows here; how many.

    Part of the publication's transaction: a capture leaves the server when the server gets it as a snapshot.
    """
    waiting = [
        id_ for (id_,) in session.rows("SELECT CAST(capture_id AS text) FROM systock.capture WHERE landed_at IS NULL")
    ]
    if not waiting:
        return 0
    found = build.engine.rows("SELECT path FROM meta.batch WHERE source_name = ?", (SNAPSHOT_SOURCE,))
    landed = sorted(captures_in([path for (path,) in found]).intersection(waiting))
    session.execute(
        """DELETE FROM systock.captured_row WHERE capture_no IN (
            SELECT capture_no FROM systock.capture WHERE CAST(capture_id AS text) = ANY(%s))""",
        (landed,),
    )
    return session.execute(
        "UPDATE systock.capture SET landed_at = now() WHERE CAST(capture_id AS text) = ANY(%s)", (landed,)
    )

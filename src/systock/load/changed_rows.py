"""What a server lacks, read from the build file: the rows that changed since the generation that it has, and the keys they had."""

from __future__ import annotations

from dataclasses import dataclass

from systock.data_warehouse.compiled import FOREVER
from systock.data_warehouse.engine.base import Engine
from systock.data_warehouse.touched_log import TouchedLog
from systock.load.target_schema import TargetTable
from systock.sql_text import quoted

#: What tells a set of batches from others, of meta.batch: the same here and on a server, whatever its collation.
BATCHES_HASH = """coalesce(md5(string_agg(batch_id, ',' ORDER BY batch_no)), '')"""
#: When a version of silver was last said (see silver_layer/versions).
_SEEN = "_extracted_at"


@dataclass(frozen=True)
class Held:
    """The generation that a build file or a server holds, and what it was made by. log_id: names the landing log behind it."""

    project: str
    log_id: str
    build_id: str
    generation: int
    commit_no: int
    known_at: str | None
    definition_hash: str


@dataclass(frozen=True)
class BuildFile(Held):
    """The build file that is published: what it holds, and the log of what its generations touched."""

    engine: Engine
    log: TouchedLog

    def has_published(self, since: Since) -> bool:
        """Is that one of the generations that led to this one? Where a project was put back from a copy it need not be."""
        instant = f"TIMESTAMPTZ '{since.known_at}'"
        return bool(
            self.engine.rows(
                f"SELECT 1 FROM meta.generation WHERE generation = {since.generation} AND commit_no = {since.commit_no} AND known_at = {instant}"
            )
        )

    def batch_ids(self) -> list[str]:
        """The batches that it is made from, by their ids."""
        return [id_ for (id_,) in self.engine.rows("SELECT batch_id FROM meta.batch")]

    def batches_hash(self, up_to_commit: int) -> str:
        """Tells its batches up to a landing commit from others (see target_state.batches_hash)."""
        [(digest,)] = self.engine.rows(f"SELECT {BATCHES_HASH} FROM meta.batch WHERE commit_no <= {up_to_commit}")
        return str(digest)


@dataclass(frozen=True)
class Since:
    """What a server has: it lacks what came later."""

    generation: int
    commit_no: int
    known_at: str


@dataclass(frozen=True)
class Changed:
    """What changed in a table: queries of the rows as they are now, and of the keys that were touched.

    keys: None where no row ever goes; for `whole` every row is among `rows`, and what is not has gone.
    """

    rows: str
    keys: str | None = None
    whole: bool = False


def read_build(engine: Engine, log: TouchedLog) -> BuildFile:
    """What a build file holds."""
    [(generation, commit_no, known_at)] = engine.rows(
        "SELECT generation, commit_no, CAST(known_at AS VARCHAR) FROM meta.progress"
    )
    [(definition_hash, build_id)] = engine.rows("SELECT definition_hash, build_id FROM meta.definition")
    [(project,)] = engine.rows("SELECT project_name FROM meta.project")
    [(first,)] = engine.rows("SELECT coalesce(CAST(min(known_at) AS VARCHAR), '') FROM meta.batch")
    return BuildFile(project, first, build_id, generation, commit_no, known_at, definition_hash, engine, log)


def changed_since(build: BuildFile, table: TargetTable, since: Since | None) -> Changed:
    """What a server that has everything up to `since` lacks of a table; None: nothing is taken for granted."""
    whole = Changed(_select(table), whole=True)
    if since is None:
        return whole
    instant = f"TIMESTAMPTZ '{since.known_at}'"
    match table.follows:
        case "log":
            keys = build.log.keys_sql(table.qualified, [c.name for c in table.key], since.generation)
            if keys is None:
                return whole
            names = ", ".join(quoted(column.name) for column in table.key)
            return Changed(f"{_select(table)} SEMI JOIN ({keys}) AS touched USING ({names})", keys)
        case "versions":
            # Those that were opened since, and those that were closed: a version never goes. What was said once more changes in
            # when it was last seen, and in nothing else: that is the instant of a batch that landed since.
            closed = f"known_to_at > {instant} AND known_to_at < {FOREVER}"
            changed = f"known_from_at > {instant} OR ({closed})"
            if any(column.name == _SEEN for column in table.columns):
                changed += f" OR {_SEEN} IN (SELECT extracted_at FROM meta.batch WHERE commit_no > {since.commit_no})"
            return Changed(f"{_select(table)} WHERE {changed}")
        case "commit":
            return Changed(f"{_select(table)} WHERE {quoted(table.grows_by)} > {since.commit_no}")
        case "generation":
            return Changed(f"{_select(table)} WHERE {quoted(table.grows_by)} > {since.generation}")
        case "instant":
            return Changed(f"{_select(table)} WHERE {quoted(table.grows_by)} > {instant}")
    return whole


def _select(table: TargetTable) -> str:
    columns = ", ".join(quoted(column.name) for column in table.columns)
    return f"SELECT {columns} FROM {quoted(table.schema, table.name)}"

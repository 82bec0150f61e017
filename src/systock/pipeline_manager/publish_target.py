"""The server beside the published file: bringing it to the generation that the file has, and telling how far it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from systock.errors import TargetError, UsageError

if TYPE_CHECKING:
    from systock.load.changed_rows import BuildFile
    from systock.load.publish_postgres import Brought
    from systock.pipeline_manager.build import Progress
    from systock.pipeline_manager.definitions import Definitions
    from systock.pipeline_manager.workplace import Workplace


def publish_target(
    place: Workplace, definitions: Definitions, progress: Progress, *, full: bool = False
) -> Brought | None:
    """Bring the server of the settings to the generation of the build file, which is published; None where there is none.

    full: compare every row. Raises TargetError when it refuses: it then keeps the generation that it had.
    """
    if place.settings.target.server is None:
        return None
    from systock.load.publish_postgres import publish_postgres

    schema = definitions.target_schema
    progress.stage("target", len(schema.tables))
    with _build_file(place) as build:
        try:
            return publish_postgres(place.settings.target, build, schema, full=full, advance=progress.advance)
        except TargetError as error:
            raise left_for_next_run(error, place, build.generation) from None


def left_for_next_run(error: TargetError, place: Workplace, generation: int | None) -> TargetError:
    """The error with what is published all the same, in the file."""
    here = f"{place.warehouse.name} holds generation {generation}; the next run that can brings the server up to it."
    error.state = f"{error.state or 'The server keeps the generation that it had.'} {here}"
    return error


def target_plan(place: Workplace, definitions: Definitions) -> str:
    """What a run would do on the server once it published here, in words."""
    from systock.load.plan_publication import plan_publication
    from systock.load.target_session import TargetSession

    if not place.build_file.exists():
        return "all rows would be sent"
    with _build_file(place) as build, TargetSession(place.settings.target) as session, session.transaction():
        plan = plan_publication(session, build, definitions.target_schema)
        if plan.how in ("nothing", "changes") and build.definition_hash != definitions.hash:
            plan = replace(plan, how="compare", why="the warehouse would be built anew")
    does = {
        "nothing": "what this run changes would be sent", "changes": "what changed would be sent",
        "first": "all rows would be sent", "compare": "all rows would be compared, and those that differ written",
        "in place": "its tables would be altered, then all rows compared, and those that differ written",
        "anew": "all tables would be made beside the old ones, and take their place at once",
    }  # fmt: skip
    return f"{session.where}: {does[plan.how]} ({plan.why})"


def target_status(place: Workplace, definitions: Definitions) -> dict[str, Any]:
    """The generation of the server and of the build file, what the next run would do there, and what was changed by hand."""
    from systock.load.access_rights import other_rights, ways_out
    from systock.load.captures import waiting_captures
    from systock.load.plan_publication import plan_publication
    from systock.load.row_access import access_gaps, places_there, unknown_entries
    from systock.load.target_session import TargetSession

    require_server(place)
    with _build_file(place) as build, TargetSession(place.settings.target) as session, session.transaction():
        schema, access = definitions.target_schema, place.settings.target.row_access
        plan = plan_publication(session, build, schema)
        gaps = access_gaps(session, schema, access) if plan.had else []
        warned = [*unknown_entries(access, places_there(session)), *ways_out(session, list(access))] if plan.had else []
        if gaps and plan.how == "nothing":
            plan = replace(plan, how="row_access", why="its generation is up to date, row_access is not")
        return {
            "server": session.where,
            "generation_there": plan.had.generation if plan.had else None,
            "published_at": plan.had.published_at if plan.had else None,
            "known_at_there": plan.had.known_at if plan.had else None,
            "generation_here": build.generation,
            "next": plan.how,
            "why": plan.why,
            "row_access": [
                *({"next_run": "yes", "what": text} for text in gaps),
                *({"next_run": "no", "what": text} for text in warned),
            ],
            "captures_waiting": len(waiting_captures(session, build.project, build.log_id or None)),
            "dropped": [{"table": part.table, "part": part.kind, "name": part.name} for part in plan.dropped],
            "altered": [asdict(question) for question in plan.altered],
            "other_rights": other_rights(session, schema, access) if plan.had else [],
            "hand_changes": [asdict(change) for change in plan.hand_changes],
        }


def init_target(place: Workplace, definitions: Definitions) -> list[dict[str, str]]:
    """Make the server of the settings a target: roles and schemas; what was made."""
    from systock.load import init_target as making
    from systock.load.row_access import PLACES, Place

    require_server(place)
    places = None
    if place.settings.target.row_access and place.warehouse.exists():
        with place.connect(place.warehouse, read_only=True) as engine:
            places = [Place(*row) for row in engine.rows(PLACES)]
    return making.init_target(place.settings.target, definitions.target_schema, places)


def built_generation(place: Workplace) -> int | None:
    """The generation of the build file; None where there is none that can be read."""
    if not place.build_file.exists():
        return None
    with _build_file(place) as build:
        return build.generation


def init_text(place: Workplace, definitions: Definitions) -> str:
    """The statements of `init_target`, for psql."""
    from systock.load.init_target import printed_sql
    from systock.load.target_session import name_in_url

    require_server(place)
    user, database = name_in_url(place.settings.target)
    statements = printed_sql(user, database, place.settings.target, definitions.target_schema)
    return "\n".join(f"{statement};" for statement in statements)


def require_server(place: Workplace) -> None:
    """Raise UsageError where the settings name no server."""
    if place.settings.target.server is None:
        raise UsageError(
            "no server is published to", where="target.url",
            todo="Name one in systock.toml: [target] url = \"postgresql://user:${PASSWORD}@host:5432/database\"",
        )  # fmt: skip


@contextmanager
def _build_file(place: Workplace) -> Iterator[BuildFile]:
    """The build file, opened to be read: what is published is its readers' alone."""
    from systock.data_warehouse.touched_log import TouchedLog
    from systock.load.changed_rows import read_build

    if not place.build_file.exists():
        raise UsageError("nothing is built yet", where=str(place.build_file), todo="Run 'systock run' first.")
    with place.connect(place.build_file, read_only=True) as engine:
        engine.expect_rows(0)  # rows pass through in small batches
        yield read_build(engine, TouchedLog(engine))

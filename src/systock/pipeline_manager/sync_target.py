"""Bringing the server to what is published, and taking in what was captured there, without asking any source."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from systock.errors import UsageError
from systock.pipeline_manager.land_captures import land_captures
from systock.pipeline_manager.publish_target import built_generation, publish_target, require_server
from systock.pipeline_manager.run_pipeline import build_and_publish
from systock.pipeline_manager.state import State

if TYPE_CHECKING:
    from systock.pipeline_manager.build import Progress
    from systock.pipeline_manager.definitions import Definitions
    from systock.pipeline_manager.workplace import Workplace


def sync_target(place: Workplace, definitions: Definitions, progress: Progress, *, full: bool) -> dict[str, Any]:
    """Land what was captured on the server and bring it to what is published, as `publish_target` does; what was done.

    The caller holds the project's lock. Raises UsageError where what is published is not what the definitions make.
    """
    require_server(place)
    with closing(State(place.state_dir)) as state:
        published = state.published()
        if (
            published is None
            or published.definitions != definitions.hash
            or built_generation(place) != published.generation
            or place.log().unfinished_erasures()
        ):
            raise UsageError(
                "what is published is not what the definitions of today make" if published else "nothing is published yet",
                state="The server was not asked.", todo="Run 'systock run' first: it brings the server up too.",
            )  # fmt: skip
        log = place.log()

        def build() -> None:
            build_and_publish(place, state, log, definitions, progress)

        if land_captures(place, state, log, definitions, progress, build, replacing=full):
            build()
    brought = publish_target(place, definitions, progress, full=full)
    assert brought is not None
    return asdict(brought)

"""How fresh each source is, against what its settings promise."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from systock.pipeline_manager.state import Notice

if TYPE_CHECKING:
    from systock.config import Settings
    from systock.etl_pipeline.bronze_layer.landing_log import LandingLog


@dataclass(frozen=True)
class Freshness:
    """When the newest batch of a source became known, and the span within which the next one is due."""

    source: str
    fresh_at: datetime | None
    fresh_within: timedelta | None

    @property
    def late_at(self) -> datetime | None:
        """The instant from which the source is late, unless something comes."""
        return self.fresh_at + self.fresh_within if self.fresh_at and self.fresh_within else None

    def is_late(self, now: datetime) -> bool | None:
        """Is it late? None where the settings promise nothing. A source of which nothing ever came is late."""
        if self.fresh_within is None:
            return None
        return self.late_at is None or now > self.late_at


def freshness(settings: Settings, log: LandingLog) -> list[Freshness]:
    """Every source's freshness."""
    newest = log.newest_by_source()
    return [Freshness(name, newest.get(name), source.fresh_within) for name, source in settings.sources.items()]


def late_notices(settings: Settings, log: LandingLog, now: datetime) -> list[Notice]:
    """What is to be told of sources that are late, once for each delivery that did not come."""
    if all(source.fresh_within is None for source in settings.sources.values()):
        return []
    name = settings.project.name
    return [
        Notice(
            "late", late.source, _text(late.fresh_at), f"{name}: source {late.source} is late",
            f"The newest batch of {late.source} became known at {_text(late.fresh_at)}; one was due within {late.fresh_within}."
            if late.fresh_at else f"Nothing of {late.source} has landed yet.",
        )
        for late in freshness(settings, log) if late.is_late(now)
    ]  # fmt: skip


def _text(instant: datetime | None) -> str:
    return instant.isoformat(sep=" ", timespec="seconds") if instant else "never"

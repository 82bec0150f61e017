"""SyStock: fragmented retail systems in, one governed, time-aware warehouse of inventory and sales out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from systock.project import Project

__all__ = ["Project", "__version__"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import the facade on first use, so that ``import systock`` (and ``systock --help``) stays light."""
    if name == "Project":
        from systock.project import Project

        return Project
    raise AttributeError(f"module 'systock' has no attribute {name!r}")

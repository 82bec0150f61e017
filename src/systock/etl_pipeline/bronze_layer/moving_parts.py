"""Parts move from aside into their place before the log says so, and leave it after; a crash in between leaves no trace."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from systock.etl_pipeline.bronze_layer.durable import make_folder, move, storage_errors, sync_file, sync_folder

if TYPE_CHECKING:
    from systock.etl_pipeline.bronze_layer.landing_log import LandingLog

_INTENT = "moving.json"


def aside_of(log: LandingLog) -> Path:
    """The folder in which parts are made."""
    return log.path.parent / "tmp"


def recover(log: LandingLog) -> None:
    """Remove what a crash left: parts that no batch refers to (any more), and everything aside."""
    bronze, aside = log.path.parent, aside_of(log)
    with storage_errors(bronze):
        if not aside.exists():
            return
        # Only parts that were about to be moved are ever removed: a lost log must not cost the data.
        with suppress(FileNotFoundError, ValueError):
            _remove_unknown(log, json.loads((aside / _INTENT).read_text("utf-8")))
        shutil.rmtree(aside)


@contextmanager
def moved(log: LandingLog, targets: Mapping[str, Path], leaving: Iterable[str] = ()) -> Iterator[None]:
    """Parts by their names, moved into place; the block refers the log to them, in one transaction.

    leaving: parts that no batch refers to behind it; they are removed then. What a crash leaves of this, recover() clears.
    """
    if not targets:
        yield
        return
    bronze, aside = log.path.parent, aside_of(log)
    intent = aside / _INTENT
    intent.write_text(json.dumps(sorted({*targets, *leaving})), "utf-8")
    sync_file(intent)
    sync_folder(aside)
    folders = {(bronze / name).parent for name in targets}
    for folder in folders:
        make_folder(folder)
    for name, path in targets.items():
        move(path, bronze / name)
    for folder in folders:
        sync_folder(folder)
    yield
    with suppress(OSError):  # It is in the log; what is left here the next landing clears away.
        if leaving:
            _remove_unknown(log, leaving)
        intent.unlink()


def _remove_unknown(log: LandingLog, names: Iterable[str]) -> None:
    bronze, known = log.path.parent, log.parts()
    gone = [bronze / name for name in names if name not in known]
    for path in gone:
        path.unlink(missing_ok=True)
    for folder in {path.parent for path in gone if path.parent.exists()}:
        sync_folder(folder)  # what was removed must not come back with a power failure

"""What settings leave to a source to say: mode and key of a dlt source's tables, asked once and kept from then on.

They decide on figures, so they stay as they were first said; an extraction that finds them changed says so and lands
nothing. A source whose tables have mode and key in the settings is never asked.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from systock.config import Settings, load_settings
from systock.dlt_settings import DltSource
from systock.errors import IntegrityError, SettingsError, SourceError
from systock.etl_pipeline.bronze_layer.durable import make_folder, move, storage_errors, sync_file, sync_folder

_FILE = ".systock/bronze/dlt_hints.json"


def complete_settings(project_dir: Path) -> Settings:
    """The settings of a project, completed by what its sources say of themselves."""
    settings = load_settings(project_dir)
    open_ones = {
        name: source
        for name, source in settings.sources.items()
        if isinstance(source, DltSource) and any(table.asks_hints for table in source.tables.values())
    }
    if not open_ones:
        return settings
    kept = _kept(project_dir)
    known = {**kept}
    completed = {name: _completed(name, source, project_dir, known) for name, source in open_ones.items()}
    if known != kept:
        _keep(project_dir, known)
    return settings.model_copy(update={"sources": {**settings.sources, **completed}})


def _completed(name: str, source: DltSource, project_dir: Path, known: dict[str, Any]) -> DltSource:
    tables = dict(source.tables)
    made = None
    for table, of in source.tables.items():
        if not of.asks_hints:
            continue
        asked = json.dumps([name, table, source.source, of.resource or table, of.mode, list(of.key)])
        if asked not in known:
            from systock.extract import dlt_source

            try:
                made = made or dlt_source.made(source, project_dir, {})
                chosen = dlt_source.selected(made, source, table)
                mode, key = dlt_source.hints(chosen, source, table)
            except SourceError as error:
                raise SettingsError(
                    f"mode and key are not all set, and the source cannot be asked for them: {error.where}: {error.what}",
                    where=f"sources.{name}.tables.{table}",
                    todo=f"{(error.todo or '').rstrip('.')}. Or set mode and key of its tables: then it is not asked before it is read.",
                ) from None
            known[asked] = {"mode": mode, "key": list(key)}
        hidden = {column.casefold() for column in of.personal}
        found = next((column for column in known[asked]["key"] if column.casefold() in hidden), None)
        if found:
            raise SettingsError(
                f"personal names {found!r}, which the source says is of the key: values of a key are kept as they are, and can't be erased",
                where=f"sources.{name}.tables.{table}",
                todo="Set key of the table to other columns, or leave it out of personal.",
            )
        tables[table] = of.with_hints(known[asked]["mode"], tuple(known[asked]["key"]))
    return source.model_copy(update={"tables": tables})


def _kept(project_dir: Path) -> dict[str, Any]:
    path = project_dir / _FILE
    try:
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise IntegrityError(
            f"is not as SyStock wrote it: {error}",
            where=str(path),
            todo="Put the file back from a copy. Without one, remove it: then the sources are asked again.",
        ) from None
    return found


def _keep(project_dir: Path, known: dict[str, Any]) -> None:
    path = project_dir / _FILE
    with storage_errors(path):
        make_folder(path.parent)
        aside = path.with_suffix(f".{os.getpid()}")
        aside.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n", "utf-8")
        sync_file(aside)
        move(aside, path)
        sync_folder(path.parent)

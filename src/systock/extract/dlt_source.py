"""A dlt source, made from its settings: the function, its arguments, one resource of it with its hints, and its items."""

from __future__ import annotations

import hashlib
import inspect
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from traceback import walk_tb
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from systock.errors import SourceError
from systock.extract.batch import Mode
from systock.extract.database import STATE, missing_driver
from systock.extract.python_values import WrittenNumber
from systock.extract.redact import SHOWN, redact, secrets_of
from systock.setting_values import hint

if TYPE_CHECKING:
    from dlt.extract import DltSource as Source

    from systock.dlt_settings import DltSource, DltTable

#: Sources side by side load modules one after the other: what is half loaded must not be seen by another.
_LOADING = threading.Lock()
#: What names of the project's own modules begin with: two projects may have one of the same name.
_OF_PROJECT = "systock_project_"
#: Faults that may pass, by the names of their classes: of requests, SQLAlchemy, the standard library.
_PASSING = {"ConnectionError", "Timeout", "TimeoutError", "OperationalError", "InterfaceError", "ChunkedEncodingError"}
_PASSING_STATUS = (408, 425, 429, 500, 502, 503, 504)
#: What a resource's write disposition means here.
_MODES: dict[str, Mode] = {"append": "append", "merge": "changes", "replace": "full"}


def made(settings: DltSource, project_dir: Path, state: Mapping[str, Any]) -> Source:
    """The source, as its function makes it now; state: what it remembers, for those that look at it already here."""
    with _faults(settings, "its function"):
        with _LOADING:
            dlt = _dlt()
            function = _function(settings.source, project_dir)
        if isinstance(function, dlt.sources.DltSource):
            return function
        from dlt.common.configuration.container import Container
        from dlt.common.pipeline import StateInjectableContext

        with Container().injectable_context(StateInjectableContext(state=state)):
            found = function(**_bare(settings.args))
            if isinstance(found, dlt.sources.DltSource):
                return found
            name = settings.source.partition(":")[2]
            if not isinstance(found, dlt.sources.DltResource) and not _are_resources(found):
                found = dlt.resource(found, name=name)
            source: Source = dlt.source(lambda: found, name=name)()
            return source


def selected(source: Source, settings: DltSource, name: str) -> Source:
    """The source with nothing but the resource of one table."""
    table = settings.tables[name]
    resource = table.resource or name
    with _faults(settings, f"resource {resource}"):
        if resource not in source.resources:
            names = list(source.resources)
            raise SourceError(
                f"there is no resource {resource!r}: {', '.join(names)}.{hint(resource, names)}",
                todo="Name the table after one of them, or name one in resource of the table.",
            )
        chosen = source.with_resources(resource)
        if table.incremental is not None:
            incremental = _dlt().sources.incremental(**_bare(table.incremental))
            chosen.resources[resource].apply_hints(incremental=incremental)
        return chosen


def hints(source: Source, settings: DltSource, name: str) -> tuple[Mode, tuple[str, ...]]:
    """How rows of a table follow each other, and their key, as the resource's hints say.

    A resource that says merge without any key only adds rows, as dlt itself then does.
    """
    table = settings.tables[name].as_set
    resource = table.resource or name
    with _faults(settings, f"resource {resource}"):
        try:
            schema = source.resources[resource].compute_table_schema()
        except Exception as error:
            raise SourceError(
                f"its hints depend on the rows: {' '.join(str(error).split())}",
                todo=f"Set {_left(table)} of the table in the settings.",
            ) from None
        columns: Mapping[str, Any] = schema["columns"]
        key = tuple(column for column, said in columns.items() if said.get("primary_key"))
        says = schema.get("write_disposition") or "append"
        if says not in _MODES:
            raise SourceError(f"its write disposition is {says!r}", todo="Leave the table out, or set its mode.")
        mode = table.mode or _MODES[says]
        by_merge_key = any(said.get("merge_key") for said in columns.values())
        if table.mode is None and mode == "changes" and not (key or table.key or by_merge_key):
            mode = "append"
        if mode != "append" and not (key or table.key):
            why = f"it says {says!r} without a primary key" if table.mode is None else f"mode = {mode!r} needs a key"
            raise SourceError(
                why, todo='Set key of the table in the settings: the columns that name a row, such as ["id"].'
            )
        return mode, table.key or key


def items(source: Source, settings: DltSource, name: str, state: dict[str, Any]) -> Iterator[Any]:
    """What the selected resource yields, item by item; it reads and writes what it remembers in state."""
    resource = settings.tables[name].resource or name
    with _faults(settings, f"resource {resource}"):
        from dlt.common.configuration.container import Container
        from dlt.common.pipeline import StateInjectableContext

        with Container().injectable_context(StateInjectableContext(state=state)):
            found = iter(source)
        yield from found


# the function and its arguments


def _dlt() -> ModuleType:
    try:
        dlt = import_module("dlt")
        session = import_module("dlt.sources.helpers.requests.session").Session
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "dlt":
            raise
        raise missing_driver("sources of type 'dlt'", "dlt") from None
    if not hasattr(session, "_systock"):
        session._systock = session.send
        session.send = _send
    return dlt


def typed_json() -> Any:
    """How dlt writes what resources remember. Its modules name each other: two threads must not load them at once."""
    with _LOADING:
        _dlt()
        return import_module("dlt.common.json").json


def _send(session: Any, request: Any, **options: Any) -> Any:
    """A call of dlt's own HTTP client, whose answer keeps its numbers as they are written: 1.10 is not 1.1."""
    response = session._systock(request, **options)
    response.json = partial(type(response).json, response, parse_float=WrittenNumber)
    return response


def _function(path: str, project_dir: Path) -> Any:
    module_name, _, name = path.partition(":")
    file = project_dir.joinpath(*module_name.split(".")).with_suffix(".py")
    try:
        module = _of_project(module_name, file, project_dir) if file.is_file() else import_module(module_name)
    except ModuleNotFoundError as error:
        todo = f"Install it, or write {module_name.replace('.', '/')}.py in the project folder."
        raise SourceError(f"there is no module {error.name!r}", todo=todo) from None
    if not hasattr(module, name):
        names = [name for name, value in vars(module).items() if callable(value) and not name.startswith("_")]
        raise SourceError(f"{module_name} has no {name!r}.{hint(name, names)}", todo="Correct source in the settings.")
    return getattr(module, name)


def _of_project(name: str, file: Path, project_dir: Path) -> ModuleType:
    """A module of the project, read anew: it may have changed, and another project may have one of the same name."""
    folder = str(project_dir)
    # dlt names the sections of its own settings by what stands behind the last dot.
    known_as = f"{_OF_PROJECT}{hashlib.sha256(folder.encode()).hexdigest()[:12]}.{name}"
    spec = spec_from_file_location(known_as, file)
    assert spec and spec.loader
    module = module_from_spec(spec)
    sys.modules[known_as] = module
    sys.path.append(folder)  # for what it imports of the project
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(folder)
    return module


def _bare(value: Any) -> Any:
    """Arguments as a function takes them."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, Mapping):
        return {name: _bare(item) for name, item in value.items()}
    return [_bare(item) for item in value] if isinstance(value, list) else value


def _are_resources(found: Any) -> bool:
    """Several resources, as a source's function may return or yield them."""
    from dlt.sources import DltResource

    if inspect.isgenerator(found) or not isinstance(found, Sequence) or not found:
        return False
    return all(isinstance(each, DltResource) for each in found)


# faults


@contextmanager
def _faults(settings: DltSource, part: str) -> Iterator[None]:
    """Whatever a source raises, as an error that says which part of which function it was, without secrets."""
    try:
        yield
    except SourceError as error:
        error.where = error.where or f"{settings.source}, {part}"
        error.state = error.state or STATE
        redact(error, secrets_of(settings), SHOWN)
        raise
    except (Exception, SystemExit) as fault:
        cause: BaseException = fault
        while type(cause).__module__.startswith("dlt.") and cause.__cause__ is not None:
            cause = cause.__cause__
        # What a source says of a fault may quote its rows.
        said = "" if any(table.personal for table in settings.tables.values()) else " ".join(str(cause).split())
        told = SourceError(
            f"{type(cause).__name__}: {said}" if said else type(cause).__name__,
            where=f"{settings.source}, {part}{_line(cause)}",
            state=STATE,
            todo=_todo(cause),
        )
        told.transient = _may_pass(cause)
        redact(told, secrets_of(settings), SHOWN)
        raise told from None


def _line(cause: BaseException) -> str:
    """Where in the modules of the project it was raised, if it was there."""
    lines = [
        f", {Path(frame.f_code.co_filename).name}:{number}"
        for frame, number in walk_tb(cause.__traceback__)
        if frame.f_globals.get("__name__", "").startswith(_OF_PROJECT)
    ]
    return lines[-1] if lines else ""


def _todo(cause: BaseException) -> str:
    if any(kind.__name__ == "ConfigFieldMissingException" for kind in type(cause).__mro__):
        return "Give what is missing in args of the source, a secret as ${NAME}."
    if _may_pass(cause):
        return "Run again later; if it stays, ask those who run what the source reads."
    if isinstance(cause, TypeError) and "argument" in str(cause):
        return "Correct args of the source in the settings."
    return "Correct args of the source in the settings, or the source itself."


def _may_pass(cause: BaseException) -> bool:
    status = getattr(getattr(cause, "response", None), "status_code", None)
    if status is not None:
        return status in _PASSING_STATUS
    return any(kind.__name__ in _PASSING for kind in type(cause).__mro__)


def _left(table: DltTable) -> str:
    return "mode and key" if table.mode is None else "key"

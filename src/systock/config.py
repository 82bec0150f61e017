"""The settings of a project (systock.toml): their models, their validation and the secrets they name."""

from __future__ import annotations

import os
import re
import tomllib
from datetime import date, time, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StrictBool,
    StrictInt,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from systock import setting_values as values
from systock.errors import SettingsError

SETTINGS_FILE = "systock.toml"
SECRETS_FILE = ".systock/secrets.env"
SOURCE_TYPES = ("files",)
CODED_ENTITIES = ("product", "location", "customer", "supplier")

_SECRET = re.compile(r"\$\{([^}]*)\}")
_SECRET_SETTINGS = ("target.url", "notify.urls")
_SECRET_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_EXPECTED = {
    "tuple_type": 'it must be a list of texts, such as ["id"]',
    "string_type": "it must be text in quotes",
    "bool_type": "it must be true or false, without quotes",
    "int_type": "it must be a whole number, without quotes",
    "dict_type": "it must be a section of settings",
    "model_type": "it must be a section of settings",
    "too_short": "it must not be empty",
    "string_too_short": "it must not be empty",
}

ObjectName = Annotated[str, AfterValidator(values.object_name)]
ColumnNames = Annotated[tuple[str, ...], AfterValidator(values.column_names)]
Mode = Literal["append", "changes", "full"]
Cron = Annotated[str, AfterValidator(values.cron)]
Duration = Annotated[timedelta, BeforeValidator(values.duration)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, hide_input_in_errors=True)


class ProjectSettings(_Section):
    """[project]: what the figures of the whole project depend on."""

    name: str = Field(min_length=1)
    currency: Annotated[str, AfterValidator(values.currency_code)] = "EUR"
    timezone: Annotated[str, AfterValidator(values.time_zone)] = "UTC"
    business_day_cutover: Annotated[time, BeforeValidator(values.time_of_day)] = time(0)
    retail_year_start_month: StrictInt = Field(default=2, ge=1, le=12)
    cost_method: Literal["moving_average", "fifo", "standard"] = "moving_average"
    calendar_from: date = Field(default=date(2000, 1, 1), ge=date(1900, 1, 1))
    calendar_to: date = Field(default=date(2040, 12, 31), le=date(2199, 12, 31))

    @field_validator("calendar_to")
    @classmethod
    def _in_order(cls, value: date, info: ValidationInfo) -> date:
        if "calendar_from" in info.data and value < info.data["calendar_from"]:
            raise ValueError(f"'{value}' is before calendar_from, '{info.data['calendar_from']}'")
        return value


class TargetSettings(_Section):
    """[target]: where a generation is published."""

    url: Annotated[SecretStr, AfterValidator(values.target_url)] = SecretStr("duckdb:///warehouse.duckdb")

    def warehouse_file(self, project_dir: Path) -> Path:
        """The published DuckDB file; a relative one lies in the project."""
        return project_dir / self.url.get_secret_value().removeprefix("duckdb:///")


class RunSettings(_Section):
    """[run]: what a run may use; never changes a figure."""

    memory_limit: Annotated[str, AfterValidator(values.memory_size)] = ""
    threads: StrictInt = Field(default=0, ge=0, le=1024)
    attempts: StrictInt = Field(default=3, ge=1, le=100)
    retry_wait: Duration = timedelta(seconds=2)


class ScheduleSettings(_Section):
    """[schedule]: when `systock schedule` runs what; times are those of the project's zone."""

    run: Cron | None = None
    day_close: Cron | None = None


class NotifySettings(_Section):
    """[notify]: whom to tell of a failed run or a source that is late."""

    urls: Annotated[
        tuple[Annotated[SecretStr, AfterValidator(values.address)], ...], BeforeValidator(values.one_or_several)
    ] = ()


class RetentionSettings(_Section):
    """[retention]: how long what no figure depends on is kept."""

    runs: Duration = timedelta(days=90)
    copies: Duration = timedelta(days=30)


class TableSettings(_Section):
    """[sources.<source>.tables.<table>]: which files hold one raw table, how they follow each other, how they read."""

    path: Annotated[
        tuple[Annotated[str, AfterValidator(values.path_inside)], ...], BeforeValidator(values.path_list)
    ] = Field(min_length=1)
    mode: Mode
    key: ColumnNames = ()
    updated_at: str | None = Field(default=None, min_length=1)
    known_at: Annotated[str, AfterValidator(values.known_at)] | None = None
    format: Literal["auto", "csv", "json", "jsonl", "parquet", "excel"] = "auto"
    delimiter: Annotated[str, AfterValidator(values.delimiter)] = "auto"
    quote: Annotated[str, AfterValidator(values.quote)] = '"'
    encoding: Annotated[str, AfterValidator(values.encoding)] = "auto"
    skip_rows: StrictInt = Field(default=0, ge=0)
    skip_footer: StrictInt = Field(default=0, ge=0)
    header: StrictBool = True
    columns: ColumnNames = ()
    records: str = ""
    sheet: str = ""

    @field_validator("key")
    @classmethod
    def _key_where_needed(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if not value and info.data.get("mode") in ("changes", "full"):
            raise ValueError(
                f"is required for mode = '{info.data['mode']}': the columns that name a row, such as [\"id\"]"
            )
        return value

    @field_validator("columns")
    @classmethod
    def _columns_without_header(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if value and info.data.get("header"):
            raise ValueError("names columns although header = true: add header = false, or leave columns out")
        if not value and info.data.get("header") is False:
            raise ValueError("is required for header = false: the column names, in the order of the file")
        missing = [name for name in info.data.get("key", ()) if value and name not in value]
        if missing:
            raise ValueError(f"lacks the key column {missing[0]!r}.{values.hint(missing[0], value)}")
        return value

    @field_validator("records")
    @classmethod
    def _records_of_json(cls, value: str, info: ValidationInfo) -> str:
        if value and info.data.get("format") not in ("json", "auto", None):
            raise ValueError(f"{value!r} only makes sense for format = 'json', not '{info.data['format']}'")
        return value


class SourceSettings(_Section):
    """[sources.<source>]: one system that delivers, and what its figures mean."""

    type: Literal["files"]
    schedule: Cron | None = None
    fresh_within: Duration | None = None
    known_at: Annotated[str, AfterValidator(values.known_at)] = "landing"
    moves_stock: StrictBool = False
    stock_starts: Literal["count", "zero"] = "count"
    codes_of: dict[Literal["product", "location", "customer", "supplier"], str] = Field(default_factory=dict)
    tables: dict[ObjectName, TableSettings] = Field(min_length=1)

    @field_validator("codes_of")
    @classmethod
    def _existing_sources(cls, value: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        sources: list[str] = sorted((info.context or {}).get("sources", value.values()))
        for entity, source in value.items():
            if source not in sources:
                known = ", ".join(sources)
                raise ValueError(
                    f"{entity} = {source!r} is not a source of this project: {known}.{values.hint(source, sources)}"
                )
        return value

    def known_at_of(self, table: str) -> str:
        """How batches of a table become known: its own setting, else the source's."""
        return self.tables[table].known_at or self.known_at

    def codes_source(self, entity: str, source_name: str) -> str:
        """The source whose codes this source uses for an entity; its own unless codes_of says otherwise."""
        return {str(coded): source for coded, source in self.codes_of.items()}.get(entity, source_name)


class Settings(_Section):
    """Everything in systock.toml."""

    project: ProjectSettings
    target: TargetSettings = Field(default_factory=TargetSettings)
    run: RunSettings = Field(default_factory=RunSettings)
    schedule: ScheduleSettings = Field(default_factory=ScheduleSettings)
    notify: NotifySettings = Field(default_factory=NotifySettings)
    retention: RetentionSettings = Field(default_factory=RetentionSettings)
    sources: dict[ObjectName, SourceSettings] = Field(default_factory=dict)

    def definition_text(self) -> str:
        """Canonical JSON of the settings that influence gold: all but where it goes, when, and what a run may use."""
        import json

        figures = self.model_dump(mode="json", include={"project", "sources"})
        for source in figures["sources"].values():
            del source["schedule"], source["fresh_within"]
        return json.dumps(figures, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def load_settings(project_dir: Path | str) -> Settings:
    """Read, complete and check a project's systock.toml; raises SettingsError with every problem at once."""
    project_dir = Path(project_dir)
    path = project_dir / SETTINGS_FILE
    try:
        raw = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        raise SettingsError(
            f"there is no {SETTINGS_FILE} in this folder",
            where=str(project_dir),
            todo="make a project with 'systock init DIR', or name one with --project DIR or SYSTOCK_PROJECT",
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(
            f"is not valid TOML: {error}", where=str(path), todo="correct the file and try again"
        ) from None
    except UnicodeDecodeError:
        raise SettingsError("is not UTF-8 text", where=str(path), todo="save the file as UTF-8") from None
    except OSError as error:
        raise SettingsError(
            f"cannot be read: {error.strerror}", where=str(path), todo="check the file's permissions"
        ) from None

    problems: list[str] = []
    expanded = _expand(raw, (), project_dir, problems)
    sources = raw.get("sources")
    context = {"sources": list(sources) if isinstance(sources, dict) else []}
    try:
        settings = Settings.model_validate(expanded, context=context)
    except ValidationError as error:
        problems = _translate(error, raw) + problems
    if problems:
        listed = problems[0] if len(problems) == 1 else "".join(f"\n  - {problem}" for problem in problems)
        what = listed if len(problems) == 1 else f"{len(problems)} settings are wrong:{listed}"
        raise SettingsError(what, where=str(path), todo="correct the file and try again; nothing was started")
    return settings


def _dotted(location: tuple[int | str, ...]) -> str:
    """sources.pos.tables.sales.key[1]"""
    return re.sub(r"\.(\d+)(?=\.|$)", r"[\1]", ".".join(str(part) for part in location if part != "[key]"))


def _model_at(location: tuple[int | str, ...]) -> type[_Section]:
    """The section that a setting belongs to."""
    section: type[_Section] = Settings
    for part in location:
        field = section.model_fields.get(str(part))
        if field is None:
            continue
        arguments = get_args(field.annotation) if get_origin(field.annotation) is dict else (field.annotation,)
        if arguments and isinstance(arguments[-1], type) and issubclass(arguments[-1], _Section):
            section = arguments[-1]
    return section


def _at(raw: Any, location: tuple[int | str, ...]) -> Any:
    """The value as written in the file, before any secret was put in."""
    for part in location:
        try:
            raw = raw[part]
        except (KeyError, IndexError, TypeError):
            return None
    if isinstance(raw, str):
        return re.sub(r"(://)[^/@]*@", r"\1…@", raw)
    return raw


def _translate(error: ValidationError, raw: dict[str, Any]) -> list[str]:
    """Every problem as 'setting: value and what would be right'."""
    found = error.errors(include_url=False, include_input=False)
    # Of a source of unknown type nothing else can be judged.
    odd = {
        problem["loc"][:2]
        for problem in found
        if problem["loc"][:1] == ("sources",) and problem["loc"][2:] == ("type",)
    }
    problems = []
    for problem in found:
        location, kind = problem["loc"], problem["type"]
        if location[:2] in odd and location[2:] != ("type",):
            continue
        setting, value = _dotted(location), _at(raw, location)
        if kind == "extra_forbidden":
            valid = sorted(_model_at(location[:-1]).model_fields)
            where = f"[{_dotted(location[:-1])}]" if location[1:] else SETTINGS_FILE
            text = f"there is no such setting. Valid in {where}: {', '.join(valid)}."
            text += values.hint(str(location[-1]), valid)
        elif kind == "missing":
            text = "is required"
        elif kind == "literal_error":
            # A wrong key of a table ('[key]') has no value of its own: the key itself is the offending value.
            value = location[-2] if location[-1] == "[key]" else value
            valid = re.findall(r"'([^']*)'", problem.get("ctx", {}).get("expected", ""))
            text = f"{value!r} is not one of: {', '.join(valid)}.{values.hint(str(value), valid)}"
        elif location == ("target", "url"):
            text = f"{value!r} {problem['msg'].removeprefix('Value error, ')}"
        elif kind == "value_error":
            text = problem["msg"].removeprefix("Value error, ")
        else:
            text = f"{value!r} is wrong: {_EXPECTED.get(kind) or problem['msg'][:1].lower() + problem['msg'][1:]}"
        problems.append(f"{setting}: {text}")
    return problems


def _expand(node: Any, location: tuple[int | str, ...], project_dir: Path, problems: list[str]) -> Any:
    """A copy with every ${NAME} replaced, in the settings that may hold a secret; elsewhere it is a problem."""
    if isinstance(node, dict):
        return {name: _expand(value, (*location, name), project_dir, problems) for name, value in node.items()}
    if isinstance(node, list):
        return [_expand(value, (*location, index), project_dir, problems) for index, value in enumerate(node)]
    if not isinstance(node, str) or not _SECRET.search(node):
        return node
    setting = _dotted(location)
    name = next(part for part in reversed(location) if isinstance(part, str))
    if name not in _model_at(location).model_fields:
        return node
    if setting.partition("[")[0] not in _SECRET_SETTINGS:
        valid = ", ".join(_SECRET_SETTINGS)
        problems.append(f"{setting}: {node!r} names a secret, which only stands in settings that may hold one: {valid}")
        return node
    return _SECRET.sub(lambda match: _secret(match[1], setting, project_dir, problems), node)


def _secret(name: str, setting: str, project_dir: Path, problems: list[str]) -> str:
    """The value of a secret: from the environment, else from the secrets file."""
    if not _SECRET_NAME.fullmatch(name):
        problems.append(f"{setting}: ${{{name}}} is not the name of a secret: letters, digits and underscores")
        return "missing"
    value = os.environ.get(name)
    if value is None:
        value = _secrets(project_dir).get(name)
    if value is None:
        given = os.environ.get("SYSTOCK_SECRETS") or SECRETS_FILE
        problems.append(
            f"{setting}: the secret ${{{name}}} is neither in the environment nor in {given} (as {name}=value)"
        )
        return "missing"
    return value


def _secrets(project_dir: Path) -> dict[str, str]:
    """The NAME=value lines of the secrets file; messages never show a line of it."""
    given = os.environ.get("SYSTOCK_SECRETS")
    path = project_dir / (given or SECRETS_FILE)
    try:
        lines = path.read_text("utf-8").splitlines()
    except FileNotFoundError:
        if given:
            raise SettingsError("the secrets file that SYSTOCK_SECRETS names does not exist", where=str(path)) from None
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"the secrets file cannot be read: {type(error).__name__}", where=str(path)) from None
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = line.partition("=")
        name, value = name.strip(), value.strip()
        if not equals or not _SECRET_NAME.fullmatch(name):
            raise SettingsError(
                f"line {number} is not NAME=value", where=str(path), todo="one secret a line; comments begin with #"
            )
        if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        found[name] = value
    return found

"""The settings of a project (systock.toml): their models, their validation and the secrets they name."""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass
from datetime import date, time, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    StrictInt,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic.fields import FieldInfo

from systock import setting_values as values
from systock.api_settings import ApiSource
from systock.dlt_settings import Arguments, DltSource, SecretArgument
from systock.errors import SettingsError
from systock.source_settings import Cron, DatabaseSource, Duration, FileSource, ObjectName, Section

SETTINGS_FILE = "systock.toml"
SECRETS_FILE = ".systock/secrets.env"

_SECRET = re.compile(r"\$\{([^}]*)\}")
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


class ProjectSettings(Section):
    """[project]: what the figures of the whole project depend on."""

    name: str = Field(min_length=1)
    currency: Annotated[str, AfterValidator(values.currency_code)] = "EUR"
    timezone: Annotated[str, AfterValidator(values.time_zone)] = "UTC"
    business_day_cutover: Annotated[time, BeforeValidator(values.time_of_day)] = time(0)
    retail_year_start_month: StrictInt = Field(default=2, ge=1, le=12)
    cost_method: Literal["moving_average", "fifo", "standard"] = "moving_average"
    calendar_from: date = Field(default=date(2000, 1, 1), ge=date(1900, 1, 1))
    calendar_to: date = Field(default=date(2040, 12, 31), le=date(2199, 12, 31))
    personal_key: SecretStr | None = None

    @field_validator("calendar_to")
    @classmethod
    def _in_order(cls, value: date, info: ValidationInfo) -> date:
        if "calendar_from" in info.data and value < info.data["calendar_from"]:
            raise ValueError(f"'{value}' is before calendar_from, '{info.data['calendar_from']}'")
        return value


class RowAccess(Section):
    """[target.row_access.<role>]: the places whose rows a role of the server sees: those named, and all of these regions.

    rights: what it may read of them, as systock_reader or systock_analyst do.
    """

    locations: tuple[Annotated[str, AfterValidator(values.place_name)], ...] = ()
    regions: tuple[Annotated[str, AfterValidator(values.place_name)], ...] = ()
    rights: Literal["reader", "analyst"] = "reader"


class TargetSettings(Section):
    """[target]: where a generation is published: always to a file, and to a server where `url` is one."""

    url: Annotated[SecretStr, AfterValidator(values.target_url)] = SecretStr("duckdb:///warehouse.duckdb")
    file: Annotated[str, AfterValidator(values.published_file)] | None = None
    timeout: Duration = timedelta(seconds=30)
    work_mem: Annotated[str, AfterValidator(values.work_memory)] = "64MB"
    row_access: dict[Annotated[str, AfterValidator(values.restricted_role)], RowAccess] = Field(default_factory=dict)

    @field_validator("file")
    @classmethod
    def _beside_a_server(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and "url" in info.data and not _is_server(info.data["url"]):
            raise ValueError(f"{value!r} stands beside a url that is a file itself: leave one of the two out")
        return value

    @property
    def server(self) -> str | None:
        """The address of the server that each generation is brought to; it holds secrets."""
        return self.url.get_secret_value() if _is_server(self.url) else None

    def warehouse_file(self, project_dir: Path) -> Path:
        """The published DuckDB file; a relative one lies in the project."""
        at_url = "warehouse.duckdb" if self.server else self.url.get_secret_value().removeprefix("duckdb:///")
        return project_dir / (self.file or at_url)


def _is_server(url: SecretStr) -> bool:
    return not url.get_secret_value().startswith("duckdb:")


class RunSettings(Section):
    """[run]: what a run may use; never changes a figure."""

    memory_limit: Annotated[str, AfterValidator(values.memory_size)] = ""
    threads: StrictInt = Field(default=0, ge=0, le=1024)
    attempts: StrictInt = Field(default=3, ge=1, le=100)
    history_steps: StrictInt = Field(default=10, ge=1)
    retry_wait: Duration = timedelta(seconds=2)


class ScheduleSettings(Section):
    """[schedule]: when `systock schedule` runs what; times are those of the project's zone."""

    run: Cron | None = None
    day_close: Cron | None = None


class NotifySettings(Section):
    """[notify]: whom to tell of a failed run or a source that is late."""

    urls: Annotated[
        tuple[Annotated[SecretStr, AfterValidator(values.address)], ...], BeforeValidator(values.one_or_several)
    ] = ()


class RetentionSettings(Section):
    """[retention]: how long what no figure depends on is kept."""

    runs: Duration = timedelta(days=90)
    copies: Duration = timedelta(days=30)


#: Any source, by its type.
AnySource = Annotated[FileSource | DatabaseSource | ApiSource | DltSource, Field(discriminator="type")]


class Settings(Section):
    """Everything in systock.toml."""

    project: ProjectSettings
    target: TargetSettings = Field(default_factory=TargetSettings)
    run: RunSettings = Field(default_factory=RunSettings)
    schedule: ScheduleSettings = Field(default_factory=ScheduleSettings)
    notify: NotifySettings = Field(default_factory=NotifySettings)
    retention: RetentionSettings = Field(default_factory=RetentionSettings)
    sources: dict[ObjectName, AnySource] = Field(default_factory=dict)

    @field_validator("sources")
    @classmethod
    def _key_of_personal(cls, value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        has_key = "project" not in info.data or info.data["project"].personal_key is not None
        for source, settings in value.items():
            for table, of in settings.tables.items():
                if of.personal and not has_key:
                    raise ValueError(
                        f'{source}.tables.{table}.personal needs personal_key = "${{PERSONAL_KEY}}" under [project]: the key of '
                        "the hashes that take the place of the values"
                    )
        return value

    def definition_text(self) -> str:
        """Canonical JSON of the settings that influence gold: all but where it goes, when, and what a run may use."""
        import json

        sources = {name: source.figures() for name, source in self.sources.items()}
        figures = {"project": self.project.model_dump(mode="json", exclude={"personal_key"}), "sources": sources}
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
    expanded = _Expansion(raw, project_dir, problems).of(raw)
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


def environment_proxy(url: str) -> str | None:
    """The proxy that HTTPS_PROXY, HTTP_PROXY or ALL_PROXY names for an address, as it stands there.

    None where there is none, for what NO_PROXY names, and for this machine itself.
    """
    from ipaddress import ip_address
    from urllib.parse import urlsplit
    from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        is_here = ip_address(host).is_loopback
    except ValueError:
        is_here = host == "localhost" or host.endswith(".localhost")
    proxies = getproxies_environment()
    found = proxies.get(parts.scheme) or proxies.get("all")
    if not found or is_here or proxy_bypass_environment(parts.netloc.rpartition("@")[2], proxies):
        return None
    return found


def _dotted(location: tuple[int | str, ...]) -> str:
    """sources.pos.tables.sales.key[1]"""
    return re.sub(r"\.(\d+)(?=\.|$)", r"[\1]", ".".join(str(part) for part in location if part != "[key]"))


def _place(location: tuple[int | str, ...], raw: Any) -> tuple[type[Section] | None, FieldInfo | None]:
    """The section at a location or around it, and the field there; which of several sections is meant says its type."""
    kind: Any = Settings
    section: type[Section] | None = None
    field: FieldInfo | None = None
    for part in (*location, None):
        choices = _sections(kind)
        if choices:
            of_type = raw.get("type") if isinstance(raw, dict) else None
            section = next(
                (c for c in choices if len(choices) == 1 or of_type in get_args(c.model_fields["type"].annotation)),
                None,
            )
            if part is not None:
                field = section.model_fields.get(str(part)) if section else None
                kind = field.annotation if field else None
        elif get_args(kind):
            kind = get_args(kind)[-1 if get_origin(kind) is dict else 0]
        raw = raw.get(part) if isinstance(raw, dict) else None
    return section, field


def _sections(kind: Any) -> list[type[Section]]:
    """The sections that a setting of this kind may be, itself: not those in a mapping."""
    if isinstance(kind, type) and issubclass(kind, Section):
        return [kind]
    return [] if get_origin(kind) in (dict, tuple, list) else [s for part in get_args(kind) for s in _sections(part)]


def _holds_secret(kind: Any) -> bool:
    return kind is SecretStr or any(_holds_secret(part) for part in get_args(kind))


def _secret_settings(kind: Any = None, prefix: str = "") -> list[str]:
    """The settings that may hold a secret, as the documentation names them."""
    found = []
    for section in _sections(kind or Settings):
        for name, field in section.model_fields.items():
            inner = get_args(field.annotation)[-1] if get_origin(field.annotation) is dict else field.annotation
            if _sections(inner):
                each = f".<{name.removesuffix('s')}>" if inner is not field.annotation else ""
                found += _secret_settings(inner, f"{prefix}{name}{each}.")
            elif _holds_secret(field.annotation):
                found.append(prefix + name)
    return list(dict.fromkeys(found))


def _untagged(location: tuple[int | str, ...], raw: Any) -> tuple[int | str, ...]:
    """A problem's location without the types that pydantic puts behind a section that is one of several."""
    path: list[int | str] = []
    tagged = False
    for part in location:
        if isinstance(raw, dict) and not tagged and raw.get("type") == part:
            tagged = True
            continue
        path.append(part)
        raw, tagged = raw.get(part) if isinstance(raw, dict) else None, False
    return tuple(path)


def _at(raw: Any, location: tuple[int | str, ...]) -> Any:
    """The value as written in the file, before any secret was put in."""
    for part in location:
        try:
            raw = raw[part]
        except (KeyError, IndexError, TypeError):
            return None
    if isinstance(raw, str):
        return re.sub(r"(://).*@", r"\1…@", raw, flags=re.DOTALL)
    return raw


def _translate(error: ValidationError, raw: dict[str, Any]) -> list[str]:
    """Every problem as 'setting: value and what would be right'."""
    problems = []
    for problem in error.errors(include_url=False, include_input=False):
        location, kind = _untagged(problem["loc"], raw), problem["type"]
        if kind.startswith("union_tag_"):  # of a source of unknown type nothing else can be judged
            location = (*location, "type")
        setting, value = _dotted(location), _at(raw, location)
        if kind == "extra_forbidden":
            section = _place(location[:-1], raw)[0]
            valid = sorted(section.model_fields) if section else []
            where = f"[{_dotted(location[:-1])}]" if location[1:] else SETTINGS_FILE
            text = f"there is no such setting. Valid in {where}: {', '.join(valid)}."
            text += values.hint(str(location[-1]), valid)
        elif kind in ("missing", "union_tag_not_found"):
            text = "is required"
        elif kind in ("literal_error", "union_tag_invalid"):
            # A wrong key of a table ('[key]') has no value of its own: the key itself is the offending value.
            value = location[-2] if location[-1] == "[key]" else value
            valid = re.findall(r"'([^']*)'", problem["ctx"].get("expected") or problem["ctx"]["expected_tags"])
            text = f"{value!r} is not one of: {', '.join(valid)}.{values.hint(str(value), valid)}"
        elif location == ("target", "url"):
            text = f"{value!r} {problem['msg'].removeprefix('Value error, ')}"
        elif kind == "value_error":
            text = problem["msg"].removeprefix("Value error, ")
        else:
            text = f"{value!r} is wrong: {_EXPECTED.get(kind) or problem['msg'][:1].lower() + problem['msg'][1:]}"
        problems.append(f"{setting}: {text}")
    return problems


@dataclass(frozen=True)
class _Expansion:
    """Puts the secrets in."""

    raw: dict[str, Any]
    project_dir: Path
    problems: list[str]

    def of(self, node: Any, location: tuple[int | str, ...] = ()) -> Any:
        """A copy with every ${NAME} replaced, in the settings that may hold a secret; elsewhere it is a problem."""
        if isinstance(node, dict):
            return {name: self.of(value, (*location, name)) for name, value in node.items()}
        if isinstance(node, list):
            return [self.of(value, (*location, index)) for index, value in enumerate(node)]
        field = _place(location, self.raw)[1] if isinstance(node, str) and _SECRET.search(node) else None
        if field is None:
            return node
        setting = _dotted(location)
        if not _holds_secret(field.annotation):
            valid = ", ".join(_secret_settings())
            self.problems.append(
                f"{setting}: {node!r} names a secret, which only stands in settings that may hold one: {valid}"
            )
            return node
        found: list[str] = []

        def secret(match: re.Match[str]) -> str:
            found.append(_secret(match[1], setting, self.project_dir, self.problems))
            if not values.fits_address(node, match.start(), found[-1]):
                self.problems.append(
                    f"{setting}: the secret ${{{match[1]}}} has a character that cannot stand in an address as it is. Where the "
                    f"secret is kept, {values.ENCODE}"
                )
                found[-1] = "unfit"
            return found[-1]

        text = _SECRET.sub(secret, node)
        # Among values of any kind nothing but this tells which of them are secret.
        return SecretArgument(text, found) if field.annotation == Arguments else text


def _secret(name: str, setting: str, project_dir: Path, problems: list[str]) -> str:
    """The value of a secret: from the environment, else from the secrets file."""
    if not _SECRET_NAME.fullmatch(name):
        problems.append(f"{setting}: ${{{name}}} is not the name of a secret: letters, digits and underscores")
        return "missing"
    value = os.environ.get(name)
    path = project_dir / (os.environ.get("SYSTOCK_SECRETS") or SECRETS_FILE)
    if value is None:
        value = _secret_file(path, name) if path.is_dir() else _secrets(path).get(name)
    if value is None:
        how = "as a file of that name" if path.is_dir() else f"as {name}=value"
        given = os.environ.get("SYSTOCK_SECRETS") or SECRETS_FILE
        problems.append(f"{setting}: the secret ${{{name}}} is neither in the environment nor in {given} ({how})")
        return "missing"
    return value


def _secret_file(folder: Path, name: str) -> str | None:
    """A secret that is a file of its name, as container engines hand them out; the line end behind it is not its own."""
    path = folder / name
    try:
        return path.read_text("utf-8").rstrip("\r\n")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"the secret cannot be read: {type(error).__name__}", where=str(path)) from None


def _secrets(path: Path) -> dict[str, str]:
    """The NAME=value lines of the secrets file; messages never show a line of it."""
    given = os.environ.get("SYSTOCK_SECRETS")
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

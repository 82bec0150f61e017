"""The settings of sources (`[sources.<source>]`): one model for each type of system, told apart by `type`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StrictBool,
    StrictInt,
    ValidationInfo,
    field_validator,
)

from systock import setting_values as values

ObjectName = Annotated[str, AfterValidator(values.object_name)]
ColumnNames = Annotated[tuple[str, ...], AfterValidator(values.column_names)]
Mode = Literal["append", "changes", "full"]
Cron = Annotated[str, AfterValidator(values.cron)]
Duration = Annotated[timedelta, BeforeValidator(values.duration)]
Policy = Literal["evolve", "freeze", "quarantine"]
#: What no figure depends on.
EXPECTATIONS = {"schedule", "fresh_within", "remote", "expected_lines"}


class Section(BaseModel):
    """A section of systock.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, hide_input_in_errors=True)


class TableSettings(Section):
    """[sources.<source>.tables.<table>]: what every raw table has, whatever delivers it."""

    mode: Mode
    key: ColumnNames = ()
    updated_at: str | None = Field(default=None, min_length=1)
    new_columns: Policy = "evolve"
    missing_columns: Policy = "evolve"
    retyped_columns: Policy = "evolve"
    known_columns: ColumnNames = ()
    personal: ColumnNames = ()
    expected_lines: Annotated[tuple[int, int] | Literal["any"] | None, BeforeValidator(values.line_span)] = None

    @property
    def tells_deletes(self) -> bool:
        """May a row say that the row of its key is gone?"""
        return False

    @field_validator("key")
    @classmethod
    def _key_where_needed(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if not value and info.data.get("mode") in ("changes", "full"):
            raise ValueError(
                f"is required for mode = '{info.data['mode']}': the columns that name a row, such as [\"id\"]"
            )
        return value

    @field_validator("personal")
    @classmethod
    def _personal_names_nothing(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        for setting in ("key", "updated_at"):
            named = info.data.get(setting) or ()
            not_personal((named,) if isinstance(named, str) else named, value, setting)
        return value


def not_personal(names: Iterable[str], personal: Iterable[str], setting: str) -> None:
    """Raise ValueError for a column that a setting takes as it is, although it is personal."""
    hidden = {name.casefold() for name in personal}
    for name in names:
        if name.casefold() in hidden:
            raise ValueError(
                f"names {name!r}, which {setting} has: values of {setting} are kept as they are, and can't be erased. "
                f"Take another column for {setting}."
            )


class FileTable(TableSettings):
    """Which files hold one raw table, how they follow each other, how they read."""

    path: Annotated[tuple[Annotated[str, AfterValidator(values.file_path)], ...], BeforeValidator(values.path_list)]
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

    @field_validator("sheet")
    @classmethod
    def _sheet_of_workbook(cls, value: str, info: ValidationInfo) -> str:
        if value and info.data.get("format") not in ("excel", "auto", None):
            raise ValueError(f"{value!r} only makes sense for format = 'excel', not '{info.data['format']}'")
        if any(sign in value for sign in "*?[") and info.data.get("mode") == "full":
            raise ValueError(f"{value!r} may mean several sheets, and in mode = 'full' each batch is the whole table")
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


class DatabaseTable(TableSettings):
    """Which table or query of a database holds one raw table, and how what is new in it is found.

    table: a table or view, `schema.name`; default: the raw table's name. query: one SELECT instead.
    cursor: columns that rise with each new or changed row; without them all rows are read at each run.
    late_window: rows whose cursor lies this far behind the last one are read again: they may have been committed late.
    deletes: "keys" compares the keys at each run, so that a row that is gone is gone here too.
    optional: not every system of this kind has the table; one that lacks it has no rows.
    """

    table: Annotated[str, AfterValidator(values.database_table)] | None = None
    query: str | None = Field(default=None, min_length=1)
    cursor: Annotated[ColumnNames, BeforeValidator(values.one_or_several)] = ()
    late_window: Annotated[timedelta | int | None, BeforeValidator(values.window)] = None
    deletes: Literal["no", "keys"] = "no"
    optional: StrictBool = False

    @property
    def tells_deletes(self) -> bool:
        """May a row say that the row of its key is gone?"""
        return self.deletes == "keys"

    @field_validator("query")
    @classmethod
    def _one_of_both(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value and info.data.get("table"):
            raise ValueError("is given beside table: name one of them")
        return value

    @field_validator("cursor")
    @classmethod
    def _cursor_where_it_helps(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if value and info.data.get("mode") == "full":
            raise ValueError("makes no sense for mode = 'full', which reads all rows: mode = 'changes' or 'append'")
        not_personal(value, info.data.get("personal", ()), "cursor")
        return value

    @field_validator("late_window")
    @classmethod
    def _window_of_one_cursor(cls, value: timedelta | int | None, info: ValidationInfo) -> timedelta | int | None:
        if value is not None and not info.data.get("cursor", True):
            raise ValueError("needs a cursor: the column that it looks back in")
        return value

    @field_validator("deletes")
    @classmethod
    def _deletes_of_changes(cls, value: str, info: ValidationInfo) -> str:
        if value == "keys" and info.data.get("mode") not in ("changes", None):
            raise ValueError("= 'keys' needs mode = 'changes'; in mode = 'full' what is absent is gone anyway")
        return value


class SourceSettings(Section):
    """[sources.<source>]: what every source has: when it runs, and what its figures mean."""

    type: str
    schedule: Cron | None = None
    fresh_within: Annotated[timedelta | Literal["any"] | None, BeforeValidator(values.duration_or_any)] = None
    moves_stock: StrictBool = False
    stock_starts: Literal["count", "zero"] = "count"
    codes_of: dict[Literal["product", "location", "customer", "supplier"], str] = Field(default_factory=dict)
    tables: Mapping[str, Any]

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

    def codes_source(self, entity: str, source_name: str) -> str:
        """The source whose codes this source uses for an entity; its own unless codes_of says otherwise."""
        return {str(coded): source for coded, source in self.codes_of.items()}.get(entity, source_name)

    def figures(self) -> dict[str, Any]:
        """The settings that figures depend on: of a system that is asked, not how it is asked."""
        asks = {"schedule", "fresh_within", *(type(self).model_fields.keys() - SourceSettings.model_fields.keys())}
        tables = {
            name: {
                **table.model_dump(mode="json", include={*TableSettings.model_fields} - EXPECTATIONS),
                "deletes": table.tells_deletes,
            }
            for name, table in self.tables.items()
        }
        return {**self.model_dump(mode="json", exclude={*asks, "tables"}), "tables": tables}


class RemoteSettings(Section):
    """[sources.<source>.remote]: how s3:// and sftp:// paths are reached."""

    timeout: Duration = Field(default=timedelta(seconds=30), ge=timedelta(seconds=1))
    endpoint_url: Annotated[str, AfterValidator(values.http_url)] = ""
    region: str = ""
    access_key: SecretStr | None = None
    secret_key: SecretStr | None = None
    anonymous: StrictBool = False
    password: SecretStr | None = None
    private_key: str = ""
    passphrase: SecretStr | None = None
    host_key: Annotated[str, AfterValidator(values.host_key)] = ""

    @field_validator("secret_key")
    @classmethod
    def _both_keys(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if (value is None) != (info.data.get("access_key") is None):
            raise ValueError("goes with access_key: give both, or none for what the environment has")
        return value


class FileSource(SourceSettings):
    """A folder into which a system exports files, here or on another machine."""

    type: Literal["files"]
    remote: RemoteSettings = Field(default_factory=RemoteSettings)
    known_at: Annotated[str, AfterValidator(values.known_at)] = "landing"
    tables: dict[ObjectName, FileTable] = Field(min_length=1)

    def known_at_of(self, table: str) -> str:
        """How batches of a table become known: its own setting, else the source's."""
        return self.tables[table].known_at or self.known_at

    def figures(self) -> dict[str, Any]:
        """All but when it runs, how it is reached, and what is expected of it."""
        figures = self.model_dump(mode="json", exclude={*EXPECTATIONS, "tables"})
        tables = {name: table.model_dump(mode="json", exclude=EXPECTATIONS) for name, table in self.tables.items()}
        return {**figures, "tables": tables}


class DatabaseSource(SourceSettings):
    """A database that is asked.

    timeout: how long a connection or a lock is waited for. answer_timeout: how long the server may be silent while a
    query is at work, to its first row and between any two.
    """

    type: Literal["database"]
    url: Annotated[SecretStr, AfterValidator(values.database_url)]
    timeout: Duration = timedelta(seconds=30)
    answer_timeout: Duration = Field(default=timedelta(minutes=10), gt=timedelta(0))
    tables: dict[ObjectName, DatabaseTable] = Field(min_length=1)

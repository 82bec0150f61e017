"""The settings of an API as a source (`type = "api"`): where it is, who asks, how its pages follow each other."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, StrictBool, StrictInt, ValidationInfo
from pydantic import field_validator as check

from systock import setting_values as values
from systock.source_settings import Duration, ObjectName, Section, SourceSettings, TableSettings, not_personal

#: A name in braces in an endpoint, a parameter or a body: the value of that field of a parent's record.
_PLACEHOLDER = re.compile(r"\{(\w+(?:\.\w+)*)\}")

Text = Annotated[str, Field(min_length=1)]
Url = Annotated[str, AfterValidator(values.web_address)]
#: Parameters of a query string: numbers may stand without quotes.
Params = Annotated[dict[str, str], BeforeValidator(values.texts)]


class Bearer(Section):
    """A token that does not change."""

    type: Literal["bearer"]
    token: SecretStr


class ApiKey(Section):
    """A key in a header, or as a parameter if `param` names one."""

    type: Literal["api_key"]
    key: SecretStr
    header: Text = "X-API-Key"
    param: Text | None = None


class Basic(Section):
    """User and password."""

    type: Literal["basic"]
    user: str
    password: SecretStr = SecretStr("")


class OAuth2(Section):
    """Client credentials, changed for a token that is renewed before it ends."""

    type: Literal["oauth2"]
    token_url: Text
    client_id: str
    client_secret: SecretStr
    scope: str = ""
    params: Params = Field(default_factory=dict)
    send: Literal["basic", "body"] = "basic"


class Login(Section):
    """A call that yields a token: in its body at the path `token`, or in the header `token_header`."""

    type: Literal["login"]
    endpoint: str
    user: str = ""
    password: SecretStr = SecretStr("")
    body: dict[str, Any] = Field(default_factory=lambda: {"username": "{user}", "password": "{password}"})
    form: StrictBool = False
    token: str = "token"
    token_header: Text | None = None
    header: Text = "Authorization"
    prefix: str = "Bearer "


Auth = Annotated[Bearer | ApiKey | Basic | OAuth2 | Login, Field(discriminator="type")]


class NoPages(Section):
    """One answer holds all."""

    type: Literal["none"] = "none"


class Numbered(Section):
    """Pages by number. total: path of the count of records, pages: of the count of pages, more: of whether there are more."""

    type: Literal["page"]
    param: Text = "page"
    first: StrictInt = 1
    size_param: Text | None = None
    size: StrictInt = Field(default=100, ge=1)
    total: str = ""
    pages: str = ""
    more: str = ""
    end_status: tuple[StrictInt, ...] = ()


class Offset(Section):
    """Pages by the number of records before them."""

    type: Literal["offset"]
    param: Text = "offset"
    size_param: Text | None = "limit"
    size: StrictInt = Field(default=100, ge=1)
    total: str = ""
    more: str = ""
    end_status: tuple[StrictInt, ...] = ()


class Cursor(Section):
    """Each answer names where the next one begins: at the path `next`, or by the field `last` of its last record."""

    type: Literal["cursor"]
    param: Text = "cursor"
    next: str = ""
    last: str = ""
    more: str = ""
    size_param: Text | None = None
    size: StrictInt = Field(default=100, ge=1)
    total: str = ""

    @check("last")
    @classmethod
    def _one_of_both(cls, value: str, info: ValidationInfo) -> str:
        if bool(value) == bool(info.data.get("next")):
            raise ValueError(
                "either next, the path of the next cursor such as 'meta.next_cursor', or last, the field of the last "
                "record that serves as one such as 'id', is required, and only one of them"
            )
        return value


class LinkHeader(Section):
    """The Link header names the next page."""

    type: Literal["link"]
    rel: Text = "next"
    size_param: Text | None = None
    size: StrictInt = Field(default=100, ge=1)
    total: str = ""


class NextUrl(Section):
    """The body names the address of the next page."""

    type: Literal["next_url"]
    next: Text
    size_param: Text | None = None
    size: StrictInt = Field(default=100, ge=1)
    total: str = ""


class Range(Section):
    """Range headers; `end` says whether the last number of a range belongs to it."""

    type: Literal["range"]
    size: StrictInt = Field(default=100, ge=1)
    unit: str = "items"
    end: Literal["inclusive", "exclusive"] = "inclusive"
    header: Text = "Range"


Pagination = Annotated[NoPages | Numbered | Offset | Cursor | LinkHeader | NextUrl | Range, Field(discriminator="type")]


class Incremental(Section):
    """Only what is new or changed is asked for.

    column: field of a record that rises with each change. param: the parameter that takes the value to begin at.
    late_window: how far behind the last value is asked again. exclusive: the API gives only what lies behind the value.
    """

    column: Text
    param: Text
    until_param: Text | None = None
    start: str | None = None
    late_window: Annotated[timedelta | int | None, BeforeValidator(values.window)] = None
    format: Annotated[str, AfterValidator(values.cursor_format)] = "auto"
    template: Annotated[str, AfterValidator(values.cursor_template)] = "{}"
    exclusive: StrictBool = False


class ApiTable(TableSettings):
    """Which endpoint delivers one raw table. paged: path of the list that pages are cut from, if the records lie deeper."""

    endpoint: str
    method: Literal["GET", "POST"] | None = None
    params: Params = Field(default_factory=dict)
    body: dict[str, Any] | None = None
    query: Text | None = None
    records: str = ""
    paged: str = ""
    outer: dict[str, Text] = Field(default_factory=dict)
    errors: str = ""
    pagination: Pagination | None = None
    cursor: Incremental | None = None
    parent: ObjectName | None = None

    @check("endpoint")
    @classmethod
    def _below_the_address(cls, value: str) -> str:
        if "://" in value or value.startswith("//") or "?" in value:
            raise ValueError(f"{value!r} is not a path below base_url, such as '/orders'; parameters stand in params")
        return value

    @check("paged")
    @classmethod
    def _on_the_way(cls, value: str, info: ValidationInfo) -> str:
        records = info.data.get("records", "")
        if value and not records.startswith(f"{value}."):
            raise ValueError(
                f"{value!r} is not on the way to the records: records = {records!r} does not begin with it"
            )
        return value

    @check("query")
    @classmethod
    def _query_or_body(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value and info.data.get("body") is not None:
            raise ValueError("is given beside body: a GraphQL query is sent in a body of its own")
        return value

    @check("cursor")
    @classmethod
    def _cursor_where_it_helps(cls, value: Incremental | None, info: ValidationInfo) -> Incremental | None:
        if value and info.data.get("mode") == "full":
            raise ValueError("makes no sense for mode = 'full', which reads all: mode = 'changes' or 'append'")
        not_personal([value.column.partition(".")[0]] if value else [], info.data.get("personal", ()), "cursor")
        return value

    @check("parent")
    @classmethod
    def _parent_with_key(cls, value: str | None, info: ValidationInfo) -> str | None:
        fields = _fields(info.data.get("endpoint"), info.data.get("params"), info.data.get("body"))
        if value and not fields:
            raise ValueError("needs a field of the parent in braces, such as endpoint = '/orders/{id}/lines'")
        if fields and not value:
            raise ValueError(f"is required: {{{fields[0]}}} is a field of the records of another table; which one?")
        if value and info.data.get("cursor"):
            raise ValueError("has the cursor: what is new is asked of the parent, leave it out here")
        if value and not info.data.get("key"):
            raise ValueError("needs a key here: what a parent holds comes again whenever the parent changes")
        return value

    @property
    def parent_fields(self) -> list[str]:
        """The fields of the parent's records that stand in braces."""
        return _fields(self.endpoint, self.params, self.body) if self.parent else []

    @property
    def verb(self) -> str:
        """The method of its calls."""
        return self.method or ("GET" if self.query is None and self.body is None else "POST")


def _fields(*settings: Any) -> list[str]:
    return list(dict.fromkeys(_PLACEHOLDER.findall(" ".join(map(str, settings)))))


class ApiSource(SourceSettings):
    """An API that is asked. hosts: further hosts whose pages belong to it, and get the credentials too."""

    type: Literal["api"]
    base_url: Url
    auth: Auth | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    secret_headers: dict[str, SecretStr] = Field(default_factory=dict)
    pagination: Pagination = Field(default_factory=NoPages)
    hosts: tuple[Text, ...] = ()
    proxy: Annotated[SecretStr, AfterValidator(values.proxy)] | None = None
    ca_file: Text | None = None
    timeout: Duration = timedelta(seconds=60)
    attempts: StrictInt = Field(default=6, ge=1, le=100)
    longest_wait: Duration = timedelta(minutes=5)
    requests_per_second: Annotated[float, Field(gt=0)] | None = None
    call_limit_header: Text = "X-Shopify-Shop-Api-Call-Limit"
    max_response_mb: StrictInt = Field(default=32, ge=1)
    max_pages: StrictInt = Field(default=100_000, ge=1)
    resume_within: Duration = timedelta(hours=1)
    tables: dict[ObjectName, ApiTable] = Field(min_length=1)

    @check("tables")
    @classmethod
    def _parents(cls, tables: dict[str, ApiTable]) -> dict[str, ApiTable]:
        for name, table in tables.items():
            parent = tables.get(table.parent) if table.parent else None
            if table.parent and (parent is None or parent.parent):
                valid = [other for other, found in tables.items() if not found.parent]
                raise ValueError(
                    f"{name}.parent = {table.parent!r} is not one of the tables without a parent: {', '.join(valid)}."
                    + values.hint(table.parent, valid)
                )
            if parent:
                not_personal(
                    [field.partition(".")[0] for field in table.parent_fields], parent.personal, f"{name}.endpoint"
                )
            if parent and parent.cursor and table.mode == "full":
                raise ValueError(
                    f"{name}.mode = 'full' does not go with the cursor of its parent {table.parent!r}, by which only "
                    "what is new is asked for: mode = 'changes'"
                )
        return tables

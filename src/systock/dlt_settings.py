"""The settings of a dlt source (`type = "dlt"`): which function makes it, with which arguments, which resources are read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PrivateAttr, SecretStr, ValidationInfo, field_validator

from systock import setting_values as values
from systock.source_settings import Mode, ObjectName, SourceSettings, TableSettings, not_personal


class SecretArgument(SecretStr):
    """A text with secrets in it. parts: each secret alone, as it may be shown without the text around it."""

    def __init__(self, text: str, parts: Sequence[str]) -> None:
        super().__init__(text)
        self.parts = tuple(parts)


#: Whatever a function is called with; ${NAME} may stand in any text, however deep, and makes it a SecretArgument.
Arguments = dict[str, Annotated[Any | SecretStr, Field(union_mode="left_to_right")]]


class DltTable(TableSettings):
    """Which resource holds one raw table. What is not set of mode and key, the resource's own hints say.

    resource: its name; default: the raw table's. incremental: what dlt.sources.incremental is called with, for a
    resource that brings none of its own.
    """

    mode: Mode | None = None  # type: ignore[assignment]  # a project completes it before anybody reads it
    resource: str | None = Field(default=None, min_length=1)
    incremental: dict[str, Any] | None = None

    #: Which of mode and key were not set, but said by the source.
    _hinted: frozenset[str] = PrivateAttr(default=frozenset())

    @field_validator("key")
    @classmethod
    def _key_where_needed(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        return value  # which the source may say

    @field_validator("incremental")
    @classmethod
    def _with_a_cursor(cls, value: dict[str, Any] | None, info: ValidationInfo) -> dict[str, Any] | None:
        if value is not None and not isinstance(value.get("cursor_path"), str):
            raise ValueError('needs the column that rises: { cursor_path = "updated_at" }')
        not_personal(
            [value["cursor_path"].removeprefix("$.").partition(".")[0]] if value else [],
            info.data.get("personal", ()),
            "incremental",
        )
        return value

    @property
    def hinted(self) -> frozenset[str]:
        """Which of mode and key the source said."""
        return self._hinted

    @property
    def asks_hints(self) -> bool:
        """Is anything left to the source to say?"""
        return self.mode is None or (self.mode != "append" and not self.key)

    @property
    def as_set(self) -> DltTable:
        """The same with nothing but what the settings say."""
        left = {"mode": None, "key": ()}
        return self.model_copy(update={name: left[name] for name in self._hinted})

    def with_hints(self, mode: Mode, key: tuple[str, ...]) -> DltTable:
        """The same with what is not set taken from the source."""
        given = {"mode": mode} if self.mode is None else {}
        completed = self.model_copy(update={**given, **({} if self.key else {"key": key})})
        completed._hinted = frozenset({*given, *(() if self.key else ("key",))})
        return completed


class DltSource(SourceSettings):
    """A dlt source. source: 'module:function'; a module is a file of the project, else one that is installed."""

    type: Literal["dlt"]
    source: Annotated[str, AfterValidator(values.function_path)]
    args: Arguments = Field(default_factory=dict)
    tables: dict[ObjectName, DltTable] = Field(min_length=1)

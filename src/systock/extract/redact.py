"""Keeping secrets out of what is said of a failure: in messages, logs and whatever is stored."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from pydantic import BaseModel, SecretStr

from systock.errors import SystockError

#: Behind the user, or as a parameter.
_PASSWORDS = (re.compile(r"^[^/]*//[^/]*?:(.*)@", re.DOTALL), re.compile(r"[?&]password=([^&]*)"))


def secrets_of(settings: Any) -> list[str]:
    """What must not be shown of a source's settings: secret values, and the passwords in secret addresses; long first."""
    found = set()
    for value in _secret_values(settings):
        found.add(value)
        for password in (match for pattern in _PASSWORDS if (match := pattern.search(value))):
            found |= {password[1], unquote(password[1])}
    return sorted(found - {""}, key=lambda text: (-len(text), text))


def _secret_values(node: Any) -> Iterator[str]:
    if isinstance(node, SecretStr):
        yield node.get_secret_value()
        yield from getattr(node, "parts", ())
    elif isinstance(node, BaseModel):
        for name in type(node).model_fields:
            yield from _secret_values(getattr(node, name))
    elif isinstance(node, Mapping):
        for value in node.values():
            yield from _secret_values(value)
    elif isinstance(node, Sequence) and not isinstance(node, str | bytes):
        for value in node:
            yield from _secret_values(value)


def redact(error: SystockError, secrets: Sequence[str]) -> None:
    """Take the secrets out of an error, and off what it was raised from."""
    for name in ("what", "where", "state", "todo"):
        text = getattr(error, name)
        for secret in secrets if text else ():
            text = text.replace(secret, "…")
        setattr(error, name, text)
    error.args = (error.what,)
    error.__cause__ = error.__context__ = None

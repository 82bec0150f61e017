"""Keeping secrets out of what is said of a failure: in messages, logs and whatever is stored."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from pydantic import BaseModel, SecretStr

from systock.errors import SystockError

#: What a message holds of what a system says before its secrets are out, and shows of it then: half a secret is one, too.
LONGEST, SHOWN = 20_000, 500
#: Behind the user, or as a parameter.
_PASSWORDS = (re.compile(r"^[^/]*//[^/]*?:(.*)@", re.DOTALL), re.compile(r"[?&]password=([^&]*)"))

#: Where a secret comes apart when it is read as an address; how long a part is that must not be shown either.
_MARKS, _PART = re.compile(r"[@/?#\[\]:&=%\s]+"), 3


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


def redact(error: SystockError, secrets: Sequence[str], shown: int = 0) -> None:
    """Take the secrets out of an error, however an address or JSON writes them, and off what it was raised from.

    The parts that they come apart into go, too, where they stand as a word: an address may have been misread.
    shown: to how many characters it is cut then; 0: to none.
    """
    patterns = [_written(secret) for secret in secrets]
    parts = {part for secret in secrets if "://" not in secret for part in _MARKS.split(secret) if len(part) >= _PART}
    patterns += [
        re.compile(rf"(?:(?<!\w)|(?<=%[0-9A-Fa-f]{{2}})){_written(part).pattern}(?!\w)")
        for part in sorted(parts - {*secrets})
    ]
    for name in ("what", "where", "state", "todo"):
        text = getattr(error, name)
        for pattern in patterns if text else ():
            text = pattern.sub("…", text)
        setattr(error, name, text)
    if shown and len(error.what) > shown:
        error.what = f"{error.what[:shown]} …"
    error.args = (error.what,)
    error.__cause__ = error.__context__ = None


def _written(secret: str) -> re.Pattern[str]:
    """A pattern of a text in which each letter may be escaped as addresses (%2B, + for a blank) and JSON do."""
    letters = []
    for letter in secret:
        escaped = "".join(f"%{byte:02x}" for byte in letter.encode("utf-8", "surrogatepass"))
        forms = {re.escape(letter), re.escape(json.dumps(letter)[1:-1]), f"(?i:{escaped})"} | (
            {r"\+"} if letter == " " else set()
        )
        letters.append(f"(?:{'|'.join(sorted(forms, key=len, reverse=True))})")
    return re.compile("".join(letters))

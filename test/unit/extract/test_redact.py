"""Secrets are kept out of what is said, however they are written."""

from __future__ import annotations

import pytest

from systock.errors import SourceError
from systock.extract.redact import redact, secrets_of
from systock.source_settings import DatabaseSource


@pytest.mark.parametrize(
    ("url", "secrets"),
    [
        ("mysql://u:p%40ss%2Fw:rd@h:3306/d", ["mysql://u:p%40ss%2Fw:rd@h:3306/d", "p%40ss%2Fw:rd", "p@ss/w:rd"]),
        ("postgresql://u@h/d", ["postgresql://u@h/d"]),
        ("postgresql://u:@h/d", ["postgresql://u:@h/d"]),
        ("postgresql://h/d?password=geheim&x=1", ["postgresql://h/d?password=geheim&x=1", "geheim"]),
    ],
)
def test_an_address_its_password_and_both_its_forms(url: str, secrets: list[str]) -> None:
    source = DatabaseSource.model_validate({"type": "database", "url": url, "tables": {"a": {"mode": "append"}}})
    assert secrets_of(source) == secrets
    try:
        try:
            raise ValueError(secrets[-1])
        except ValueError as cause:
            raise SourceError(f"no {url}", where=secrets[-1], todo=f"say {secrets[-1]}", state="x") from cause
    except SourceError as error:
        redact(error, secrets)
        said = f"{error} {error!r} {error.args} {error.__cause__} {error.__context__}"
    assert [secret for secret in secrets if secret in said] == []


def test_the_parts_of_a_misread_address() -> None:
    error = SourceError("no host Zyx9w@h, no port 'Xq7'; a Zyx9word of ours", where="[Xq7", todo="see %40Zyx9w")
    redact(error, ["mysql://u:Xq7@Zyx9w@h/d", "Xq7@Zyx9w"])
    assert (error.what, error.where) == ("no host …@h, no port '…'; a Zyx9word of ours", "[…")
    assert error.todo == "see %40…"

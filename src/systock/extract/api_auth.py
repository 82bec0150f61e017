"""Who asks an API: credentials that are put into each call, and tokens that are fetched and renewed."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import quote, urljoin

from systock import api_settings as kinds
from systock.errors import SourceError
from systock.extract.api_call import NOTHING, Answer, Call, filled, value_at
from systock.extract.json_rows import value_text

#: A token is renewed so many seconds before it ends.
_EARLY = 30.0


class AuthRefused(SourceError):
    """The API does not let us in: what is half fetched is kept for when it does."""


class Exchange(Protocol):
    """Sends a call without credentials."""

    def __call__(self, call: Call) -> Answer: ...


class Auth:
    """Nobody in particular; what the others have in common.

    secrets: what must not be shown, tokens that were fetched included. is_fresh: the token was never accepted yet.
    """

    can_renew = False
    is_fresh = False

    def __init__(self) -> None:
        self.secrets: set[str] = set()

    def credentials(self) -> tuple[dict[str, str], dict[str, str]]:
        """Headers and parameters that say who asks."""
        return {}, {}

    def accepted(self) -> None:
        """The credentials were let in."""
        self.is_fresh = False

    def renew(self) -> None:
        """Forget the token: the next call fetches another one."""


class _Fixed(Auth):
    def __init__(self, headers: dict[str, str], params: dict[str, str], *secrets: str) -> None:
        super().__init__()
        self._found = headers, params
        self.secrets.update(secrets)

    def credentials(self) -> tuple[dict[str, str], dict[str, str]]:
        return self._found


class _Token(Auth):
    """A token that is fetched when it is needed."""

    can_renew = True

    def __init__(self, header: str, prefix: str, exchange: Exchange, clock: Callable[[], float]) -> None:
        super().__init__()
        self._header, self._prefix, self._exchange, self._clock = header, prefix, exchange, clock
        self._token, self._ends = "", float("inf")

    def credentials(self) -> tuple[dict[str, str], dict[str, str]]:
        if not self._token or self._clock() >= self._ends:
            self._token, lifetime = self._fetch()
            self.secrets.add(self._token)
            # Of a token that lives shorter than we would renew it early, half its life.
            self._ends = self._clock() + max(lifetime - _EARLY, lifetime / 2)
            self.is_fresh = True
        return {self._header: f"{self._prefix}{self._token}"}, {}

    def renew(self) -> None:
        self._token = ""

    def _fetch(self) -> tuple[str, float]:
        raise NotImplementedError


class _OAuth2(_Token):
    def __init__(self, settings: kinds.OAuth2, base_url: str, exchange: Exchange, clock: Callable[[], float]) -> None:
        super().__init__("Authorization", "Bearer ", exchange, clock)
        self._settings, self._url = settings, urljoin(f"{base_url}/", settings.token_url)
        self._secret = settings.client_secret.get_secret_value()
        self.secrets |= {self._secret, quote(self._secret, safe="")}

    def _fetch(self) -> tuple[str, float]:
        fields = {"grant_type": "client_credentials", **self._settings.params}
        if self._settings.scope:
            fields["scope"] = self._settings.scope
        headers = {}
        if self._settings.send == "basic":
            headers["Authorization"] = _basic(quote(self._settings.client_id, safe=""), quote(self._secret, safe=""))
            self.secrets.add(headers["Authorization"].removeprefix("Basic "))
        else:
            fields |= {"client_id": self._settings.client_id, "client_secret": self._secret}
        answer = self._exchange(Call("POST", self._url, headers=headers, body=fields, form=True))
        token = _token(answer.body, "access_token", "auth.token_url")
        lifetime = value_at(answer.body, "expires_in")
        try:
            return token, float("inf") if lifetime in (NOTHING, None) else float(lifetime)
        except (TypeError, ValueError):
            return token, float("inf")


class _Login(_Token):
    def __init__(self, settings: kinds.Login, base_url: str, exchange: Exchange, clock: Callable[[], float]) -> None:
        super().__init__(settings.header, settings.prefix, exchange, clock)
        self._settings, self._url = settings, f"{base_url}/{settings.endpoint.lstrip('/')}"
        self._password = settings.password.get_secret_value()
        self.secrets.add(self._password)

    def _fetch(self) -> tuple[str, float]:
        settings = self._settings
        body = filled(settings.body, {"user": settings.user, "password": self._password})
        answer = self._exchange(Call("POST", self._url, body=body, form=settings.form))
        if settings.token_header:
            token = answer.headers.get(settings.token_header.lower(), "")
            if not token:
                raise _no_token(f"the answer has no header {settings.token_header!r}", "auth.token_header")
            return token, float("inf")
        return _token(answer.body, settings.token, "auth.token"), float("inf")


def auth_of(settings: Any, base_url: str, exchange: Exchange, clock: Callable[[], float] = time.monotonic) -> Auth:
    """What the settings describe."""
    match settings:
        case kinds.Bearer():
            token = settings.token.get_secret_value()
            return _Fixed({"Authorization": f"Bearer {token}"}, {}, token)
        case kinds.ApiKey():
            key = settings.key.get_secret_value()
            where = {settings.param or settings.header: key}
            return _Fixed(*(({}, where) if settings.param else (where, {})), key, quote(key, safe=""))
        case kinds.Basic():
            password = settings.password.get_secret_value()
            header = _basic(settings.user, password)
            return _Fixed({"Authorization": header}, {}, password, header.removeprefix("Basic "))
        case kinds.OAuth2():
            return _OAuth2(settings, base_url, exchange, clock)
        case kinds.Login():
            return _Login(settings, base_url, exchange, clock)
    return Auth()


def _basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def _token(body: Any, path: str, setting: str) -> str:
    found = value_at(body, path)
    token = None if found is NOTHING or isinstance(found, dict | list) else value_text(found)
    if not token:
        raise _no_token(f"the answer holds no token at {path!r}", setting)
    return token


def _no_token(what: str, setting: str) -> AuthRefused:
    return AuthRefused(what, todo=f"Check the credentials, and {setting} of the source.")

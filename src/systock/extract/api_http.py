"""Talks to an API over HTTP: limits of time, size and rate, attempts, redirects, and what to say when nothing helps."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from time import sleep
from urllib.parse import urlencode, urljoin, urlsplit

import urllib3
from tenacity import RetryCallState, Retrying, retry_if_exception_type
from urllib3.exceptions import HTTPError, MaxRetryError, ProxyError, SSLError

from systock import __version__
from systock.api_settings import ApiSource
from systock.errors import SourceError
from systock.extract.api_auth import AuthRefused, auth_of
from systock.extract.api_body import LATER, Again, decoded, excerpt, retry_after, said, wait_for_calls
from systock.extract.api_call import Answer, Call
from systock.extract.api_proxy import Connections
from systock.extract.api_records import bucket_wait, graphql_codes
from systock.extract.redact import secrets_of

_CHUNK = 1 << 16
_REDIRECTS = (301, 302, 303, 307, 308)
_MAY_PASS = (408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524)
#: The same in the words of GraphQL.
_LOCKED_OUT = {"UNAUTHENTICATED", "FORBIDDEN"}
_LONGEST_BACKOFF = 30.0
#: An answer that drips in takes at most so many times the time-out.
_DRIPPING = 10
#: A fresh token that is not known everywhere yet is tried so often.
_FRESH_TRIES = 4


class Unreachable(SourceError):
    """No other table of this source would fare better."""


class Client:
    """One connection to one API. `ask` returns the answer to a call or raises a SourceError without where.

    alive: called about every second while it waits; what it raises ends the wait.
    """

    def __init__(self, settings: ApiSource, project_dir: Path) -> None:
        self._settings = settings
        self.alive: Callable[[], None] = lambda: None
        self._auth = auth_of(settings.auth, settings.base_url, self._exchange)
        self._home = _origin(settings.base_url)
        self._timeout = settings.timeout.total_seconds()
        self._longest = settings.longest_wait.total_seconds()
        self._limit = settings.max_response_mb << 20
        self._next_at = 0.0
        self._connections = Connections(settings, project_dir)
        self._always = {
            "Accept": "application/json",
            "Accept-Encoding": "gzip, deflate",
            "User-Agent": f"systock/{__version__}",
            **settings.headers,
        }
        self._secret_headers = {name: value.get_secret_value() for name, value in settings.secret_headers.items()}

    def close(self) -> None:
        """Let the connections go."""
        self._connections.clear()

    @property
    def secrets(self) -> list[str]:
        """What must not be shown, the longest first."""
        home = self._connections.secrets(self._settings.base_url)
        found = {*secrets_of(self._settings), *self._auth.secrets, *home} - {""}
        return sorted({*found, *(json.dumps(secret)[1:-1] for secret in found)}, key=lambda text: (-len(text), text))

    def without_credentials(self, url: str) -> str:
        """A URL that can be kept: not with the parameters that say who asks."""
        _, params = self._auth.credentials()
        return Call("GET", url).address(dict.fromkeys(params, "")) if params else url

    def ask(self, call: Call, accepted: frozenset[int] = frozenset()) -> Answer:
        """Send a call, again where that may help. accepted: statuses beside the good ones that are an answer."""
        origin = _origin(call.url)
        if origin != self._home and not self._is_ours(origin):
            raise _elsewhere("the next page is said to be", origin, self._home)
        return self._persistently(lambda: self._authorised(call, accepted))

    # attempts

    def _persistently(self, once: Callable[[], Answer]) -> Answer:
        def give_up(state: RetryCallState) -> bool:
            error = state.outcome.exception() if state.outcome else None
            too_long = isinstance(error, Again) and (error.wait or 0) > self._longest
            return too_long or state.attempt_number >= self._settings.attempts

        def wait(state: RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            backoff = min(_LONGEST_BACKOFF, 0.5 * 2 ** (state.attempt_number - 1))
            return error.wait if isinstance(error, Again) and error.wait is not None else backoff

        retrying = Retrying(
            retry=retry_if_exception_type(Again), stop=give_up, wait=wait, sleep=self._pause, reraise=True
        )
        try:
            return retrying(once)
        except Again as again:
            tried = retrying.statistics["attempt_number"]
            error = again.error
            if again.wait is not None and again.wait > self._longest:
                error.what += f"; it asks to wait {again.wait:,.0f} seconds, longer than longest_wait"
            elif tried > 1:
                error.what += f" (tried {tried} times)"
            raise error from None

    def _pause(self, seconds: float) -> None:
        while seconds > 0:
            self.alive()
            sleep(min(1.0, seconds))
            seconds -= 1.0

    def _authorised(self, call: Call, accepted: frozenset[int]) -> Answer:
        for attempt in range(_FRESH_TRIES):
            headers, params = self._auth.credentials()
            answer = self._follow(call, headers, params, accepted)
            codes = graphql_codes(answer.body) if call.body is not None else set()
            if "THROTTLED" in codes:
                raise Again(SourceError("the API asks to slow down", todo=LATER), bucket_wait(answer.body))
            if answer.status != 401 and not codes & _LOCKED_OUT:
                self._auth.accepted()
                return answer
            if not self._auth.can_renew:
                break
            if self._auth.is_fresh:  # it may not be known everywhere yet
                self._pause(0.5 * 2**attempt)
            else:
                self._auth.renew()
        raise AuthRefused(
            f"the API refuses the credentials: {answer.status}{said(answer.body)}", todo=self._check_auth()
        )

    def _check_auth(self) -> str:
        kind = self._settings.auth.type if self._settings.auth else None
        return (
            f"Check the secrets of auth (type {kind!r}), which may have expired." if kind else "Set auth of the source."
        )

    # one exchange

    def _exchange(self, call: Call) -> Answer:
        """A call for a token. What is refused here says that the credentials are wrong."""
        answer = self._follow(call, {}, {}, frozenset({400, 403}), with_headers=False)
        if answer.status in (400, 401, 403):
            where = urlsplit(call.url).path
            raise AuthRefused(
                f"{where} refuses the credentials: {answer.status}{said(answer.body)}", todo=self._check_auth()
            )
        return answer

    def _follow(
        self,
        call: Call,
        headers: dict[str, str],
        params: dict[str, str],
        accepted: frozenset[int],
        with_headers: bool = True,
    ) -> Answer:
        """Send, and follow redirects: within the same host with the credentials, to allowed ones without."""
        start = _origin(call.url)
        headers = {**self._secret_headers, **headers} if with_headers or start == self._home else headers
        url, method = call.address(params), call.method
        for _ in range(6):
            status, found, body = self._send(method, url, headers, call)
            target = found.get("location")
            if status not in _REDIRECTS or not target:
                return self._judged(status, found, body, url, accepted)
            if method != "GET" and status not in (307, 308):
                raise SourceError(
                    f"{method} is answered by a redirect ({status})", todo="Correct base_url or endpoint."
                )
            url = urljoin(url, target)
            origin = _origin(url)
            upgraded = origin[1] == start[1] and (start[0], start[2], origin[0], origin[2]) == (
                "http",
                80,
                "https",
                443,
            )
            if origin != start and not upgraded:
                if not self._is_ours(origin) or method != "GET":
                    raise _elsewhere("the API redirects to", origin, self._home)
                headers = {}
        raise SourceError("the API redirects without end", todo="Correct base_url or endpoint.")

    def _is_ours(self, origin: tuple[str, str, int]) -> bool:
        scheme, host, port = origin
        named = any(allowed.lower() in (host, f"{host}:{port}") for allowed in self._settings.hosts)
        return named and (scheme == "https" or self._home[0] == "http")

    def _send(self, method: str, url: str, headers: dict[str, str], call: Call) -> tuple[int, dict[str, str], bytes]:
        self._wait_for_turn()
        sent = {**self._always, **call.headers, **headers}
        data = None
        if call.body is not None and method != "GET":
            kind = "x-www-form-urlencoded" if call.form else "json"
            sent["Content-Type"] = f"application/{kind}"
            data = (urlencode(call.body) if call.form else json.dumps(call.body)).encode()
        deadline = time.monotonic() + _DRIPPING * self._timeout
        try:
            response = self._connections.request(method, url, body=data, headers=sent)
            try:
                body = self._read(response, deadline)
            except BaseException:
                response.close()
                raise
            response.release_conn()
        except HTTPError as error:
            raise self._failed(error, url) from None
        except (HTTPException, ValueError) as error:  # such as a line break in a token
            raise SourceError(f"the call cannot be sent: {error}", todo="Correct the settings of the source.") from None
        found = {name.lower(): value for name, value in response.headers.items()}
        self._note_limits(found)
        return response.status, found, body

    def _read(self, response: urllib3.BaseHTTPResponse, deadline: float) -> bytes:
        parts, size = [], 0
        # read1 takes what is there: an answer that drips is seen to do so.
        while part := response.read1(_CHUNK):
            parts.append(part)
            size += len(part)
            if size > self._limit:
                raise SourceError(
                    f"the answer is larger than {self._settings.max_response_mb} MB",
                    todo="Ask for fewer records a page (pagination, size), or raise max_response_mb of the source.",
                )
            if time.monotonic() > deadline:
                raise Again(
                    SourceError(f"the answer was not complete after {_DRIPPING * self._timeout:g} seconds", todo=LATER)
                )
            self.alive()
        return b"".join(parts)

    def _failed(self, error: HTTPError, url: str) -> Exception:
        """What a failure of the network means."""
        reason = error.reason if isinstance(error, MaxRetryError) and error.reason else error
        text = str(reason)
        host = _shown(self._home)
        if isinstance(reason, SSLError) and ("CERTIFICATE" in text.upper() or "match" in text):
            why = re.search(r"verify failed: ([^(]*)", text)
            return Unreachable(
                f"the certificate of {host} is not trusted: {(why[1] if why else text).strip()}",
                todo="If the API has a certificate of your own, name the file of its authority in ca_file of the source.",
            )
        if isinstance(reason, urllib3.exceptions.LocationValueError):
            return SourceError(f"not an address: {text}", todo="Correct base_url or endpoint.")
        kind: type[SourceError] = SourceError
        proxy = self._connections.by_way_of(url)
        if isinstance(reason, ProxyError):
            what, kind = f"{host} cannot be reached through the proxy {proxy}", Unreachable
            text = str(reason.original_error)
        elif isinstance(reason, urllib3.exceptions.ConnectTimeoutError | urllib3.exceptions.NewConnectionError):
            what, kind = f"{host} cannot be reached", Unreachable
        elif isinstance(reason, urllib3.exceptions.ReadTimeoutError):
            what = f"{host} did not answer within {self._timeout:g} seconds"
        elif "IncompleteRead" in text:
            what = "the answer was cut off"
        else:
            what = f"the exchange with {host} broke off"
        detail = re.sub(r"<[^>]*>[:,]? ?|\(host='[^)]*\): ", "", text).strip("() ")
        if isinstance(reason, ProxyError):
            todo = (
                "Check the proxy (proxy of the source, or HTTPS_PROXY and NO_PROXY of the environment); then run again."
            )
        else:
            todo = "Check base_url, the network and the proxy; then run again." if kind is Unreachable else LATER
        return Again(kind(f"{what}: {detail}", todo=todo))

    def _judged(self, status: int, headers: dict[str, str], data: bytes, url: str, accepted: frozenset[int]) -> Answer:
        """The answer, or what is wrong with it."""
        if (status in _MAY_PASS or (status == 403 and "retry-after" in headers)) and status not in accepted:
            busy = status == 429
            what = "the API asks to slow down (429)" if busy else f"the API has a fault: {status}"
            raise Again(SourceError(f"{what}{excerpt(headers, data)}", todo=LATER), retry_after(headers))
        if status == 401 or status in accepted:
            try:
                body = decoded(headers, data)
            except Again:
                body = None
            return Answer(status, headers, body, url)
        if status == 403:
            raise AuthRefused(
                f"the API refuses these credentials here: 403{excerpt(headers, data)}",
                todo=f"{self._check_auth()} They may lack a permission.",
            )
        if not 200 <= status < 300:
            todo = (
                "Correct endpoint or base_url." if status in (404, 405, 410) else "Correct params, query or pagination."
            )
            raise SourceError(f"the API answers {status}{excerpt(headers, data)}", todo=todo)
        return Answer(status, headers, None if status == 204 else decoded(headers, data), url)

    # rate

    def _wait_for_turn(self) -> None:
        now = time.monotonic()
        if self._next_at > now:
            self._pause(self._next_at - now)
        if self._settings.requests_per_second:
            self._next_at = max(self._next_at, time.monotonic()) + 1 / self._settings.requests_per_second

    def _note_limits(self, headers: dict[str, str]) -> None:
        """Slow down before the API asks for it: what its headers say of a bucket that fills, or of calls that are left."""
        wait = wait_for_calls(headers, self._settings.call_limit_header)
        if wait:
            self._next_at = max(self._next_at, time.monotonic() + min(wait, self._longest))


def _origin(url: str) -> tuple[str, str, int]:
    try:
        parts = urlsplit(url)
        scheme, port = parts.scheme.lower(), parts.port
    except ValueError:
        raise SourceError(f"{url!r} is no address", todo="Ask those who run the API.") from None
    if scheme not in ("http", "https") or not parts.hostname:
        raise SourceError(f"{url!r} is no address of the web", todo="Ask those who run the API.")
    return scheme, parts.hostname.lower(), port or (443 if scheme == "https" else 80)


def _shown(origin: tuple[str, str, int]) -> str:
    scheme, host, port = origin
    return host if port == (443 if scheme == "https" else 80) else f"{host}:{port}"


def _elsewhere(what: str, origin: tuple[str, str, int], home: tuple[str, str, int]) -> SourceError:
    """Credentials would go where they do not belong. what: ends where the place follows."""
    if origin[1] != home[1]:
        found = f"another host, {_shown(origin)}"
    elif origin[0] != home[0]:
        found = f"{origin[0]}://{_shown(origin)} and not {home[0]}, as base_url says"
        return SourceError(
            f"{what} {found}: nothing is sent there",
            todo="If the API is reached so, write it so in base_url."
            if origin[0] == "https"
            else "Ask those who run the API for addresses with https: what follows is not to be sent in the clear.",
        )
    else:
        found = f"another port, {_shown(origin)}"
    return SourceError(
        f"{what} {found}, where nothing is sent to",
        todo=f"If it belongs to the API, add it to the source: hosts = [{json.dumps(_shown(origin))}].",
    )

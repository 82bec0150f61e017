"""The web shop's API: a real HTTP server, with pages, a login, a rate limit, and faults where they are asked for.

    POST /login                {"user": …, "password": …} -> {"token": …, "expires_in": seconds}
    GET  /orders?page=2        {"data": [...], "page": 2, "pages": 7, "total": 312}; past the end: 200 and no records
    GET  /orders?cursor=       {"data": [...], "next_cursor": "…" or null}
    GET  …&limit=50            records a page, 100 unless told, 250 at most
    GET  …&updated_since=…     only what was changed at that instant or later

Orders, order_lines, refunds, products and inventory_levels are served alike, in the order of (updated_at, id).
"""

from __future__ import annotations

import json
import secrets
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from struct import pack
from typing import Any
from urllib.parse import parse_qs, urlsplit

from systock.errors import UsageError
from systock.simulator.shop_data import ENDPOINTS, FILE_NAME

LOOPBACK = "127.0.0.1"
USER, PASSWORD = "systock", "open sesame"
_PAGE, _LARGEST_PAGE = 100, 250
_TOKEN_LIVES = 3600
_SLOW_SECONDS = 0.5


@dataclass(frozen=True)
class ShopFaults:
    """What goes wrong on demand; each number n means: every n-th request (0 = never)."""

    errors: int = 0  # is answered by 500
    resets: int = 0  # ends in a connection reset, halfway through the body
    slow: int = 0  # has a body that comes in drops
    limits: int = 0  # is answered by 429, and so are all until the time that Retry-After names is over
    edges: bool = False  # a page by number begins with the last record of the page before it
    refusals: bool = False  # the first call with a fresh token is answered by 401
    most: int = 0  # so many times at most goes each of the numbered ones wrong (0 = always)

    @classmethod
    def asked(cls, faults: str) -> ShopFaults:
        """The faults behind "all", "none" or a comma list of their names."""
        usual = cls(errors=5, resets=7, slow=11, limits=13, edges=True, refusals=True)
        names = [field.name for field in fields(cls) if field.name != "most"]
        given = {"all": names, "none": []}.get(faults, [name.strip() for name in faults.split(",") if name.strip()])
        unknown = [name for name in given if name not in names]
        if unknown:
            raise UsageError(
                f"There is no fault named {', '.join(map(repr, unknown))}.",
                where="the shop's faults",
                todo=f"Use all, none, or a comma list of: {', '.join(names)}.",
            )
        return cls(**{name: getattr(usual, name) for name in given})


def free_port(wanted: int, host: str = LOOPBACK) -> int:
    """The port that is wanted, else one that is free; UsageError where the host is none of this machine's."""
    for port in (wanted, 0):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            return int(probe.getsockname()[1])
    raise UsageError(
        f"no port of {host} can be used",
        todo="Close what listens on them, or name an address of this machine with --host.",
    )


class ShopApi(ThreadingHTTPServer):
    """The server; `base_url` says where it listens. Port 0: any that is free. host: a name or address of this machine."""

    daemon_threads = True

    def __init__(self, folder: Path, faults: ShopFaults, port: int = 0, host: str = LOOPBACK) -> None:
        try:
            self.records: dict[str, list[dict[str, Any]]] = json.loads((folder / FILE_NAME).read_text("utf-8"))
        except FileNotFoundError:
            raise UsageError(
                f"{folder} holds no chain with a web shop.",
                where=str(folder / FILE_NAME),
                todo="Make one with 'systock simulate DIR --serve', or name its folder.",
            ) from None
        self.faults, self._host = faults, host
        self.given: Counter[str] = Counter()  # faults so far
        self._lock, self._requests, self._limited_until = threading.Lock(), 0, 0.0
        self._tokens: dict[str, tuple[float, bool]] = {}  # token -> until when it holds, and whether it was used
        try:
            super().__init__((host, port), _Answer)
        except OSError as error:
            raise UsageError(
                f"port {port} of {host} cannot be used: {error.strerror}", todo="Name others with --port and --host."
            ) from error

    @property
    def base_url(self) -> str:
        """Where it is to be asked."""
        return f"http://{self._host}:{self.server_address[1]}"

    @contextmanager
    def serving(self) -> Iterator[ShopApi]:
        """Serve beside the caller until the block ends."""
        thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.shutdown()
            thread.join()
            self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that hangs up is none of the server's errors."""

    def login(self) -> str:
        """A fresh token."""
        token = secrets.token_urlsafe(24)
        with self._lock:
            self._tokens[token] = (time.monotonic() + _TOKEN_LIVES, False)
        return token

    def admits(self, token: str) -> bool:
        """Does the token hold? A fresh one may be refused once, as by a system whose parts learn of it one by one."""
        with self._lock:
            until, used = self._tokens.get(token, (0.0, True))
            if self.faults.refusals and not used:
                self._tokens[token] = (until, True)
                self.given["refusals"] += 1
                return False
        return time.monotonic() < until

    def fault_now(self) -> str:
        """Count a request, and say what goes wrong with it."""
        with self._lock:
            self._requests += 1
            fault = self._fault()
            if fault:
                self.given[fault] += 1
        return fault

    def _fault(self) -> str:
        if time.monotonic() < self._limited_until:
            return "limits"
        for name in ("errors", "resets", "slow", "limits"):
            every = getattr(self.faults, name)
            if every and self._requests % every == 0 and not 0 < self.faults.most <= self.given[name]:
                if name == "limits":
                    self._limited_until = time.monotonic() + 1
                return name
        return ""

    def page(self, endpoint: str, asked: dict[str, str]) -> dict[str, Any]:
        """One page of an endpoint; ValueError: what is asked for makes no sense."""
        since = asked.get("updated_since", "")
        records = [record for record in self.records[endpoint] if record["updated_at"] >= since]
        limit = min(int(asked.get("limit", _PAGE)), _LARGEST_PAGE)
        if limit < 1:
            raise ValueError("limit must be at least 1")
        if "cursor" in asked:
            first = int(asked["cursor"] or 0)
            more = first + limit < len(records)
            return {"data": records[first : first + limit], "next_cursor": str(first + limit) if more else None}
        page = int(asked.get("page", 1))
        if page < 1:
            raise ValueError("pages are counted from 1")
        first = (page - 1) * limit
        doubled = 1 if self.faults.edges and 0 < first < len(records) else 0
        if doubled:
            with self._lock:
                self.given["edges"] += 1
        pages = -(-len(records) // limit)
        return {"data": records[first - doubled : first + limit], "page": page, "pages": pages, "total": len(records)}


class _Answer(BaseHTTPRequestHandler):
    server: ShopApi
    protocol_version = "HTTP/1.1"
    # Head and body are two writes: without this the second waits for the first to be acknowledged.
    disable_nagle_algorithm = True
    timeout = 60

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not told."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path != "/login":
            return self._tell(HTTPStatus.NOT_FOUND, {"error": "only /login takes a POST"})
        try:
            given = json.loads(body)
            right = given["user"] == USER and given["password"] == PASSWORD
        except (ValueError, KeyError, TypeError):
            return self._tell(HTTPStatus.BAD_REQUEST, {"error": "user and password, as JSON"})
        if not right:
            return self._tell(HTTPStatus.UNAUTHORIZED, {"error": "wrong user or password"})
        self._tell(HTTPStatus.OK, {"token": self.server.login(), "expires_in": _TOKEN_LIVES})

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        endpoint = address.path.strip("/")
        asked = {name: values[-1] for name, values in parse_qs(address.query, keep_blank_values=True).items()}
        if endpoint not in ENDPOINTS:
            return self._tell(HTTPStatus.NOT_FOUND, {"error": f"there are: {', '.join(ENDPOINTS)}"})
        kind, _, token = (self.headers.get("Authorization") or "").partition(" ")
        if kind != "Bearer" or not self.server.admits(token):
            return self._tell(HTTPStatus.UNAUTHORIZED, {"error": "no valid token: POST /login"})
        fault = self.server.fault_now()
        if fault == "errors":
            return self._tell(HTTPStatus.INTERNAL_SERVER_ERROR, {"error": "something went wrong"})
        if fault == "limits":
            return self._tell(HTTPStatus.TOO_MANY_REQUESTS, {"error": "too many requests"}, {"Retry-After": "1"})
        try:
            page = self.server.page(endpoint, asked)
        except ValueError as error:
            return self._tell(HTTPStatus.BAD_REQUEST, {"error": str(error)})
        self._tell(HTTPStatus.OK, page, fault=fault)

    def _tell(
        self, status: HTTPStatus, body: dict[str, Any], headers: dict[str, str] | None = None, fault: str = ""
    ) -> None:
        content = json.dumps(body, ensure_ascii=False).encode()
        self.send_response(status)
        for name, value in {
            "Content-Type": "application/json; charset=utf-8",
            "Content-Length": str(len(content)),
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        if fault == "resets":
            self.wfile.write(content[: len(content) // 2])
            self.wfile.flush()
            # Closing without lingering sends a reset instead of a proper end.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
            return
        pieces = 5 if fault == "slow" else 1
        step = -(-len(content) // pieces)
        for start in range(0, len(content), step):
            self.wfile.write(content[start : start + step])
            self.wfile.flush()
            if pieces > 1:
                time.sleep(_SLOW_SECONDS / pieces)

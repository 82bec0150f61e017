"""An HTTP server on loopback that answers as a test says, faults of the network included, and what asks it."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal
from unittest.mock import patch
from urllib.parse import parse_qsl, urlsplit

from systock.api_settings import ApiSource
from systock.errors import SourceError
from systock.extract.extract_api import pulls
from systock.extract.pull import MALFORMED, Asked

Row = dict[str, str | None]


@dataclass(frozen=True)
class Request:
    """What came in."""

    method: str
    path: str
    params: dict[str, str]
    headers: dict[str, str]
    body: Any

    def number(self, name: str, default: int = 0) -> int:
        return int(self.params.get(name, default))


@dataclass
class Reply:
    """What goes out: JSON, or bytes as they are.

    fault: 'reset' the connection instead; 'cut' the body in the middle; 'hang' without an answer; 'drip' it slowly.
    """

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    fault: Literal["reset", "cut", "hang", "drip"] | None = None

    @property
    def data(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


#: What may become of a good answer, such that the next attempt may be better.
FAULTS: dict[str, Callable[[Reply], Reply]] = {
    "a fault of the API": lambda reply: Reply({"message": "sorry"}, 500),
    "a gateway": lambda reply: Reply(b"<html><title>Bad Gateway</title></html>", 502, {"Content-Type": "text/html"}),
    "a reset": lambda reply: Reply(fault="reset"),
    "a body that is cut": lambda reply: Reply(reply.body, fault="cut"),
    "JSON that is cut": lambda reply: Reply(reply.data[:-1]),
    "no body at all": lambda reply: Reply(b""),
    "a web page": lambda reply: Reply(b"<html><title>Log in</title></html>", headers={"Content-Type": "text/html"}),
    "too many requests": lambda reply: Reply({}, 429, {"Retry-After": "7"}),
    "bytes that are no text": lambda reply: Reply(b'[{"id": "\xff"}]'),
    "broken compression": lambda reply: Reply(b"\x1f\x8b????", headers={"Content-Encoding": "gzip"}),
}

Respond = Callable[[Request], Reply | Iterator[bytes]]


@dataclass
class Server:
    """A server at work: its address, and what it was asked."""

    url: str
    requests: list[Request]

    def paths(self) -> list[str]:
        return [request.path for request in self.requests]


@contextmanager
def serve(respond: Respond, certificate: Path | None = None) -> Iterator[Server]:
    """A server that answers until the end of the block. An iterator of bytes is sent in chunks, without a length."""
    requests: list[Request] = []
    stopping = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _answer(self) -> None:
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            address = urlsplit(self.path)
            kind = self.headers.get("Content-Type", "")
            body = dict(parse_qsl(data.decode())) if "form" in kind else json.loads(data) if data else None
            headers = {name.lower(): value for name, value in self.headers.items()}
            params = dict(parse_qsl(address.query, keep_blank_values=True))
            request = Request(self.command, address.path, params, headers, body)
            requests.append(request)
            reply = respond(request)
            if isinstance(reply, Reply):
                self._send(reply)
            else:
                self._stream(reply)

        do_GET = do_POST = _answer

        def _send(self, reply: Reply) -> None:
            if reply.fault == "hang":
                stopping.wait(30)
            if reply.fault in ("hang", "reset"):
                linger = struct.pack("ii", 1, 0)  # closing sends a reset
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.close_connection = True
                return
            data = reply.data if reply.status != 204 else b""
            if "Date" in reply.headers:
                self.send_response_only(reply.status)
            else:
                self.send_response(reply.status)
            self.send_header("Content-Type", reply.headers.pop("Content-Type", "application/json"))
            self.send_header("Content-Length", str(len(data)))
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            if reply.fault == "drip":
                for byte in data:
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                    if stopping.wait(0.1):
                        break
            self.wfile.write(data[: len(data) // 2] if reply.fault == "cut" else data)
            if reply.fault is not None:
                self.close_connection = True

        def _stream(self, parts: Iterator[bytes]) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Connection", "close")
            self.end_headers()
            for part in parts:
                self.wfile.write(part)

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def handle(self) -> None:
            with suppress(OSError, ValueError):  # the other side is gone
                super().handle()

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass

    server = Quiet(("127.0.0.1", 0), Handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield Server(f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_address[1]}", requests)
    finally:
        stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()


def certificate(folder: Path) -> Path:
    """A key with its own certificate for 127.0.0.1 (`server.pem`); `ca.pem` is what trusts it."""
    made = folder / "server.pem"
    made_with = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    command = ["openssl", *made_with.split(), "-keyout", folder / "key.pem", "-out", folder / "ca.pem"]
    subprocess.run(command, check=True, capture_output=True)
    made.write_text((folder / "key.pem").read_text() + (folder / "ca.pem").read_text())
    return made


@dataclass
class Delivered:
    """What one table delivered."""

    rows: list[Row] = field(default_factory=list)
    wrong: list[tuple[str, str]] = field(default_factory=list)
    cursor: str | None = None
    position: str = ""
    extracted_at: datetime = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Extracted:
    """What a source delivered, and what it did not. waited: seconds that would have been waited for."""

    tables: dict[str, Delivered] = field(default_factory=dict)
    failed: dict[str | None, SourceError] = field(default_factory=dict)
    waited: float = 0.0

    def only(self) -> Delivered:
        """What the only table delivered."""
        for error in self.failed.values():
            raise error
        (found,) = self.tables.values()
        return found

    def error(self) -> SourceError:
        (error,) = dict.fromkeys(self.failed.values())
        return error


def source(url: str, table: dict[str, Any] | None = None, **settings: Any) -> ApiSource:
    """An API as settings say; with one table `orders` unless there are others."""
    tables = settings.pop("tables", {"orders": {"endpoint": "/orders", **(table or {})}})
    tables = {name: {"mode": "append", "key": ["id"], **values} for name, values in tables.items()}
    return ApiSource.model_validate(
        {"type": "api", "base_url": url, "timeout": "2 seconds", **settings, "tables": tables}
    )


def extract(
    settings: ApiSource,
    folder: Path,
    cursors: dict[str, str] | None = None,
    span: tuple[datetime, datetime] | None = None,
    batches: int | None = None,
) -> Extracted:
    """Ask the source as a landing does, without really waiting. batches: after so many of a table it is cut off."""
    found = Extracted()

    def no_sleep(seconds: float) -> None:
        found.waited += seconds

    asked = Asked(folder, cursors or {}, datetime.now(UTC), folder / "asked", span)
    with patch("systock.extract.api_http.sleep", no_sleep), patch("systock.extract.api_http.time", _Clock(found)):
        try:
            for pull in pulls("shop", settings, asked):
                delivered = Delivered(position=pull.position, extracted_at=pull.extracted_at)
                try:
                    for number, batch in enumerate(pull.batches):
                        if batches is not None and number >= batches:
                            pull.batches.close()  # type: ignore[attr-defined]
                            break
                        lines = batch.to_pylist()
                        if batch.schema.names == MALFORMED:
                            delivered.wrong += [(line["_malformed"], line["_reason"]) for line in lines]
                        else:
                            delivered.rows += lines
                    delivered.cursor = pull.cursor()
                    if pull.table in found.tables:  # in two goes
                        delivered.rows = found.tables[pull.table].rows + delivered.rows
                    found.tables[pull.table] = delivered
                except SourceError as error:
                    found.failed[pull.table] = error
        except SourceError as error:
            found.failed.setdefault(None, error)
    return found


class _Clock:
    """Time in which what was not waited for has passed."""

    def __init__(self, found: Extracted) -> None:
        self._found = found

    def monotonic(self) -> float:
        return time.monotonic() + self._found.waited

    def time(self) -> float:
        return time.time() + self._found.waited


def orders(count: int, **more: Any) -> list[dict[str, Any]]:
    """Records with an id from 1."""
    return [{"id": number, "total": f"{number}.50", **more} for number in range(1, count + 1)]


def ids(delivered: Delivered) -> list[int]:
    return [int(row["id"] or 0) for row in delivered.rows]

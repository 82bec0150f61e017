"""APIs behind a proxy: that of the settings, that of the environment, what goes past it, and what a proxy refuses."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from api_server import Reply, Request, certificate, extract, serve, source

LOGIN = "Basic " + base64.b64encode(b"me:hunter2/").decode()


class Proxy:
    """A proxy on loopback, which finds one server whatever host is asked for. passed: what went through."""

    def __init__(self, target: str, login: str = "") -> None:
        self.passed: list[str] = []
        self._target = (urlsplit(target).hostname, urlsplit(target).port)
        self._login = login
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(65_536)
            first, *headers = head.split(b"\r\n\r\n")[0].decode().split("\r\n")
            if self._login and f"Proxy-Authorization: {self._login}".lower() not in map(str.lower, headers):
                client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
                return
            method, url, version = first.split()
            self.passed.append(f"{method} {url}")
            with socket.create_connection(self._target) as server:
                if method == "CONNECT":
                    client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                else:
                    path = url.partition("://")[2].partition("/")[2]
                    server.sendall(head.replace(first.encode(), f"{method} /{path} {version}".encode()))
                back = threading.Thread(target=_pump, args=(server, client), daemon=True)
                back.start()
                _pump(client, server)
                back.join(5)


def _pump(sender: socket.socket, receiver: socket.socket) -> None:
    with suppress(OSError):
        while data := sender.recv(65_536):
            receiver.sendall(data)
        receiver.shutdown(socket.SHUT_WR)


@contextmanager
def proxied(tmp_path: Path | None = None, login: str = "") -> Iterator[tuple[Proxy, str]]:
    """A proxy before an API, with TLS if there is a folder for its certificate; and the API's own address."""

    def respond(request: Request) -> Reply:
        return Reply([{"id": 1}])

    with serve(respond, certificate(tmp_path) if tmp_path else None) as server:
        proxy = Proxy(server.url, login)
        try:
            yield proxy, server.url
        finally:
            proxy.close()


@pytest.fixture(autouse=True)
def no_proxy_here(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_the_environment_names_the_proxy(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with proxied() as (proxy, _):
        monkeypatch.setenv(name, proxy.address)
        assert extract(source("http://api.invalid/v1"), tmp_path).only().rows == [{"id": "1"}]
    assert proxy.passed == ["GET http://api.invalid/v1/orders"]


def test_what_is_encrypted_goes_through_a_tunnel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy sees the host and nothing else, and the certificate is checked as ever: this one is for 127.0.0.1."""
    with proxied(tmp_path, LOGIN) as (proxy, url):
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:hunter2%2F@{proxy.address}")
        found = extract(source("https://api.invalid", ca_file="ca.pem"), tmp_path)
        assert "the certificate of api.invalid is not trusted" in found.error().what
        assert set(proxy.passed) == {"CONNECT api.invalid:443"}
        # Through the proxy that the settings name, this machine is reached too.
        settings = source(url, ca_file="ca.pem", proxy=f"http://me:hunter2%2F@{proxy.address}")
        assert extract(settings, tmp_path).only().rows == [{"id": "1"}]
        assert proxy.passed[-1] == f"CONNECT {urlsplit(url).netloc}"


def test_no_proxy_and_this_machine_go_past_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with proxied() as (proxy, url):
        monkeypatch.setenv("HTTP_PROXY", f"http://{proxy.address}")
        assert extract(source(url), tmp_path).only().rows == [{"id": "1"}]
        monkeypatch.setenv("NO_PROXY", "other.invalid,.shop.invalid")
        found = extract(source("http://api.shop.invalid", attempts=1), tmp_path)
        assert "api.shop.invalid cannot be reached" in found.error().what and "proxy" not in found.error().what
        assert proxy.passed == []
        assert extract(source("http://api.invalid"), tmp_path).only().rows == [{"id": "1"}]
    assert len(proxy.passed) == 1


def test_what_a_proxy_refuses_is_told_without_its_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with proxied(login=LOGIN) as (proxy, _):
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:hunter3@{proxy.address}")
        error = extract(source("https://api.invalid"), tmp_path).error()
    assert error.what.startswith(f"api.invalid cannot be reached through the proxy {proxy.address}: ")
    assert "407 Proxy Authentication Required" in error.what and "hunter3" not in str(error)
    assert error.todo and "HTTPS_PROXY and NO_PROXY" in error.todo

    monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.address}")  # where nobody listens any more
    error = extract(source("https://api.invalid"), tmp_path).error()
    assert f"through the proxy {proxy.address}" in error.what and error.transient

    monkeypatch.setenv("HTTPS_PROXY", "socks5://me:hunter4@localhost:1080")
    error = extract(source("https://api.invalid"), tmp_path).error()
    assert "the proxy of the environment is not the address of a proxy" in error.what and "hunter4" not in str(error)

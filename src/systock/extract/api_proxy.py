"""The connections to an API: direct, or through the proxy that the settings or the environment name."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import urllib3
from pydantic import SecretStr

from systock.api_settings import ApiSource
from systock.config import environment_proxy
from systock.errors import SourceError
from systock.setting_values import proxy as checked


class Connections:
    """Makes the requests of one source. The proxy of its settings stands for all hosts, one of the environment as that says."""

    def __init__(self, settings: ApiSource, project_dir: Path) -> None:
        self._proxy = settings.proxy.get_secret_value() if settings.proxy else None
        self._options = _options(settings, project_dir)
        self._pools: dict[str | None, urllib3.PoolManager] = {}

    def request(self, method: str, url: str, **options: Any) -> urllib3.BaseHTTPResponse:
        """The beginning of an answer, redirects not followed; raises what urllib3 raises."""
        proxy = self._proxy_for(url)
        if proxy not in self._pools:
            self._pools[proxy] = self._pool(proxy)
        return self._pools[proxy].request(method, url, preload_content=False, redirect=False, retries=False, **options)

    def clear(self) -> None:
        """Let them go."""
        for pool in self._pools.values():
            pool.clear()

    def by_way_of(self, url: str) -> str | None:
        """Host and port of the proxy that an address is reached by; None: directly."""
        proxy = self._proxy_for(url)
        return None if proxy is None else urlsplit(proxy).netloc.rpartition("@")[2]

    def secrets(self, url: str) -> set[str]:
        """What must not be shown of the proxy for an address."""
        password = urlsplit(self._proxy_for(url) or "").password
        return {password, unquote(password)} if password else set()

    def _proxy_for(self, url: str) -> str | None:
        if self._proxy is not None:
            return self._proxy
        named = environment_proxy(url)
        if named is None:
            return None
        address = named if "://" in named else f"http://{named}"
        try:
            return checked(SecretStr(address)).get_secret_value()
        except ValueError as error:
            raise SourceError(
                f"the proxy of the environment {error}",
                todo="Correct HTTPS_PROXY, HTTP_PROXY or ALL_PROXY, or set proxy of the source.",
            ) from None

    def _pool(self, proxy: str | None) -> urllib3.PoolManager:
        if proxy is None:
            return urllib3.PoolManager(**self._options)
        parts = urlsplit(proxy)
        headers = None
        if parts.username:
            user, password = unquote(parts.username), unquote(parts.password or "")
            headers = urllib3.make_headers(proxy_basic_auth=f"{user}:{password}")
        port = parts.port or (443 if parts.scheme == "https" else 3128)
        return urllib3.ProxyManager(f"{parts.scheme}://{parts.hostname}:{port}", proxy_headers=headers, **self._options)


def _options(settings: ApiSource, project_dir: Path) -> dict[str, Any]:
    timeout = settings.timeout.total_seconds()
    options: dict[str, Any] = {
        "timeout": urllib3.Timeout(connect=min(timeout, 30.0), read=timeout),
        "headers": {},
        "maxsize": 1,
    }
    if settings.base_url.startswith("https") or settings.ca_file:
        context = ssl.create_default_context()
        if settings.ca_file:
            try:
                context.load_verify_locations(project_dir / settings.ca_file)
            except (OSError, ssl.SSLError) as error:
                raise SourceError(
                    f"{settings.ca_file!r} cannot be read as certificates: {error.strerror or error}",
                    todo="Correct ca_file of the source.",
                ) from None
        elif not context.cert_store_stats()["x509_ca"]:  # systems that bring none, such as slim containers
            import certifi

            context.load_verify_locations(certifi.where())
        options["ssl_context"] = context
    return options

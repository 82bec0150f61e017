"""What the container files promise, read from them; test/integration/test_containers.py builds and runs them."""

from __future__ import annotations

import fnmatch
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]


def test_the_image_copies_only_what_the_build_is_given() -> None:
    """A file that .dockerignore keeps out fails a build that nobody may run for weeks."""
    ignored = [line for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line and line[0] != "#"]
    given = [line.removeprefix("!") for line in ignored if line.startswith("!")]
    copied = [
        name for line in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.MULTILINE) for name in line.split()[:-1]
    ]
    assert ignored[0] == "*" and set(copied) == set(given)
    assert all((ROOT / name).exists() for name in copied)
    # pyproject.toml names files that the package is built with.
    assert {"README.md", "LICENSE"} <= set(copied)
    assert any(fnmatch.fnmatch("src/systock/__pycache__", pattern) for pattern in ignored)


def test_the_image_is_pinned_checked_and_without_rights() -> None:
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert bases == ["${PYTHON_IMAGE}", "${PYTHON_IMAGE}"] and "ARG PYTHON_IMAGE=python:3.13-slim\n" in DOCKERFILE
    assert "--require-hashes --requirement requirements-image.lock" in DOCKERFILE
    assert re.search(r"^USER [1-9][0-9]*:[1-9][0-9]*$", DOCKERFILE, re.MULTILINE)
    assert re.search(r"^HEALTHCHECK ", DOCKERFILE, re.MULTILINE)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_pinned_and_holds_no_secret(name: str) -> None:
    service = SERVICES[name]
    assert re.fullmatch(r"systock:\$\{SYSTOCK_TAG:-local\}|\$\{POSTGRES_IMAGE:-postgres:17\}", service["image"])
    assert "no-new-privileges:true" in service["security_opt"]
    if name != "postgres":  # which takes its rights off itself
        assert service["read_only"] and service["cap_drop"] == ["ALL"]
    for key, value in (service.get("environment") or {}).items():
        assert "PASSWORD" not in key or (key.endswith("_FILE") and value.startswith("/secrets/"))
    for port in service.get("ports", []):
        assert port.startswith("127.0.0.1:"), "a port that is open to everybody is the user's to open"


def test_whoever_is_waited_for_can_be_seen_to_be_ready() -> None:
    for service in SERVICES.values():
        for other, how in (service.get("depends_on") or {}).items():
            check = SERVICES[other].get("healthcheck")
            if how["condition"] == "service_healthy":
                assert check and check.get("test")
            else:
                assert how["condition"] == "service_completed_successfully" and SERVICES[other]["restart"] == "no"

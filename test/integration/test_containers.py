"""The containers, built and run on a real engine, with the commands of DOCKER_SETUP.md."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
#: Stands in for what an official PostgreSQL image does by itself, where the one at hand is none.
PASSWORD_FILE = """services:
  postgres:
    entrypoint:
      - sh
      - -ec
      - |
        POSTGRES_PASSWORD=$$(cat "$$POSTGRES_PASSWORD_FILE"); export POSTGRES_PASSWORD
        exec docker-entrypoint.sh "$$@"
      - sh
    command: [postgres]
"""

Compose = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The compose files to use; skips where no engine answers."""
    docker = shutil.which("docker")
    asked: tuple[list[str], ...] = (["version"], ["compose", "version"])
    if not docker or any(subprocess.run([docker, *words], capture_output=True).returncode for words in asked):
        pytest.skip("no Docker engine with Compose answers here")
    files = ["--file", str(ROOT / "docker-compose.yml")]
    reads = [
        "run",
        "--rm",
        "--entrypoint",
        "grep",
        "postgres:17",
        "-qs",
        "file_env",
        "/usr/local/bin/docker-entrypoint.sh",
    ]
    if subprocess.run([docker, *reads], capture_output=True).returncode:
        path = tmp_path_factory.mktemp("compose") / "password_file.yml"
        path.write_text(PASSWORD_FILE)
        files += ["--file", str(path)]
    return files


@pytest.fixture
def compose(engine: list[str]) -> Iterator[Compose]:
    """Calls `docker compose` on volumes and names of its own; what it started is gone afterwards."""
    name = f"systock-test-{os.getpid()}"
    environment = {**os.environ, "SYSTOCK_POSTGRES_PORT": "0", "SYSTOCK_TAG": "test"}

    def call(*arguments: str, fails: bool = False, stdin: str = "") -> subprocess.CompletedProcess[str]:
        command = ["docker", "compose", "--project-name", name, *engine, *arguments]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, input=stdin)
        assert (done.returncode != 0) == fails, f"{' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
        return done

    yield call
    call("--profile", "demo", "down", "--volumes", "--timeout", "20")


def states(compose: Compose) -> dict[str, str]:
    """Each service that runs, with its health."""
    lines = compose("ps", "--format", "json").stdout.splitlines()
    rows: list[dict[str, Any]] = [
        row for line in lines for row in (json.loads(line) if line[0] == "[" else [json.loads(line)])
    ]
    return {row["Service"]: row["Health"] for row in rows}


def wait_until_healthy(compose: Compose, service: str) -> None:
    for _ in range(120):
        if states(compose).get(service) == "healthy":
            return
        time.sleep(1)
    raise AssertionError(compose("logs", service).stdout)


def run_flow(compose: Compose, module: str) -> str:
    """What a run by hand says; where the scheduler's own is at work just then, after that."""
    for _ in range(120):
        try:
            done = compose("exec", "-T", "systock", "python", "-m", module)
            return done.stdout + done.stderr
        except AssertionError as error:
            if "another command is at work" not in str(error):
                raise
        time.sleep(1)
    raise AssertionError("the scheduler's run does not end")


def answer(compose: Compose, sql: str) -> list[dict[str, Any]]:
    asked = compose("exec", "-T", "systock", "systock", "query", sql, "--format", "json").stdout
    rows: list[dict[str, Any]] = json.loads(asked)
    return rows


def test_a_fresh_clone_comes_up(compose: Compose) -> None:
    """`docker compose up --build -d` with nothing prepared, then the flow by both of its names."""
    compose("config", "-q")
    compose("up", "--build", "-d")
    wait_until_healthy(compose, "systock")
    assert states(compose) == {"systock": "healthy", "postgres": "healthy"}
    for module in ("pipeline_manager.pipeline_flow", "systock.pipeline_manager.pipeline_flow"):
        assert "eneration 1" in run_flow(compose, module)
    status = json.loads(compose("exec", "-T", "systock", "systock", "status", "--format", "json").stdout)
    assert "systock schedule" in status["scheduler"] and status["generation"] is not None
    # Without rights, on a root that can't be written, with a memory that is bounded.
    assert compose("exec", "-T", "systock", "id", "-u").stdout.strip() == "10001"
    assert "Read-only" in compose("exec", "-T", "systock", "touch", "/opt/systock/x", fails=True).stderr
    compose("exec", "-T", "systock", "python", "-m", "pip", "--version", fails=True)

    # The password is made once, and nowhere but in its file.
    password = compose("exec", "-T", "systock", "cat", "/secrets/POSTGRES_PASSWORD").stdout
    assert len(password) >= 32
    assert password not in compose("config").stdout + compose("logs").stdout
    inspected = subprocess.run(
        ["docker", "inspect", *compose("ps", "--quiet").stdout.split()], capture_output=True, text=True, check=True
    )
    assert password not in inspected.stdout
    ask = """
import adbc_driver_postgresql.dbapi as postgres, pathlib, sys
password = pathlib.Path("/secrets/POSTGRES_PASSWORD").read_text() + sys.argv[1]
with postgres.connect(f"postgresql://systock:{password}@postgres:5432/systock") as server, server.cursor() as cursor:
    cursor.execute("SELECT current_user || ' ' || current_database()")
    print(cursor.fetchone()[0])
"""
    assert compose("exec", "-T", "systock", "python", "-c", ask, "").stdout.strip() == "systock systock"
    assert (
        "password authentication failed"
        in compose("exec", "-T", "systock", "python", "-c", ask, "x", fails=True).stderr
    )
    assert "Read-only" in compose("exec", "-T", "systock", "touch", "/secrets/x", fails=True).stderr

    # A secret of one's own, as DOCKER_SETUP.md adds it; settings and data outlive the containers.
    compose("run", "--rm", "-T", "secrets", "sh", "-c", "cat > /secrets/ERP_PASSWORD", stdin="a secret")
    assert compose("exec", "-T", "systock", "cat", "/secrets/ERP_PASSWORD").stdout == "a secret"
    compose("down", "--timeout", "60")
    compose("up", "-d")
    wait_until_healthy(compose, "systock")
    assert compose("exec", "-T", "systock", "cat", "/secrets/POSTGRES_PASSWORD").stdout == password
    again = json.loads(compose("exec", "-T", "systock", "systock", "status", "--format", "json").stdout)
    assert again["generation"] == status["generation"]
    assert compose("exec", "-T", "systock", "python", "-c", ask, "").stdout.strip() == "systock systock"
    # The demo does not write into a project that is somebody's.
    compose("--profile", "demo", "up", "-d", "simulated", "--no-deps")
    time.sleep(5)
    assert "another project already" in compose("--profile", "demo", "logs", "simulated").stdout


def test_the_demo_runs_on_systems_beside_it(compose: Compose) -> None:
    """Files, a database and an API, asked from another container."""
    compose("--profile", "demo", "config", "-q")
    compose("--profile", "demo", "up", "--build", "-d")
    wait_until_healthy(compose, "systock")
    assert states(compose).keys() == {"systock", "postgres", "simulated"}
    assert "eneration 1" in run_flow(compose, "pipeline_manager.pipeline_flow")
    asked = answer(compose, "SELECT DISTINCT source_name AS source FROM meta.batch ORDER BY 1")
    assert [row["source"] for row in asked] == ["counts", "desk", "erp", "pos", "shop"]
    [lines] = answer(compose, "SELECT count(*) AS n FROM gold.fact_sale_line WHERE source_name = 'shop'")
    assert lines["n"] > 1_000
    # Stopped in the middle of nothing, it ends by itself, well before it would be killed.
    began = time.monotonic()
    compose("stop", "systock")
    assert time.monotonic() - began < 30
    assert "Stopped." in compose("logs", "systock").stdout

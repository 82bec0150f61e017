"""What all tests share: how long hypothesis searches, and where real data lies."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from servers import POSTGRES, postgres

ROOT = Path(__file__).parents[1]

# Processes that tests start find the package where it is not installed, as in an environment made from a lock alone.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")]))

# Workers share the cores: an engine with a thread on each of them makes a small run a fifth dearer. DuckDB asks this variable
# for the cores that are its own, in the processes that tests start, too; `[run] threads` and `threads=` still stand above it.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["SLURM_CPUS_ON_NODE"] = "1"


def _memory_to_write_to() -> str | None:
    """A file system in memory with room for what tests write at a time, one to two gigabytes, and to spare; None where there is none."""
    shared, told = Path("/dev/shm"), Path("/proc/meminfo")
    if not (os.access(shared, os.W_OK) and told.is_file()) or os.statvfs(shared).f_flag & os.ST_NOEXEC:
        return None
    [available] = (int(line.split()[1]) << 10 for line in told.read_text().splitlines() if "MemAvailable" in line)
    return str(shared) if min(shutil.disk_usage(shared).free, available // 2) > 4 << 30 else None


# Every run of a project waits for the disk dozens of times, to be safe from a power cut, which no test can make. TMPDIR says where
# files go instead.
if "TMPDIR" not in os.environ and (memory := _memory_to_write_to()):
    os.environ["TMPDIR"] = tempfile.tempdir = memory

# Deadlines measure the machine, not the code: two workers share it with whatever else runs.
settings.register_profile("short", max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("long", max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
# `make test-all` chooses the other by --hypothesis-profile, which is read after this.
settings.load_profile("short")


@pytest.fixture(scope="session", params=POSTGRES)
def postgres_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a PostgreSQL server, one for all tests: each makes a database of its own on it."""
    for address in postgres(tmp_path_factory.mktemp("server"), request.param):
        if "SYSTOCK_TEST_PG_DSN" not in os.environ:  # our own: nothing on it must outlive the machine
            psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")
            with psycopg.connect(address, autocommit=True) as session:
                session.execute("ALTER SYSTEM SET fsync = off")
                session.execute("SELECT pg_reload_conf()")
        yield address


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets, which are not part of the repository; a test that needs it skips without it."""
    folder = Path(os.environ.get("SYSTOCK_TEST_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip("no real data here: set SYSTOCK_TEST_DATA to the folder that holds it")
    return folder

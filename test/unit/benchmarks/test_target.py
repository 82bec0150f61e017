"""What readers of a server are compared by, and the CPU of a server's processes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytest.importorskip("psycopg", reason="psycopg is not installed")

from benchmarks.postgres_server import cpu_of
from benchmarks.readers import Answer, slowdowns


def test_each_question_is_compared_with_itself() -> None:
    before = [Answer(0, 0, 0, 1.0), Answer(1, 0, 0, 3.0), Answer(0, 0, 0, 2.0), Answer(0, 1, 0, 10.0)]
    during = [Answer(0, 0, 1, 4.0), Answer(0, 1, 1, 10.0), Answer(0, 1, 1, 30.0), Answer(1, 0, 1, 1.0)]
    # Usual: 2 s and 10 s. Reader 0: 2, 1 and 3 times; reader 1: half.
    assert slowdowns(before, during) == [2.0, 0.5]


def test_cpu_of_children_counts_while_they_live_and_afterwards() -> None:
    before = cpu_of(os.getpid())
    if before is None:
        pytest.skip("the kernel has no /proc")
    work = "import time\nwhile time.process_time() < 0.2: pass\nprint(flush=True)\ninput()"
    with subprocess.Popen([sys.executable, "-c", work], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        alive = cpu_of(os.getpid())
        child.communicate(b"\n")
    ended = cpu_of(os.getpid())
    assert alive is not None and ended is not None
    assert before + 0.15 < alive <= ended

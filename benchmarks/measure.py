"""Running a command in a process of its own and reading from the kernel what it used."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent


class Failed(Exception):
    """A measured command ended with an error."""


@dataclass(frozen=True)
class Usage:
    """What one process and its children used. peak_mb: resident memory at its highest."""

    cpu_s: float
    wall_s: float
    peak_mb: float


def run(arguments: Sequence[str | Path], output: Path, python: str = sys.executable) -> Usage:
    """Run a Python with these arguments, by default this one; what it says goes to a file. Raises Failed when it fails."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", "NO_COLOR": "1"}
    command = [python, *map(str, arguments)]
    output.parent.mkdir(parents=True, exist_ok=True)
    with output.open("wb") as said:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT, env=environment
        )
        try:
            _, status, used = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        tail = output.read_text(errors="replace").strip()[-2000:]
        raise Failed(f"exit code {process.returncode} of {' '.join(command[1:])}\n{tail}")
    # Linux counts kilobytes, macOS bytes.
    return Usage(used.ru_utime + used.ru_stime, wall, used.ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024))


def extraction(script: Path, source: str | Path, rows: int, *more: str, python: str = sys.executable) -> Usage:
    """Run a script that extracts a source into the folder of its second argument and prints how many rows; fails where rows are missing."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "said"
        used = run([script, source, folder, *more], output, python)
        last = output.read_text().strip().splitlines()[-1]
        if last != str(rows):
            raise SystemExit(f"{script.name}: {last} rows instead of {rows}")
        return used


def systock(project: Path, command: str, output: Path) -> Usage:
    """Run a command of SyStock on a project."""
    return run(["-m", "systock", command, "--project", project], output)

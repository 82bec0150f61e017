"""The command ``systock``: puts the commands together, and turns errors into messages and exit codes."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import Annotated, Any

import typer

from systock import __version__
from systock.cli import (
    batches,
    check,
    demo,
    erase,
    explain,
    export,
    flow,
    init,
    notify,
    quarantine,
    query,
    rebuild,
    run,
    runs,
    schedule,
    simulate,
    snapshot,
    status,
    target,
)
from systock.cli.common import Command
from systock.errors import SystockError

app = typer.Typer(
    name="systock",
    help="Retail inventory and sales from fragmented systems, in one governed, time-aware warehouse.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command("init", cls=Command)(init.init)
app.command("demo", cls=Command)(demo.demo)
app.command("simulate", cls=Command)(simulate.simulate)
app.command("run", cls=Command)(run.run)
app.command("schedule", cls=Command)(schedule.schedule)
app.command("notify", cls=Command)(notify.notify)
app.command("status", cls=Command)(status.status)
app.command("runs", cls=Command)(runs.runs)
app.command("batches", cls=Command)(batches.batches)
app.add_typer(quarantine.app, name="quarantine")
app.command("check", cls=Command)(check.check)
app.command("query", cls=Command)(query.query)
app.command("explain", cls=Command)(explain.explain)
app.command("erase", cls=Command)(erase.erase)
app.command("rebuild", cls=Command)(rebuild.rebuild)
app.command("export", cls=Command)(export.export)
app.command("flow", cls=Command)(flow.flow)
app.add_typer(snapshot.app, name="snapshot")
app.add_typer(target.app, name="target")

# Commands that write: what a reader sees after they were stopped is worth a sentence.
_WRITING = {"run", "rebuild", "demo", "retry", "take", "sync", "erase"}


def _version(value: bool) -> None:
    if value:
        typer.echo(f"systock {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Retail inventory and sales from fragmented systems, in one governed, time-aware warehouse."""


class _Stopped:
    """Remembers the signal that stopped us: native code may turn the interruption into an error of its own."""

    def __init__(self) -> None:
        self.signal = 0
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.signal = number
        raise KeyboardInterrupt


def main(arguments: list[str] | None = None) -> int:
    """Run a command line; the exit code: 0 done, 1 failed, 2 usage or settings, 130 stopped."""
    arguments = sys.argv[1:] if arguments is None else arguments
    stopped = _Stopped()
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character must not fail a run.
        getattr(stream, "reconfigure", lambda **_: None)(errors="backslashreplace")
    try:
        code = _call(arguments)
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:
        # The reader of our output went away (| head). Python would complain once more while closing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except Exception as error:
        if not stopped.signal:
            return _fail(error)
        code = 130
    if stopped.signal:
        writing = any(argument in _WRITING for argument in arguments)
        typer.echo("\nStopped: nothing was published, the next run continues." if writing else "\nStopped.", err=True)
        return 128 + stopped.signal
    return code


def _call(arguments: list[str]) -> int:
    command: Any = typer.main.get_command(app)
    try:
        # Not command.main(): that ends the process by its own rules on a broken pipe.
        with command.make_context("systock", arguments) as context:
            command.invoke(context)
        sys.stdout.flush()
    except typer.Exit as ended:
        sys.stdout.flush()
        return ended.exit_code
    except typer.TyperException as error:
        # A wrong option or argument: shown with the usage line of its command.
        show: Any = getattr(error, "show", None)
        if show:
            show()
        else:
            typer.echo(f"Error: {error}", err=True)
        return getattr(error, "exit_code", 2)
    return 0


def _fail(error: Exception) -> int:
    """Say what, where, in which state and what to do; no traceback unless SYSTOCK_DEBUG asks for one."""
    if os.environ.get("SYSTOCK_DEBUG"):
        import traceback

        traceback.print_exception(error)
    if isinstance(error, SystockError):
        shown = (("", error.what), ("where", error.where), ("state", error.state), ("next", error.todo))
        code = error.exit_code
    else:
        shown = (
            ("", f"unexpected {type(error).__name__}: {error}"),
            ("where", None),
            ("state", "what was published before stays in place"),
            ("next", "set SYSTOCK_DEBUG=1 and try again to see where; if it persists, report it as a bug"),
        )
        code = 1
    for label, text in shown:
        if text:
            text = text.replace("\n", "\n" + " " * 9)
            typer.echo(f"  {label:<7}{text}" if label else f"Error: {text}", err=True)
    return code

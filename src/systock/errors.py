"""Every error SyStock raises on purpose: one root, transient or terminal, each telling what, where and what to do next."""

from __future__ import annotations


class SystockError(Exception):
    """Root of all errors that SyStock raises on purpose.

    what: one sentence of what went wrong, with the offending value.
    where: file, row, column, table or setting it happened at, if there is one.
    state: in which state things were left, if that is not obvious.
    todo: what to do or type next.
    """

    exit_code = 1
    transient = False

    def __init__(
        self, what: str, *, where: str | None = None, state: str | None = None, todo: str | None = None
    ) -> None:
        super().__init__(what)
        self.what, self.where, self.state, self.todo = what, where, state, todo

    def __str__(self) -> str:
        parts = [f"{self.where}: {self.what}" if self.where else self.what, self.state, self.todo]
        return "\n  ".join(part for part in parts if part)


class UsageError(SystockError):
    """The call or the settings are wrong: nothing was started (exit code 2)."""

    exit_code = 2


class SettingsError(UsageError):
    """systock.toml or a value in it is wrong."""


class DefinitionError(UsageError):
    """A table file, contract or mapping is wrong: found before anything is written."""


class SourceError(SystockError):
    """A source, or one file of it, could not be read."""


class BusyError(SystockError):
    """Another run holds the project."""

    transient = True


class StorageError(SystockError):
    """The disk refused: full, read-only or not permitted. What was published stays in place."""

    transient = True


class NotWritable(StorageError):
    """What must be written is read-only or not permitted: that does not pass by itself."""

    transient = False


class TargetError(SystockError):
    """The server that a generation is brought to refused, or can't be reached. `sqlstate` is the server's code, if it gave one.

    The last generation that it had stays in place.
    """

    def __init__(self, what: str, *, sqlstate: str = "", transient: bool = False, **more: str | None) -> None:
        super().__init__(what, **more)
        self.sqlstate, self.transient = sqlstate, transient


class CheckFailed(SystockError):
    """A check on what would have been published failed: the last generation stays in place."""


class IntegrityError(SystockError):
    """Something that must never differ does: a count, a hash or a generation."""

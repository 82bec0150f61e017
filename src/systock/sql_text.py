"""Names and texts as standard SQL writes them, whatever they hold."""

from __future__ import annotations


def quoted(*names: str) -> str:
    """A name as an SQL identifier; of several, such as schema and table, the qualified one."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def literal(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"

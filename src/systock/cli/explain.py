"""systock explain: the landed lines behind a number, and the SQL that made it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from systock.cli.common import HERE, Format, FormatOption, ProjectOption, open_project

_SHOWN = 5
_PARTS = {"joined": "joined to it", "absent": "the full extract that no longer holds it", "superseded": "superseded"}


def explain(
    table: Annotated[
        str,
        typer.Argument(
            metavar="TABLE", help="A table of gold or serve, such as serve.sales_daily.", show_default=False
        ),
    ],
    key: Annotated[
        str,
        typer.Argument(
            metavar="KEY",
            help="Its key's values, separated by commas, or NAME=VALUE,… of any columns.",
            show_default=False,
        ),
    ],
    column: Annotated[
        str | None, typer.Argument(metavar="COLUMN", help="One column; without it the whole row.", show_default=False)
    ] = None,
    project: ProjectOption = HERE,
    known_at: Annotated[
        str | None,
        typer.Option("--known-at", help="As of what was known at this instant or day, such as 2026-03-31."),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            "-n",
            min=0,
            help="Lines of each entity, the newest; 0 for all.",
            show_default="5, all in other forms",
        ),
    ] = None,
    form: FormatOption = Format.table,
) -> None:
    """Show which landed lines (file and row) a number is made from, by which tables, and by which SQL."""
    from systock.cli.rows import cell_text, note, print_facts, print_rows

    if limit is None and form is Format.table:
        limit = _SHOWN
    told = open_project(project).explain(table, key, column, limit=limit or None, known_at=known_at)
    if form is Format.json:
        print_facts(told, form)
    elif form is Format.csv:
        print_rows(told["lines"], form)
    else:
        typer.echo(f"{told['table']}  {', '.join(f'{name}={cell_text(value)}' for name, value in told['key'].items())}")
        shown = {column: told["value"]} if column else told["row"]
        width = max(map(len, shown))
        for name, value in shown.items():
            typer.echo(f"  {name:<{width}}  {'not known' if value is None else cell_text(value)}")
        typer.echo(f"\nMade by {told['path']}:\n")
        typer.echo("\n".join(f"  {line}".rstrip() for line in told["sql"].splitlines()))
        typer.echo("\nOut of:\n")
        typer.echo("\n".join(_tree(told)))
        for entity, lines in told["line_counts"].items():
            typer.echo(f"\nLines of {entity}: {lines:,}\n")
            for line in (line for line in told["lines"] if line["entity"] == entity):
                typer.echo("\n".join(_line(line)))
        for text in told["notes"]:
            note(text)
        if sum(told["line_counts"].values()) > len(told["lines"]):
            note(f"\nThe newest {limit} lines of each entity; --limit 0 or --format json gives all.")


def _tree(told: dict[str, Any]) -> Iterator[str]:
    """The tables as a tree: each once with all that it reads, where it is met first."""
    counts = {table["table"]: table["row_count"] for table in told["tables"]}
    reads: dict[str, list[str]] = {}
    for table in told["tables"]:
        for reader in table["read_by"]:
            reads.setdefault(reader, []).append(table["table"])
    seen: set[str] = set()

    def branch(name: str, depth: int) -> Iterator[str]:
        rows = "settings" if name.startswith("meta.") else f"{counts[name]:,} row{'s' * (counts[name] != 1)}"
        above = name in seen and bool(reads.get(name))
        yield f"  {'  ' * depth}{name}: {rows}{', as above' if above else ''}"
        if name not in seen:
            seen.add(name)
            for inner in reads.get(name, []):
                yield from branch(inner, depth + 1)

    yield from branch(told["table"], 0)


def _line(line: dict[str, Any]) -> Iterator[str]:
    from systock.cli.rows import cell_text

    row = f" row {line['row']}" if line["row"] is not None else ""
    part = _PARTS.get(line["part"])
    until = f" {cell_text(line['believed_to'])}" if line["believed_to"] else ""
    yield f"  {line['file']}{row}  (batch {line['batch']}, known {cell_text(line['known_at'])}){f', {part}{until}' if part else ''}"
    if line["raw"] is not None:
        yield f"    {cell_text(line['raw'])}"

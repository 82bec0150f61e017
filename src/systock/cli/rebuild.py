"""systock rebuild: everything again from what landed."""

from __future__ import annotations

from typing import Annotated

import typer

from systock.cli.common import HERE, Format, FormatOption, ProjectOption, open_project


def rebuild(
    project: ProjectOption = HERE,
    verify: Annotated[
        bool, typer.Option("--verify", help="Publish nothing: compare every table with what is published.")
    ] = False,
    known_at: Annotated[
        str | None,
        typer.Option("--known-at", help="Only from what was known at this instant or day; nothing is published."),
    ] = None,
    history: Annotated[
        bool,
        typer.Option("--history", help="Landing by landing, so that every state of knowledge is kept; takes longer."),
    ] = False,
    form: FormatOption = Format.table,
) -> None:
    """Build the warehouse again from what landed.

    With --verify nothing is published: exit code 1 when a table differs from what is published.
    """
    from systock.cli.progress import show_progress
    from systock.cli.rows import note, print_facts, print_rows

    opened = open_project(project)
    with show_progress() as progress:
        result = opened.rebuild(verify=verify, known_at=known_at, history=history, progress=progress)
    tables = result["tables"]
    different = [table for table in tables if table.get("same") is False]
    if form is Format.json:
        print_facts(result, form)
    else:
        print_rows(tables, form, ("table", "rows", "hash", "published_hash", "same") if verify else ())
    if verify and different:
        note(f"{len(different)} of {len(tables)} tables differ from what is published: {_names(different)}")
        raise typer.Exit(1)
    note(
        f"All {len(tables)} tables are what is published, row for row."
        if verify
        else f"{len(tables)} tables, generation {result['generation']}."
    )


def _names(tables: list[dict[str, object]]) -> str:
    return ", ".join(str(table["table"]) for table in tables)

"""systock erase: values of persons out of everything that the project keeps."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from systock.cli.common import HERE, Format, FormatOption, ProjectOption, open_project
from systock.errors import UsageError

if TYPE_CHECKING:
    from systock.project import Project

_OUTSIDE = """\
Not reached from here, and yours to see to (docs/personal-data.md):
  the sources' own files and systems, which may deliver the values again; exports; backups and copies of this folder;
  blocks that the file system or the drive has not overwritten."""
_SERVER = "  of the server: dead rows until VACUUM, its write-ahead log, replicas and backups."


def erase(
    table: Annotated[
        str | None,
        typer.Argument(metavar="SOURCE.TABLE", help="The raw table.", show_default="with --log: all"),
    ] = None,
    key: Annotated[
        list[str] | None, typer.Option("--key", metavar="COLUMN=VALUE", help="Lines with this value; all of several.")
    ] = None,
    columns: Annotated[
        str | None, typer.Option("--columns", help="Whose values go: a,b.", show_default="the personal ones")
    ] = None,
    plain: Annotated[
        bool, typer.Option("--plain", help="Instead: hash what landed before its columns were personal.")
    ] = False,
    history: Annotated[
        bool, typer.Option("--history", help="Build landing by landing, as 'systock rebuild --history' does.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say which lines and batches.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    log: Annotated[bool, typer.Option("--log", help="Only list what was erased so far.")] = False,
    project: ProjectOption = HERE,
    form: FormatOption = Format.table,
) -> None:
    """Erase values of the lines that have a key: out of bronze, and out of all that is made from it.

    The lines stay, with NULL in place of the values.
    """
    from systock.cli.progress import show_progress
    from systock.cli.rows import note, print_facts, print_rows

    opened = open_project(project)
    if log:
        print_rows(opened.erasures(), form, empty="Nothing was erased yet.")
        return
    asked = _asked(table, key, columns, plain)
    if dry_run or not yes:
        plan = opened.erase(**asked, dry_run=True)
        if dry_run:
            _print_plan(plan, form)
            return
        if plan["values"] or (plain and plan["lines"]):
            _confirm(plan, plain)
    with show_progress() as progress:
        result = opened.erase(**asked, history=history, progress=progress)
    if form is not Format.table:
        print_facts(result, form)
    if result["status"] == "nothing to erase":
        note(f"Nothing to erase: {_lines(result)}, none of which holds such a value.")
        return
    note(
        f"{_lines(result)}, {result['values']:,} values: {'hashed' if plain else 'erased'}. Generation {result['generation']} is made without them."
    )
    for text in result["warnings"]:
        note(text)
    _tell_outside(opened, result)


def _asked(table: str | None, key: list[str] | None, columns: str | None, plain: bool) -> dict[str, Any]:
    source, _, name = (table or "").partition(".")
    if not name:
        raise UsageError(
            f"{table or ''!r} is not SOURCE.TABLE", state="Nothing was erased.", todo="Name a raw table: crm.people"
        )
    where: dict[str, str] = {}
    for text in key or ():
        column, equals, value = text.partition("=")
        if not equals or not column or column in where:
            what = f"{column!r} is given twice" if column in where else f"{text!r} is not COLUMN=VALUE"
            raise UsageError(what, where="--key", state="Nothing was erased.", todo="Such as --key customer_id=4711.")
        where[column] = value
    if plain and (where or columns):
        raise UsageError(
            "--plain takes all lines of the table", state="Nothing was erased.", todo="Leave --key and --columns out."
        )
    listed = [column.strip() for column in columns.split(",")] if columns else []
    return {"source": source, "table": name, "key": where, "columns": listed, "plain": plain}


def _print_plan(plan: dict[str, Any], form: Format) -> None:
    from systock.cli.rows import note, print_facts, print_rows

    if form is Format.json:
        print_facts(plan, form)
        return
    print_rows(plan["batches"], form, ("batch", "path", "known_at", "lines", "values"), empty="No line is meant.")
    note(f"{_lines(plan)}, {plan['values']:,} values of {', '.join(plan['columns'])}. Nothing was erased: --dry-run.")


def _confirm(plan: dict[str, Any], plain: bool) -> None:
    does = "become keyed hashes" if plain else "go for good"
    told = f"{_lines(plan)}: {plan['values']:,} values of {', '.join(plan['columns'])} {does}, and everything is built anew."
    if not sys.stdin.isatty():
        raise UsageError(told, state="Nothing was erased: nobody is there to ask.", todo="Say --yes.")
    if not typer.confirm(f"{told} Go on?", err=True):
        raise typer.Exit(1)


def _lines(result: dict[str, Any]) -> str:
    lines, batches = result["lines"], len(result["batches"])
    return f"{lines:,} {'line' if lines == 1 else 'lines'} in {batches:,} {'batch' if batches == 1 else 'batches'}"


def _tell_outside(project: Project, result: dict[str, Any]) -> None:
    from systock.cli.rows import note

    note(f"\n{_OUTSIDE}")
    if project.settings.target.server:
        note(_SERVER)
    paths = list(dict.fromkeys(batch["path"] for batch in result["batches"]))
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    note(f"They came from: {', '.join(paths[:3])}{more}")

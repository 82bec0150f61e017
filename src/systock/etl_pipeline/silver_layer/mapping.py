"""Mappings: one SELECT per source and entity, read, checked against contract and landed columns, and classified."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass
from pathlib import Path

from sqlglot import exp

from systock.data_warehouse.portable_sql import parse_statements, position
from systock.data_warehouse.table_file import TableFile
from systock.errors import DefinitionError
from systock.source_settings import SourceSettings, TableSettings

#: Columns that every raw table has besides the source's own.
RAW_EXTRAS = ("_file", "_row", "_extracted_at")
#: Contract columns that SyStock fills when a mapping leaves them out.
FILLED = ("source_name", "product_source_name", "location_source_name", "supplier_source_name")

#: What yields text when it is given text.
_TEXT_OF_TEXT = (
    exp.Paren, exp.Trim, exp.Lower, exp.Upper, exp.Replace, exp.Substring, exp.Left, exp.Right, exp.SplitPart, exp.RegexpReplace,
    exp.Concat, exp.DPipe, exp.Coalesce, exp.Nullif, exp.Min, exp.Max,
)  # fmt: skip

#: What is NULL when the value that it is made of is.
_NULL_OF_NULL = (
    exp.Paren, exp.Cast, exp.Trim, exp.Lower, exp.Upper, exp.Replace, exp.Substring, exp.Left, exp.Right, exp.SplitPart, exp.RegexpReplace,
    exp.Nullif, exp.Min, exp.Max,
)  # fmt: skip
#: Macros that are a value whatever they are given; the others are NULL when their first argument is.
_NEVER_NULL = {"dim_key", "fact_key", "row_hash"}


@dataclass(frozen=True)
class Mapping:
    """One `sources/<source>/<entity>.sql`.

    raw_tables: the tables of the source that it reads, the driving one (first in FROM) first.
    outputs: its output columns, in its own order.
    row_wise: true when each raw line yields its row on its own (no join, aggregate, window or subquery) and the
    entity's key stands on the raw key alone: then new lines are conformed without reading old ones.
    """

    source: str
    entity: str
    path: Path
    select: exp.Select
    raw_tables: tuple[str, ...]
    outputs: tuple[str, ...]
    row_wise: bool

    @property
    def driving(self) -> str:
        """The raw table whose lines the rows stand for."""
        return self.raw_tables[0]

    def raw_columns(self, table: str) -> set[str]:
        """Columns that the mapping reads of one raw table (unqualified ones count for each)."""
        return {column.name for column in self._columns_of(self.select, table)}

    def _columns_of(self, within: exp.Expr, table: str) -> list[exp.Column]:
        aliases = {t.alias_or_name for t in self.select.find_all(exp.Table) if t.name == f"{self.source}__{table}"}
        return [
            column
            for column in within.find_all(exp.Column)
            if (not column.table or column.table in aliases) and column.name not in RAW_EXTRAS
        ]

    def alternatives(self, table: str) -> dict[str, list[list[list[str]]]]:
        """Columns of a raw table that need not be there as long as others are: `coalesce("Quantity", qty)` reads either.

        Each with its uses, and of each the alternatives: sets of columns that stand in for it when they are all there.
        A column that is used anywhere without an alternative is not among them. Names in small letters.
        """
        uses: dict[str, list[list[list[str]]]] = {}
        for column in self._columns_of(self.select, table):
            uses.setdefault(column.name.lower(), []).append(self._stand_ins(column, table))
        return {name: of for name, of in uses.items() if all(of)}

    def _stand_ins(self, column: exp.Column, table: str) -> list[list[str]]:
        """The other arguments of the COALESCE around a column, as the columns of the same raw table that each reads."""
        found = list[list[str]]()
        node: exp.Expr = column
        while (outer := node.parent) is not None:
            if isinstance(outer, exp.Coalesce):
                for other in (outer.this, *outer.expressions):
                    columns = self._columns_of(other, table)
                    if other is not node and columns and len(columns) == len(list(other.find_all(exp.Column))):
                        found.append(sorted({of.name.lower() for of in columns}))
            elif isinstance(outer, exp.Anonymous):
                if outer.name.lower() in _NEVER_NULL or node is not outer.expressions[0]:
                    break
            elif not isinstance(outer, _NULL_OF_NULL) or node.arg_key != "this":
                break
            node = outer
        return found


def load_mappings(
    project_dir: Path, sources: MappingOf[str, SourceSettings], contracts: MappingOf[str, TableFile]
) -> list[Mapping]:
    """Read every mapping of the project; wrong ones raise DefinitionError before anything is written."""
    root = project_dir / "sources"
    mappings, problems = [], []
    for path in sorted(root.glob("*/*.sql")):
        try:
            mappings.append(_load(path, project_dir, sources, contracts))
        except DefinitionError as error:
            problems.append(error)
    if problems:
        raise (
            problems[0]
            if len(problems) == 1
            else DefinitionError("\n".join(str(problem) for problem in problems), where=f"{len(problems)} mappings")
        )
    return mappings


def _load(
    path: Path, project_dir: Path, sources: MappingOf[str, SourceSettings], contracts: MappingOf[str, TableFile]
) -> Mapping:
    from systock.data_warehouse.lint import lint

    where, source, entity = path.relative_to(project_dir).as_posix(), path.parent.name, path.stem
    if source not in sources:
        raise DefinitionError(
            f"no source called {source!r} in systock.toml",
            where=where,
            todo=f"Sources: {_names(sources)}. Rename the folder or add [sources.{source}].",
        )
    if entity not in contracts:
        raise DefinitionError(
            f"no entity called {entity!r}{_meant(entity, contracts)}",
            where=where,
            todo=f"Entities: {_names(contracts)}.",
        )
    text = path.read_text(encoding="utf-8")
    select = _parse(text, where)
    lint_errors = lint(select, where=where) if text.strip() else []
    if lint_errors:
        first = lint_errors[0]
        raise DefinitionError(f"{first.found}", where=f"{where}:{first.line}", todo=first.portable_form)
    _check_casts(select, where)
    raw_tables = _raw_tables(select, where, source, sources[source].tables)
    if len(raw_tables) > 1 and not select.ctes:
        for column in select.find_all(exp.Column):
            if not column.table:
                raise DefinitionError(
                    f"column {column.name!r} may belong to any of {len(raw_tables)} tables", where=f"{where}:{_line(column)}",
                    todo=f"Write the table's alias before it, such as {raw_tables[0]}.{column.name}.",
                )  # fmt: skip
    outputs = tuple(projection.alias_or_name for projection in select.selects)
    _check_outputs(outputs, contracts[entity], select, where)
    settings = sources[source].tables
    row_wise = _is_row_wise(select, raw_tables, settings, contracts[entity], outputs)
    instant = settings[raw_tables[0]].updated_at
    if row_wise and instant and "updated_at" not in outputs:  # stored lines are ordered by it before they are mapped
        raise DefinitionError(
            f"the settings say that {instant!r} orders the lines of {raw_tables[0]}, but the mapping has no updated_at",
            where=where,
            todo=f"Add {instant} AS updated_at (with its offset; local_to_utc({instant}, 'Zone/City') for a wall clock).",
        )
    return Mapping(source, entity, path, select, raw_tables, outputs, row_wise)


def _parse(text: str, where: str) -> exp.Select:
    statements = parse_statements(text, where)
    if len(statements) != 1 or not isinstance(statements[0], exp.Select):
        raise DefinitionError(
            "a mapping is exactly one SELECT", where=where, todo="Keep one SELECT … FROM bronze.<source>__<table>."
        )
    return statements[0]


def _check_casts(select: exp.Select, where: str) -> None:
    """A cast stops the whole run at the first text that is no such value, where the contract's cast sets the line aside."""
    for cast in select.find_all(exp.Cast):
        column = None if cast.is_type(*exp.DataType.TEXT_TYPES) else _raw_text(cast.this)
        if column is not None:
            type_ = cast.to.sql(dialect="postgres").lower()
            raise DefinitionError(
                f"casts the raw column {column.name!r} to {type_}: one value that is none would stop every run", where=f"{where}:{_line(column)}",
                todo="Leave it as text: the contract casts it, and sets aside lines whose value is none. To calculate: try_number(…).",
            )  # fmt: skip


def _raw_text(value: exp.Expr) -> exp.Column | None:
    """A raw column whose text, or a part of it, is or may be the value."""
    if isinstance(value, exp.Column):
        select = value.find_ancestor(exp.Select)
        parts = (
            [select.args.get("from_") or select.args.get("from"), *(select.args.get("joins") or [])] if select else []
        )
        tables = [part.this for part in parts if part and value.table in ("", part.this.alias_or_name)]
        raw = bool(tables) and all(isinstance(table, exp.Table) and table.db for table in tables)
        return value if raw and value.name not in RAW_EXTRAS else None
    if isinstance(value, exp.Case):
        inner = [*(branch.args["true"] for branch in value.args["ifs"]), value.args.get("default")]
    elif isinstance(value, _TEXT_OF_TEXT) or (isinstance(value, exp.Cast) and value.is_type(*exp.DataType.TEXT_TYPES)):
        inner = list(value.iter_expressions())
    else:
        return None
    return next((column for item in inner if item is not None and (column := _raw_text(item))), None)


def _raw_tables(select: exp.Select, where: str, source: str, tables: MappingOf[str, TableSettings]) -> tuple[str, ...]:
    ctes = {cte.alias_or_name for cte in select.find_all(exp.CTE)}
    names: list[str] = []
    driving = select.args.get("from_") or select.args.get("from")
    ordered = list(driving.find_all(exp.Table)) if driving else []
    for table in [*ordered, *select.find_all(exp.Table)]:
        if not table.db and table.name in ctes:
            continue
        prefix = f"{source}__"
        name = table.name.removeprefix(prefix)
        if table.db != "bronze" or not table.name.startswith(prefix) or name not in tables:
            valid = _names(f"bronze.{prefix}{t}" for t in tables)
            raise DefinitionError(
                f"reads {table.sql(dialect='postgres')!r}, which is no raw table of source {source!r}", where=f"{where}:{_line(table)}",
                todo=f"A mapping reads the raw tables of its own source: {valid}.",
            )  # fmt: skip
        if name not in names:
            names.append(name)
    if not names:
        raise DefinitionError("reads no raw table", where=where, todo=f"Add FROM bronze.{source}__<table>.")
    return tuple(names)


def _check_outputs(outputs: tuple[str, ...], contract: TableFile, select: exp.Select, where: str) -> None:
    known = {column.name: column for column in contract.columns}
    for projection, name in zip(select.selects, outputs, strict=True):
        if name not in known:
            raise DefinitionError(
                f"column {name!r} is not in the contract of {contract.name}{_meant(name, known)}", where=f"{where}:{_line(projection)}",
                todo=f"Columns: {_names(known)}.",
            )  # fmt: skip
        if name == "source_name":
            raise DefinitionError(
                "source_name is filled by SyStock", where=f"{where}:{_line(projection)}", todo="Leave it out."
            )
    doubled = sorted({name for name in outputs if outputs.count(name) > 1})
    if doubled:
        raise DefinitionError(f"column {doubled[0]!r} appears twice", where=where, todo="Keep one of them.")
    missing = [
        column.name
        for column in contract.columns
        if column.name not in outputs
        and column.name not in FILLED
        and not column.nullable
        and column.default_sql is None
    ]
    if missing:
        keys = [name for name in missing if name in contract.primary_key]
        kind = "key column" if keys else "column"
        raise DefinitionError(
            f"{kind} {', '.join(keys or missing)} of {contract.name} is missing", where=where,
            todo="Add it to the SELECT: it has no default and may not be NULL.",
        )  # fmt: skip


def check_raw_columns(mapping: Mapping, project_dir: Path, landed: MappingOf[str, Iterable[str]]) -> None:
    """Raise DefinitionError when the mapping reads a column that no file of its raw tables has ever had.

    landed: raw table → columns that its landed batches have, or that are to come: refused files have them, or the settings
    know them. Tables without any batch are not judged.
    """
    where = mapping.path.relative_to(project_dir).as_posix()
    ctes = {cte.alias_or_name for cte in mapping.select.find_all(exp.CTE)}
    aliases = {
        table.alias_or_name: table.name.removeprefix(f"{mapping.source}__")
        for table in mapping.select.find_all(exp.Table)
        if not (not table.db and table.name in ctes)
    }
    if ctes or any(not landed.get(table) for table in mapping.raw_tables):
        return  # columns of a CTE are the engine's to judge
    everything = {table: {c.lower() for c in landed[table]} | set(RAW_EXTRAS) for table in mapping.raw_tables}
    for column in mapping.select.find_all(exp.Column):
        tables = [aliases[column.table]] if column.table in aliases else list(mapping.raw_tables)
        if column.name.lower() in {output.lower() for output in mapping.outputs} and column.find_ancestor(exp.Order):
            continue
        if not any(column.name.lower() in everything[table] for table in tables):
            names = sorted(set().union(*(everything[table] for table in tables)) - set(RAW_EXTRAS))
            raise DefinitionError(
                f"column {column.name!r} is in no landed file of {', '.join(f'bronze.{mapping.source}__{t}' for t in tables)}{_meant(column.name, names)}",
                where=f"{where}:{_line(column)}",
                todo=f"Columns: {_names(names[:60])}. One that is still to come is named in known_columns of sources.{mapping.source}.tables.{tables[0]}.",
            )  # fmt: skip


def check_setting_columns(source: str, table: str, settings: TableSettings, landed: Iterable[str]) -> None:
    """Raise DefinitionError when a raw table's settings name a column that no file of it has ever had: no line would have a key.

    landed: columns of its landed batches; a table without any batch is not judged.
    """
    known = {name.lower() for name in landed}
    updated = (settings.updated_at,) if settings.updated_at else ()
    for setting, names in (("key", settings.key), ("updated_at", updated)) if known else ():
        for name in names:
            if name.lower() not in known | set(RAW_EXTRAS):
                raise DefinitionError(
                    f"column {name!r} is in no landed file of bronze.{source}__{table}{_meant(name, known)}",
                    where=f"sources.{source}.tables.{table}.{setting}", todo=f"Columns: {_names(sorted(known)[:60])}.",
                )  # fmt: skip


def _is_row_wise(
    select: exp.Select,
    raw_tables: tuple[str, ...],
    settings: MappingOf[str, TableSettings],
    contract: TableFile,
    outputs: tuple[str, ...],
) -> bool:
    table = settings[raw_tables[0]]
    shaped = (
        exp.Join,
        exp.AggFunc,
        exp.Window,
        exp.Subquery,
        exp.CTE,
        exp.Distinct,
        exp.Group,
        exp.Lateral,
        exp.Limit,
        exp.Order,
        exp.Exists,
    )
    if len(raw_tables) > 1 or select.find(*shaped):
        return False
    if contract.history == "valid time" and not table.updated_at:
        return False  # versions stand at the extraction's position: absences and repeats need the stored lines
    if not table.key:
        return True  # every line is its own
    if table.tells_deletes:
        return False  # a line that says its key is gone has nothing else to map
    raw_key = {name.lower() for name in table.key}
    used: set[str] = set()
    for projection, name in zip(select.selects, outputs, strict=True):
        if name in contract.primary_key:
            used |= {column.name.lower() for column in projection.find_all(exp.Column)}
    if (
        table.mode == "full"
    ):  # a key that names the extract: what each one states is a row of its own, and none closes another's
        return "_extracted_at" in used and used <= {*raw_key, "_extracted_at"}
    return used <= raw_key


def _line(node: exp.Expr) -> int:
    found = position(node)
    return found[0] if found else 1


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _meant(name: str, valid: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(valid), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""

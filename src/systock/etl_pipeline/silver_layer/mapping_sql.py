"""Mappings as the SQL that a run executes: compiled once per state of the definitions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Mapping as MappingOf
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from systock.data_warehouse.portable_sql import compile_sql, position
from systock.data_warehouse.refresh_keys import plan_refresh
from systock.data_warehouse.table_file import TableFile
from systock.errors import DefinitionError
from systock.etl_pipeline.silver_layer.mapping import RAW_EXTRAS, Mapping

if TYPE_CHECKING:
    from systock.source_settings import SourceSettings

#: Mapped columns carry this before their name until they are cast.
RAW_PREFIX = "mapped_"
#: Columns of a stored line that a mapping carries through beside its own.
PLACE = ("_batch_no", "_row", "_extracted_at", "_line_version_at", "_line_is_deleted", "_line_gone_at")


#: A SELECT, and for each of its columns: the contract's column, its type, the line of the mapping.
Reading = tuple[str, Sequence[tuple[str, str, int]]]


@dataclass(frozen=True)
class MappingSql:
    """A mapping, compiled.

    columns: raw table → the columns read of it. Row-wise: `rows` and `odd_rows` are the mapping over the relations line
    and odd_line, presence the raw columns that its WHERE reads. Otherwise: inputs are (relation, raw table, with all
    versions?), touched says per input which keys its changed lines touch (NULL: the whole is mapped anew), stale and fresh
    are the touched rows as they were and are. combines: may a row stand for several lines?
    places: raw table → column read of it → line of the mapping. readings: raw table → SELECTs over the relation judged_line
    with what the mapping makes of single lines for typed columns of the contract, and those columns' types and lines.
    alternatives: raw table → what Mapping.alternatives says.
    The relations are those of lines_before, lines_after and lines_changed.
    """

    source: str
    entity: str
    path: str
    raw_tables: tuple[str, ...]
    row_wise: bool
    columns: dict[str, list[str]]
    rows: str = ""
    odd_rows: str = ""
    presence: tuple[str, ...] = ()
    inputs: tuple[tuple[str, str, bool], ...] = ()
    touched: dict[str, list[str]] | None = None
    combines: bool = False
    stale: str = ""
    fresh: str = ""
    places: dict[str, dict[str, int]] = field(default_factory=dict)
    readings: dict[str, list[Reading]] = field(default_factory=dict)
    alternatives: dict[str, dict[str, list[list[list[str]]]]] = field(default_factory=dict)

    @property
    def driving(self) -> str:
        """The raw table whose lines the rows stand for."""
        return self.raw_tables[0]


def lines_relation(kind: str, relation: str) -> str:
    """The temporary relation of an input's lines: kind is before, after or changed."""
    return f"lines_{kind}_{relation.replace('.', '_')}"


def read_mapping_sql(entry: MappingOf[str, Any]) -> MappingSql:
    """A MappingSql from its JSON values."""
    return MappingSql(**{
        **entry, "raw_tables": tuple(entry["raw_tables"]), "presence": tuple(entry["presence"]),
        "inputs": tuple((relation, table, history) for relation, table, history in entry["inputs"]),
    })  # fmt: skip


def compile_mappings(
    mappings: Iterable[Mapping], contracts: MappingOf[str, TableFile], sources: MappingOf[str, SourceSettings]
) -> list[dict[str, Any]]:
    """All mappings as the JSON values of MappingSql."""
    compiled = []
    for mapping in mappings:
        columns = {table: sorted({name.lower() for name in mapping.raw_columns(table)}) for table in mapping.raw_tables}
        common: dict[str, Any] = {
            "source": mapping.source, "entity": mapping.entity, "path": str(mapping.path), "raw_tables": mapping.raw_tables,
            "row_wise": mapping.row_wise, "columns": columns,
            "places": {table: _places(mapping, table) for table in mapping.raw_tables},
            "readings": _readings(mapping, contracts[mapping.entity]),
            "alternatives": {table: mapping.alternatives(table) for table in mapping.raw_tables},
        }  # fmt: skip
        make = _row_wise if mapping.row_wise else _stored
        keys = {name: list(sources[mapping.source].tables[name].key) for name in mapping.raw_tables}
        try:
            made = make(mapping, contracts[mapping.entity], columns, keys)
        except DefinitionError as error:
            raise _placed(error, mapping) from error
        compiled.append(asdict(MappingSql(**common, **made)))
    return compiled


def _places(mapping: Mapping, table: str) -> dict[str, int]:
    """Where a mapping first reads each column of a raw table."""
    read = {name.lower() for name in mapping.raw_columns(table)}
    lines: dict[str, int] = {}
    for column in mapping.select.find_all(exp.Column):
        place = position(column)
        name = column.name.lower()
        if name in read and place:
            lines[name] = min(place[0], lines.get(name, place[0]))
    return lines


def _readings(mapping: Mapping, contract: TableFile) -> dict[str, list[Reading]]:
    """What the mapping makes of single lines for the contract's typed columns: not of CTEs, aggregates and windows."""
    if mapping.select.ctes:
        return {}
    tables = {t.alias_or_name: t.name.removeprefix(f"{mapping.source}__") for t in mapping.select.find_all(exp.Table)}
    types = {column.name: column.type for column in contract.columns}
    by_alias: dict[str, list[exp.Expr]] = {}
    for projection in mapping.select.selects:
        aliases = {column.table or next(iter(tables)) for column in projection.find_all(exp.Column)}
        beyond = projection.find(exp.AggFunc, exp.Window, exp.Subquery, exp.Exists)
        if len(aliases) == 1 and not beyond and types[projection.alias_or_name] != "text":
            by_alias.setdefault(aliases.pop(), []).append(projection)
    readings: dict[str, list[Reading]] = {}
    for alias, projections in by_alias.items():
        made = [exp.alias_(p.unalias().copy(), RAW_PREFIX + p.alias_or_name, quoted=True) for p in projections]
        lines = exp.alias_(exp.to_table("judged_line"), alias, table=True)
        sql = compile_sql(_small_letters(exp.select(*made).from_(lines)))
        said = [(p.alias_or_name, types[p.alias_or_name], (position(p) or (1, 1))[0]) for p in projections]
        readings.setdefault(tables[alias], []).append((sql, said))
    return readings


def _placed(error: DefinitionError, mapping: Mapping) -> DefinitionError:
    """The error with the mapping's file, and the line of the column that it names."""
    told = error.what.lower()
    named = (
        column
        for column in mapping.select.find_all(exp.Column)
        if f"'{column.name.lower()}'" in told or told.endswith(f": {column.name.lower()}")
    )
    line = next((place[0] for place in map(position, named) if place), 1)
    return DefinitionError(
        error.what,
        where=f"{'/'.join(mapping.path.parts[-3:])}:{line}",
        todo=error.todo or "Correct the column, or write the name of its table or CTE before it.",
    )


def _small_letters(select: exp.Select) -> exp.Select:
    """Columns and aliases in small letters, as raw columns are stored: engines fold case, also of quoted names."""
    for identifier in select.find_all(exp.Identifier):
        place = (type(identifier.parent), identifier.arg_key)
        if place in {(exp.Column, "this"), (exp.Alias, "alias"), (exp.TableAlias, "columns"), (exp.Join, "using")}:
            identifier.set("this", identifier.this.lower())
    return select


def _row_wise(
    mapping: Mapping, contract: TableFile, columns: MappingOf[str, list[str]], keys: MappingOf[str, list[str]]
) -> dict[str, Any]:
    where = mapping.select.args.get("where")
    presence = tuple(sorted({column.name.lower() for column in where.find_all(exp.Column)})) if where else ()
    return {"rows": _over_lines(mapping, "line"), "odd_rows": _over_lines(mapping, "odd_line"), "presence": presence}


def _over_lines(mapping: Mapping, lines: str) -> str:
    """The mapping over a relation of lines, its columns prefixed, the line's place beside; WHERE becomes is_deleted."""
    select = _prefixed(mapping)
    table = select.find(exp.Table)
    assert table is not None
    alias = table.alias_or_name
    table.replace(exp.alias_(exp.to_table(lines), alias, table=True))
    where = select.args.get("where")
    condition = where.this.copy() if where else exp.true()
    select.set("where", None)
    left_out = exp.alias_(
        exp.Not(this=exp.Coalesce(this=exp.paren(condition), expressions=[exp.false()])), "is_deleted"
    )
    place: list[exp.Expr] = [exp.column(name, table=alias) for name in ("_extracted_at", "_batch_no", "_row")]
    place += [
        exp.alias_(exp.column(name, table=alias), as_)
        for name, as_ in (("_known_at", "known_at"), ("_extracted_at", "line_version_at"))
    ]
    place.append(exp.alias_(exp.cast(exp.null(), "timestamptz"), "line_gone_at"))
    return compile_sql(select.select(left_out, *place).where(exp.column("_malformed", table=alias).is_(exp.null())))


def _prefixed(mapping: Mapping) -> exp.Select:
    select = mapping.select.copy()
    for projection in list(select.selects):
        projection.replace(exp.alias_(projection.unalias().copy(), RAW_PREFIX + projection.alias_or_name, quoted=True))
    return select


def over_stored_lines(
    mapping: Mapping, contract: TableFile, columns: MappingOf[str, list[str]], keys: MappingOf[str, list[str]]
) -> tuple[exp.Select, tuple[tuple[str, str, bool], ...], dict[str, list[str]]]:
    """The mapping with each row's place, its inputs as MappingSql has them, and the columns of each."""
    select = _small_letters(_prefixed(mapping))
    if contract.history == "valid time":
        # The driving table's lines stand with all their versions, joined ones as they are now.
        driving = f"{mapping.source}__{mapping.driving}"
        first = next(t for t in select.find_all(exp.Table) if t.db == "bronze" and t.name == driving)
        first.replace(exp.alias_(exp.to_table(f"history.{driving}"), first.alias_or_name, table=True))
    select = _with_place(select)
    names = sorted({f"{t.db}.{t.name}" for t in select.find_all(exp.Table) if t.db})
    inputs = tuple(
        (name, name.partition(".")[2].removeprefix(f"{mapping.source}__"), name.startswith("history."))
        for name in names
    )
    schema = {
        name: list(dict.fromkeys([*(key.lower() for key in keys[raw]), *columns[raw], *RAW_EXTRAS, *PLACE]))
        for name, raw, _ in inputs
    }
    return select, inputs, schema


def _stored(
    mapping: Mapping, contract: TableFile, columns: MappingOf[str, list[str]], keys: MappingOf[str, list[str]]
) -> dict[str, Any]:
    select, inputs, schema = over_stored_lines(mapping, contract, columns, keys)
    names = [name for name, _, _ in inputs]
    key = [RAW_PREFIX + name for name in contract.primary_key if name in mapping.outputs]
    plan = plan_refresh(select, [projection.alias_or_name for projection in select.selects], key, schema)
    combines = bool(select.args.get("group") or select.args.get("distinct") or select.ctes)
    then, now = ({name: lines_relation(kind, name) for name in names} for kind in ("before", "after"))
    if plan.whole:
        return {
            "inputs": inputs,
            "combines": combines,
            "touched": None,
            "stale": compile_sql(_over(select, then)),
            "fresh": compile_sql(_over(select, now)),
        }
    touched = {
        name: [
            compile_sql(query)
            for relation in (then, now)
            for query in plan.touched(name, lines_relation("changed", name), relation)
        ]
        for name in names
    }
    stale, fresh = (compile_sql(plan.recompute("touched_key", relation)) for relation in (then, now))
    return {"inputs": inputs, "combines": combines, "touched": touched, "stale": stale, "fresh": fresh}


def _over(select: exp.Select, relation: MappingOf[str, str]) -> exp.Select:
    copy = select.copy()
    for table in list(copy.find_all(exp.Table)):
        if table.db:
            table.replace(
                exp.alias_(exp.to_table(relation[f"{table.db}.{table.name}"]), table.alias_or_name, table=True)
            )
    return copy


def _with_places(query: exp.Query, outer: Sequence[exp.CTE]) -> exp.Query:
    """Carry the place through every SELECT of a UNION ALL: each of its rows stands for a line of its own."""
    if isinstance(query, exp.Union) and not query.args.get("distinct"):
        for side in ("this", "expression"):
            query.set(side, _with_places(query.args[side], outer))
        return query
    return _with_place(query, outer) if isinstance(query, exp.Select) else query


def _with_place(select: exp.Select, outer: Sequence[exp.CTE] = ()) -> exp.Select:
    """Carry the driving line's place through to the output, through CTEs too; a row that combines lines has no place."""
    ctes = [*select.ctes, *outer]
    source = (select.args.get("from_") or select.args["from"]).this
    if isinstance(source, exp.Table) and not source.db:
        cte = next((c for c in ctes if c.alias_or_name == source.name), None)
        if cte is not None and PLACE[0] not in cte.this.named_selects:
            cte.set("this", _with_places(cte.this, ctes))
    elif not isinstance(source, exp.Table):
        return select.select(*(exp.alias_(exp.cast(exp.null(), "text"), name) for name in PLACE))
    grouping = [p.unalias().copy() for p in select.selects if p.find(exp.Column)]
    if (
        select.args.get("distinct") and grouping and not select.args.get("group")
    ):  # the same rows, and a place beside them
        select = select.copy()
        select.set("distinct", None)
        select = select.group_by(*grouping)
    place: dict[str, exp.Expr] = {name: exp.column(name, table=source.alias_or_name) for name in PLACE}
    if (
        select.args.get("group")
        or select.args.get("distinct")
        or any(p.find(exp.AggFunc) and not p.find(exp.Window) for p in select.selects)
    ):
        none = {"_batch_no", "_row"}
        place = {name: exp.func("max", exp.null() if name in none else column) for name, column in place.items()}
        place["_line_is_deleted"] = exp.func("bool_and", exp.column("_line_is_deleted", table=source.alias_or_name))
    return select.select(*(exp.alias_(column, name) for name, column in place.items()))

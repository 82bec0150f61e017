"""Reading the portable SQL of table files and mappings, and writing it for an engine with its macros spelled out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlglot import TokenType, exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.dialects.postgres import Postgres
from sqlglot.dialects.spark import Spark
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokenizer_core import Token

from systock.data_warehouse.macro import Call, Macro
from systock.data_warehouse.macros import MACROS
from systock.errors import DefinitionError
from systock.sql_text import quoted

DIALECTS = ("duckdb", "postgres")


def _macro_node(name: str) -> Any:
    return lambda args: exp.Anonymous(this=name, expressions=list(args))


def _annotate_macro(annotator: Any, node: exp.Expr) -> exp.Expr:
    """Give a macro call the type of its result, for sqlglot's annotate_types."""
    macro, args = macro_call(node)
    if macro is not None and macro.returns != "table":
        annotator._set_type(node, exp.DataType.build(macro.result_type([literal(a) for a in args]), dialect="postgres"))
    return node


# Nodes whose text holds together by itself wherever a macro puts it.
_ATOMS = (exp.Column, exp.Literal, exp.Null, exp.Anonymous, exp.Cast, exp.Paren)


class PortableSql(Postgres):
    """PostgreSQL in which the macros are plain functions, also those that share a name with a function of sqlglot."""

    class Parser(Postgres.Parser):  # type: ignore[misc, valid-type]
        """The parser of PostgreSQL with the macros' names taken out of its own functions."""

        FUNCTIONS = Postgres.Parser.FUNCTIONS | {name.upper(): _macro_node(name) for name in MACROS}

    EXPRESSION_METADATA = Postgres.EXPRESSION_METADATA | {exp.Anonymous: {"annotator": _annotate_macro}}


class _MacroWriter:
    """Mixin of a generator: a macro call becomes its spelling."""

    engine: str
    zones_defined: bool = False

    def _expand(self, node: exp.Expr) -> str | None:
        macro, args = macro_call(node)
        if macro is None:
            return None
        texts = tuple(self._argument(arg) for arg in args)
        return macro.build(self.engine, Call(texts, tuple(map(literal, args)), self.zones_defined), line_of(node))

    def _argument(self, node: exp.Expr) -> str:
        text = str(self.sql(node))  # type: ignore[attr-defined]
        return text if isinstance(node, _ATOMS) else f"({text})"


class _DuckDBWriter(_MacroWriter, DuckDB.Generator):  # type: ignore[misc, valid-type]
    engine = "duckdb"

    def anonymous_sql(self, expression: exp.Anonymous) -> str:
        return self._expand(expression) or super().anonymous_sql(expression)


class _PostgresWriter(_MacroWriter, Postgres.Generator):  # type: ignore[misc, valid-type]
    engine = "postgres"

    def anonymous_sql(self, expression: exp.Anonymous) -> str:
        return self._expand(expression) or super().anonymous_sql(expression)

    def identifier_sql(self, expression: exp.Identifier) -> str:
        """Quoted, so that no name is taken for a word of PostgreSQL's."""
        return quoted(postgres_name(expression.name))


class _SparkWriter(_MacroWriter, Spark.Generator):  # type: ignore[misc, valid-type]
    engine = "spark"

    #: It has no time of day and no uuid: both are texts (see macros_spark). What has no zone stays without one.
    TYPE_MAPPING = Spark.Generator.TYPE_MAPPING | {
        exp.DType.TIME: "STRING", exp.DType.UUID: "STRING", exp.DType.TIMESTAMP: "TIMESTAMP_NTZ",
    }  # fmt: skip

    def anonymous_sql(self, expression: exp.Anonymous) -> str:
        return self._expand(expression) or super().anonymous_sql(expression)

    def schema_sql(self, expression: exp.Schema) -> str:
        """Columns alone: keys, references and checks are not Spark's; a key may not be NULL."""
        return str(super().schema_sql(_only_columns(expression)))


def _only_columns(schema: exp.Schema) -> exp.Schema:
    """The columns of a CREATE TABLE with NOT NULL and DEFAULT, those of the key not NULL."""
    kept = schema.copy()
    columns = [node for node in kept.expressions if isinstance(node, exp.ColumnDef)]
    keys = {part.name for key in kept.find_all(exp.PrimaryKey) for part in key.expressions}
    for column in columns:
        constraints = column.args.get("constraints") or []
        kinds = [constraint.kind for constraint in constraints]
        stays = [
            c for c in constraints if isinstance(c.kind, exp.NotNullColumnConstraint | exp.DefaultColumnConstraint)
        ]
        is_key = column.name in keys or any(isinstance(kind, exp.PrimaryKeyColumnConstraint) for kind in kinds)
        if is_key and not any(isinstance(c.kind, exp.NotNullColumnConstraint) for c in stays):
            stays.insert(0, exp.ColumnConstraint(kind=exp.NotNullColumnConstraint()))
        column.set("constraints", stays)
    kept.set("expressions", columns)
    return kept


_WRITERS: dict[str, type[Any]] = {"duckdb": _DuckDBWriter, "postgres": _PostgresWriter, "spark": _SparkWriter}
_DIALECT_CLASSES: dict[str, Any] = {"duckdb": DuckDB, "postgres": Postgres, "spark": Spark}


def postgres_name(name: str) -> str:
    """How a table or column is called in PostgreSQL: in small letters, as DuckDB compares names, so that none needs quotes."""
    return "".join(letter.lower() if "A" <= letter <= "Z" else letter for letter in name)


def macro_call(node: exp.Expr) -> tuple[Macro | None, list[exp.Expr]]:
    """The macro that a node calls and its arguments; (None, []) for any other node."""
    if isinstance(node, exp.Anonymous) and isinstance(node.this, str):
        macro = MACROS.get(node.this.lower())
        if macro is not None:
            return macro, list(node.expressions)
    return None, []


def literal(node: exp.Expr) -> str | None:
    """The value of a literal as text, None for anything else."""
    return str(node.this) if isinstance(node, exp.Literal) else None


def line_of(node: exp.Expr) -> str | None:
    """'line N' of the first token known below a node, or None."""
    found = position(node)
    return f"line {found[0]}" if found else None


def position(node: exp.Expr) -> tuple[int, int] | None:
    """Line and column (both from 1) of the first token known at or below a node."""
    best: tuple[int, int] | None = None
    for child in node.walk():
        meta = child.meta if child._meta else None
        if meta and "line" in meta:
            width = meta["end"] - meta["start"]
            here = (meta["line"], max(meta["col"] - width, 1))
            if best is None or here < best:
                best = here
    return best


def tokens_of(sql: str, where: str | None = None) -> list[Token]:
    """The tokens of a text in portable SQL; what can't be cut into tokens is a DefinitionError."""
    try:
        return list(PortableSql().tokenize(sql))
    except TokenError as error:
        text = str(error).splitlines()[0]
        raise DefinitionError(
            f"the SQL cannot be read: {text}", where=where, todo="Look for a quote or comment that is never closed."
        ) from error


def parse_statements(sql: str, where: str | None = None, tokens: list[Token] | None = None) -> list[exp.Expr]:
    """The statements of a text in portable SQL; a syntax error is a DefinitionError with file and line.

    tokens: those of the text, where they are known already.
    """
    tokens = tokens_of(sql, where) if tokens is None else tokens
    _check_commas(tokens, where)
    try:
        return [statement for statement in PortableSql().parser().parse(tokens, sql) if statement is not None]
    except ParseError as error:
        first = error.errors[0] if error.errors else {}
        line = first.get("line")
        near = " ".join(str(first.get("highlight") or "").split())
        what = str(first.get("description") or "the SQL does not parse").rstrip(".")
        what = what[:1].lower() + what[1:] + (f" near {near!r}" if near else "")
        raise DefinitionError(what, where=_at(where, line), todo="Write it as PostgreSQL would read it.") from error


def _check_commas(tokens: Sequence[Token], where: str | None) -> None:
    """sqlglot reads over a comma that separates nothing; PostgreSQL does not."""
    before = {TokenType.COMMA, TokenType.L_PAREN, TokenType.SELECT}
    behind = {TokenType.R_PAREN, TokenType.FROM, TokenType.SEMICOLON, TokenType.WHERE}
    for number, token in enumerate(tokens):
        if token.token_type != TokenType.COMMA:
            continue
        following = tokens[number + 1].token_type if number + 1 < len(tokens) else TokenType.SEMICOLON
        if (number and tokens[number - 1].token_type in before) or following in behind:
            raise DefinitionError("a comma separates nothing", where=_at(where, token.line), todo="Take it out.")


def parse(sql: str, where: str | None = None) -> exp.Expr:
    """One statement or expression in portable SQL."""
    statements = parse_statements(sql, where)
    if len(statements) != 1:
        raise DefinitionError(f"expected one statement, found {len(statements)}", where=where)
    return statements[0]


def compile_sql(
    expression: exp.Expr, dialect: str = "duckdb", *, zones_defined: bool = False, pretty: bool = False
) -> str:
    """SQL text of a parsed portable statement or expression for an engine, macros spelled out.

    zones_defined: the SQL is for a connection that has run define_zones, by which the time macros are several times as
    fast; nothing else changes.
    """
    writer_class = _WRITERS.get(dialect)
    if writer_class is None:
        raise DefinitionError(f"there is no engine {dialect!r}", todo=f"Use one of: {', '.join(_WRITERS)}.")
    writer = writer_class(dialect=_DIALECT_CLASSES[dialect], comments=False, pretty=pretty)
    writer.zones_defined = zones_defined
    return str(writer.generate(expression))


@lru_cache(maxsize=512)
def compile_text(
    sql: str, dialect: str = "duckdb", *, zones_defined: bool = False, where: str | None = None, pretty: bool = False
) -> str:
    """SQL text in portable SQL written for an engine; several statements are joined with ';'."""
    statements = parse_statements(sql, where)
    return ";\n".join(
        compile_sql(statement, dialect, zones_defined=zones_defined, pretty=pretty) for statement in statements
    )


def _at(where: str | None, line: int | None) -> str | None:
    if line is None:
        return where
    return f"{where}:{line}" if where else f"line {line}"

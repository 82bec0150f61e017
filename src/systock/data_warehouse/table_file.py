"""What a table file says: a CREATE TABLE for what must be true, a SELECT for where the rows come from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from sqlglot import exp

from systock.errors import DefinitionError

# build: written by the build itself (the meta tables); ledger: by the stock ledger; kernel: by Python, from the rows of the SELECT, whose
# columns are its own; versions: every row that the SELECT ever made, with the span of knowledge in which it did; the others by their SELECT.
REFRESH_KINDS = ("by key", "full", "ledger", "kernel", "versions", "view", "function", "build", "snapshot")
#: The kinds that hold no rows.
ASKED_KINDS = ("view", "function")
#: The columns that a table of versions has beside those of its SELECT.
KNOWN_COLUMNS = ("known_from_at", "known_to_at")
#: The tables that a kernel makes (see refresh_cost).
KERNEL_TABLES = ("gold.cost_group", "gold.stock_cost")
HISTORY_KINDS = ("valid time", "corrections")
TYPES = (
    "text", "boolean", "date", "time", "timestamp", "timestamptz", "integer", "bigint", "numeric(p, s)",
    "double precision", "uuid",
)  # fmt: skip

_TYPE_NAMES = {
    exp.DType.TEXT: "text",
    exp.DType.BOOLEAN: "boolean",
    exp.DType.DATE: "date",
    exp.DType.TIME: "time",
    exp.DType.TIMESTAMP: "timestamp",
    exp.DType.TIMESTAMPTZ: "timestamptz",
    exp.DType.INT: "integer",
    exp.DType.BIGINT: "bigint",
    exp.DType.DOUBLE: "double precision",
    exp.DType.UUID: "uuid",
}
_TYPES_INSTEAD = {
    exp.DType.VARCHAR: "text",
    exp.DType.CHAR: "text",
    exp.DType.NVARCHAR: "text",
    exp.DType.SMALLINT: "integer",
    exp.DType.FLOAT: "double precision",
    exp.DType.TIMETZ: "time",
    exp.DType.JSON: "text",
    exp.DType.JSONB: "text",
    exp.DType.MONEY: "numeric(18, 4)",
}


@dataclass(frozen=True)
class Column:
    """One column of a table: canonical type, whether NULL is allowed, DEFAULT as SQL, and its comment."""

    name: str
    type: str
    nullable: bool
    default_sql: str | None
    comment: str
    line: int


@dataclass(frozen=True)
class Reference:
    """A column that must name an existing row: REFERENCES table (target_column)."""

    column: str
    table: str
    target_column: str
    line: int = 0


@dataclass(frozen=True)
class Check:
    """A CHECK: its name (unique in the table), what it says, its expression and the columns that it reads."""

    name: str
    expression: exp.Expr
    columns: tuple[str, ...]
    text: str
    line: int = 0


@dataclass(frozen=True, eq=False)  # one object per text: what is made of it can be kept by it
class TableFile:
    """What one table file says. `select` is None for a silver contract; `select_line` is 0 then."""

    path: Path
    schema: str
    name: str
    qualified: str
    sentence: str
    refresh: str | None
    history: str | None
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...]
    references: tuple[Reference, ...]
    checks: tuple[Check, ...]
    select: exp.Query | None
    select_line: int
    text: str
    definition_hash: str
    line: int = 1
    kept_since: str | None = None
    """Of a table of versions: the entity of silver from whose first row on it is kept; None: always."""
    renamed: tuple[tuple[str, str], ...] = ()
    """Names that columns had before, each with the column's name of today: what was kept under them is the column's."""

    @property
    def is_stored(self) -> bool:
        """Does it hold rows, or is it a question asked each time?"""
        return self.refresh not in ASKED_KINDS

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the columns in the order of the CREATE TABLE."""
        return tuple(column.name for column in self.columns)

    @property
    def made_columns(self) -> tuple[str, ...]:
        """Those that the SELECT yields, in its order: a run itself adds to versions when they were known."""
        known = KNOWN_COLUMNS if self.refresh == "versions" else ()
        return tuple(name for name in self.column_names if name not in known)

    def column(self, name: str) -> Column:
        """The column of that name; KeyError when there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


def read_file(path: Path) -> TableFile:
    """Parse a table file from disk."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DefinitionError(
            f"the file is not UTF-8 (byte {error.start})", where=str(path), todo="Save it as UTF-8."
        ) from error
    return parse_text(text, path)


def load_folder(*folders: Path) -> dict[str, TableFile]:
    """All table files below the folders by qualified name; a later folder's file replaces one of the same name.

    Two files of one folder that define the same table are an error.
    """
    tables: dict[str, TableFile] = {}
    for folder in folders:
        own: dict[str, TableFile] = {}
        for path in sorted(folder.rglob("*.sql")):
            table = read_file(path)
            if table.qualified in own:
                raise DefinitionError(
                    f"{table.qualified} is defined twice, also in {own[table.qualified].path}",
                    where=f"{path}:{table.line}",
                    todo="Keep one of the two files.",
                )
            own[table.qualified] = table
        tables.update(own)
    return tables


@lru_cache(maxsize=512)
def parse_text(text: str, path: Path) -> TableFile:
    """Parse the text of a table file; `path` is only what errors name. Read it, don't change it: the same text gives the same object."""
    # Here, because the reader builds what this module defines.
    from systock.data_warehouse.table_reader import Reader

    return Reader(text, path).read()


def canonical_type(kind: exp.DataType) -> str:
    """The one spelling of a portable type, such as 'numeric(18, 4)'; ValueError with the portable form for others."""
    dtype = kind.this
    params = [param.name for param in kind.expressions]
    if dtype is exp.DType.DECIMAL:
        if len(params) != 2:
            raise ValueError("Write its digits and decimals, such as numeric(18, 4).")
        precision, scale = (int(param) for param in params)
        if not (1 <= precision <= 38 and 0 <= scale <= precision):
            raise ValueError("Write numeric(p, s) with p from 1 to 38 and s from 0 to p.")
        return f"numeric({precision}, {scale})"
    name = _TYPE_NAMES.get(dtype)
    if name is None:
        instead = _TYPES_INSTEAD.get(dtype)
        raise ValueError(f"Write {instead}." if instead else f"Use one of: {', '.join(TYPES)}.")
    if params:
        raise ValueError(f"Write {name} without a length.")
    return name

"""Reading the text of a table file: trees come from sqlglot; comments, lines and CHECK texts from its tokens."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from systock.data_warehouse.portable_sql import PortableSql, parse_statements, tokens_of
from systock.data_warehouse.table_file import (
    HISTORY_KINDS,
    KERNEL_TABLES,
    KNOWN_COLUMNS,
    REFRESH_KINDS,
    TYPES,
    Check,
    Column,
    Reference,
    TableFile,
    canonical_type,
)
from systock.errors import DefinitionError

#: The line of a table of versions that names the entity from whose first row on it is kept, and that of former names of columns.
_KEPT_SINCE, _RENAMED = "kept since", "renamed"


class Reader:
    """Reads one text, once; the first thing that is wrong with it is a DefinitionError with file and line."""

    def __init__(self, text: str, path: Path) -> None:
        """`path` is only what errors name."""
        self.text, self.path, self.lines = text, path, text.split("\n")

    def fail(self, what: str, line: int, todo: str) -> DefinitionError:
        """An error at a line of this file."""
        return DefinitionError(what, where=f"{self.path}:{line}", todo=todo)

    def read(self) -> TableFile:
        """The whole file, or the first thing wrong with it."""
        tokens = tokens_of(self.text, str(self.path))
        statements = parse_statements(self.text, str(self.path), tokens)
        create = statements[0] if statements else None
        if not isinstance(create, exp.Create) or create.kind != "TABLE" or not isinstance(create.this, exp.Schema):
            raise self.fail(
                "the file does not begin with CREATE TABLE schema.name (columns)",
                tokens[0].line if tokens else 1,
                "Put one CREATE TABLE with its columns first, then at most one SELECT.",
            )
        table = create.this.this
        line = tokens[0].line
        if not isinstance(table, exp.Table) or not table.db or table.catalog:
            raise self.fail(
                f"the table {table.sql()} is not named schema.table", line, "Write CREATE TABLE gold.name (…)."
            )
        schema, name = table.db, table.name
        sentence, kinds = self._header(line)
        body, rest = self._split(tokens)
        columns = self._columns(create.this, body, name)
        primary_key = self._primary_key(create.this, columns, line)
        columns = tuple(
            Column(c.name, c.type, c.nullable and c.name not in primary_key, c.default_sql, c.comment, c.line)
            for c in columns
        )
        select, select_line = self._select(statements, rest, schema)
        self._check_kinds(kinds, select, line, schema, name)
        if select is not None:
            made: Sequence[Column] = columns
            if kinds.get("refresh", ("",))[0] == "versions":
                made = self._without_known(columns, primary_key, line)
            self._check_output(select, made, select_line, is_own=f"{schema}.{name}" not in KERNEL_TABLES)
        words = "\x1f".join(token.text for token in tokens)
        stated = f"{kinds.get('refresh', ('', 0))[0]}\x1e{kinds.get('history', ('', 0))[0]}\x1e{words}"
        return TableFile(
            path=self.path,
            schema=schema,
            name=name,
            qualified=f"{schema}.{name}",
            sentence=sentence,
            refresh=kinds["refresh"][0] if "refresh" in kinds else None,
            history=kinds["history"][0] if "history" in kinds else None,
            columns=columns,
            primary_key=primary_key,
            references=self._references(create.this, columns),
            checks=self._checks(create.this, body, columns, name),
            select=select,
            select_line=select_line,
            text=self.text,
            definition_hash=hashlib.sha256(stated.encode()).hexdigest(),
            line=line,
            kept_since=kinds[_KEPT_SINCE][0] if _KEPT_SINCE in kinds else None,
            renamed=self._renamed(*kinds.get(_RENAMED, ("", line)), columns),
        )

    # --- text and tokens ---------------------------------------------------------------------------------------------

    def _header(self, create_line: int) -> tuple[str, dict[str, tuple[str, int]]]:
        """The sentence above the CREATE TABLE and its `refresh:`, `history:`, `kept since:` and `renamed:` lines with their line numbers."""
        sentence: list[str] = []
        kinds: dict[str, tuple[str, int]] = {}
        for number, line in enumerate(self.lines[: create_line - 1], start=1):
            if not line.strip().startswith("--"):
                continue
            said = line.strip().lstrip("-").strip()
            key, colon, value = said.partition(":")
            if colon and key in ("refresh", "history", _KEPT_SINCE, _RENAMED):
                kinds[key] = (" ".join(value.split()), number)
            elif said:
                sentence.append(said)
        if not sentence:
            raise self.fail(
                "the file has no sentence that says what a row is",
                1,
                "Begin with a comment: -- One sentence: what a row is.",
            )
        return " ".join(sentence), kinds

    def _split(self, tokens: Sequence[Token]) -> tuple[list[list[Token]], list[Token]]:
        """Tokens between the parentheses of the CREATE TABLE, cut at its commas; and the tokens of what follows."""
        first = next(i for i, token in enumerate(tokens) if token.token_type is TokenType.L_PAREN)
        depth = 0
        parts: list[list[Token]] = []
        current: list[Token] = []
        for i in range(first, len(tokens)):
            token = tokens[i]
            if token.token_type is TokenType.L_PAREN:
                depth += 1
                if depth == 1:
                    continue
            elif token.token_type is TokenType.R_PAREN:
                depth -= 1
                if depth == 0:
                    parts.append(current)
                    rest = [t for t in tokens[i + 1 :] if t.token_type is not TokenType.SEMICOLON]
                    return parts, rest
            if depth == 1 and token.token_type is TokenType.COMMA:
                parts.append(current)
                current = []
            else:
                current.append(token)
        raise self.fail("the CREATE TABLE is never closed", tokens[first].line, "Close it with );")

    def _comments(self, parts: Sequence[Sequence[Token]]) -> list[str]:
        """Per part the comments at the ends of its lines; a comment line right below, in the same column, continues."""
        last_on_line: dict[int, int] = {}
        for part in parts:
            for token in part:
                last_on_line[token.line] = max(last_on_line.get(token.line, 0), token.end + 1)
        starts = [0]
        for text in self.lines:
            starts.append(starts[-1] + len(text) + 1)
        found: list[str] = []
        for part in parts:
            said: list[str] = []
            for line in sorted({token.line for token in part}):
                end = last_on_line[line] - starts[line - 1]
                dashes = self.lines[line - 1].find("--", end)
                if dashes < 0:
                    continue
                said.append(self.lines[line - 1][dashes + 2 :].strip())
                below = line
                while below < len(self.lines) and self.lines[below].startswith(" " * dashes + "--"):
                    said.append(self.lines[below][dashes + 2 :].strip())
                    below += 1
            found.append(" ".join(filter(None, said)))
        return found

    # --- the CREATE TABLE --------------------------------------------------------------------------------------------

    def _columns(self, schema: exp.Schema, parts: Sequence[Sequence[Token]], name: str) -> tuple[Column, ...]:
        comments = self._comments(parts)
        columns: list[Column] = []
        seen: set[str] = set()
        for node, part, comment in zip(schema.expressions, parts, comments, strict=True):
            if not isinstance(node, exp.ColumnDef):
                continue
            line = part[0].line
            if node.name in seen:
                raise self.fail(f"the column {node.name} stands twice in {name}", line, "Remove or rename one.")
            seen.add(node.name)
            if not comment:
                raise self.fail(
                    f"the column {node.name} has no comment", line, "Say what it is at the end of its line: -- …"
                )
            nullable, default = True, None
            for constraint in node.args.get("constraints") or []:
                kind = constraint.kind
                if isinstance(kind, exp.NotNullColumnConstraint):
                    nullable = bool(kind.args.get("allow_null"))
                elif isinstance(kind, exp.DefaultColumnConstraint):
                    default = kind.this.sql(dialect=PortableSql, comments=False)
                elif not isinstance(kind, exp.CheckColumnConstraint | exp.PrimaryKeyColumnConstraint | exp.Reference):
                    raise self.fail(
                        f"{constraint.sql(dialect=PortableSql, comments=False)} on column {node.name} is not supported",
                        line,
                        "A column takes NOT NULL, DEFAULT, PRIMARY KEY, REFERENCES and CHECK.",
                    )
            columns.append(Column(node.name, self._type(node, line), nullable, default, comment, line))
        if not columns:
            raise self.fail(f"{name} has no column", 1, "Add at least one.")
        return tuple(columns)

    def _type(self, node: exp.ColumnDef, line: int) -> str:
        kind = node.args.get("kind")
        if not isinstance(kind, exp.DataType):
            raise self.fail(f"the column {node.name} has no type", line, f"Use one of: {', '.join(TYPES)}.")
        try:
            return canonical_type(kind)
        except ValueError as error:
            said = f"the column {node.name} has the type {kind.sql(dialect=PortableSql, comments=False)}"
            raise self.fail(said, line, str(error)) from error

    def _primary_key(self, schema: exp.Schema, columns: Sequence[Column], line: int) -> tuple[str, ...]:
        keys: list[tuple[str, ...]] = []
        for node in schema.expressions:
            if isinstance(node, exp.ColumnDef):
                kinds = [c.kind for c in node.args.get("constraints") or []]
                if any(isinstance(kind, exp.PrimaryKeyColumnConstraint) for kind in kinds):
                    keys.append((node.name,))
                continue
            node = _unnamed(node)
            if isinstance(node, exp.PrimaryKey):
                keys.append(tuple(part.name for part in node.expressions))
            elif not isinstance(node, exp.CheckColumnConstraint | exp.ForeignKey):
                raise self.fail(
                    f"{node.sql(dialect=PortableSql, comments=False)} is not supported",
                    line,
                    "A table takes PRIMARY KEY, FOREIGN KEY and CHECK.",
                )
        if len(keys) > 1:
            raise self.fail("the table has more than one PRIMARY KEY", line, "Keep one; it may have several columns.")
        key = keys[0] if keys else ()
        self._known(key, columns, "the PRIMARY KEY", line)
        return key

    def _known(self, names: Sequence[str], columns: Sequence[Column], what: str, line: int) -> None:
        own = [column.name for column in columns]
        for name in names:
            if name not in own:
                raise self.fail(f"{what} names {name}, which is no column", line, f"The columns are: {', '.join(own)}.")

    def _renamed(self, text: str, line: int, columns: Sequence[Column]) -> tuple[tuple[str, str], ...]:
        """The former names of columns: `old to new`, parted by commas; a column may have had several."""
        own = [column.name for column in columns]
        found: list[tuple[str, str]] = []
        for part in filter(None, (part.strip() for part in text.split(","))):
            old, to, new = part.partition(" to ")
            if not to or not old.strip():
                raise self.fail(f"renamed: {part!r} is not understood", line, "Write -- renamed: old_name to new_name.")
            found.append((old.strip(), new.strip()))
        self._known([new for _, new in found], columns, "renamed:", line)
        former = [old for old, _ in found]
        for old in former:
            if old in own or former.count(old) > 1:
                what = "which still is a column" if old in own else "more than once"
                raise self.fail(
                    f"renamed: names {old}, {what}", line, "A former name is that of one column, and of none today."
                )
        return tuple(found)

    def _references(self, schema: exp.Schema, columns: Sequence[Column]) -> tuple[Reference, ...]:
        lines = {column.name: column.line for column in columns}
        found: list[Reference] = []
        for node in schema.expressions:
            if isinstance(node, exp.ColumnDef):
                targets = [c.kind for c in node.args.get("constraints") or [] if isinstance(c.kind, exp.Reference)]
                pairs = [((node.name,), target) for target in targets]
            else:
                node = _unnamed(node)
                if not isinstance(node, exp.ForeignKey):
                    continue
                pairs = [(tuple(part.name for part in node.expressions), node.args["reference"])]
            for own, target in pairs:
                line = lines.get(own[0], 1)
                self._known(own, columns, "the FOREIGN KEY", line)
                goal = target.this
                names = tuple(part.name for part in goal.expressions) if isinstance(goal, exp.Schema) else ()
                table = goal.this if isinstance(goal, exp.Schema) else goal
                if len(own) != 1 or len(names) != 1 or not table.db:
                    raise self.fail(
                        f"{target.sql(dialect=PortableSql, comments=False)} does not name one column of one table",
                        line,
                        "Write REFERENCES schema.table (column), one column each.",
                    )
                found.append(Reference(own[0], f"{table.db}.{table.name}", names[0], line))
        return tuple(found)

    def _checks(
        self, schema: exp.Schema, parts: Sequence[Sequence[Token]], columns: Sequence[Column], table: str
    ) -> tuple[Check, ...]:
        checks: list[Check] = []
        names: set[str] = set()
        for node, part in zip(schema.expressions, parts, strict=True):
            given = node.name if isinstance(node, exp.Constraint) else None
            column = node.name if isinstance(node, exp.ColumnDef) else None
            nodes = [c.kind for c in node.args.get("constraints") or []] if column else [_unnamed(node)]
            texts = self._check_texts(part)
            for kind in nodes:
                if not isinstance(kind, exp.CheckColumnConstraint):
                    continue
                text, line = next(texts)
                read = tuple(dict.fromkeys(c.name for c in kind.this.find_all(exp.Column)))
                self._known(read, columns, f"CHECK ({text})", line)
                base = given or "_".join([table, *([column] if column else []), "check"])
                name, number = base, 1
                while name in names:
                    name, number = f"{base}{number}", number + 1
                names.add(name)
                checks.append(Check(name, kind.this, read, text, line))
        return tuple(checks)

    def _check_texts(self, part: Sequence[Token]) -> Iterator[tuple[str, int]]:
        """The text inside each CHECK (…) of a part, on one line, with the line it begins on."""
        i = 0
        while i < len(part):
            if part[i].text.upper() != "CHECK" or i + 1 == len(part):
                i += 1
                continue
            start, depth = i + 1, 0
            for i in range(start, len(part)):
                kind = part[i].token_type
                depth += (kind is TokenType.L_PAREN) - (kind is TokenType.R_PAREN)
                if depth == 0:
                    break
            inside = self.text[part[start].end + 1 : part[i].start]
            lines = [line.split("--")[0] if "'" not in line else line for line in inside.split("\n")]
            yield " ".join(" ".join(lines).split()), part[start].line

    # --- the SELECT --------------------------------------------------------------------------------------------------

    def _select(
        self, statements: Sequence[exp.Expr], rest: Sequence[Token], schema: str
    ) -> tuple[exp.Query | None, int]:
        if len(statements) == 1:
            return None, 0
        line = rest[0].line if rest else 1
        query = statements[1]
        if not isinstance(query, exp.Query) or len(statements) > 2:
            raise self.fail(
                f"the file holds more than one CREATE TABLE and one SELECT ({len(statements)} statements)",
                line,
                "Put every table in a file of its own.",
            )
        if isinstance(query, exp.Subquery):
            raise self.fail("the SELECT stands in parentheses", line, "Write it without them.")
        return query, line

    def _check_kinds(
        self, kinds: dict[str, tuple[str, int]], select: exp.Query | None, line: int, schema: str, name: str
    ) -> None:
        for key, valid in (("refresh", REFRESH_KINDS), ("history", HISTORY_KINDS)):
            if key in kinds and kinds[key][0] not in valid:
                raise self.fail(
                    f"{schema}.{name} has the unknown {key} kind {kinds[key][0]!r}",
                    kinds[key][1],
                    f"Write -- {key}: and one of: {', '.join(valid)}.",
                )
        entity, stated = kinds.get(_KEPT_SINCE, ("", line))
        if entity and kinds.get("refresh", ("",))[0] != "versions":
            raise self.fail(f"{schema}.{name} says since when it is kept", stated, "Only tables of versions can.")
        if len(kinds.keys() - {_KEPT_SINCE, _RENAMED}) != 1:
            both = "both a refresh and a history kind" if kinds else "no refresh kind"
            raise self.fail(
                f"{schema}.{name} states {both}",
                line,
                f"Write one line above CREATE TABLE: -- refresh: {' | '.join(REFRESH_KINDS)}; "
                f"in a silver contract -- history: {' | '.join(HISTORY_KINDS)}.",
            )
        kind = kinds.get("refresh", ("", 0))[0]
        if kind in ("by key", "full", "kernel", "versions", "view", "function") and select is None:
            raise self.fail(f"{schema}.{name} has no SELECT", line, "Put the SELECT that makes its rows below.")
        if (kind == "kernel") != (f"{schema}.{name}" in KERNEL_TABLES):
            raise self.fail(
                f"{schema}.{name} states the refresh kind {kind!r}",
                line,
                f"{' and '.join(KERNEL_TABLES)} have the kind 'kernel', and no other table has.",
            )
        if "history" in kinds and select is not None:
            raise self.fail(
                f"the contract {schema}.{name} has a SELECT", line, "Contracts have none: mappings fill them."
            )

    def _without_known(self, columns: Sequence[Column], key: Sequence[str], line: int) -> Sequence[Column]:
        """The columns of a table of versions that its SELECT makes."""
        if [(c.name, c.type) for c in columns[-2:]] != [(name, "timestamptz") for name in KNOWN_COLUMNS]:
            raise self.fail(
                "a table of versions does not end in the span of knowledge",
                line,
                f"Let its last columns be {' and '.join(f'{name} timestamptz NOT NULL' for name in KNOWN_COLUMNS)}.",
            )
        if KNOWN_COLUMNS[0] not in key:
            raise self.fail(
                "several versions of a row would have one key", line, f"Add {KNOWN_COLUMNS[0]} to the PRIMARY KEY."
            )
        return columns[:-2]

    def _check_output(self, select: exp.Query, columns: Sequence[Column], line: int, *, is_own: bool) -> None:
        """The SELECT names its columns; unless a kernel makes others of them (not is_own), they are the table's."""
        for projection in select.selects:
            if projection.is_star:
                raise self.fail("the output is SELECT *", line, "Name its columns, in the order of the CREATE TABLE.")
        made = list(select.named_selects)
        wanted = [column.name for column in columns]
        if made == wanted or not is_own:
            return
        twice = sorted({name for name in made if name and made.count(name) > 1})
        if twice:
            said_twice = f"the SELECT makes {', '.join(twice)} more than once"
            raise self.fail(said_twice, line, "Give each output a name of its own.")
        nameless = [str(i) for i, name in enumerate(made, start=1) if not name]
        missing = [name for name in wanted if name not in made]
        extra = [name for name in made if name and name not in wanted]
        said = []
        if nameless:
            said.append(f"output {', '.join(nameless)} has no name")
        if missing:
            said.append(f"it does not make {', '.join(missing)}")
        if extra:
            said.append(f"it makes {', '.join(extra)}, which {'is' if len(extra) == 1 else 'are'} not in the table")
        if not said:
            i = next(i for i, (a, b) in enumerate(zip(made, wanted, strict=True)) if a != b)
            said.append(f"output {i + 1} is {made[i]} where the table has {wanted[i]}")
        raise self.fail(
            f"the SELECT does not fit the CREATE TABLE: {'; '.join(said)}",
            line,
            f"Make these columns in this order: {', '.join(wanted)}.",
        )


def _unnamed(node: exp.Expr) -> exp.Expr:
    """The constraint inside CONSTRAINT name …, or the node itself."""
    return node.expressions[0] if isinstance(node, exp.Constraint) else node

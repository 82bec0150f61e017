"""Random queries that mean nothing: joins, subqueries, groups, windows and unions over each other, to try rewritings on."""

from __future__ import annotations

from random import Random

TABLES = {"s.t1": ("a", "b", "c"), "s.t2": ("a", "b", "c"), "s.t3": ("a", "b", "d"), "s.one": ("x", "y")}
_VALUES = ["NULL", "0", "0", "1", "1", "2", "2"]


def random_rows(random: Random, table: str, count: int) -> list[tuple[str, ...]]:
    """Rows of small numbers, so that much meets."""
    return [tuple(random.choice(_VALUES) for _ in TABLES[table]) for _ in range(count)]


def random_edits(random: Random, table: str, rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The rows with one or two that came, went or changed."""
    rows = list(rows)
    for _ in range(random.choice([1, 1, 1, 2])):
        kind = random.random()
        if kind < 0.4 or not rows:
            rows += random_rows(random, table, 1)
        elif kind < 0.7:
            rows.pop(random.randrange(len(rows)))
        else:
            number = random.randrange(len(rows))
            row = list(rows[number])
            row[random.randrange(len(row))] = random.choice(_VALUES)
            rows[number] = tuple(row)
    return rows


class RandomQuery:
    """One query; its columns are c0, c1, …

    Windows are ordered by all columns of their rows, and so is what LIMIT cuts: the queries have one answer.
    """

    def __init__(self, random: Random) -> None:
        self.random = random
        self._numbers = 0
        self._with: list[tuple[str, list[str], str]] = []
        body, self.columns = self._relation(random.choice([1, 2, 2, 3]))
        with_ = ", ".join(f"{name} AS ({query})" for name, _, query in self._with)
        self.sql = f"WITH {with_} {body}" if with_ else body

    def _name(self) -> str:
        self._numbers += 1
        return f"x{self._numbers}"

    def _chance(self, share: float) -> bool:
        return self.random.random() < share

    def _relation(self, depth: int) -> tuple[str, list[str]]:
        if depth > 0 and self._chance(0.15):
            return self._union(depth)
        return self._block(depth)

    def _union(self, depth: int) -> tuple[str, list[str]]:
        sides = [self._relation(depth - 1) for _ in range(2)]
        width = min(len(columns) for _, columns in sides)
        names = [f"c{number}" for number in range(width)]
        texts = []
        for query, columns in sides:
            alias = self._name()
            chosen = ", ".join(f"{alias}.{column} AS {name}" for column, name in zip(columns, names, strict=False))
            texts.append(f"SELECT {chosen} FROM ({query}) AS {alias}")
        if self._chance(0.3):
            texts[1] = "SELECT " + ", ".join(f"{self.random.choice('07')} AS {name}" for name in names)
            texts[1] += " FROM s.one AS o" if self._chance(0.3) else ""
        return f" {self.random.choice(['UNION ALL', 'UNION ALL', 'UNION'])} ".join(texts), names

    def _source(self, depth: int) -> tuple[str, str, list[str]]:
        alias = self._name()
        if self._with and self._chance(0.35):
            name, columns, _ = self.random.choice(self._with)
            return f"{name} AS {alias}", alias, columns
        if depth <= 0 or self._chance(0.5):
            table = self.random.choice(["s.t1", "s.t1", "s.t2", "s.t2", "s.t3"]) if self._chance(0.93) else "s.one"
            return f"{table} AS {alias}", alias, list(TABLES[table])
        query, columns = self._relation(depth - 1)
        if self._chance(0.4):
            self._with.append((f"w{alias}", columns, query))
            return f"w{alias} AS {alias}", alias, columns
        return f"({query}) AS {alias}", alias, columns

    def _expression(self, columns: list[str]) -> str:
        column, other = self.random.choice(columns), self.random.choice(columns)
        kinds = [column] * 7 + [
            f"COALESCE({column}, {other})",
            f"COALESCE({column}, 0)",
            f"dim_key({column}, {other})",
            f"({column} + 1)",
        ]
        return self.random.choice(kinds)

    def _condition(self, columns: list[str], depth: int, subquery: bool = True) -> str:
        a, b, c = (self.random.choice(columns) for _ in range(3))
        if subquery and self._chance(0.35):
            return self._subquery_condition(columns, a, depth)
        return self.random.choice([
            f"{a} = {self.random.randint(0, 2)}", f"{a} <> 1", f"{a} IS NULL", f"{a} IS NOT NULL", f"({a} <= {b} OR {c} IS NULL)",
            f"{a} = {self._expression(columns)}", f"{a} <> {b}",
        ])  # fmt: skip

    def _subquery_condition(self, columns: list[str], column: str, depth: int) -> str:
        item, alias, inner = self._source(depth - 1)
        own = [f"{alias}.{name}" for name in inner]
        where = [
            f"{self.random.choice(own)} = {self._expression(columns)}" for _ in range(self.random.choice([1, 1, 2]))
        ]
        if self._chance(0.3):
            where.append(f"{self.random.choice(own)} <= {self.random.choice(columns)}")
        if self._chance(0.3):
            where.append(self._condition(own, depth - 1, depth > 1))
        if self._chance(0.2):
            other, other_alias, others = self._source(0)
            join = self.random.choice(["JOIN", "LEFT JOIN"])
            item += f" {join} {other} ON {self.random.choice(own)} = {other_alias}.{self.random.choice(others)}"
        body = f"FROM {item} WHERE {' AND '.join(where)}"
        return self.random.choice([
            f"EXISTS (SELECT 1 {body})", f"EXISTS (SELECT 1 {body})", f"NOT EXISTS (SELECT 1 {body})", f"NOT EXISTS (SELECT 1 {body})",
            f"{column} IN (SELECT {self.random.choice(own)} {body})", f"{column} IN (SELECT {self.random.choice(own)} FROM {item})",
            f"{column} NOT IN (SELECT {self.random.choice(own)} {body})", f"(SELECT COUNT(*) {body}) >= 1",
            f"(SELECT MAX({self.random.choice(own)}) {body}) = {column}",
        ])  # fmt: skip

    def _from(self, depth: int) -> tuple[str, list[str]]:
        text, alias, inner = self._source(depth)
        columns = [f"{alias}.{name}" for name in inner]
        for _ in range(self.random.choice([0, 0, 1, 1, 2] if depth > 0 else [0, 0, 1])):
            kind = self.random.random()
            if kind < 0.1:
                alias = self._name()
                text += f" CROSS JOIN s.one AS {alias}"
                columns += [f"{alias}.x", f"{alias}.y"]
            elif kind < 0.17:
                joined, alias = self._lateral(columns, depth)
                text += joined
                columns.append(f"{alias}.m")
            else:
                item, alias, inner = self._source(depth - 1)
                own = [f"{alias}.{name}" for name in inner]
                on = [
                    f"{self.random.choice(own)} = {self._expression(columns)}"
                    for _ in range(self.random.choice([1, 1, 1, 2]))
                ]
                if self._chance(0.25):
                    on.append(f"{self.random.choice(own)} <= {self.random.choice(columns)}")
                if self._chance(0.15):
                    on.append(self._condition(own, 0, subquery=False))
                text += f" {self.random.choice(['JOIN', 'LEFT JOIN'])} {item} ON {' AND '.join(on)}"
                columns += own
        return text, columns

    def _lateral(self, columns: list[str], depth: int) -> tuple[str, str]:
        item, alias, inner = self._source(depth - 1)
        own = [f"{alias}.{name}" for name in inner]
        where = f"FROM {item} WHERE {self.random.choice(own)} = {self.random.choice(columns)}"
        query = f"SELECT {self.random.choice(['MAX', 'MIN', 'SUM', 'COUNT'])}({self.random.choice(own)}) AS m {where}"
        if self._chance(0.5):
            query = f"SELECT {self.random.choice(own)} AS m {where} ORDER BY {', '.join(own)} LIMIT 1"
        name = self._name()
        if self._chance(0.6):
            return f" LEFT JOIN LATERAL ({query}) AS {name} ON TRUE", name
        return f" CROSS JOIN LATERAL ({query}) AS {name}", name

    def _block(self, depth: int) -> tuple[str, list[str]]:
        text, columns = self._from(depth)
        where = [
            self._condition(columns, depth)
            for _ in range(self.random.choice([0, 0, 0, 1, 1, 2] if depth > 1 else [0, 0, 0, 0, 1]))
        ]
        text += f" WHERE {' AND '.join(where)}" if where else ""
        if self._chance(0.25):
            return self._grouped(text, columns)
        outputs = [
            self._expression(columns) if self._chance(0.95) else "1" for _ in range(self.random.choice([2, 3, 3, 4]))
        ]
        everything = ", ".join(columns)
        if self._chance(0.3):
            for _ in range(self.random.choice([1, 1, 2])):
                by = [self._expression(columns) for _ in range(self.random.choice([1, 1, 2, 2]))]
                partition = f"PARTITION BY {', '.join(by)} " if self._chance(0.95) else ""
                value = self.random.choice(columns)
                function = self.random.choice(
                    ["ROW_NUMBER()", f"LAG({value})", f"SUM({value})", "COUNT(*)", f"LEAD({value})"]
                )
                outputs.append(f"{function} OVER ({partition}ORDER BY {everything})")
        if self._chance(0.05):
            item, alias, inner = self._source(0)
            outputs.append(
                f"(SELECT MAX({alias}.{self.random.choice(inner)}) FROM {item} "
                f"WHERE {alias}.{self.random.choice(inner)} = {self.random.choice(columns)})"
            )
        kind, distinct, order = self.random.random(), "", ""
        if kind < 0.08:
            distinct = "DISTINCT "
        elif kind < 0.14:
            by = ", ".join(dict.fromkeys(self.random.choice(columns) for _ in range(self.random.choice([1, 2]))))
            distinct, order = f"DISTINCT ON ({by}) ", f" ORDER BY {by}, {everything}"
        elif kind < 0.16:
            order = f" ORDER BY {everything} LIMIT 2"
        names = [f"c{number}" for number in range(len(outputs))]
        chosen = ", ".join(f"{output} AS {name}" for output, name in zip(outputs, names, strict=True))
        return f"SELECT {distinct}{chosen} FROM {text}{order}", names

    def _grouped(self, text: str, columns: list[str]) -> tuple[str, list[str]]:
        group = list(dict.fromkeys(self._expression(columns) for _ in range(self.random.choice([1, 2, 2]))))
        functions = ["SUM", "COUNT", "MAX", "MIN"]
        outputs = group + [
            f"{self.random.choice(functions)}({self.random.choice(columns)})"
            for _ in range(self.random.choice([0, 1, 1]))
        ]
        if len(outputs) > len(group) and self._chance(0.3):
            outputs.append(f"RANK() OVER (PARTITION BY {self.random.choice(group)} ORDER BY {outputs[-1]})")
        having = (
            f" HAVING {self.random.choice(['COUNT(*) > 1', f'MAX({self.random.choice(columns)}) > 1'])}"
            if self._chance(0.3)
            else ""
        )
        names = [f"c{number}" for number in range(len(outputs))]
        chosen = ", ".join(f"{output} AS {name}" for output, name in zip(outputs, names, strict=True))
        return f"SELECT {chosen} FROM {text} GROUP BY {', '.join(group)}{having}", names


class ChainedQuery:
    """Relations of one key, made of each other and joined by it time and again; what may keep rows of it away differs.

    Columns are c0, the key, and c1, a number.
    """

    columns = ("c0", "c1")

    def __init__(self, random: Random) -> None:
        self.random = random
        first = random.choice([
            "SELECT t.a AS c0, t.b AS c1 FROM s.t1 AS t WHERE t.c <> 1",
            "SELECT t.a AS c0, u.b AS c1 FROM s.t1 AS t JOIN s.t2 AS u ON u.a = t.a",
            "SELECT t.a AS c0, SUM(t.b) AS c1 FROM s.t1 AS t GROUP BY t.a",
            "SELECT t.a AS c0, u.b AS c1 FROM s.t1 AS t LEFT JOIN s.t2 AS u ON u.a = t.a",
        ])  # fmt: skip
        made = [("w0", first)]
        for number in range(1, random.choice([3, 4, 5])):
            made.append((f"w{number}", self._next([name for name, _ in made])))
        last = self._next([name for name, _ in made])
        self.sql = f"WITH {', '.join(f'{name} AS ({query})' for name, query in made)} {last}"

    def _next(self, names: list[str]) -> str:
        pick = self.random.choice
        x, y = pick(names), pick(names)
        key, held = pick(["x.c0", "x.c0", "y.c0"]), pick(["x.c1", "y.c1", "COALESCE(y.c1, 0)", "(x.c1 + y.c1)"])
        joined = f"{x} AS x {pick(['JOIN', 'LEFT JOIN', 'LEFT JOIN', 'LEFT JOIN'])} {y} AS y ON y.c0 = x.c0"
        joined += pick(["", "", " AND y.c1 <= x.c1"]) + pick(
            ["", "", " WHERE x.c1 <> 1", " WHERE y.c0 IS NULL", " WHERE y.c1 > 0"]
        )
        table = pick(["s.t1", "s.t2"])
        matched = pick(["t.a = x.c0", "t.b = x.c1", "t.a = x.c0 AND t.b <= x.c1", "t.b = x.c0"])
        return pick([
            f"SELECT {key} AS c0, {held} AS c1 FROM {joined}",
            f"SELECT {key} AS c0, {held} AS c1 FROM {joined}",
            f"SELECT x.c0, SUM(t.b) AS c1 FROM {x} AS x {pick(['JOIN', 'LEFT JOIN'])} {table} AS t ON {matched} GROUP BY x.c0",
            f"SELECT x.c0, SUM(x.c1) OVER (PARTITION BY x.c0 ORDER BY x.c1) AS c1 FROM {x} AS x",
            f"SELECT x.c0, x.c1 FROM {x} AS x UNION ALL SELECT y.c0, y.c1 FROM {y} AS y WHERE y.c1 > 0",
            f"SELECT x.c0, MAX(x.c1) AS c1 FROM {x} AS x GROUP BY x.c0",
            f"SELECT x.c1 AS c0, x.c0 AS c1 FROM {x} AS x",
        ])  # fmt: skip

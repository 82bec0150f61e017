"""The flow of SyStock on one page: its stages in order, what each reads and writes, and where its code lives.

`python -m systock.pipeline_manager.pipeline_flow` runs the project in the current folder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from systock.data_warehouse.table_file import TableFile


class Stage(NamedTuple):
    """One stage: its name, what it reads and writes, the package that does it, and the rule that it keeps."""

    name: str
    reads: str
    writes: str
    package: str
    rule: str


FLOW = (
    Stage(
        "extract",
        "files, databases",
        "batches of lines",
        "systock.extract",
        "every value as it came; never sees the warehouse",
    ),
    Stage(
        "land",
        "batches of lines",
        "bronze",
        "systock.etl_pipeline.bronze_layer",
        "immutable; one landing commit, one known_at",
    ),
    Stage(
        "conform",
        "bronze",
        "silver",
        "systock.etl_pipeline.silver_layer",
        "typed and judged by contract; every version in two times",
    ),
    Stage(
        "refresh",
        "silver",
        "gold",
        "systock.data_warehouse",
        "dimensions and facts by the keys that changed; the stock ledger",
    ),
    Stage(
        "check",
        "silver, gold",
        "verdicts",
        "systock.quality",
        "contracts and reconciliation; one failure publishes nothing",
    ),
    Stage(
        "publish",
        "build file",
        "warehouse",
        "systock.load",
        "the file by copy and rename, a server in one transaction; readers see one whole generation",
    ),
)


def flow_text(tables: Sequence[TableFile]) -> str:
    """The stages, then every table of the warehouse with what it reads."""
    from systock.data_warehouse.dependency_order import inputs

    wide = max(len(stage.name) for stage in FLOW)
    lines = [f"{stage.name:<{wide}}  {stage.reads} -> {stage.writes}: {stage.rule}" for stage in FLOW]
    lines.append("")
    for table in tables:
        lines.append(f"{table.qualified}  [{table.refresh}]  {table.sentence}")
        lines += [f"    <- {read.qualified}" for read in inputs(table)]
    return "\n".join(lines)


if __name__ == "__main__":
    from systock.cli.app import main

    raise SystemExit(main(["run"]))

"""How systems that are asked (databases, APIs) deliver: extractions of one table each, streamed as Arrow batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from systock.extract.batch import Mode
from systock.extract.json_rows import storable

if TYPE_CHECKING:
    import pyarrow as pa

#: A row with an instant in this column says that the row of its key is gone, since then; its other columns are its key
#: and, where the table has one, its updated_at as it was last. For tables whose settings tell deletes.
DELETED_AT = "_deleted_at"


@dataclass
class Pull:
    """One extraction of one table from a system that is asked.

    path: stands where a file's path stands: "erp: sales", "GET /orders".
    position: what the source calls this extraction: a range of its cursor, or the instant of extraction; the same
    content at the same position lands once.
    extracted_at: when the read view was taken, or the first request was sent (UTC).
    batches: rows as they come, text or typed; a later batch may have more columns, one of malformed_rows() says what
    is no row. A SourceError raised in it, and nothing of this extraction lands.
    cursor: asked after the last batch: where the next extraction goes on; kept in the transaction that lands the rows.
    complete: nothing is missing, so that of a full extract absence tells that a row is gone.
    """

    source: str
    table: str
    mode: Mode
    path: str
    position: str
    extracted_at: datetime
    batches: Iterator[pa.RecordBatch]
    cursor: Callable[[], str | None] = lambda: None
    complete: bool = True


@dataclass(frozen=True)
class Asked:
    """What an extraction is asked for.

    cursors: by table, where the last landed extraction ended. spool: a folder for what is half fetched, to be made when
    needed. span: only what is of this time, ends included (run --from, --to); the cursors then stay where they are.
    tell: called with a table and the rows of it fetched so far.
    """

    project_dir: Path
    cursors: Mapping[str, str]
    now: datetime
    spool: Path
    span: tuple[datetime, datetime] | None = None
    tell: Callable[[str, int], None] = field(default=lambda table, rows: None)


#: The columns of a batch that holds no rows, but what could not be read as one, and why.
MALFORMED = ["_malformed", "_reason"]


def malformed_rows(found: Sequence[tuple[str, str]]) -> pa.RecordBatch:
    """A batch of what is no row: each text as it came, and the reason."""
    import pyarrow as pa

    columns = [pa.array(map(storable, values), pa.string()) for values in zip(*found, strict=True)]
    return pa.RecordBatch.from_arrays(columns, names=MALFORMED)


class Extractor(Protocol):
    """Each type of source has one, `pulls` in the module extract_<type>: it yields the extractions of its tables.

    A SourceError raised while it looks for the next one fails what it did not yield; one raised while the batches of an
    extraction are read fails only that table, and the next one is asked for.
    """

    def __call__(self, source_name: str, settings: Any, asked: Asked) -> Iterator[Pull]: ...


def extractor(source_type: str) -> Extractor:
    """The extractor of a type of source, loaded only now: its libraries are nobody else's business."""
    return cast(Extractor, import_module(f"systock.extract.extract_{source_type}").pulls)

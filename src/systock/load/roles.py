"""The roles of a server: who may do what there. See docs/settings.md."""

from __future__ import annotations

OWNER, LOADER, READER, ANALYST, KEEPER = (
    "systock_owner", "systock_loader", "systock_reader", "systock_analyst", "systock_keeper",
)  # fmt: skip

#: What each role is for, as the server tells it.
ROLES = {
    OWNER: "SyStock: owns its schemas and tables, makes and alters them",
    LOADER: "SyStock: writes rows into its tables",
    READER: "SyStock: asks the questions of serve and reads meta",
    ANALYST: "SyStock: reads gold, snapshot, serve and meta",
    KEEPER: "SyStock: calls the procedures of snapshot and meta, and reads nothing",
}

#: Who may name what lies in a schema; what views read of others needs no more than SELECT on the table itself, and who calls
#: procedures reads nothing.
READ = {
    "gold": (ANALYST,), "snapshot": (ANALYST, KEEPER), "serve": (READER, ANALYST), "meta": (READER, ANALYST, KEEPER),
}  # fmt: skip

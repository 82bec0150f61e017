"""Procedures on a real PostgreSQL: what they capture is what `systock snapshot take` keeps, and lands once, whatever happens."""

from __future__ import annotations

import shutil
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from published import Shop, deliver_day
from small_chain import deliver, make_project
from systock import Project
from systock.errors import TargetError
from systock.pipeline_manager import run_pipeline

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")

KINDS = ("product", "sales", "stock")
AS_OF = "2024-03-02T03:00:00+01:00"
NOBODY = "postgresql://nobody@127.0.0.1:1/none"


def capture(session: Any, kind: str, asked: str = f"'{AS_OF}'") -> None:
    session.execute(f"CALL snapshot.capture_{kind}_state({asked})".encode())


def taken(project: Project, kind: str) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """The snapshots of a kind in the order of their numbers: what each is of, and its rows."""
    listed = project.query(f"SELECT * FROM snapshot.taken WHERE kind = '{kind}_state' ORDER BY snapshot_no").to_pylist()
    # What is known rises by a microsecond with each snapshot that lands.
    rows = project.query(f"SELECT * EXCLUDE (known_at) FROM snapshot.{kind}_state ORDER BY ALL").to_pylist()
    return [
        (fact, [{**row, "snapshot_no": 0} for row in rows if row["snapshot_no"] == fact["snapshot_no"]])
        for fact in listed
    ]


def net_amounts(project: Project) -> list[tuple[int, float]]:
    sql = "SELECT snapshot_no, SUM(net_amount) AS net FROM snapshot.sales_state GROUP BY ALL ORDER BY ALL"
    return [(row["snapshot_no"], float(row["net"])) for row in project.query(sql).to_pylist()]


def test_what_is_captured_is_what_a_snapshot_keeps(new_shop: Shop, tmp_path: Path) -> None:
    """Row by row, of an instant and of a day's end; at night in Berlin, where the day goes on in New York."""
    shutil.rmtree(new_shop.path)
    new_shop.settings = (make_project(new_shop.path, known_at="mtime") / "systock.toml").read_text()
    deliver(
        new_shop.path, "erp_locations", [("S1", "Mitte", "Europe/Berlin"), ("S2", "Soho", "America/New_York")], "1", 1e9
    )
    deliver(new_shop.path, "erp_products", [("P1", "Tea", "1.25", "pcs", "2024-01-01T00:00:00+00:00")], "1", 1e9)
    deliver(new_shop.path, "counts_counts", [("S1", "P1", "2024-02-28", "50")], "1", 1_709_200_000.0)
    for number, (store, sold_at) in enumerate((("S1", "03-01T15"), ("S2", "03-01T20"), ("S1", "03-02T00"))):
        at = f"2024-{sold_at}:30:00+00:00"
        sold = [(f"r{number}", "1", store, "P1", at, "2", "", "1.50", "", at)]
        known = datetime.fromisoformat("2024-03-02T01:00:00+00:00").timestamp()
        deliver(new_shop.path, "pos_sales", sold, str(number), known)
    new_shop.publish_to(new_shop.url)
    new_shop.run()
    shutil.copytree(new_shop.path, tmp_path / "twin")
    (tmp_path / "twin" / "systock.toml").write_text(new_shop.settings)
    twin = Project(tmp_path / "twin")
    for as_of, asked in ((AS_OF, f"'{AS_OF}'"), ("2024-03-01", "DATE '2024-03-01'")):
        for kind in KINDS:
            capture(new_shop.admin, kind, asked)
        twin.snapshot_take(as_of=as_of)
    target = new_shop.run()
    assert (target["captures"], target["how"]) == (6, "changes") and new_shop.differences() == []
    for kind in KINDS:
        (first, *_), (expected, *_) = here, there = taken(new_shop.project, kind), taken(twin, kind)
        assert [rows for _, rows in here] == [rows for _, rows in there] and all(rows for _, rows in here)
        for fact, wanted in ((fact, wanted) for (fact, _), (wanted, _) in zip(here, there, strict=True)):
            assert {n: fact[n] for n in ("as_of", "is_derived", "row_count")} == {
                n: wanted[n] for n in ("as_of", "is_derived", "row_count")
            }
        assert first[0]["known_at"] == expected[0]["known_at"]
    over = [{(row["location_id"], row["is_day_over"]) for row in rows} for _, rows in taken(new_shop.project, "sales")]
    assert over == [{("S1", True), ("S1", False), ("S2", False)}, {("S1", True), ("S2", False)}]
    assert new_shop.run()["captures"] == 0 and new_shop.rows("SELECT count(*) FROM systock.captured_row") == [(0,)]


def test_a_crash_neither_loses_nor_doubles_a_capture(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut off once it has landed, then once the file is published; and a capture of an older generation than the last snapshot."""
    capture(shop.admin, "sales")

    def crash(*_: Any, **__: Any) -> None:
        raise RuntimeError("cut off")

    for step in ("build_and_publish", "publish_target"):
        with monkeypatch.context() as broken:
            broken.setattr(run_pipeline, step, crash)
            with pytest.raises(RuntimeError, match="cut off"):
                shop.run()
        assert shop.project.target_status()["captures_waiting"] == 1
    # Of the same generation, which the server has; the file gets another and keeps a snapshot of it.
    capture(shop.admin, "sales", "'2024-03-05T00:00:00Z'")
    shop.publish_to(NOBODY)
    deliver_day(shop.path, 2)
    with pytest.raises(TargetError, match="holds generation 3"):
        shop.run()
    shop.project.snapshot_take("sales", "2024-03-05")
    assert [net for _, net in net_amounts(shop.project)] == [60.0, 120.0]
    shop.publish_to(shop.url)
    assert shop.project.target_sync()["captures"] == 2
    assert [net for _, net in net_amounts(shop.project)] == [60.0, 120.0, 60.0]
    assert shop.differences() == [] and shop.run()["how"] == "nothing"


def test_who_may_call_and_what_is_refused(shop: Shop) -> None:
    with psycopg.connect(shop.superuser_url, autocommit=True) as session:
        for role in ("systock_reader", "systock_analyst"):
            session.execute(f"SET ROLE {role}".encode())
            for call in (
                "snapshot.capture_sales_state()",
                "snapshot.capture_sales_state(DATE '2024-03-01')",
                "meta.prune()",
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    session.execute(f"CALL {call}".encode())
        session.execute("SET ROLE systock_keeper")
        for table in ("systock.capture", "snapshot.taken", "gold.dim_product", "meta.progress"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(f"SELECT * FROM {table}".encode())
        for asked in ("now() + INTERVAL '1 minute'", "CURRENT_DATE + 1", "NULL", "'infinity'", "'0044-03-15 BC'"):
            with pytest.raises(psycopg.errors.InvalidParameterValue, match="as_of is") as refused:
                capture(session, "sales", asked)
        with pytest.raises(
            psycopg.errors.InvalidParameterValue, match=r"still to come.*\n.*Nothing was kept\.\n.*Nobody can know"
        ):
            capture(session, "sales", "DATE '2199-01-01'")
        assert refused.value.diag.message_hint
        assert shop.rows("SELECT count(*) FROM systock.capture") == [(0,)]
        # Whatever the caller's session says, names and texts are the procedure's own.
        shop.admin.execute("CREATE SCHEMA evil AUTHORIZATION systock_keeper")
        session.execute("GRANT USAGE ON SCHEMA evil TO PUBLIC")
        for name in ("clock_timestamp", "now"):
            session.execute(
                f"CREATE FUNCTION evil.{name}() RETURNS timestamptz LANGUAGE sql AS 'SELECT timestamptz ''infinity'''".encode()
            )
        session.execute("SET search_path = evil, pg_catalog; SET datestyle = 'German'; SET timezone = 'Asia/Tokyo'")
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="still to come"):
            capture(session, "sales", "'2199-01-01'")
        capture(session, "sales")
    assert shop.rows("SELECT cells[3], cells[6] FROM systock.captured_row") == [("2024-03-01", "40.000")]
    assert shop.rows("SELECT captured_at <= now(), captured_by FROM systock.capture") == [(True, "postgres")]
    shop.admin.execute("DROP TABLE systock.capture, systock.visible_location CASCADE")  # as an older SyStock made it
    with pytest.raises(TargetError, match="'systock target init' once more"):
        shop.run()


def test_a_call_waits_for_no_publication_and_sees_one_generation(shop: Shop) -> None:
    with psycopg.connect(shop.superuser_url) as publication:
        publication.execute("UPDATE meta.progress SET generation = 99")
        publication.execute("DELETE FROM gold.fact_sale_line")
        shop.admin.execute("SET lock_timeout = '1s'")
        capture(shop.admin, "sales")
        publication.rollback()
    with psycopg.connect(shop.superuser_url) as publication, psycopg.connect(shop.superuser_url) as caller:
        # Tables are made anew while a call is at work: it has found its tables, and waits for one of them.
        publication.execute("LOCK TABLE gold.fact_sale_line IN ACCESS EXCLUSIVE MODE")
        call = threading.Thread(target=lambda: (capture(caller, "sales"), caller.commit()))
        call.start()
        while not shop.rows("SELECT 1 FROM pg_locks WHERE NOT granted AND pid = %s", (caller.info.backend_pid,)):
            time.sleep(0.01)
        for name in ("gold", "meta", "snapshot"):
            publication.execute(f"ALTER SCHEMA {name} RENAME TO {name}__old_1".encode())
        publication.commit()
        call.join()
    assert shop.rows("SELECT generation, row_count FROM systock.capture") == [(1, 1), (1, 1)]


@pytest.mark.long
def test_what_was_captured_outlasts_tables_that_are_made_anew(shop: Shop) -> None:
    capture(shop.admin, "sales")
    with psycopg.connect(shop.superuser_url) as older:
        older.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        older.execute("SELECT 1")
        models = shop.path / "models"
        models.mkdir()
        (models / "mine.sql").write_text(
            "-- Mine.\n-- refresh: full\nCREATE TABLE gold.mine (\n    a integer PRIMARY KEY -- a\n);\n\nSELECT 1 AS a;\n"
        )
        target = shop.run()
        assert (target["how"], target["captures"]) == ("anew", 1) and shop.differences() == []
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="nothing is published"):
            capture(older, "sales")
    assert [net for _, net in net_amounts(shop.project)] == [60.0]
    capture(shop.admin, "stock")
    assert shop.run()["captures"] == 1 and shop.differences() == []


def test_pruning_keeps_what_is_still_needed(shop: Shop) -> None:
    capture(shop.admin, "sales")
    shop.run()
    capture(shop.admin, "stock")
    for _ in range(3):
        shop.admin.execute("UPDATE gold.dim_product SET brand = 'x' WHERE product_id = 'P1'")
    shop.admin.execute("CREATE SCHEMA gold__old_7 AUTHORIZATION systock_owner")
    shop.admin.execute("CREATE SCHEMA gold__old_8")
    shop.admin.execute("CALL meta.prune('1 day')")
    assert shop.rows("SELECT count(*) FROM systock.capture") == [(2,)]
    assert shop.project.target_status()["hand_changes"][0]["statements"] == 3
    assert shop.rows(r"SELECT nspname FROM pg_namespace WHERE nspname LIKE '%\_\_old%'") == [("gold__old_8",)]
    shop.admin.execute("CALL meta.prune('0')")
    assert shop.rows("SELECT kind, row_count FROM systock.capture") == [("stock_state", 3)]
    [note] = shop.project.target_status()["hand_changes"]
    assert (note["table"], note["operation"], note["statements"]) == ("gold.dim_product", "UPDATE", 1)
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="no span of time"):
        shop.admin.execute("CALL meta.prune('-1 day')")
    capture(shop.admin, "product")
    shop.admin.execute("DELETE FROM systock.captured_row WHERE cells[3] = 'P1'")  # not what was captured any more
    assert shop.run()["captures"] == 1 and shop.project.target_status()["captures_waiting"] == 1
    kinds = shop.project.query("SELECT kind FROM snapshot.taken ORDER BY snapshot_no").to_pylist()
    assert [row["kind"] for row in kinds] == ["sales_state", "stock_state"]

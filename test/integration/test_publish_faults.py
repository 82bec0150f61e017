"""What a server may do to a publication: it keeps the generation that it had, people are told why, the next run finishes."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb
import pytest

from published import Shop, deliver_day, sale_rows, shop_on
from small_chain import deliver
from systock import Project
from systock.cli.app import main
from systock.errors import SettingsError, TargetError
from systock.load import write_rows

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")


@pytest.fixture
def raw_shop(target_server: str, first_project: Path, tmp_path: Path) -> Iterator[Shop]:
    """A project whose database is no target yet."""
    with shop_on(target_server, first_project, tmp_path) as made:
        yield made


@pytest.fixture
def plain_user(target_server: str) -> Iterator[str]:
    """A user of the server with no rights at all."""
    name = f"plain_{os.getpid()}"
    with psycopg.connect(target_server, autocommit=True) as maker:
        maker.execute(f"CREATE ROLE {name} LOGIN".encode())
        yield name
        databases = maker.execute("SELECT datname FROM pg_database WHERE NOT datistemplate").fetchall()
    for (database,) in databases:
        base, _, query = target_server.partition("?")
        with psycopg.connect(f"{base.rpartition('/')[0]}/{database}?{query}", autocommit=True) as cleaner:
            cleaner.execute(f"DROP OWNED BY {name}".encode())
    with psycopg.connect(target_server, autocommit=True) as maker:
        maker.execute(f"DROP ROLE {name}".encode())


def refused(shop: Shop) -> TargetError:
    with pytest.raises(TargetError) as failed:
        shop.run()
    return failed.value


def test_no_server_says_so_and_shows_no_secret(raw_shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    raw_shop.publish_to("postgresql://me:hunter2%20x@127.0.0.1:1/shop?sslmode=disable")
    assert main(["run", "--project", str(raw_shop.path)]) == 1
    told = capsys.readouterr().err
    assert "did not answer" in told and "warehouse.duckdb holds generation 1" in told and "hunter2" not in told
    assert "hunter2" not in str(raw_shop.project.runs())


@pytest.mark.parametrize(
    ("query", "said", "todo"),
    [
        ("sslmode=bogus", 'invalid sslmode value: "bogus"', "see the parameters of libpq"),
        ("nope=1", "invalid URI query parameter", "see the parameters of libpq"),
        ("sslmode=verify-full&sslrootcert=/nowhere/root.crt", "certificate", "sslmode, sslrootcert and the host"),
    ],
)
def test_what_is_wrong_in_the_address_is_told(raw_shop: Shop, query: str, said: str, todo: str) -> None:
    """A name that is no server's would do for the first two: they are told before any is asked."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=answer_tls, args=(server,), daemon=True).start()
        raw_shop.publish_to(f"postgresql://me:hunter2@127.0.0.1:{server.getsockname()[1]}/shop?{query}")
        with pytest.raises(TargetError, match=said) as failed:
            raw_shop.project.target_status()
    assert todo in str(failed.value.todo) and not failed.value.transient and "hunter2" not in str(failed.value)


def answer_tls(server: socket.socket) -> None:
    """Say yes to TLS, as a server does before it shows its certificate."""
    with suppress(OSError):
        asking, _ = server.accept()
        with asking:
            asking.recv(8)
            asking.sendall(b"S")
            asking.recv(1000)


def test_a_wrong_password_is_told_and_not_shown(raw_shop: Shop, target_server: str) -> None:
    if "SYSTOCK_TEST_PG_DSN" in os.environ:
        pytest.skip("who may come in is not ours to set on a given server")
    [(file,)] = raw_shop.rows("SHOW hba_file")
    path = Path(file)
    before = path.read_text()
    raw_shop.admin.execute("CREATE ROLE picky LOGIN PASSWORD 'right'")
    try:
        path.write_text(f"local all picky scram-sha-256\n{before}")
        raw_shop.admin.execute("SELECT pg_reload_conf()")
        time.sleep(0.2)
        raw_shop.publish_to(
            raw_shop.url.replace("postgres:@", "postgres@").replace("postgres@", "picky:hunter2%20%C3%A9@")
        )
        error = refused(raw_shop)
        assert "password authentication failed" in error.what and "Correct user and password" in str(error.todo)
        assert not error.transient and "hunter2" not in str(error)
    finally:
        path.write_text(before)
        raw_shop.admin.execute("SELECT pg_reload_conf()")
        raw_shop.admin.execute("DROP ROLE picky")


def test_a_database_that_is_no_target_is_left_alone_until_asked(raw_shop: Shop) -> None:
    error = refused(raw_shop)
    assert "no target" in error.what and "systock target init" in str(error.todo)
    assert raw_shop.rows("SELECT count(*) FROM pg_namespace WHERE nspname IN ('gold', 'systock')") == [(0,)]


def test_tables_of_others_are_never_touched(raw_shop: Shop) -> None:
    raw_shop.admin.execute("CREATE SCHEMA gold")
    raw_shop.admin.execute("CREATE TABLE gold.orders AS SELECT 1 AS mine")
    for ask in (raw_shop.run, raw_shop.project.target_init):
        with pytest.raises(TargetError, match=r"gold.orders") as failed:
            ask()
        assert "another database" in str(failed.value.todo)
    raw_shop.admin.execute("DROP TABLE gold.orders")
    with pytest.raises(TargetError, match=r"gold \(a schema of postgres\)"):
        raw_shop.project.target_init()
    raw_shop.admin.execute("DROP SCHEMA gold")
    raw_shop.project.target_init()
    raw_shop.admin.execute("CREATE TABLE gold.orders AS SELECT 1 AS mine")
    assert "gold.orders" in refused(raw_shop).what
    assert raw_shop.rows("SELECT mine FROM gold.orders") == [(1,)]


def test_init_may_be_repeated(new_shop: Shop) -> None:
    assert {row["is_new"] for row in new_shop.project.target_init()} == {"no"}
    new_shop.run()
    new_shop.project.target_init()
    assert new_shop.run()["how"] == "nothing" and new_shop.differences() == []


def test_readers_have_the_memory_of_the_settings(raw_shop: Shop, plain_user: str) -> None:
    """Also who only is a member of a reading role; a value of their own stays."""
    told = [row for row in raw_shop.project.target_init() if row["name"] == "work_mem"]
    assert [row["is_new"] for row in told] == ["yes"]
    raw_shop.admin.execute(f"GRANT systock_reader TO {plain_user}".encode())

    def memory() -> str:
        url = raw_shop.superuser_url.replace("//postgres:@", f"//{plain_user}@").replace(
            "//postgres@", f"//{plain_user}@"
        )
        with psycopg.connect(url) as reader:
            return str(reader.execute("SHOW work_mem").fetchone()[0])

    assert memory() == "64MB"
    raw_shop.publish_to(raw_shop.url, 'work_mem = "1GB"')
    raw_shop.project.target_init()
    assert memory() == "1GB"
    raw_shop.publish_to(raw_shop.url, 'work_mem = ""')
    assert "work_mem" not in {row["name"] for row in raw_shop.project.target_init()} and memory() == "1GB"
    raw_shop.admin.execute(f"ALTER ROLE {plain_user} SET work_mem = '7MB'".encode())
    assert memory() == "7MB"
    raw_shop.publish_to(raw_shop.url, 'work_mem = "8 MB"')
    with pytest.raises(SettingsError, match="'8 MB' is not a size"):
        raw_shop.project.target_init()


def test_each_role_may_do_what_it_is_for(shop: Shop, plain_user: str) -> None:
    """A loader that may not make tables publishes; without the right to it, a change of structure is told."""
    shop.publish_to(shop.url.replace("//postgres:@", f"//{plain_user}@").replace("//postgres@", f"//{plain_user}@"))
    deliver_day(shop.path, 2)
    assert "no member of the role systock_loader" in refused(shop).what
    shop.admin.execute(f"GRANT systock_loader TO {plain_user}".encode())
    assert shop.run()["how"] == "changes" and shop.differences() == []
    shop.admin.execute("UPDATE systock.object SET structure = '' WHERE name = 'gold.dim_date'")
    deliver_day(shop.path, 3)
    assert "no member of the role systock_owner" in refused(shop).what and shop.generation() == 2

    def may(role: str, sql: str) -> bool:
        with psycopg.connect(shop.superuser_url) as session:
            session.execute(f"SET ROLE {role}".encode())
            try:
                session.execute(sql.encode())
            except psycopg.errors.InsufficientPrivilege:
                return False
            return True

    assert may("systock_reader", "SELECT * FROM serve.stock_on_hand") and may(
        "systock_reader", "SELECT * FROM meta.progress"
    )
    assert may("systock_reader", "SELECT * FROM serve.dated_ahead")
    assert may("systock_reader", "SELECT * FROM serve.sales_as_of(DATE '2024-03-01', DATE '2024-03-02', now())")
    assert not may("systock_reader", "SELECT * FROM gold.dim_product")
    assert may("systock_analyst", "SELECT * FROM gold.dim_product") and may(
        "systock_analyst", "SELECT * FROM snapshot.taken"
    )
    assert not may("systock_analyst", "DELETE FROM gold.dim_product")
    assert not may("systock_loader", "CREATE TABLE gold.mine (a integer)") and not may(
        "systock_loader", "DROP TABLE gold.dim_date"
    )


def test_a_user_without_rights_gets_the_statements_for_somebody_else(raw_shop: Shop, plain_user: str) -> None:
    raw_shop.publish_to(
        raw_shop.url.replace("//postgres:@", f"//{plain_user}@").replace("//postgres@", f"//{plain_user}@")
    )
    with pytest.raises(TargetError, match="may not make roles and schemas") as failed:
        raw_shop.project.target_init()
    assert "systock target init --sql" in str(failed.value.todo)
    raw_shop.admin.execute(raw_shop.project.target_init_sql().encode())
    assert raw_shop.run()["how"] == "first" and raw_shop.differences() == []


def test_what_another_project_published_is_not_replaced_unasked(
    shop: Shop, first_project: Path, tmp_path: Path
) -> None:
    settings = shop.settings
    shop.settings = settings.replace('name = "small"', 'name = "other"')
    shop.publish_to(shop.url)
    error = refused(shop)
    assert "another project: 'small'" in error.what and "sync --full" in str(error.todo)
    assert shop.rows("SELECT project_name FROM meta.project") == [("small",)]
    shop.project.target_sync(full=True)
    assert shop.rows("SELECT project_name FROM meta.project") == [("other",)] and shop.differences() == []


def test_a_project_put_back_from_a_copy_does_not_take_the_server_back(shop: Shop, tmp_path: Path) -> None:
    shutil.copytree(shop.path, tmp_path / "copy")
    deliver_day(shop.path, 2)
    shop.run()
    shutil.rmtree(shop.path)
    (tmp_path / "copy").rename(shop.path)
    assert "made from 1 batch that has not landed here: 1 of pos.sales" in refused(shop).what and shop.generation() == 2
    deliver_day(shop.path, 2)
    assert shop.run()["how"] == "compare"
    assert shop.differences() == []


def test_of_two_copies_of_a_project_none_replaces_the_other_unasked(shop: Shop, tmp_path: Path) -> None:
    """Also what was captured waits for its own; once a copy holds all batches, it goes on by comparing."""
    other = tmp_path / "other"
    shutil.copytree(shop.path, other)
    mine, theirs = ([(*row[:5], quantity, *row[6:]) for row in sale_rows(2, 3)] for quantity in "49")
    deliver(shop.path, "pos_sales", mine, "mine")
    deliver(other, "pos_sales", theirs, "theirs")
    assert shop.run()["how"] == "changes"
    shop.admin.execute("CALL snapshot.capture_stock_state()")
    before = shop.rows("TABLE gold.fact_sale_line ORDER BY 1")
    for ask in (Project(other).run, Project(other).run, Project(other).target_status, Project(other).target_sync):
        with pytest.raises(
            TargetError, match=r"not landed here: 1 of pos.sales since 20.* UTC; 1 capture waits"
        ) as failed:
            ask()
        assert "sync --full" in str(failed.value.todo) and "Nothing was changed there" in str(failed.value.state)
    assert shop.rows("TABLE gold.fact_sale_line ORDER BY 1") == before and shop.generation() == 2
    deliver(other, "pos_sales", mine, "mine")
    # As if both had landed what is their own at one instant, as files of one modification time do.
    with duckdb.connect(str(other / ".systock" / "build.duckdb"), read_only=True) as build:
        [same] = build.execute("SELECT generation, commit_no, known_at FROM meta.progress").fetchall()
    shop.admin.execute("UPDATE systock.target SET generation = %s, commit_no = %s, known_at = %s", same)
    target = Project(other).run().target
    assert target is not None and (target["how"], target["captures"]) == ("compare", 1)
    assert "made from 3 batches that have not landed here" in refused(shop).what
    assert shop.project.target_sync(full=True)["how"] == "compare" and shop.differences() == []


def test_what_was_erased_or_built_anew_is_no_other_state(shop: Shop) -> None:
    """Erasing writes batches anew: they stay the same batches."""
    erased = shop.project.erase("pos", "sales", {"receipt": "1-1"}, columns=["price"])
    assert erased["status"] == "erased" and erased["target"]["how"] == "compare" and shop.differences() == []
    for file in (".systock/build.duckdb", ".systock/state.sqlite", "warehouse.duckdb"):
        (shop.path / file).unlink()
    assert shop.run()["how"] == "compare" and shop.differences() == []


@pytest.mark.parametrize("fault", ["terminated", "statement time-out", "lock time-out", "full disk"])
def test_a_fault_in_the_middle_leaves_the_last_generation(
    shop_ahead: Shop, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    real: Callable[..., int] = write_rows.copy_rows
    copies = 0

    def faulty(engine: Any, query: str, columns: Any, connection: Any, table: str) -> int:
        nonlocal copies
        copies += 1
        if copies == 5 and fault == "terminated":
            shop_ahead.admin.execute("SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,))
        if copies == 5 and fault == "statement time-out":
            connection.execute("SET LOCAL statement_timeout = 20")
            connection.execute("SELECT pg_sleep(1)")
        if copies == 5 and fault == "full disk":
            connection.execute(
                "DO $$ BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = 'disk_full'; END $$"
            )
        return real(engine, query, columns, connection, table)

    monkeypatch.setattr(write_rows, "copy_rows", faulty)
    if fault == "lock time-out":
        with psycopg.connect(shop_ahead.superuser_url) as other:
            other.execute("LOCK TABLE gold.stock_ledger IN SHARE MODE")
            shop_ahead.publish_to(shop_ahead.url, 'timeout = "2 seconds"')
            error = refused(shop_ahead)
            other.rollback()
    else:
        error = refused(shop_ahead)
    assert error.transient and "warehouse.duckdb holds generation 2" in str(error.state)
    assert shop_ahead.generation() == 1 and shop_ahead.rows("SELECT count(*) FROM gold.fact_sale_line") == [(20,)]
    monkeypatch.undo()
    target = shop_ahead.run()
    assert (target["how"], target["had"], target["generation"]) == ("changes", 1, 2)
    assert shop_ahead.differences() == []


def test_a_fault_that_passes_is_tried_again_by_the_run_itself(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    deliver_day(shop.path, 2)
    settings = (shop.path / "systock.toml").read_text()
    (shop.path / "systock.toml").write_text(
        settings.replace("attempts = 1", 'attempts = 2\nretry_wait = "0.01 seconds"')
    )
    real: Callable[..., int] = write_rows.copy_rows

    def once(engine: Any, query: str, columns: Any, connection: Any, table: str) -> int:
        monkeypatch.undo()
        shop.admin.execute("SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,))
        return real(engine, query, columns, connection, table)

    monkeypatch.setattr(write_rows, "copy_rows", once)
    assert shop.run()["generation"] == 2 and shop.differences() == []


def test_two_runs_from_two_machines_one_after_the_other(shop_ahead: Shop) -> None:
    shop_ahead.publish_to(shop_ahead.url, 'timeout = "2 seconds"')
    with psycopg.connect(shop_ahead.superuser_url, application_name="elsewhere") as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", (0x737973746F636B,))
        error = refused(shop_ahead)
        assert error.transient and "another run publishes to this database: postgres at" in error.what
        assert f"process {other.info.backend_pid} of the server" in error.what
        threading.Timer(0.7, other.rollback).start()
        assert shop_ahead.run()["generation"] == 2
    assert shop_ahead.differences() == []


SYNC = "import sys; from systock import Project; Project(sys.argv[1]).target_sync(full=len(sys.argv) > 2)"


class Reader(threading.Thread):
    """Looks at the server over and over: in one statement, and in several of one transaction."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.url, self.stop, self.seen, self.faults, self.longest = url, threading.Event(), set[int](), list[Any](), 0.0

    def run(self) -> None:
        with psycopg.connect(self.url) as session:
            session.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            while not self.stop.is_set():
                began = time.monotonic()
                one = """SELECT (SELECT generation FROM meta.progress), (SELECT count(*) FROM gold.fact_sale_line),
                    (SELECT sum(lines) FROM meta.batch WHERE table_name = 'sales'), (SELECT count(*) FROM serve.sales_daily)"""
                [(generation, lines, landed, days)] = session.execute(one).fetchall()
                [(moved,)] = session.execute("SELECT count(*) FROM gold.fact_stock_movement").fetchall()
                [(same,)] = session.execute("SELECT generation FROM meta.progress").fetchall()
                session.commit()
                self.longest = max(self.longest, time.monotonic() - began)
                if not (lines == landed == moved and same == generation == days):
                    self.faults.append((generation, lines, landed, days, moved, same))
                self.seen.add(generation)
                self.stop.wait(0.01)  # the cores are for those who write


def test_killed_in_the_middle_readers_see_one_generation_whole(shop: Shop) -> None:
    reader = Reader(shop.superuser_url)
    reader.start()
    chance, cut = random.Random(3), 0
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", SYNC, str(shop.path)], check=True)
    usual = time.perf_counter() - started
    for day in range(2, 6):
        deliver_day(shop.path, day)
        shop.publish_to("postgresql://nobody@127.0.0.1:1/none")
        with pytest.raises(TargetError):
            shop.run()
        shop.publish_to(shop.url)
        process = subprocess.Popen([sys.executable, "-c", SYNC, str(shop.path)], stderr=subprocess.DEVNULL)
        time.sleep(chance.uniform(0.6, 1.1) * usual)
        process.send_signal(signal.SIGKILL)
        cut += process.wait() == -signal.SIGKILL
    assert shop.run()["generation"] == 5
    time.sleep(0.1)
    reader.stop.set()
    reader.join()
    assert reader.faults == [] and {1, 5} <= reader.seen and reader.longest < 1
    assert cut > 0, "nothing was cut off: the test has not tested anything"
    assert shop.differences() == []


def test_hostile_names_and_values(target_server: str, first_project: Path, tmp_path: Path) -> None:
    """A database called anything, and values that would do harm where they were not quoted; NUL, which PostgreSQL can't hold."""
    database = f"we \"ird'; -- %s {os.getpid()}"
    with shop_on(target_server, first_project, tmp_path, database=database) as shop:
        shop.settings = shop.settings.replace('name = "small"', 'name = "o\'; DROP TABLE gold.dim_date; -- %s \\""')
        shop.publish_to(shop.url)
        shop.project.target_init()
        deliver_day(shop.path, 2, product="'; DROP TABLE gold.dim_date; -- {} %s \\ é")
        shop.run()
        assert shop.differences() == []
        deliver_day(shop.path, 3, product='"; DELETE FROM meta.batch; -- {} %(x)s $1')
        assert shop.run()["how"] == "changes" and shop.differences() == []
        assert Project(shop.path).target_status()["generation_there"] == shop.generation()


def test_a_text_that_postgres_cannot_hold_is_named(shop: Shop) -> None:
    """NUL never gets past the extractors: only SQL of a model could make one."""
    with duckdb.connect(str(shop.path / ".systock" / "build.duckdb")) as build:
        build.execute("UPDATE gold.dim_product SET product_name = 'nul ' || chr(0) WHERE product_id = 'P1'")
    with pytest.raises(TargetError, match=r"a text of gold.dim_product holds the character NUL") as failed:
        shop.project.target_sync(full=True)
    assert not failed.value.transient and shop.generation() == 1


def test_a_long_code_is_published_and_a_long_key_is_named(shop: Shop) -> None:
    """On a server that an older SyStock made, with a B-tree on the named sale, which takes no more than 2,704 bytes."""
    [had, has] = (f"fact_sale_line_original_sale_id_{name}" for name in ("original_line_no_idx", "idx"))
    columns = '("original_sale_id", "original_line_no")'
    shop.admin.execute(f"DROP INDEX gold.{has}; CREATE INDEX {had} ON gold.fact_sale_line {columns}".encode())
    noted = "jsonb_set(parts #- ARRAY['indexes', %s], ARRAY['indexes', %s], to_jsonb(CAST(%s AS text)))"
    shop.admin.execute(
        f"UPDATE systock.object SET parts = {noted}, structure = '' WHERE name = 'gold.fact_sale_line'".encode(),
        (has, had, columns),
    )
    code = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", k=2800))
    with duckdb.connect(str(shop.path / ".systock" / "build.duckdb")) as build:
        build.execute(
            "UPDATE gold.fact_sale_line SET original_sale_id = ?, original_line_no = 1 WHERE sale_id = '1-3'", (code,)
        )
    assert shop.project.target_sync()["how"] == "in place"
    found = "SELECT sale_id FROM gold.fact_sale_line WHERE original_sale_id = %s"
    assert shop.rows(found, (code,)) == [("1-3",)]
    indexes = "SELECT indexname FROM pg_indexes WHERE tablename = 'fact_sale_line' AND indexdef ~ 'original_sale_id'"
    assert shop.rows(indexes) == [(has,)] and shop.project.target_sync()["how"] == "nothing"
    with duckdb.connect(str(shop.path / ".systock" / "build.duckdb")) as build:
        build.execute("UPDATE silver.sale_line__versions SET sale_id = ? WHERE sale_id = '1-4'", (code,))
    with pytest.raises(TargetError, match=r"a key of silver.sale_line__versions is too long") as failed:
        shop.project.target_sync(full=True)
    assert f"sale_id '{code[:40]}'… (2,800 characters), line_no '1'" in failed.value.what and not failed.value.transient
    assert "shorten it in the mapping" in str(failed.value.todo)
    # So it is where all tables are made anew.
    shop.admin.execute("UPDATE systock.object SET structure = '', parts = NULL WHERE name = 'gold.dim_date'")
    with pytest.raises(TargetError, match=r"a key of silver.sale_line__versions is too long"):
        shop.project.target_sync(full=True)
    assert shop.generation() == 1


@pytest.mark.long
@pytest.mark.parametrize("change", ["in place", "anew"])
def test_killed_while_tables_are_altered(shop: Shop, change: str) -> None:
    """The server has its old tables whole, and the next publication alters them."""
    models = shop.path / "models"
    models.mkdir()

    def define(columns: str, values: str) -> None:
        table = f"CREATE TABLE gold.mine (\n    a integer PRIMARY KEY{columns} -- a\n);\n\nSELECT 1 AS a{values};\n"
        (models / "mine.sql").write_text(f"-- Mine.\n-- refresh: full\n{table}")

    define("", "")
    shop.run()
    define(", -- a\n    b text" + (" NOT NULL" if change == "anew" else ""), ", 'x' AS b")
    shop.publish_to("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(TargetError):
        shop.run()
    shop.publish_to(shop.url)
    there = "SELECT count(*) FROM information_schema.columns WHERE table_schema = 'gold' AND table_name = 'mine'"
    cut = 0
    for _ in range(4):
        # Whoever reads holds the change up, so that it is certain to be cut off within.
        with psycopg.connect(shop.superuser_url) as reader:
            reader.execute("LOCK TABLE gold.mine IN ACCESS SHARE MODE")
            reader.execute("LOCK TABLE systock.target IN SHARE MODE")
            process = subprocess.Popen([sys.executable, "-c", SYNC, str(shop.path)], stderr=subprocess.DEVNULL)
            waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            for _ in range(200):
                if shop.rows(waits) != [(0,)] or process.poll() is not None:
                    break
                time.sleep(0.1)
            process.send_signal(signal.SIGKILL)
            cut += process.wait() == -signal.SIGKILL
        assert shop.rows(there) == [(1,)] and shop.rows("SELECT a FROM gold.mine") == [(1,)]
    assert cut == 4 and shop.project.target_sync()["how"] == change
    assert shop.rows("SELECT a, b FROM gold.mine") == [(1, "x")] and shop.differences() == []
    assert shop.rows("SELECT count(*) FROM pg_namespace WHERE nspname LIKE '%__old%'") == [(0,)]

"""Settings: what is accepted, what is refused, and what the refusal says."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import date, time, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest

from systock.config import Settings, load_settings
from systock.errors import SettingsError
from systock.extract.redact import secrets_of

MINIMAL = '[project]\nname = "shop"\n'
SOURCE = MINIMAL + '[sources.pos]\ntype = "files"\n'
DATABASE = (
    MINIMAL
    + '[sources.erp]\ntype = "database"\nurl = "sqlite:///x"\n[sources.erp.tables.a]\nmode = "changes"\nkey = ["id"]\n'
)
API = (
    MINIMAL
    + '[sources.shop]\ntype = "api"\nbase_url = "https://h/v1"\n# auth\n[sources.shop.tables.a]\nmode = "append"\nendpoint = "/a"\n'
)
CHILD = API.replace("append", "changes") + 'key = ["id"]\n[sources.shop.tables.b]\nmode = "changes"\nkey = ["n"]\n'
TABLE = SOURCE + '[sources.pos.tables.sales]\npath = "incoming/*.csv"\nmode = "append"\n'


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SYSTOCK_SECRETS", raising=False)
    monkeypatch.delenv("SHOP_DB", raising=False)


def load(folder: Path, text: str) -> Settings:
    (folder / "systock.toml").write_text(text, "utf-8")
    return load_settings(folder)


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load(folder, text)
    assert caught.value.exit_code == 2
    assert "systock.toml" in str(caught.value)
    return str(caught.value)


def test_defaults(tmp_path: Path) -> None:
    settings = load(tmp_path, TABLE)
    assert settings.project.currency == "EUR"
    assert settings.project.business_day_cutover == time(0)
    assert settings.project.calendar_to == date(2040, 12, 31)
    assert settings.target.warehouse_file(tmp_path) == tmp_path / "warehouse.duckdb"
    source = settings.sources["pos"]
    assert (source.known_at, source.moves_stock, source.stock_starts) == ("landing", False, "count")
    table = source.tables["sales"]
    assert (table.path, table.key, table.format, table.header) == (("incoming/*.csv",), (), "auto", True)


def test_everything_set(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        """
        [project]
        name = "shop"
        currency = "GBP"
        timezone = "America/Argentina/Buenos_Aires"
        business_day_cutover = "04:30"
        retail_year_start_month = 1
        calendar_from = 2019-01-01
        calendar_to = 2030-12-31
        [target]
        url = "duckdb:////srv/warehouse.duckdb"
        [run]
        memory_limit = "1.5GB"
        threads = 2
        [sources.erp]
        type = "files"
        known_at = "name:%Y%m%dT%H%M%S%z"
        moves_stock = true
        stock_starts = "zero"
        [sources.erp.tables.goods]
        path = ["a/*.csv", "b/**/*.csv.gz"]
        mode = "full"
        key = ["id"]
        updated_at = "changed"
        known_at = "mtime"
        format = "csv"
        delimiter = "\\t"
        quote = ""
        encoding = "cp1252"
        skip_rows = 2
        skip_footer = 1
        header = false
        columns = ["id", "changed"]
        [sources.pos]
        type = "files"
        codes_of = { product = "erp", customer = "pos" }
        tables.sales = { path = "x.json", mode = "changes", key = ["a", "b"], format = "json", records = "data.items" }
        """,
    )
    assert settings.project.business_day_cutover == time(4, 30)
    assert settings.target.warehouse_file(tmp_path) == Path("/srv/warehouse.duckdb")
    assert settings.sources["erp"].known_at_of("goods") == "mtime"
    assert settings.sources["pos"].codes_source("product", "pos") == "erp"
    assert settings.sources["pos"].codes_source("location", "pos") == "pos"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (
            'colour = 1\n[project]\nname = "x"',
            ["colour", "no such setting", "notify, project, retention, run, schedule, sources, target"],
        ),
        (SOURCE + "moves_stok = true", ["sources.pos.moves_stok", "Did you mean 'moves_stock'?"]),
        (MINIMAL + 'currency = "eur"', ["project.currency", "'eur'", "capital"]),
        (MINIMAL + 'timezone = "Europe/Berln"', ["project.timezone", "'Europe/Berln'", "'Europe/Berlin'"]),
        (MINIMAL + 'timezone = "localtime"', ["project.timezone"]),
        (MINIMAL + 'timezone = "right/Europe/Berlin"', ["project.timezone"]),
        (MINIMAL + 'timezone = "../../etc/passwd"', ["project.timezone"]),
        (MINIMAL + 'business_day_cutover = "24:00"', ["project.business_day_cutover", "'24:00'", "HH:MM"]),
        (MINIMAL + 'business_day_cutover = "4:00"', ["project.business_day_cutover"]),
        (MINIMAL + "business_day_cutover = 04:00:30", ["project.business_day_cutover", "full minute"]),
        (MINIMAL + 'cost_method = "lifo"', ["project.cost_method", "'lifo'", "moving_average, fifo, standard"]),
        (MINIMAL + "retail_year_start_month = 13", ["project.retail_year_start_month", "13"]),
        (MINIMAL + "calendar_from = 2050-01-01", ["project.calendar_to", "before calendar_from"]),
        (MINIMAL + '[target]\nurl = "mysql://h/d"', ["target.url", "'mysql://h/d'", "duckdb:///"]),
        (MINIMAL + '[run]\nthreads = "4"', ["run.threads", "'4'", "whole number"]),
        (MINIMAL + '[run]\nmemory_limit = "much"', ["run.memory_limit", "'much'", "1GB"]),
        ("[run]\nthreads = 1", ["project", "is required"]),
        ('[project]\nname = ""', ["project.name", "empty"]),
        (MINIMAL + '[sources.Pos]\ntype = "files"', ["sources.Pos", "lower-case"]),
        (MINIMAL + '[sources.a__b]\ntype = "files"', ["sources.a__b"]),
        (MINIMAL + '[sources.a_]\ntype = "files"', ["sources.a_"]),
        (MINIMAL + '[sources.systock]\ntype = "files"', ["sources.systock", "reserved"]),
        (
            MINIMAL + '[sources.pos]\ntype = "apy"\nbase_url = "x"',
            ["sources.pos.type", "'apy'", "not one of: files, database, api"],
        ),
        (
            MINIMAL + '[sources.pos]\ntype = "database"',
            ["sources.pos.url: is required", "sources.pos.tables: is required"],
        ),
        (MINIMAL + "[sources.pos]\nurl = 1", ["sources.pos.type: is required"]),
        (DATABASE.replace("sqlite", "oracle"), ["sources.erp.url: is not the address of a database", "postgresql://"]),
        (DATABASE.replace("sqlite", "mysql+pymysql"), ["sources.erp.url: is not the address"]),
        (
            DATABASE + 'known_at = "mtime"',
            ["sources.erp.tables.a.known_at", "no such setting", "cursor, deletes, expected_lines, key,"],
        ),
        (
            DATABASE.replace("[sources.erp.", 'known_at = "landing"\n[sources.erp.'),
            ["sources.erp.known_at: there is no such"],
        ),
        (DATABASE + 'table = "a"\nquery = "SELECT 1"', ["sources.erp.tables.a.query: is given beside table"]),
        (DATABASE + "table = 'a..b'", ["sources.erp.tables.a.table", "2024.sales"]),
        (DATABASE + "table = '\"a.b'", ["sources.erp.tables.a.table"]),
        (DATABASE + 'table = " "', ["sources.erp.tables.a.table", "'schema.sales'"]),
        (DATABASE + 'deletes = "kyes"', ["tables.a.deletes", "'kyes' is not one of: no, keys", "Did you mean 'keys'?"]),
        (DATABASE.replace("changes", "append") + 'deletes = "keys"', ["tables.a.deletes", "needs mode = 'changes'"]),
        (DATABASE.replace("changes", "full") + 'cursor = "n"', ["tables.a.cursor", "reads all rows"]),
        (DATABASE + "late_window = 5", ["tables.a.late_window", "needs a cursor"]),
        (DATABASE + 'cursor = "n"\nlate_window = "a bit"', ["tables.a.late_window", "'15 minutes'", "1000"]),
        (API.replace("https://h", "h"), ["sources.shop.base_url: 'h/v1' is not the address of an API"]),
        (API.replace("https://h", "https://u:hunter2@h"), ["sources.shop.base_url: 'https://…@h/v1' is not"]),
        (
            API.replace("# auth", 'auth = { type = "baerer" }'),
            ["auth.type", "api_key, basic, oauth2, login", "'bearer'"],
        ),
        (
            API.replace("# auth", 'auth = { type = "bearer", tok = "x" }'),
            ["shop.auth.token: is required", "Valid in [sources.shop.auth]: token, type"],
        ),
        (
            API + 'pagination = { type = "page", parm = "p" }',
            ["tables.a.pagination.parm", "end_status, first, more, pages, param,"],
        ),
        (API.replace("# auth", 'proxy = "proxy:1"'), ["sources.shop.proxy: is not the address of a proxy"]),
        (API + 'pagination = { type = "cursor" }', ["tables.a.pagination.last", "either next", "'meta.next_cursor'"]),
        (API + 'pagination = { type = "cursor", next = "a", last = "b" }', ["pagination.last: either next"]),
        (API + 'cursor = { column = "id" }', ["tables.a.cursor.param: is required"]),
        (
            API + 'cursor = { column = "id", param = "p", format = "iso" }',
            ["cursor.format: 'iso' is not one of: 'auto'"],
        ),
        (API + 'cursor = { column = "id", param = "p", template = "x" }', ["cursor.template", "does not say with {}"]),
        (
            API.replace("append", "full") + 'key = ["id"]\ncursor = { column = "id", param = "p" }',
            ["a.cursor", "reads all"],
        ),
        (API.replace('"/a"', '"https://x/a"'), ["tables.a.endpoint: 'https://x/a' is not a path below base_url"]),
        (API.replace('"/a"', '"/a/{id}"'), ["tables.a.parent: is required: {id} is a field"]),
        (API + 'query = "{ a }"\nbody = {}', ["tables.a.query: is given beside body"]),
        (
            CHILD + 'endpoint = "/a/{id}"\nparent = "c"',
            ["tables: b.parent = 'c' is not one of the tables without a parent: a"],
        ),
        (CHILD + 'endpoint = "/b"\nparent = "a"', ["tables.b.parent: needs a field of the parent in braces"]),
        (
            CHILD.replace('key = ["n"]', "").replace("changes", "append") + 'endpoint = "/a/{id}"\nparent = "a"',
            ["b.parent: needs a key"],
        ),
        (
            CHILD.replace('key = ["id"]', 'key = ["id"]\ncursor = { column = "id", param = "p" }').replace(
                '"changes"\nkey = ["n"]', '"full"\nkey = ["n"]'
            )
            + 'endpoint = "/a/{id}"\nparent = "a"',
            ["sources.shop.tables: b.mode = 'full' does not go with the cursor of its parent 'a'"],
        ),
        (SOURCE, ["sources.pos.tables", "is required"]),
        (SOURCE + "tables = {}", ["sources.pos.tables", "empty"]),
        (SOURCE + 'stock_starts = "nil"', ["sources.pos.stock_starts", "'nil'", "count, zero"]),
        (SOURCE + 'codes_of = { product = "por" }', ["sources.pos.codes_of", "'por'", "Did you mean 'pos'?"]),
        (SOURCE + 'codes_of = { person = "pos" }', ["sources.pos.codes_of.person", "'person'", "customer"]),
        (SOURCE + 'known_at = "arrival"', ["sources.pos.known_at", "'arrival'", "'landing'"]),
        (SOURCE + 'known_at = "landin"', ["Did you mean 'landing'?"]),
        (SOURCE + 'known_at = "name:%Y%m"', ["sources.pos.known_at", "does not give a day"]),
        (SOURCE + 'known_at = "name:%Y%m%d%q"', ["%q", "%Y %m %d"]),
        (SOURCE + 'known_at = "name:%Y%m%d%"', ["sources.pos.known_at"]),
        (SOURCE + 'known_at = "name:%Y%m%d%M"', ["%M needs %H"]),
        (SOURCE + 'known_at = "name:%Y%m%d%d"', ["more than once"]),
        (TABLE.replace("append", "apend"), ["tables.sales.mode", "'apend'", "Did you mean 'append'?"]),
        (TABLE.replace("append", "changes"), ["tables.sales.key", "required", "changes"]),
        (TABLE.replace("append", "full") + "key = []", ["tables.sales.key", "required", "full"]),
        (TABLE + 'key = "id"', ["tables.sales.key", "'id'", "list"]),
        (TABLE + 'key = ["id", "id"]', ["tables.sales.key", "more than once"]),
        (TABLE + 'key = ["_row"]', ["tables.sales.key", "reserved"]),
        (TABLE.replace("incoming", "../in"), ["tables.sales.path", "'..'"]),
        (TABLE.replace("incoming", "in/../../x"), ["tables.sales.path", "'..'"]),
        (TABLE.replace("incoming", "/in"), ["tables.sales.path", "not relative"]),
        (TABLE.replace("incoming", "~/in"), ["tables.sales.path", "not relative"]),
        (TABLE.replace("incoming", "C:/in"), ["tables.sales.path", "not relative"]),
        (TABLE.replace("incoming", "in\\\\x"), ["tables.sales.path", "backslash"]),
        (TABLE.replace("incoming", ".systock/bronze"), ["tables.sales.path", ".systock"]),
        (TABLE.replace("incoming", "./.systock/bronze"), ["tables.sales.path", ".systock"]),
        (TABLE.replace('"incoming/*.csv"', "[]"), ["tables.sales.path", "names no file"]),
        (TABLE.replace('"incoming/*.csv"', '["a.csv", ""]'), ["tables.sales.path[1]"]),
        (TABLE + 'encoding = "utf9"', ["tables.sales.encoding", "'utf9'", "Did you mean 'utf-8'?"]),
        (TABLE + 'encoding = "zip"', ["tables.sales.encoding", "'zip'"]),
        (TABLE + 'delimiter = ";;"', ["tables.sales.delimiter", "';;'"]),
        (TABLE + 'quote = "xx"', ["tables.sales.quote", "'xx'"]),
        (TABLE + "skip_rows = -1", ["tables.sales.skip_rows", "-1"]),
        (TABLE + 'header = "no"', ["tables.sales.header", "'no'", "true or false"]),
        (TABLE + "header = false", ["tables.sales.columns", "required"]),
        (TABLE + 'columns = ["a"]', ["tables.sales.columns", "header = true"]),
        (TABLE + 'key = ["ida"]\nheader = false\ncolumns = ["id", "b"]', ["lacks the key column 'ida'", "'id'"]),
        (TABLE + 'format = "csv"\nrecords = "a.b"', ["tables.sales.records", "json"]),
        (
            TABLE.replace("[sources.pos]", '[sources.pos]\nschedule = "daily"'),
            ["sources.pos.schedule", "'daily'", "five fields", "'30 4 * * 1-6'"],
        ),
        (MINIMAL + '[schedule]\nrun = "* * * * * *"', ["schedule.run", "five fields"]),
        (MINIMAL + '[schedule]\nrun = "61 * * * *"', ["schedule.run", "bad minute", "five fields"]),
        (MINIMAL + '[schedule]\nday_close = "0 0 30 2 *"', ["schedule.day_close", "0 0 30 2 *"]),
        (MINIMAL + '[schedule]\nnight = "0 0 * * *"', ["no such setting", "day_close, run"]),
        (
            TABLE.replace("[sources.pos]", '[sources.pos]\nfresh_within = "a while"'),
            ["fresh_within", "'a while'", "'26 hours'", "days or weeks"],
        ),
        (TABLE.replace("[sources.pos]", "[sources.pos]\nfresh_within = 26"), ["fresh_within", "26", "'26 hours'"]),
        (MINIMAL + '[retention]\nruns = "90000000000000 days"', ["retention.runs", "'26 hours'"]),
        (MINIMAL + "[run]\nattempts = 0", ["run.attempts", "greater than or equal to 1"]),
        (MINIMAL + '[notify]\nurls = ["ops@example.com"]', ["notify.urls[0]", "jsons://host/path", "mailtos://"]),
        ("[project\n", ["not valid TOML", "line 1"]),
    ],
)
def test_refusals_name_the_setting_the_value_and_what_is_valid(tmp_path: Path, text: str, parts: list[str]) -> None:
    message = refusal(tmp_path, text)
    assert [part for part in parts if part not in message] == []


def test_all_problems_at_once(tmp_path: Path) -> None:
    text = MINIMAL + 'currency = "x"\n[run]\nthreads = -1\n[sources.pos]\ntype = "files"\ntables.a.mode = "full"'
    message = refusal(tmp_path, text)
    settings = ("project.currency", "run.threads", "sources.pos.tables.a.path", "sources.pos.tables.a.key")
    assert [name for name in settings if f"- {name}:" not in message] == []
    assert "4 settings are wrong" in message


@pytest.mark.parametrize("path", ['"../*.csv"', '"/etc/*.csv"', '""', "[]", '["a.csv", ""]'])
def test_a_wrong_path_is_one_problem(tmp_path: Path, path: str) -> None:
    message = refusal(tmp_path, TABLE.replace('"incoming/*.csv"', path))
    assert message.count("sources.pos.tables.sales.path") == 1, message


def test_a_source_of_unknown_type_is_judged_by_nothing_else(tmp_path: Path) -> None:
    message = refusal(tmp_path, MINIMAL + '[sources.shop]\ntype = "apy"\nbase_url = "x"\ntables.a.cursor = "id"')
    assert "base_url" not in message
    assert "cursor" not in message
    message = refusal(tmp_path, MINIMAL + '[sources.shop]\ntype = "apy"\nurl = "${SHOP_DB}"')
    assert "sources.shop.url" not in message


def test_no_project_here(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no systock\.toml") as caught:
        load_settings(tmp_path)
    assert "systock init" in str(caught.value.todo)


def test_a_byte_order_mark_is_no_matter(tmp_path: Path) -> None:
    (tmp_path / "systock.toml").write_bytes(b"\xef\xbb\xbf" + MINIMAL.encode())
    assert load_settings(tmp_path).project.name == "shop"


def test_secret_from_the_environment_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = MINIMAL + '[target]\nurl = "duckdb:///${SHOP_DB}.duckdb"'
    (tmp_path / ".systock").mkdir()
    (tmp_path / ".systock" / "secrets.env").write_text("# kept outside git\n\nSHOP_DB = 'from=file'\n")
    assert load(tmp_path, text).target.warehouse_file(tmp_path).name == "from=file.duckdb"
    monkeypatch.setenv("SHOP_DB", "from_environment")
    assert load(tmp_path, text).target.warehouse_file(tmp_path).name == "from_environment.duckdb"


def test_secrets_file_named_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = MINIMAL + '[target]\nurl = "duckdb:///${SHOP_DB}.duckdb"'
    monkeypatch.setenv("SYSTOCK_SECRETS", str(tmp_path / "elsewhere.env"))
    with pytest.raises(SettingsError, match="does not exist"):
        load(tmp_path, text)
    (tmp_path / "elsewhere.env").write_text("SHOP_DB=x\n")
    assert load(tmp_path, text).target.warehouse_file(tmp_path).name == "x.duckdb"
    (tmp_path / "elsewhere.env").write_text("A=b\nhunter2\n")
    with pytest.raises(SettingsError, match="line 2 is not NAME=value") as caught:
        load(tmp_path, text)
    assert "hunter2" not in str(caught.value)


def test_secrets_that_are_files_of_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Docker, Podman and Kubernetes hand them out: other files there are no business of ours."""
    text = MINIMAL + '[target]\nurl = "duckdb:///${SHOP_DB}.duckdb"'
    folder = tmp_path / "secrets"
    folder.mkdir()
    monkeypatch.setenv("SYSTOCK_SECRETS", str(folder))
    assert f"${{SHOP_DB}} is neither in the environment nor in {folder} (as a file of that name)" in refusal(
        tmp_path, text
    )
    (folder / "not a name").write_bytes(b"\xff")
    (folder / "SHOP_DB").write_text("a=b \n")
    assert load(tmp_path, text).target.warehouse_file(tmp_path).name == "a=b .duckdb"
    (folder / "SHOP_DB").write_bytes(b"hunter2\xff")
    with pytest.raises(SettingsError, match="cannot be read: UnicodeDecodeError") as caught:
        load(tmp_path, text)
    assert "hunter2" not in str(caught.value)
    (folder / "SHOP_DB").unlink()
    (folder / "SHOP_DB").mkdir()
    with pytest.raises(SettingsError, match="cannot be read: IsADirectoryError"):
        load(tmp_path, text)
    monkeypatch.setenv("SHOP_DB", "environment")
    assert load(tmp_path, text).target.warehouse_file(tmp_path).name == "environment.duckdb"


def test_missing_secret_is_named_with_its_setting(tmp_path: Path) -> None:
    message = refusal(tmp_path, MINIMAL + '[target]\nurl = "duckdb:///${SHOP_DB}.duckdb"')
    assert "target.url: the secret ${SHOP_DB}" in message
    assert "secrets.env" in message


def test_secrets_only_where_they_may_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_DB", "hunter2")
    message = refusal(tmp_path, TABLE.replace("incoming", "${SHOP_DB}"))
    assert "sources.pos.tables.sales.path" in message
    assert "hunter2" not in message
    assert "target.url, notify.urls" in message


def test_an_expanded_secret_is_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_DB", "hunter2")
    settings = load(tmp_path, MINIMAL + '[target]\nurl = "duckdb:///${SHOP_DB}.duckdb"')
    shown = f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()} {settings.definition_text()}"
    assert "hunter2" not in shown
    for url in ("mysql://u:${SHOP_DB}@h", "duckdb:///${SHOP_DB}/", "mysql://u:hunter2@h"):
        assert "hunter2" not in refusal(tmp_path, MINIMAL + f'[target]\nurl = "{url}"')


def test_the_password_of_a_database_is_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_DB", "hunter2")
    settings = load(tmp_path, DATABASE.replace("sqlite:///x", "mysql://u:${SHOP_DB}@h/d"))
    shown = f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()} {settings.definition_text()}"
    assert "hunter2" not in shown
    assert "hunter2" not in refusal(tmp_path, DATABASE.replace("sqlite:///x", "mysq://u:${SHOP_DB}/hunter2@h/d"))
    assert ", sources.<source>.url" in refusal(tmp_path, DATABASE + 'table = "${SHOP_DB}"')


IN_AN_ADDRESS = {
    "sources.erp.url": [
        DATABASE.replace("sqlite:///x", f"{scheme}://u:${{SHOP_DB}}@h:1/d") for scheme in ("postgresql", "mysql")
    ],
    "target.url": [MINIMAL + '[target]\nurl = "postgresql://u:${SHOP_DB}@h:1/d"'],
    "sources.shop.proxy": [API.replace("# auth", 'proxy = "http://u:${SHOP_DB}@h:3128"')],
}


@pytest.mark.parametrize(
    "password", [f"Xq7{mark}Zyx9w" for mark in ("@", "/", "?", "#", "[", "]", " ", "%", "%4", "＠")]
)
def test_a_secret_that_does_not_fit_into_an_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    monkeypatch.setenv("SHOP_DB", password)
    for setting, texts in IN_AN_ADDRESS.items():
        for text in texts:
            message = refusal(tmp_path, text)
            assert f"{setting}: the secret ${{SHOP_DB}} has a character that cannot stand in an address" in message
            assert "@ is %40" in message and "settings are wrong" not in message
            assert "Xq7" not in message and "Zyx9w" not in message
            whole = re.sub(r'"([a-z]+://u:\$\{SHOP_DB\}@[^"]*)"', '"${WHOLE}"', text)
            found = re.search(r'"([a-z]+://u:\$\{SHOP_DB\}@[^"]*)"', text)
            monkeypatch.setenv("WHOLE", found[1].replace("${SHOP_DB}", password) if found else "")
            message = refusal(tmp_path, whole)
            assert f"{setting}: " in message and "Xq7" not in message and "Zyx9w" not in message
    monkeypatch.setenv("SHOP_DB", quote(password, safe=""))
    for texts in IN_AN_ADDRESS.values():
        for text in texts:
            load(tmp_path, text)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql:///d?host=/tmp/x&user=a", "postgresql://%2Ftmp/d", "postgresql://u:p:q!$&'()*+,;=é@[::1]:5432/d",
        "postgresql://a:1,b:2,[fe80::1%25eth0]/d?options=-c%20x%3D1&sslmode=require", "mysql://u@/d?unix_socket=/a/b", "mariadb://h",
    ],
)  # fmt: skip
def test_addresses_of_servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    load(tmp_path, DATABASE.replace("sqlite:///x", url))
    monkeypatch.setenv("SHOP_DB", url)
    load(tmp_path, DATABASE.replace("sqlite:///x", "${SHOP_DB}"))


def test_a_secret_that_is_a_parameter_or_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = "postgresql://u@h/d?password=${SHOP_DB}"
    for password in ("Xq7&Zyx9w", "Xq7@Zyx9w", "Xq7=Zyx9w", "Xq7#Zyx9w"):
        monkeypatch.setenv("SHOP_DB", password)
        message = refusal(tmp_path, DATABASE.replace("sqlite:///x", url))
        assert "the secret ${SHOP_DB} has a character" in message and "Zyx9w" not in message and "Xq7" not in message
    monkeypatch.setenv("SHOP_DB", "a folder/with #1")
    assert "#1" in load(tmp_path, DATABASE.replace("///x", "///${SHOP_DB}/x")).sources["erp"].url.get_secret_value()


def test_the_secrets_of_remote_files_are_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_KEY", "hunter2")
    remote = '[sources.pos.remote]\npassword = "${SHOP_KEY}"\naccess_key = "${SHOP_KEY}"\nsecret_key = "x${SHOP_KEY}"\n'
    tables = '[sources.pos]\ntype = "files"\n[sources.pos.tables.a]\npath = "s3://bucket/*.csv"\nmode = "append"\n'
    settings = load(tmp_path, MINIMAL + tables + remote)
    assert settings.sources["pos"].remote.secret_key.get_secret_value() == "xhunter2"
    assert "hunter2" not in f"{settings!r} {settings.model_dump()} {settings.model_dump_json()}"
    # Where files lie is part of the definitions, how they are reached is not.
    plain = load(tmp_path, MINIMAL + tables)
    assert settings.definition_text() == plain.definition_text() and "bucket" in plain.definition_text()
    for wrong in ('secret_key = "${SHOP_KEY}"', 'endpoint_url = "https://a:${SHOP_KEY}@host"', 'host_key = "x"'):
        assert "hunter2" not in refusal(tmp_path, MINIMAL + tables + f"[sources.pos.remote]\n{wrong}\n")
    full = 'sheet = "S*"\nmode = "full"\nkey = ["id"]\n'
    assert "several sheets" in refusal(tmp_path, MINIMAL + tables.replace('mode = "append"\n', full))
    assert "format = 'excel'" in refusal(tmp_path, MINIMAL + tables + 'sheet = "S"\nformat = "csv"\n')


def test_the_secrets_of_an_api_are_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_KEY", "hunter2")
    for auth in (
        'auth = { type = "bearer", token = "${SHOP_KEY}" }',
        'auth = { type = "api_key", key = "${SHOP_KEY}", param = "k" }',
        'auth = { type = "basic", user = "me", password = "${SHOP_KEY}" }',
        'auth = { type = "oauth2", token_url = "/t", client_id = "me", client_secret = "${SHOP_KEY}" }',
        'auth = { type = "login", endpoint = "/l", user = "me", password = "${SHOP_KEY}" }',
        'secret_headers = { X-App = "${SHOP_KEY}" }',
        'proxy = "http://me:${SHOP_KEY}@proxy:3128"',
    ):
        settings = load(tmp_path, API.replace("# auth", auth))
        shown = (
            f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()} {settings.definition_text()}"
        )
        assert "hunter2" not in shown
        assert "hunter2" in secrets_of(settings.sources["shop"])
    message = refusal(tmp_path, API.replace("# auth", 'headers = { X-App = "${SHOP_KEY}" }'))
    assert "names a secret, which only stands in settings that may hold one" in message and "secret_headers" in message


def test_how_an_api_is_asked_is_no_definition(tmp_path: Path) -> None:
    first = load(tmp_path, API).definition_text()
    asked = API.replace("# auth", "attempts = 2").replace("https://h", "https://other")
    assert (
        load(tmp_path, asked + 'records = "data"\ncursor = { column = "id", param = "p" }').definition_text() == first
    )


def test_how_a_database_is_asked_is_no_definition(tmp_path: Path) -> None:
    first = load(tmp_path, DATABASE).definition_text()
    asked = 'table = "b"\ncursor = ["n"]\nlate_window = "5 minutes"\n'
    assert load(tmp_path, DATABASE.replace("sqlite:///x", "sqlite:///y") + asked).definition_text() == first
    assert load(tmp_path, DATABASE + 'updated_at = "n"').definition_text() != first


def test_an_address_is_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_DB", "hunter2")
    settings = load(tmp_path, MINIMAL + '[notify]\nurls = ["json://host/${SHOP_DB}", "mailto://u:${SHOP_DB}@host"]')
    assert [url.get_secret_value() for url in settings.notify.urls] == [
        "json://host/hunter2",
        "mailto://u:hunter2@host",
    ]
    assert "hunter2" not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    for url in ("host/${SHOP_DB}", "host/hunter2", "json:// ${SHOP_DB}"):
        assert "hunter2" not in refusal(tmp_path, MINIMAL + f'[notify]\nurls = ["json://host", "{url}"]')
    assert "path[1]" in refusal(tmp_path, TABLE.replace('"incoming/*.csv"', '["a.csv", "${SHOP_DB}/*.csv"]'))


def test_spans_of_time(tmp_path: Path) -> None:
    settings = load(
        tmp_path, MINIMAL + '[retention]\nruns = "1 week"\ncopies = "1.5 days"\n[run]\nretry_wait = "90seconds"'
    )
    assert settings.retention.runs == timedelta(days=7)
    assert settings.retention.copies == timedelta(hours=36)
    assert settings.run.retry_wait == timedelta(seconds=90)


def test_definition_text_leaves_out_what_no_figure_depends_on(tmp_path: Path) -> None:
    first = load(tmp_path, TABLE).definition_text()
    other = '[target]\nurl = "duckdb:///other.duckdb"\n[run]\nthreads = 1\n[retention]\nruns = "1 day"\n[schedule]\nrun = "0 * * * *"\n'
    other += '[notify]\nurls = "json://host"\n'
    when = 'type = "files"\nschedule = "0 1 * * *"\nfresh_within = "1 day"\n'
    assert load(tmp_path, TABLE.replace('type = "files"\n', when) + other).definition_text() == first
    assert load(tmp_path, TABLE + 'key = ["id"]').definition_text() != first
    assert load(tmp_path, TABLE.replace("shop", "shop2")).definition_text() != first


def test_definition_text_does_not_depend_on_the_order_of_the_file(tmp_path: Path) -> None:
    one = 'tables.a = { path = "a", mode = "append" }\n'
    two = 'tables.b = { mode = "append", path = "b" }\n'
    assert load(tmp_path, SOURCE + one + two).definition_text() == load(tmp_path, SOURCE + two + one).definition_text()


def test_settings_cannot_be_changed(tmp_path: Path) -> None:
    settings = load(tmp_path, TABLE)
    with pytest.raises(ValueError, match="frozen"):
        settings.project.name = "other"  # type: ignore[misc]


def test_importing_settings_brings_nothing_heavy() -> None:
    code = (
        "import sys, systock, systock.config; print(*(sys.modules.keys() & {'duckdb', 'pyarrow', 'sqlglot', 'rich'}))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == ""

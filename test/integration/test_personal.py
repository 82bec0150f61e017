"""Personal columns: their values are nowhere on our disk as they came, and all that hangs on them works as before."""

from __future__ import annotations

import hashlib
import hmac
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from api_server import Reply, Request, Server, serve
from plain_values import places_of
from small_chain import take_compiled
from systock import Project
from systock.errors import SettingsError
from systock.etl_pipeline.bronze_layer.land_batches import LandingSummary, land, open_log

KEY = "0123456789abcdef0123456789abcdef"
SETTINGS = """
[project]
name = "people"
calendar_from = 2024-01-01
calendar_to = 2024-12-31
personal_key = "${PERSONAL_KEY}"
[run]
attempts = 1
threads = 1

[sources.crm]
type = "files"
[sources.crm.tables.people]
path = "incoming/people*.csv"
mode = "changes"
key = ["id"]
personal = ["email", "Phone"]
[sources.crm.tables.cards]
path = "incoming/cards*.jsonl"
mode = "append"
personal = ["email"]

[sources.erp]
type = "database"
url = "sqlite:///erp.sqlite"
[sources.erp.tables.buyers]
mode = "changes"
key = ["id"]
cursor = ["id"]
personal = ["email"]

[sources.web]
type = "api"
base_url = "URL"
attempts = 1
pagination = { type = "page", size_param = "limit", size = 1 }
[sources.web.tables.users]
endpoint = "/users"
mode = "full"
key = ["id"]
personal = ["email"]
"""
MAPPINGS = {
    "crm/customer": "SELECT id AS customer_id, city AS city, email AS email_hash FROM bronze.crm__people",
    "erp/customer": "SELECT id AS customer_id, email AS email_hash FROM bronze.erp__buyers",
    "web/customer": "SELECT id AS customer_id, email AS email_hash FROM bronze.web__users",
}
PLAIN = ["jane@", "0171 555", "joe@", "card@", "buyer@", "user1@", "user2@", "half@", "ünal@"]


def hashed(value: str) -> str:
    return hmac.new(KEY.encode(), value.encode(), hashlib.sha256).hexdigest()


def users(request: Request) -> Reply:
    number = request.number("page", 1)
    if number == 3 and "breaks" in os.environ:
        return Reply(status=500)
    return Reply([{"id": number, "email": f"user{number}@example.org"}] if number < 3 else [])


@pytest.fixture
def server() -> Iterator[Server]:
    with serve(users) as found:
        yield found


@pytest.fixture
def people(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch, first_project: Path) -> Path:
    """A project whose four sources deliver addresses, one of them in a line that can't be split."""
    monkeypatch.setenv("PERSONAL_KEY", KEY)
    path = tmp_path / "people"
    (path / "incoming").mkdir(parents=True)
    (path / "systock.toml").write_text(SETTINGS.replace("URL", server.url))
    take_compiled(first_project, path)
    for name, sql in MAPPINGS.items():
        (path / f"sources/{name}.sql").parent.mkdir(parents=True, exist_ok=True)
        (path / f"sources/{name}.sql").write_text(sql + "\n")
    deliver(
        path,
        "people1.csv",
        "id,city,email,phone,email\n1,Ulm,jane@example.org,0171 5551,jane@home\n2,Köln,,0171 5552,\n"
        "3,Bonn,ünal@example.org,,\nhalf@example.org,7\n4,Ulm,jane@example.org,0171 5554,joe@example.org\n",
    )
    deliver(path, "cards1.jsonl", '{"no": "7", "email": "card@example.org"}\n{"no": "8"}\n{"no": "half@\n')
    with sqlite3.connect(path / "erp.sqlite") as db:
        db.execute("CREATE TABLE buyers (id INTEGER, email TEXT)")
        db.execute("INSERT INTO buyers VALUES (1, 'buyer@example.org'), (2, 'jane@example.org')")
    db.close()
    return path


def deliver(project: Path, name: str, text: str) -> None:
    path = project / "incoming" / name
    path.write_text(text)
    os.utime(path, (1_704_067_200, 1_704_067_200))


def landed(project: Path) -> LandingSummary:
    settings = Project(project).settings
    return land(project, settings.sources, personal_key=settings.project.personal_key)


def test_no_plain_value_is_kept(people: Path) -> None:
    summary = Project(people).run()
    assert summary.status == "published" and places_of(people, PLAIN, ["incoming", "erp.sqlite"]) == []
    asked = "SELECT source_name, customer_id, email_hash FROM gold.dim_customer WHERE customer_key <> 0 ORDER BY 1, 2"
    found = [tuple(row.values()) for row in Project(people).query(asked).to_pylist()]
    jane = hashed("jane@example.org")
    assert found == [
        ("crm", "1", jane),
        ("crm", "2", None),
        ("crm", "3", hashed("ünal@example.org")),
        ("crm", "4", jane),
        ("erp", "1", hashed("buyer@example.org")),
        ("erp", "2", jane),
        ("web", "1", hashed("user1@example.org")),
        ("web", "2", hashed("user2@example.org")),
    ]
    [broken] = [row for row in Project(people).quarantine() if row["source"] == "crm"]
    assert broken["value"] == f"not kept, as the table has personal columns: {hashed('half@example.org,7')}"


def test_what_came_is_known_when_it_comes_again(people: Path) -> None:
    landed(people)
    deliver(people, "people2.csv", (people / "incoming/people1.csv").read_text())
    summary = landed(people)
    assert {table: counts.repeats for (_, table), counts in summary.tables.items()} == {
        "people": 1, "buyers": 0, "users": 1
    }  # fmt: skip
    assert [batch.personal for batch in open_log(people).batches(table="people")] == [("email", "Phone")] * 2


def test_another_key_is_refused(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    landed(people)
    monkeypatch.setenv("PERSONAL_KEY", KEY[::-1])
    with pytest.raises(SettingsError, match="is not the key by which"):
        landed(people)
    monkeypatch.setenv("PERSONAL_KEY", "short")
    with pytest.raises(SettingsError, match="5 bytes, at least 16"):
        landed(people)
    monkeypatch.setenv("PERSONAL_KEY", KEY)
    landed(people)


def test_a_key_is_required(people: Path) -> None:
    text = (people / "systock.toml").read_text()
    (people / "systock.toml").write_text(text.replace('personal_key = "${PERSONAL_KEY}"', ""))
    with pytest.raises(SettingsError, match=r"crm.tables.people.personal needs personal_key = ..\{PERSONAL_KEY\}"):
        Project(people)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('personal = ["email", "Phone"]', 'personal = ["ID"]', "crm.tables.people.personal: names 'id', which key has"),
        ('cursor = ["id"]\npersonal = ["email"]', 'personal = ["email"]\ncursor = ["email"]', "names 'email', which cursor has"),
        ('endpoint = "/users"', 'endpoint = "/users"\nupdated_at = "email"', "names 'email', which updated_at has"),
    ],
)  # fmt: skip
def test_what_is_kept_as_it_is_cannot_be_personal(people: Path, old: str, new: str, said: str) -> None:
    text = (people / "systock.toml").read_text()
    assert old in text
    (people / "systock.toml").write_text(text.replace(old, new))
    with pytest.raises(SettingsError, match=said):
        Project(people)


def test_what_calls_the_column_otherwise_is_refused(people: Path) -> None:
    deliver(people, "people2.csv", "id,city,e-mail,phone\n9,Ulm,joe@example.org,1\n")
    deliver(people, "people3.csv", "id;city;email;phone,x\n9;Ulm;joe@example.org;1,x\n")  # read by the wrong delimiter
    with sqlite3.connect(people / "erp.sqlite") as db:
        db.execute("ALTER TABLE buyers RENAME COLUMN email TO mail")
    db.close()
    summary = landed(people)
    said = "did not come: under another name its values would be kept as they are"
    assert [(file.path, file.reason) for file in open_log(people).rejected()] == [
        ("incoming/people2.csv", f"the personal column 'email' {said}"),
        ("incoming/people3.csv", f"the personal column 'Phone' {said}"),
    ]
    [failure] = summary.failures
    assert failure.table == "buyers" and f"the personal column 'email' {said}" in str(failure.error)
    assert places_of(people, PLAIN, ["incoming", "erp.sqlite"]) == []


def test_pages_of_an_api_that_breaks_off_are_not_kept(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("breaks", "yes")
    [failure] = landed(people).failures
    assert "begins anew" in str(failure.error)
    assert places_of(people, PLAIN, ["incoming", "erp.sqlite"]) == []
    monkeypatch.delenv("breaks")
    assert landed(people).of("web", "users").lines == 2


def test_the_key_decides_no_figure(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = Project(people).settings.definition_text()
    monkeypatch.setenv("PERSONAL_KEY", KEY[::-1])
    assert Project(people).settings.definition_text() == before


def test_values_from_before_are_told(people: Path) -> None:
    text = (people / "systock.toml").read_text()
    (people / "systock.toml").write_text(text.replace('personal = ["email", "Phone"]', 'personal = ["phone"]'))
    landed(people)
    (people / "systock.toml").write_text(text)
    with pytest.raises(SettingsError, match=r"1 batch .* landed before"):
        landed(people)

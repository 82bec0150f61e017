"""What no API should say harms no other source, names its own, and shows no secret."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from api_server import Reply, Request, serve
from systock import Project
from systock.cli.app import main

TOKEN = 'SUPER SECRET+TOKEN/0123456789"abcdef!'
ADDRESS = "SUPER+SECRET%2BTOKEN%2f0123456789%22abcdef%21"
RECORD = {"id": 1, "name": "Tea", "at": "0001-01-01T00:00:00Z"}
#: What each odd source answers, and what is told of it.
ODD = {
    "address": (Reply({"data": [RECORD], "next": "http://[bad/x"}), "Invalid IPv6 URL"),
    "letters": (Reply(b'{"data": [{"id": 1, "name": "Tea"}], "next": "/odd/\\ud83d"}'), "UnicodeEncodeError"),
    "records": (Reply({"data": [{"error": "down"}]}), "no record has 'id', which is in the key; there are: error"),
    "long": (Reply({"message": "x" * 19_970 + " " + TOKEN}, 400), "xxx …"),
    "short": (Reply({"message": "y" * 170 + " " + TOKEN + " " + ADDRESS}, 400), "yyy … …"),
    "json": (Reply({"message": json.dumps({"you sent": TOKEN})}, 400), "you sent"),
}
SETTINGS = """
[project]
name = "shop"
[run]
attempts = 1
[sources.good]
type = "api"
base_url = "URL/good"
tables.products = { endpoint = "/products", mode = "changes", key = ["id"], cursor = { column = "at", param = "since" } }
""" + "".join(f"""
[sources.{name}]
type = "api"
base_url = "URL/{name}"
attempts = 1
auth = {{ type = "bearer", token = "${{ODD_TOKEN}}" }}
pagination = {{ type = "next_url", next = "next" }}
tables.products = {{ endpoint = "/products", mode = "changes", key = ["id"], records = "data" }}
""" for name in ODD)  # fmt: skip


def test_sources_that_answer_oddly_fail_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ODD_TOKEN", TOKEN)
    asked = []

    def respond(request: Request) -> Reply:
        name = request.path.split("/")[1]
        if name == "good":
            asked.append(request.params.get("since"))
        return ODD[name][0] if name in ODD else Reply([RECORD])

    with serve(respond) as server:
        (tmp_path / "systock.toml").write_text(SETTINGS.replace("URL", server.url))
        for source in ("good", *ODD):
            (tmp_path / "sources" / source).mkdir(parents=True)
            mapping = f"SELECT id AS product_id, name AS product_name FROM bronze.{source}__products"
            (tmp_path / "sources" / source / "product.sql").write_text(mapping)
        assert main(["run", "--project", str(tmp_path)]) == 1
        said = " ".join("".join(capsys.readouterr()).split())
        for name, (_, expected) in ODD.items():
            assert f"{name}, products" in said and expected in said, name
        rows = Project(tmp_path).query("SELECT source_name, product_name FROM silver.product").to_pylist()
        assert rows == [{"source_name": "good", "product_name": "Tea"}]
        assert main(["run", "--project", str(tmp_path)]) == 1
    assert asked == [None, "0001-01-01T00:00:00Z"]  # the first day of all is a cursor, too
    files = [path for path in (tmp_path / ".systock").rglob("*") if path.is_file()]
    kept = said + "".join(path.read_bytes().decode("latin-1") for path in files)
    assert "SECRET" not in kept
    assert "0123456789" not in kept

"""The readers of `make bench` on a real server: its questions are answered, and neither a wait nor an error goes unseen."""

from __future__ import annotations

import threading

import pytest

pytest.importorskip("psycopg", reason="psycopg is not installed")

import psycopg
from benchmarks import readers
from benchmarks.explain_server import explain
from benchmarks.questions import QUESTIONS, Question
from benchmarks.readers import Readers

from published import Shop


def test_waits_and_errors_of_readers_are_seen(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    paused = threading.Event()
    with Readers(shop.superuser_url, 2) as unhindered:
        unhindered.wait_for(1)
    assert len(unhindered.answers) >= 2 * len(QUESTIONS) and (unhindered.lock_waits, unhindered.errors) == (0, [])
    with Readers(shop.superuser_url, 2) as hindered:
        hindered.wait_for(1)
        with psycopg.connect(shop.superuser_url) as holder:
            holder.execute("LOCK TABLE gold.fact_sale_line")
            paused.wait(0.2)
    assert hindered.lock_waits > 0 and hindered.errors == []
    found = explain(shop.superuser_url, 1)
    assert [one.question for one in found] == [question.words for question in QUESTIONS]
    assert all(len(one.milliseconds) == 1 and (one.rows == 1 or not one.is_summed) for one in found)
    monkeypatch.setattr(readers, "QUESTIONS", [Question("none", "SELECT * FROM serve.none", True)])
    with Readers(shop.superuser_url, 1) as refused:
        paused.wait(0.1)
    assert "none" in refused.errors[0]

"""Every table file in Spark's SQL is what it was: a change of the compiler, of a macro or of a file shows in these texts."""

from __future__ import annotations

import difflib

import pytest

from golden.spark_texts import FOLDER, texts

TEXTS = texts()


def test_there_is_a_text_of_each_file_and_no_other() -> None:
    assert {path.name for path in FOLDER.glob("*.sql")} == set(TEXTS)


@pytest.mark.parametrize("name", TEXTS)
def test_a_file_says_what_it_said(name: str) -> None:
    kept = (FOLDER / name).read_text("utf-8")
    changed = "\n".join(
        difflib.unified_diff(kept.splitlines(), TEXTS[name].splitlines(), "kept", "now", lineterm="", n=1)
    )
    assert not changed, f"{changed}\nWhere that is meant: python test/golden/spark_texts.py"

"""A source of type dlt where dlt is not installed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from systock import Project
from systock.errors import SettingsError
from systock.etl_pipeline.bronze_layer.land_batches import land

SETTINGS = """
[project]
name = "shop"
[sources.erp]
type = "dlt"
source = "erp_source:rows"
tables.rows = { MODE }
[sources.till]
type = "files"
tables.sales = { path = "*.csv", mode = "append" }
"""


def test_a_missing_extra_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dlt", None)
    (tmp_path / "sales.csv").write_text("id\n1\n")
    (tmp_path / "systock.toml").write_text(SETTINGS.replace("MODE", ""))
    with pytest.raises(SettingsError, match=r"not installed\n.*pip install 'systock\[dlt\]'"):
        Project(tmp_path)

    (tmp_path / "systock.toml").write_text(SETTINGS.replace("MODE", 'mode = "append"'))
    summary = land(tmp_path, Project(tmp_path).settings.sources)
    [failure] = summary.failures
    assert "the library for sources of type 'dlt' is not installed" in str(failure.error)
    assert "pip install 'systock[dlt]'" in str(failure.error) and not failure.error.transient
    assert summary.of("till", "sales").lines == 1

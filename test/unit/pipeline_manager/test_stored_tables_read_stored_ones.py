"""A stored table that reads a question is refused before anything runs, with what to read in its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from systock import Project
from systock.errors import DefinitionError
from systock.pipeline_manager.definitions import Definitions


@pytest.mark.parametrize("read", ["serve.stock_on_hand", "silver.sale_line__versions"])
def test_what_holds_no_rows_or_is_not_followed_is_not_read(tmp_path: Path, read: str) -> None:
    (tmp_path / "systock.toml").write_text('[project]\nname = "shop"\n')
    (tmp_path / "models").mkdir()
    model = f"SELECT r.product_id, COUNT(*) AS n FROM {read} AS r GROUP BY r.product_id;\n"
    made = (
        "CREATE TABLE gold.mine (\n    product_id text PRIMARY KEY, -- what\n    n bigint NOT NULL -- how many\n);\n\n"
    )
    (tmp_path / "models" / "mine.sql").write_text(f"-- One.\n-- refresh: full\n{made}{model}")
    with pytest.raises(DefinitionError, match=rf"gold\.mine is stored and reads {read}"):
        Definitions(tmp_path, Project(tmp_path).settings).tables  # noqa: B018
    (tmp_path / "models" / "mine.sql").write_text(
        f"-- One.\n-- refresh: view\n{made.replace('gold.', 'serve.')}{model}"
    )
    assert "serve.mine" in [table.qualified for table in Definitions(tmp_path, Project(tmp_path).settings).tables]

"""Patterns, and the border of the project."""

from __future__ import annotations

from pathlib import Path

import pytest

from systock.errors import SettingsError
from systock.extract.find_files import find_files


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    for name in (
        "in/a.csv", "in/b.CSV", "in/c.csv.tmp", "in/d.part", "in/e.partial", "in/f.crdownload", "in/g.csv~",
        "in/.hidden.csv", "in/.hidden/h.csv", "in/x/a.csv", "in/x/y/a.csv", "in/x/y/b.txt", "top.csv",
    ):  # fmt: skip
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "z.csv").write_text("z")
    return folder


def found(project: Path, *patterns: str) -> list[str]:
    return [file.path for file in find_files(patterns, project, "sources.pos.tables.sales.path")]


@pytest.mark.parametrize(
    ("patterns", "paths"),
    [
        (["in/*"], ["in/a.csv", "in/b.CSV"]),
        (["in/*.csv"], ["in/a.csv"]),
        (["in/a.csv", "in/[ab].*", "./in//a.csv"], ["in/a.csv", "in/b.CSV"]),
        (["in/**/*.csv"], ["in/a.csv", "in/x/a.csv", "in/x/y/a.csv"]),
        (["**/a.csv"], ["in/a.csv", "in/x/a.csv", "in/x/y/a.csv"]),
        (["in/*/a.csv"], ["in/x/a.csv"]),
        (["in/x/**"], ["in/x/a.csv", "in/x/y/a.csv", "in/x/y/b.txt"]),
        (["in/?.csv", "top.csv"], ["in/a.csv", "top.csv"]),
        (["in/.hidden/*", "in/.hidden.csv", "none/*", "top.csv/x", "in"], []),
    ],
)
def test_patterns(project: Path, patterns: list[str], paths: list[str]) -> None:
    assert found(project, *patterns) == paths


def test_size_and_modification_time_are_given(project: Path) -> None:
    status = (project / "in/a.csv").stat()
    (file,) = find_files("in/a.csv", project, "x")
    assert (file.size, file.modified_ns) == (status.st_size, status.st_mtime_ns)


@pytest.mark.parametrize("pattern", ["../outside/*.csv", "/etc/passwd", "in/../../x", "~/x", "C:/x", "in\\x"])
def test_a_path_out_of_the_project_is_a_wrong_setting(project: Path, pattern: str) -> None:
    with pytest.raises(SettingsError) as caught:
        found(project, pattern)
    assert caught.value.where == "sources.pos.tables.sales.path"
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("link", ["in/link.csv", "in/folder", "in/broken.csv"])
def test_a_link_out_of_the_project_is_found_and_not_followed(project: Path, link: str) -> None:
    target = project.parent / "outside" / ("" if link.endswith("folder") else "z.csv" if "link" in link else "gone.csv")
    (project / link).symlink_to(target)
    files = find_files("in/*/*.csv" if link.endswith("folder") else "in/*.csv", project, "x")
    assert [(file.path, file.leads_to) for file in files if file.leads_to] == [(link, str(target))]
    assert len(files) == 2  # and what lies in the project


def test_links_within_the_project_are_followed_and_loops_are_not(project: Path) -> None:
    (project / "in/link.csv").symlink_to(project / "top.csv")
    (project / "in/loop").symlink_to(project / "in")
    (project / "in/nowhere.csv").symlink_to(project / "gone.csv")
    (project / "in/itself.csv").symlink_to("itself.csv")
    assert found(project, "in/**/*.csv") == ["in/a.csv", "in/link.csv", "in/x/a.csv", "in/x/y/a.csv"]
    assert found(project, "in/loop/*.csv") == ["in/loop/a.csv", "in/loop/link.csv"]


def test_the_project_itself_may_be_reached_by_a_link(project: Path) -> None:
    (project.parent / "alias").symlink_to(project)
    assert found(project.parent / "alias", "in/*.csv") == ["in/a.csv"]

"""Data sets and projects in the work folder."""

from __future__ import annotations

import os
import shutil
from dataclasses import asdict
from pathlib import Path

from benchmarks.measure import ROOT, run
from benchmarks.size import Size


class Workplace:
    """A folder with data sets, which are kept, and projects, which are made anew."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.folder.mkdir(parents=True, exist_ok=True)

    def data_set(self, size: Size) -> Path:
        """The data set of a size, written unless it is there."""
        folder = self.folder / "data" / "-".join(str(value) for value in asdict(size).values())
        options = [f"--{name.replace('_', '-')}={value}" for name, value in asdict(size).items()]
        run(["-m", "benchmarks.generate", folder, *options], self.log("generate"))
        return folder

    def project(self, name: str, data: Path, settings: str = "") -> Path:
        """A project that nothing has run in yet, with the history of a data set as its incoming files."""
        project = self.folder / "projects" / name
        shutil.rmtree(project, ignore_errors=True)
        shutil.copytree(ROOT / "benchmarks" / "project", project)
        if settings:
            with (project / "systock.toml").open("a") as file:
                file.write(f"\n{settings}\n")
        link_files(data / "incoming", project / "incoming")
        return project

    def remove(self, project: Path) -> None:
        """Remove a project; data sets stay."""
        shutil.rmtree(project, ignore_errors=True)

    def log(self, name: str) -> Path:
        """Where a measured command's words go."""
        return self.folder / "logs" / f"{name}.txt"


def link_files(source: Path, target: Path) -> None:
    """Put every file of a folder into another: hard links, so that nothing is copied and times stay."""
    for folder, _, names in os.walk(source):
        place = target / Path(folder).relative_to(source)
        place.mkdir(parents=True, exist_ok=True)
        for name in names:
            os.link(Path(folder) / name, place / name)

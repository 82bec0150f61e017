"""What there is, is documented: every command, option and setting is named in the documentation."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
import typer

from systock.api_settings import ApiSource
from systock.cli.app import app
from systock.config import Settings

ROOT = Path(__file__).parents[2]
FILES = [
    *ROOT.glob("README.md"),
    *ROOT.glob("START_HERE.md"),
    *ROOT.glob("DOCKER_SETUP.md"),
    *sorted(ROOT.glob("docs/**/*.md")),
]
DOCS = "\n".join(path.read_text("utf-8") for path in FILES)


def commands(command: Any = None, name: str = "systock") -> Iterator[tuple[str, Any]]:
    command = command or typer.main.get_command(app)
    below = getattr(command, "commands", {})
    if not below:
        yield name, command
    for part, child in below.items():
        yield from commands(child, f"{name} {part}")


def options() -> list[str]:
    return sorted(
        {option for _, command in commands() for param in command.params for option in param.opts if option[:2] == "--"}
    )


def sections(kind: Any) -> list[Any]:
    """The sections that a setting may be: several where its type decides."""
    if hasattr(kind, "model_fields"):
        return [kind]
    return [] if get_origin(kind) in (dict, tuple, list) else [s for part in get_args(kind) for s in sections(part)]


def settings(section: Any = Settings, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Section as the documentation writes it ([sources.<source>]), and setting."""
    for name, field in section.model_fields.items():
        each = get_origin(field.annotation) is dict
        inner = sections(get_args(field.annotation)[-1] if each else field.annotation)
        for found in inner:
            yield from settings(found, f"{prefix}{name}.<{name.removesuffix('s')}>." if each else f"{prefix}{name}.")
        if not inner:
            yield prefix.removesuffix("."), name


def says(pattern: str) -> bool:
    return re.search(pattern, DOCS, re.MULTILINE) is not None


@pytest.mark.parametrize("command", [name for name, _ in commands()])
def test_command_is_documented(command: str) -> None:
    # In a list such as `systock quarantine list | show | retry` the last word stands alone.
    group, _, last = command.rpartition(" ")
    listed = rf"{re.escape(group)} [a-z |]*\b{re.escape(last)}\b" if " " in group else re.escape(command) + r"\b"
    assert says(listed), f"'{command}' is in none of {[path.name for path in FILES]}"


@pytest.mark.parametrize("option", options())
def test_option_is_documented(option: str) -> None:
    assert says(re.escape(option) + r"\b"), f"{option} is in none of {[path.name for path in FILES]}"


@pytest.mark.parametrize(("section", "setting"), sorted(set(settings())))
def test_setting_is_documented(section: str, setting: str) -> None:
    assert says(rf"`{setting}`|^\s*#?\s*{setting} = |`{re.escape(section)}\.{setting}`|\b{setting}="), (
        f"[{section}] {setting} is in none of {[path.name for path in FILES]}: name it as `{setting}`"
    )


def test_every_link_to_a_file_leads_somewhere() -> None:
    broken = [
        f"{path.relative_to(ROOT)}: {target}"
        for path in [*FILES, ROOT / "CONTRIBUTING.md"]
        for target in re.findall(r"\]\((?!https?://|#|mailto:)([^)#\s]+)", path.read_text("utf-8"))
        if not (path.parent / target).exists()
    ]
    assert broken == []


def test_every_example_of_an_api_is_valid() -> None:
    """Whole sections as they stand; single lines of auth, pagination and cursor in a source that needs nothing else."""
    text = (ROOT / "docs" / "apis.md").read_text("utf-8")
    blocks = [re.sub(r"(?m)^    ", "", block) for block in re.findall(r"(?:^    .*\n|^\n)+", text, re.MULTILINE)]
    tables: dict[str, dict[str, Any]] = {}
    lines = 0
    for block in blocks:
        if "[sources." in block:
            for name, source in tomllib.loads(block)["sources"].items():
                known = tables.setdefault(name, {"tables": {}})
                known["tables"] |= source.pop("tables", {})
                known |= source
        else:
            for line in block.splitlines():
                name, value = next(iter(tomllib.loads(line).items()), ("", None))
                if name:
                    lines += 1
                    table = {"endpoint": "/a", "mode": "append", **({name: value} if name == "cursor" else {})}
                    given = {} if name == "cursor" else {name: value}
                    ApiSource.model_validate({"type": "api", "base_url": "https://a", "tables": {"a": table}, **given})
    for source in tables.values():
        ApiSource.model_validate({"type": "api", "base_url": "https://a", **source})
    assert lines > 20 and set(tables) == {"shop", "vendor"}

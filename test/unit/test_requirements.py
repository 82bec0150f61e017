"""The locks agree with each other and with what is declared."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]


def pins(name: str) -> dict[str, str]:
    """The versions that a lock pins; each has at least one hash."""
    text = (ROOT / name).read_text("utf-8")
    found = {}
    for block in re.split(r"\n(?=[a-z])", text):
        pin = re.match(r"([a-z0-9._-]+)==(\S+) \\\n    --hash=sha256:", block)
        assert pin, f"{name}: {block[:60]!r} has no version with a hash"
        found[canonicalize_name(pin[1])] = pin[2]
    return found


def declared(*extras: str) -> dict[str, Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    optional = project["optional-dependencies"]
    lines = [*project["dependencies"], *(line for extra in extras for line in optional[extra])]
    needs = [Requirement(line) for line in lines]
    return {canonicalize_name(need.name): need for need in needs if need.name != "systock"}


def test_the_locks_hold_what_is_declared() -> None:
    optional = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    drivers = sorted(optional.keys() - {"dev"})
    for lock, extras in (
        ("requirements.lock", []), ("requirements-image.lock", drivers), ("requirements-dev.lock", [*drivers, "dev"]),
    ):  # fmt: skip
        pinned = pins(lock)
        for name, need in declared(*extras).items():
            assert name in pinned and need.specifier.contains(pinned[name]), f"{lock}: {need}; run make lock"


def test_the_locks_agree() -> None:
    """What is tested is what runs: in the image, in a user's environment and in a developer's."""
    developing, image = pins("requirements-dev.lock"), pins("requirements-image.lock")
    for smaller, larger in ((image, developing), (pins("requirements.lock"), image)):
        assert {name: version for name, version in smaller.items() if larger.get(name) != version} == {}
    assert not {"pytest", "mypy", "moto"} & image.keys()


def test_requirements_txt_is_the_lock_to_develop_with() -> None:
    """It names the lock instead of holding a copy, so the two cannot differ."""
    path = ROOT / "etl_pipeline" / "requirements.txt"
    lines = [line for line in path.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    [named] = [re.fullmatch(r"-r (\S+)", line) for line in lines]
    assert named and (path.parent / named[1]).resolve() == ROOT / "requirements-dev.lock"

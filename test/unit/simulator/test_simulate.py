"""The simulator's calls: the same arguments give the same bytes, wrong ones a message, and the example project fits."""

from __future__ import annotations

import csv
import gzip
import json
import re
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from systock.errors import UsageError
from systock.simulator import simulate, write_project
from systock.simulator.clock import Zone, iso_offset


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_same_arguments_same_bytes_other_seed_other_bytes(tmp_path: Path) -> None:
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        simulate(tmp_path / name, seed=seed, days=12, stores=3, products=40)
    first, second, third = (contents(tmp_path / name) for name in "abc")
    assert len(first) > 60 and first == second
    # no time of packing in the header: a run in another second gives the same bytes too
    assert {content[4:8] for path, content in first.items() if path.endswith(".gz")} == {bytes(4)}
    assert first != third


@pytest.mark.parametrize(("days", "stores", "products"), [(1, 1, 12), (2, 9, 12), (8, 1, 30)])
def test_small_chains_take_all_faults_that_fit(tmp_path: Path, days: int, stores: int, products: int) -> None:
    key = simulate(tmp_path, days=days, stores=stores, products=products)
    assert key.sales and key.on_hand and key.faults
    assert all(table.lines > 0 for table in key.tables)


def test_it_writes_into_no_folder_that_holds_a_chain(tmp_path: Path) -> None:
    simulate(tmp_path, days=1, stores=1, products=12)
    before = contents(tmp_path)
    with pytest.raises(UsageError, match="already holds"):
        simulate(tmp_path, days=1, stores=1, products=12)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("wrong", [{"days": 0}, {"stores": 0}, {"stores": 100}, {"products": 11}])
def test_numbers_out_of_range(tmp_path: Path, wrong: dict[str, int]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        simulate(tmp_path, **wrong)  # type: ignore[arg-type]
    assert not contents(tmp_path)


def test_progress_goes_from_start_to_end(tmp_path: Path) -> None:
    told: list[tuple[str, float]] = []
    simulate(tmp_path, days=2, stores=1, products=12, progress=lambda what, share: told.append((what, share)))
    assert told[0][0] == "trading" and told[-1] == ("writing files", 1.0)
    assert all(0 < share <= 1 for _, share in told)


def test_the_night_that_loses_an_hour(tmp_path: Path) -> None:
    key = simulate(tmp_path, days=3, stores=2, products=200, start=date(2024, 3, 29), faults="none")
    (path,) = tmp_path.glob("incoming/pos/sales_S02_2024-03-30_*.gz")
    rows = list(csv.DictReader(lines_of(path, "utf-8")))
    skipped = [row for row in rows if row["sold_at"].startswith("2024-03-31 02:")]
    switched = [row for row in rows if row["sold_at"].startswith("2024-03-31 03:")]
    night = [row for row in rows if row["sold_at"] >= "2024-03-31 00:"]
    assert skipped and switched and len(night) > len(skipped) + len(switched)
    # both clocks mean the new business day, which the tills' file of the day before already holds
    (day_after,) = tmp_path.glob("incoming/pos/sales_S02_2024-03-31_*.gz")
    counted = [row for row in csv.DictReader(lines_of(day_after, "utf-8")) if row["status"] == "N"]
    counted = [row for row in counted if row["sold_at"] < "2024-04-01 03:"]
    early = [row for row in skipped + switched if row["status"] == "N"]
    (told,) = [
        r for r in key.sales if (r.known_at, r.location_id, r.business_date) == (key.latest, "S02", "2024-03-31")
    ]
    assert told.lines == len(counted) + len(early)


@pytest.mark.parametrize(("zone", "wall", "utc"), [
    ("Europe/Berlin", "2024-03-31 02:30", "2024-03-31 01:30"),  # skipped: shifted forward, 03:30 summer time
    ("Europe/Berlin", "2024-10-27 02:30", "2024-10-27 01:30"),  # ambiguous: the second
    ("Europe/Berlin", "2024-07-01 12:00", "2024-07-01 10:00"),
    ("America/New_York", "2024-03-10 02:30", "2024-03-10 07:30"),
    ("America/New_York", "2024-11-03 01:30", "2024-11-03 06:30"),
])  # fmt: skip
def test_wall_clocks(zone: str, wall: str, utc: str) -> None:
    seconds = {text: int(datetime.fromisoformat(text + "+00:00").timestamp()) for text in (wall, utc)}
    assert Zone(zone).to_instant(seconds[wall]) == seconds[utc]
    told = datetime.fromisoformat(iso_offset(seconds[utc], Zone(zone)))
    # two times in zones that both switch are never equal to Python in the hours of the switch
    assert told.astimezone(UTC) == datetime.fromtimestamp(seconds[utc], ZoneInfo(zone)).astimezone(UTC)


def test_the_example_project_reads_what_is_written(tmp_path: Path) -> None:
    from systock.config import load_settings

    simulate(tmp_path, days=10, stores=3, products=30, faults="unposted_return")
    written = write_project(tmp_path)
    assert Path("systock.toml") in written and (tmp_path / "sources/pos/sale_line.sql").is_file()
    settings = load_settings(tmp_path)
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.glob("incoming/*/*")}
    for source_name, source in settings.sources.items():
        assert source.known_at == "name:k%Y%m%dT%H%M%SZ"
        for table_name, table in source.tables.items():
            own = {path.relative_to(tmp_path).as_posix() for pattern in table.path for path in tmp_path.glob(pattern)}
            assert own and own <= files
            files -= own
            lines = lines_of(tmp_path / min(own), "cp1252" if table.encoding == "cp1252" else "utf-8-sig")
            head = lines[table.skip_rows]
            columns = set(json.loads(head)) if head.startswith("{") else set(re.split("[,;]", head))
            assert {*table.key, *([table.updated_at] if table.updated_at else [])} <= columns
            mappings = [path.read_text() for path in tmp_path.glob(f"sources/{source_name}/*.sql")]
            (mapping,) = [text for text in mappings if f"FROM bronze.{source_name}__{table_name} AS" in text]
            alias = re.findall(r"FROM bronze\.\w+ AS (\w+)", mapping)[0]
            assert set(re.findall(rf"\b{alias}\.(\w+)", mapping)) <= columns
    assert not files, "a file that no table of the settings reads"


def lines_of(path: Path, encoding: str) -> list[str]:
    content = path.read_bytes()
    return (gzip.decompress(content) if path.suffix == ".gz" else content).decode(encoding).splitlines()


def test_a_project_is_not_written_over_another(tmp_path: Path) -> None:
    write_project(tmp_path)
    with pytest.raises(UsageError, match="already holds a project"):
        write_project(tmp_path)

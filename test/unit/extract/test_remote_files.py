"""Files in S3-compatible stores and on SFTP servers, read from real servers on this machine."""

from __future__ import annotations

import os
import socket
import threading
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import asyncssh
import boto3
import pytest

from systock.errors import SettingsError, SourceError
from systock.etl_pipeline.bronze_layer.land_batches import LandingSummary, land, open_log
from systock.extract.batch import FileChanging, FoundFile
from systock.extract.remote_files import RemoteFiles
from systock.source_settings import FileSource, RemoteSettings

from .remote_servers import PASSWORD, Sftp, s3_server, sftp_server

NAMES = ["a.csv", "b.txt", "x/a.csv", "x/y/a.csv", ".hidden.csv", "x/.git/a.csv", "c.csv.part", "[1].csv"]
KEYS = {"access_key": "test", "secret_key": "secret-test", "region": "us-east-1"}


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with s3_server() as address:
        yield address


@pytest.fixture
def bucket(s3: str, request: pytest.FixtureRequest) -> Any:
    """A bucket of its own."""
    name = "b" + str(abs(hash(request.node.nodeid)))
    resource = boto3.resource(
        "s3", endpoint_url=s3, aws_access_key_id="test", aws_secret_access_key="secret-test", region_name="us-east-1"
    )
    return resource.create_bucket(Bucket=name)


@pytest.fixture
def sftp(tmp_path: Path) -> Iterator[Sftp]:
    (tmp_path / "served").mkdir()
    with sftp_server(tmp_path / "served") as server:
        yield server


def served(server: Sftp, name: str, content: str | bytes = "id\n1\n", modified: float = 1_700_000_000) -> Path:
    """A file on the SFTP server."""
    path = server.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    os.utime(path, (modified, modified))
    return path


def sftp_remote(server: Sftp, **settings: Any) -> dict[str, Any]:
    return {"password": PASSWORD, "host_key": server.host_key, "timeout": "20 seconds", **settings}


def store(address: str, **settings: Any) -> RemoteFiles:
    return RemoteFiles(address, RemoteSettings.model_validate(settings), "pos")


def landed(project: Path, path: str, remote: dict[str, Any], **table: Any) -> LandingSummary:
    """Land one remote table."""
    tables = {"sales": {"mode": "append", "path": path, **table}}
    source = FileSource.model_validate({"type": "files", "remote": remote, "tables": tables})
    return land(project, {"pos": source})


def batches(project: Path) -> list[tuple[str, int]]:
    log = open_log(project)
    found = [(batch.path.rpartition("/")[2], batch.lines) for batch in log.batches()]
    log.close()
    return found


PATTERNS = [
    ("in/*.csv", ["[1].csv", "a.csv"]),
    ("in/a.csv", ["a.csv"]),
    ("in/*/*.csv", ["x/a.csv"]),
    ("in/**/*.csv", ["[1].csv", "a.csv", "x/a.csv", "x/y/a.csv"]),
    ("in/**", ["[1].csv", "a.csv", "b.txt", "x/a.csv", "x/y/a.csv"]),
    ("i?/[ab].*", ["a.csv", "b.txt"]),
    ("nothing/*.csv", []),
    ("in/zzz.csv", []),
]


@pytest.mark.parametrize(("pattern", "names"), PATTERNS)
def test_a_pattern_means_on_a_server_what_it_means_here(sftp: Sftp, pattern: str, names: list[str]) -> None:
    for name in NAMES:
        served(sftp, f"in/{name}")
    (sftp.folder / "in/linked.txt").symlink_to("b.txt")
    found = store(sftp.address, **sftp_remote(sftp)).find(f"{sftp.address}/{pattern}")
    expected = [*names, *(["linked.txt"] if pattern == "in/**" else [])]
    assert sorted(file.path for file in found) == sorted(f"{sftp.address}/in/{name}" for name in expected)
    assert {(file.size, file.modified_ns // 10**9) for file in found} <= {(5, 1_700_000_000)}


@pytest.mark.parametrize(("pattern", "names"), PATTERNS)
def test_a_pattern_means_in_a_bucket_what_it_means_here(s3: str, bucket: Any, pattern: str, names: list[str]) -> None:
    for name in [*NAMES, "x/"]:
        bucket.put_object(Key=f"in/{name}", Body=b"" if name.endswith("/") else b"id\n1\n")
    address = f"s3://{bucket.name}"
    found = store(address, endpoint_url=s3, **KEYS).find(f"{address}/{pattern}")
    assert sorted(file.path for file in found) == sorted(f"{address}/in/{name}" for name in names)


def test_a_bucket_that_is_not_there_is_an_error_and_an_empty_one_is_none(s3: str, bucket: Any) -> None:
    files = store(f"s3://{bucket.name}", endpoint_url=s3, **KEYS)
    assert files.find(f"s3://{bucket.name}/in/*.csv") == []
    with pytest.raises(SourceError, match="there is no bucket 'nosuch'") as caught:
        store("s3://nosuch", endpoint_url=s3, **KEYS).find("s3://nosuch/in/*.csv")
    assert (caught.value.where, caught.value.transient) == ("s3://nosuch", False)
    assert "Correct path" in str(caught.value.todo)


def test_files_of_a_bucket_land_once_and_again_when_their_content_changes(tmp_path: Path, s3: str, bucket: Any) -> None:
    remote = {"endpoint_url": s3, **KEYS}
    bucket.put_object(Key="in/a.csv", Body=b"id\n1\n")
    bucket.put_object(Key="in/b.csv", Body=b"id\n" + b"2\n" * 2_000_000)
    path = f"s3://{bucket.name}/in/*.csv"
    assert landed(tmp_path, path, remote).of("pos", "sales").files == 2
    assert batches(tmp_path) == [("a.csv", 1), ("b.csv", 2_000_000)]
    assert landed(tmp_path, path, remote).unchanged == 2
    # The same size, most likely in the same second: only its ETag tells.
    bucket.put_object(Key="in/a.csv", Body=b"id\n3\n")
    assert landed(tmp_path, path, remote).of("pos", "sales").files == 1
    assert list(tmp_path.glob(".systock/bronze/tmp/*")) == []


def test_an_archive_is_brought_here_once_for_all_its_members(tmp_path: Path, sftp: Sftp) -> None:
    with zipfile.ZipFile(served(sftp, "in/jan.zip", b""), "w") as archive:
        for day in range(1, 6):
            archive.writestr(zipfile.ZipInfo(f"s_202401{day:02}.csv", (2024, 1, day, 0, 0, 0)), f"id\n{day}\n")
    os.utime(sftp.folder / "in/jan.zip", (1_700_000_000, 1_700_000_000))
    path = f"{sftp.address}/in/*.zip/*.csv"
    assert landed(tmp_path, path, sftp_remote(sftp), known_at="name:%Y%m%d").of("pos", "sales").files == 5
    assert sftp.opened == ["/in/jan.zip"]
    assert landed(tmp_path, path, sftp_remote(sftp), known_at="name:%Y%m%d").unchanged == 5
    assert sftp.opened == ["/in/jan.zip"]
    assert list(tmp_path.glob(".systock/bronze/tmp/*")) == []


def test_the_time_of_a_remote_file_is_that_of_the_extraction(tmp_path: Path, sftp: Sftp) -> None:
    served(sftp, "in/a.csv", modified=1_700_000_000)
    landed(tmp_path, f"{sftp.address}/in/*", sftp_remote(sftp))
    (batch,) = open_log(tmp_path).batches()
    assert batch.extracted_at == datetime.fromtimestamp(1_700_000_000, UTC)
    assert batch.path == f"{sftp.address}/in/a.csv"
    assert PASSWORD not in (tmp_path / ".systock/bronze/landing.sqlite").read_bytes().decode("latin-1")


def test_a_server_is_known_by_its_key(tmp_path: Path, sftp: Sftp) -> None:
    other = " ".join(asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().split()[:2])
    served(sftp, "in/a.csv")
    for host_key in (other, ""):
        (failure,) = landed(tmp_path, f"{sftp.address}/in/*", sftp_remote(sftp, host_key=host_key)).failures
        assert (failure.source, failure.error.transient) == ("pos", False)
        assert "access is refused" in failure.error.what and "[sources.pos.remote]" in str(failure.error.todo)


def test_a_user_is_known_by_a_private_key(tmp_path: Path) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    (tmp_path / "id").write_bytes(key.export_private_key(passphrase="open sesame"))
    (tmp_path / "id").chmod(0o600)
    with sftp_server(tmp_path / "served", key) as server:
        served(server, "in/a.csv")
        remote = {"host_key": server.host_key, "private_key": str(tmp_path / "id"), "passphrase": "open sesame"}
        assert landed(tmp_path, f"{server.address}/in/*", remote).of("pos", "sales").files == 1
        wrong = {**remote, "passphrase": "no-such-words"}
        (failure,) = landed(tmp_path, f"{server.address}/in/*", wrong).failures
        assert not failure.error.transient and "no-such-words" not in str(failure.error)


def test_a_wrong_password_is_no_passing_fault(tmp_path: Path, sftp: Sftp) -> None:
    (failure,) = landed(tmp_path, f"{sftp.address}/in/*", sftp_remote(sftp, password="wr0ng-w0rd")).failures
    assert not failure.error.transient and "refused" in failure.error.what
    assert "wr0ng-w0rd" not in str(failure.error) and failure.error.where == sftp.address


@pytest.mark.parametrize("scheme", ["s3", "sftp"])
def test_a_machine_that_is_not_there_is_a_passing_fault(tmp_path: Path, scheme: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    path = "s3://bucket/in/*.csv" if scheme == "s3" else f"sftp://till@127.0.0.1:{port}/in/*.csv"
    remote = {"endpoint_url": f"http://127.0.0.1:{port}", **KEYS, "timeout": "2 seconds"}
    (failure,) = landed(tmp_path, path, remote).failures
    assert failure.error.transient and "cannot be reached" in failure.error.what
    assert "secret-test" not in str(failure.error)


@pytest.mark.parametrize("scheme", ["s3", "sftp"])
def test_a_machine_that_never_answers_is_a_passing_fault(tmp_path: Path, scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        path = "s3://bucket/in/*.csv" if scheme == "s3" else f"sftp://till@127.0.0.1:{port}/in/*.csv"
        remote = {"endpoint_url": f"http://127.0.0.1:{port}", **KEYS, "timeout": "1 second"}
        (failure,) = landed(tmp_path, path, remote).failures
    assert failure.error.transient


@pytest.mark.parametrize("fault", ["stall", "drop"])
def test_a_transfer_that_breaks_off_lands_nothing_and_the_next_run_goes_on(
    tmp_path: Path, sftp: Sftp, fault: str
) -> None:
    served(sftp, "in/a.csv", "id\n1\n", 1_700_000_000)
    served(sftp, "in/b.csv", "id\n" + "2\n" * 400_000, 1_700_000_001)
    served(sftp, "in/c.csv", "id\n3\n", 1_700_000_002)
    signal: threading.Event = getattr(sftp, fault)
    signal.set()
    summary = landed(tmp_path, f"{sftp.address}/in/*", sftp_remote(sftp, timeout="5 seconds"))
    (failure,) = summary.failures
    assert failure.error.transient and failure.error.where == f"{sftp.address}/in/b.csv"
    assert batches(tmp_path) == [("a.csv", 1)]
    assert list(tmp_path.glob(".systock/bronze/tmp/*")) == []
    signal.clear()
    assert landed(tmp_path, f"{sftp.address}/in/*", sftp_remote(sftp)).failures == []
    assert batches(tmp_path) == [("a.csv", 1), ("b.csv", 400_000), ("c.csv", 1)]


def test_other_sources_land_when_one_cannot_be_reached(tmp_path: Path) -> None:
    (tmp_path / "here.csv").write_text("id\n1\n")
    os.utime(tmp_path / "here.csv", (1_700_000_000, 1_700_000_000))
    table = {"mode": "append"}
    away = {
        "type": "files",
        "remote": {"timeout": "1 second"},
        "tables": {"sales": {**table, "path": "sftp://x@127.0.0.1:1/*"}},
    }
    here = {"type": "files", "tables": {"sales": {**table, "path": "here.csv"}}}
    sources = {"away": FileSource.model_validate(away), "here": FileSource.model_validate(here)}
    summary = land(tmp_path, sources)
    assert [failure.source for failure in summary.failures] == ["away"]
    assert summary.of("here", "sales").files == 1


def test_a_file_that_changes_or_goes_while_it_is_brought_waits(tmp_path: Path, sftp: Sftp) -> None:
    served(sftp, "in/a.csv")
    files = store(sftp.address, **sftp_remote(sftp))
    (found,) = files.find(f"{sftp.address}/in/*")
    assert files.is_still(found)
    served(sftp, "in/a.csv", "id\n2\n", 1_700_000_005)
    assert not files.is_still(found)
    with pytest.raises(FileChanging):
        files.fetch(found, tmp_path / "copy")
    (sftp.folder / "in/a.csv").unlink()
    with pytest.raises(FileChanging):
        files.fetch(found, tmp_path / "copy")


def test_a_file_that_may_not_be_read_is_refused_and_tried_at_every_run(tmp_path: Path, s3: str, bucket: Any) -> None:
    bucket.put_object(Key="in/a.csv", Body=b"id\n1\n")
    remote = {"endpoint_url": s3, **KEYS}
    with patch("s3fs.S3FileSystem._get_file", side_effect=PermissionError("Access Denied")):
        assert landed(tmp_path, f"s3://{bucket.name}/in/*", remote).of("pos", "sales").rejected == 1
    (refused,) = open_log(tmp_path).rejected()
    assert "access is refused" in refused.reason
    assert landed(tmp_path, f"s3://{bucket.name}/in/*", remote).of("pos", "sales").files == 1


def test_without_the_extra_the_error_says_what_to_install() -> None:
    with patch.dict("sys.modules", {"s3fs": None}), pytest.raises(SettingsError, match="s3fs") as caught:
        store("s3://bucket")
    assert caught.value.todo == "Install SyStock with it: pip install 'systock[remote]'."


def test_the_version_is_told_by_size_time_and_etag() -> None:
    files = RemoteFiles.__new__(RemoteFiles)
    files._address = "s3://bucket"
    at = datetime(2024, 5, 31, 12, 0, 0, 123_456, tzinfo=UTC)
    one, other = (files._found("/a", {"LastModified": at, "ETag": tag, "size": 5}) for tag in ('"abc"', '"abd"'))
    assert one != other and one.modified_ns // 1000 == other.modified_ns // 1000 == int(at.timestamp() * 1e6)
    assert isinstance(one, FoundFile)


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("http://host/a.csv", "http:// is not read"), ("s3://bucket", "names no file"), ("sftp://till:pw-1234@host/a.csv", "a password has its place"),
        ("sftp:///a.csv", "is not an address"), ("s3://bucket/../a.csv", "names no file"), ("sftp://host/in/", "names no file"),
    ],
)  # fmt: skip
def test_wrong_addresses_are_named(path: str, what: str) -> None:
    with pytest.raises(ValueError, match=what) as caught:
        FileSource.model_validate({"type": "files", "tables": {"a": {"mode": "append", "path": path}}})
    assert "pw-1234" not in str(caught.value)


def test_a_source_error_is_what_a_fault_is() -> None:
    with pytest.raises(SourceError, match="cannot be reached"):
        store("sftp://x@127.0.0.1:1", timeout="1 second")

"""Every kind of storage keeps one contract: what it stores, what a missing key is, and what an outage is."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from apps.documents import storage
from apps.documents.errors import DocumentMissing, StorageFull, StorageUnavailable
from parse_project import backends
from tests import services
from tests.chaos.proxy import ChaosProxy
from tests.services import Service
from tests.small_disk import SmallDisk, small_disk


@pytest.fixture(scope="module")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    server = services.start_s3(tmp_path_factory.mktemp("s3"))
    yield server
    server.close()


@pytest.fixture
def s3(s3_server: Service, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[ChaosProxy]:
    """The S3 server is the storage. The proxy before it can take it away."""
    for name, value in services.S3_KEYS.items():
        monkeypatch.setenv(name, value)
    with ChaosProxy(urlsplit(s3_server.url).port or 0) as proxy:
        use(settings, f"s3://{services.BUCKET}/files?endpoint_url=http://127.0.0.1:{proxy.port}")
        yield proxy


@pytest.fixture(params=["folder", "s3"])
def kind(request: pytest.FixtureRequest, settings: Any, tmp_path: Path) -> str:
    """Use each kind of storage."""
    if request.param == "s3":
        request.getfixturevalue("s3")
    else:
        use(settings, f"file://{tmp_path}/storage")
    return str(request.param)


def use(settings: Any, url: str) -> None:
    settings.STORAGES = settings.STORAGES | {"default": backends.storage(url)}


def test_bytes_are_stored_read_and_removed(kind: str) -> None:
    storage.write("jobs/a/one", b"first", durable=True)
    storage.write("jobs/a/one", io.BytesIO(b"second"))
    with storage.open_for_writing("jobs/a/b/two") as out:
        out.write(b"two")

    assert storage.read("jobs/a/one") == b"second"
    with storage.open_for_reading("jobs/a/b/two") as source:
        assert source.read() == b"two"
    assert (storage.size("jobs/a/one"), storage.size_below("jobs/a")) == (6, 9)
    storage.delete_below("jobs/a")
    assert not storage.exists("jobs/a/one")
    assert not storage.exists("jobs/a/b/two")
    storage.delete("jobs/a/one")  # what is not there is no error


def test_a_file_that_was_not_finished_is_not_stored(kind: str) -> None:
    def stop_halfway() -> None:
        with storage.open_for_writing("jobs/a/half") as out:
            out.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        stop_halfway()
    assert not storage.exists("jobs/a/half")


def test_a_missing_key_is_no_outage(kind: str) -> None:
    storage.write("jobs/a/one", b"first")
    for read in (storage.read, storage.open_for_reading, storage.size):
        with pytest.raises(FileNotFoundError):
            read("jobs/a/none")
    with pytest.raises(DocumentMissing):
        storage.open_original("dfl-none")
    with pytest.raises(DocumentMissing), storage.local_original("dfl-none"):
        pass


def test_a_document_is_readable_as_a_local_file(kind: str) -> None:
    storage.write(storage.original("dfl-one"), b"%PDF-1.7", durable=True)
    with storage.local_original("dfl-one") as path:
        assert path.read_bytes() == b"%PDF-1.7"


def assert_away() -> None:
    for use_storage in (
        lambda: storage.read("jobs/a/one"),
        lambda: storage.open_for_reading("jobs/a/one"),
        lambda: storage.size("jobs/a/one"),
        lambda: storage.write("jobs/a/two", b"second"),
        lambda: storage.open_original("dfl-one"),
    ):
        with pytest.raises(StorageUnavailable):
            use_storage()


def test_s3_that_is_away_is_an_outage(s3: ChaosProxy) -> None:
    storage.write("jobs/a/one", b"first")
    s3.set("reset", bytes=0)

    assert_away()
    for use_storage in (storage.exists, storage.delete, storage.delete_below, storage.size_below):
        with pytest.raises(StorageUnavailable):
            use_storage("jobs/a/one")

    s3.set("pass")
    assert storage.read("jobs/a/one") == b"first"


def test_a_bucket_that_is_missing_is_an_outage(s3: ChaosProxy, settings: Any) -> None:
    use(settings, f"s3://another-bucket/files?endpoint_url=http://127.0.0.1:{s3.port}")
    assert_away()


def test_a_folder_that_is_missing_is_an_outage(settings: Any, tmp_path: Path) -> None:
    use(settings, f"file://{tmp_path}/storage")
    with pytest.raises(StorageUnavailable):
        storage.read("jobs/a/one")


def test_a_full_disk_keeps_no_part_of_a_file(settings: Any, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", kilobytes=512) as disk:
        use(settings, f"file://{disk.path}/storage")
        storage.write("jobs/a/one", b"first")

        with pytest.raises(StorageFull):
            storage.write("jobs/a/large", bytes(1024 * 1024))

        assert _files(disk) == ["one"]
        disk.set_read_only(True)
        with pytest.raises(StorageUnavailable):
            storage.write("jobs/a/two", b"second")
        assert storage.read("jobs/a/one") == b"first"


def _files(disk: SmallDisk) -> list[str]:
    return [path.name for path in (disk.path / "storage").rglob("*") if path.is_file()]

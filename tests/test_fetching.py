"""Models from elsewhere, with a store in memory, one on disk and a hub that stands in."""

from __future__ import annotations

import inspect
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from obstore import put
from obstore.store import LocalStore, MemoryStore, ObjectStore

from credenza.errors import InputError
from credenza.fetching import Entry, Hub, Source, Stored, check_url, fetched, source


@pytest.fixture(params=["memory", "disk"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    made = MemoryStore() if request.param == "memory" else LocalStore(tmp_path)
    for name in ("models/reader/a.pkl", "models/reader/sub/b.bin", "models/reader2/c", "d"):
        put(made, name, name.encode())
    return made


@dataclass
class Named:
    """A source of given entries, each with ``content``."""

    listed: Iterable[Entry]
    content: bytes = b"x"

    def entries(self) -> Iterable[Entry]:
        return self.listed

    def fetch(self, entry: Entry, to: Path, room: int) -> None:
        if len(self.content) > room:
            raise InputError("too large")
        to.write_bytes(self.content)


def contents(found: Source) -> dict[str, bytes]:
    with fetched(found) as top:
        return {str(p.relative_to(top)): p.read_bytes() for p in top.rglob("*") if p.is_file()}


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("models/reader", {"a.pkl": "models/reader/a.pkl", "sub/b.bin": "models/reader/sub/b.bin"}),
        ("/models/reader/sub/", {"b.bin": "models/reader/sub/b.bin"}),
        ("models/reader/a.pkl", {"a.pkl": "models/reader/a.pkl"}),
        ("d", {"d": "d"}),
    ],
)
def test_a_prefix_or_one_object(prefix: str, expected: dict[str, str], store: ObjectStore) -> None:
    assert contents(Stored(store, prefix)) == {k: v.encode() for k, v in expected.items()}


def test_a_whole_store(store: ObjectStore) -> None:
    assert len(contents(Stored(store))) == 4


def test_what_is_not_there_is_said(store: ObjectStore) -> None:
    with pytest.raises(InputError, match="object store"), fetched(Stored(store, "models/none")):
        pass


def test_the_folder_is_private_and_removed_whatever_happens(store: ObjectStore) -> None:
    def broken() -> None:
        with fetched(Stored(store)) as top:
            seen.append(top)
            assert stat.S_IMODE(os.stat(top).st_mode) == 0o700  # noqa: PTH116
            raise RuntimeError

    seen: list[Path] = []
    with pytest.raises(RuntimeError):
        broken()
    assert not seen[0].exists()


def test_no_more_is_fetched_than_may_be(store: ObjectStore) -> None:
    with fetched(Stored(store, "models/reader"), limit=42):
        pass
    with (
        pytest.raises(InputError, match="more than 41 bytes"),
        fetched(Stored(store, "models/reader"), limit=41),
    ):
        pass


def test_a_source_that_understates_a_size_is_stopped() -> None:
    with (
        pytest.raises(InputError, match="too large"),
        fetched(Named([Entry("a", 1)], b"x" * 20), limit=10),
    ):
        pass


@pytest.mark.parametrize(
    "path", ["../a", "/a", "a/../../b", "a//b", "", ".", "a/./b", "a\0b", "a/"]
)
def test_a_path_that_leads_out_is_refused(path: str) -> None:
    with pytest.raises(InputError, match="stays inside"), fetched(Named([Entry(path, 1)])):
        pass


@pytest.mark.parametrize("paths", [["a", "a"], ["a", "a/b"], ["a/b", "a"]])
def test_two_that_take_one_place_are_refused(paths: list[str]) -> None:
    with pytest.raises(InputError), fetched(Named([Entry(p, 1) for p in paths])):
        pass


def test_nothing_is_no_model() -> None:
    with pytest.raises(InputError, match="no file"), fetched(Named([])):
        pass


@dataclass
class FakeHub:
    """As much of `huggingface_hub.HfApi` as is used."""

    files: dict[str, bytes]
    asked: list[tuple[str, Any]] = field(default_factory=list)

    def model_info(self, name: str, *, revision: str | None, files_metadata: bool) -> Any:
        self.asked.append((name, revision))
        if name != "acme/reader":
            raise ConnectionError("no such model")
        siblings = [SimpleNamespace(rfilename=n, size=len(d)) for n, d in self.files.items()]
        return SimpleNamespace(sha="c0ffee", siblings=siblings)

    def hf_hub_download(self, name: str, path: str, *, revision: str, local_dir: str) -> str:
        self.asked.append((path, revision))
        to = Path(local_dir) / path
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_bytes(self.files[path])
        (Path(local_dir) / ".cache").mkdir(exist_ok=True)  # as the client does
        return str(to)


HUB = {"config.json": b"{}", "sub/a.pkl": b"pickle", "sub2/b": b"b"}


@pytest.mark.parametrize(
    ("url", "revision", "expected"),
    [
        ("hf://acme/reader", None, {"config.json", "sub/a.pkl", "sub2/b"}),
        ("hf://acme/reader@v1", "v1", {"config.json", "sub/a.pkl", "sub2/b"}),
        ("hf://acme/reader@v1/sub", "v1", {"sub/a.pkl"}),
        ("hf://acme/reader/sub/a.pkl", None, {"sub/a.pkl"}),
    ],
)
def test_a_model_of_the_hub_at_one_commit(
    url: str, revision: str | None, expected: set[str]
) -> None:
    hub = FakeHub(HUB)
    assert contents(Hub.parse(url, hub)) == {name: HUB[name] for name in expected}
    assert hub.asked == [
        ("acme/reader", revision),
        *((name, "c0ffee") for name in HUB if name in expected),
    ]


def test_what_the_hub_says_is_our_error() -> None:
    with (
        pytest.raises(InputError, match="no such model"),
        fetched(Hub.parse("hf://acme/other", FakeHub({}))),
    ):
        pass


@pytest.mark.parametrize(
    "url", ["hf://", "hf://acme", "hf://acme/", "hf:///x", "hf://a/b@", "hf://a/@v"]
)
def test_a_url_of_the_hub_that_names_no_model(url: str) -> None:
    with pytest.raises(InputError, match="OWNER/NAME"):
        Hub.parse(url, FakeHub({}))


@pytest.mark.parametrize("url", ["http://x/y", "file:///etc", "ftp://x", "HF://a/b"])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(InputError, match="expected"):
        check_url(url)
    with pytest.raises(InputError, match="expected"):
        source(url)


def test_a_bucket_is_found_by_its_url() -> None:
    assert isinstance(source("s3://bucket/models/reader"), Stored)
    assert isinstance(source("gs://bucket"), Stored)


def test_the_hubs_client_takes_what_the_fake_one_takes() -> None:
    hub = pytest.importorskip("huggingface_hub").HfApi
    for name in ("model_info", "hf_hub_download"):
        fake = inspect.signature(getattr(FakeHub, name)).parameters
        real = inspect.signature(getattr(hub, name)).parameters
        by_name = {p for p, given in fake.items() if given.kind is given.KEYWORD_ONLY}
        assert by_name <= real.keys(), name

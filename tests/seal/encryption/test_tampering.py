"""Encrypted models that somebody changed: refused, and by nothing but our refusals."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

import credenza
from credenza.errors import (
    AlteredError,
    CredenzaError,
    InputError,
    MalformedError,
    NotRecipientError,
    RefusedError,
)
from credenza.seal import encryption as enc
from credenza.seal import read, seal, seal_path
from credenza.seal.digests import u
from credenza.seal.encryption import Identity, Kem
from credenza.seal.encryption.header import Header
from credenza.seal.encryption.layout import PREAMBLE, Record, runs, stream_size
from credenza.seal.encryption.stream import NO_ROOT, DataKey
from credenza.seal.verifying import wanted
from tests.seal.models import KEY, TRUST, small_model

READER = Identity.new(Kem.X25519)
OTHER = Identity.new(Kem.HYBRID)
HEADER, PAYLOAD = "credenza.encrypted", "payload"
MEBI = 2**20


def _equal_tensors(folder: Path) -> Path:
    """A model with tensors of equal shape and several records each."""
    folder.mkdir()
    rng = np.random.default_rng(3)
    weights = {name: rng.standard_normal((768, 1024), np.float32) for name in ("a", "b")}
    save_file(weights, folder / "model.safetensors")
    seal(credenza.open(folder), KEY)
    return folder


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("original")
    model = small_model(place)
    seal(credenza.open(model), KEY)
    enc.encrypt(model, TRUST, [OTHER.recipient, READER.recipient], place / "enc")
    return place / "enc"


@pytest.fixture(scope="module")
def two_tensors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("two")
    enc.encrypt(_equal_tensors(place / "m"), TRUST, [READER.recipient], place / "enc")
    return place / "enc"


@pytest.fixture
def encrypted(original: Path, tmp_path: Path) -> Path:
    return shutil.copytree(original, tmp_path / "enc")


@pytest.fixture
def large(two_tensors: Path, tmp_path: Path) -> Path:
    return shutil.copytree(two_tensors, tmp_path / "large")


def _refused(path: Path, rule: str = "seal.encrypted-payload") -> AlteredError:
    with pytest.raises(AlteredError) as refused:
        read(path, TRUST, identity=READER)
    assert {f.rule for f in refused.value.report.findings} == {rule}
    with pytest.raises(AlteredError):
        enc.decrypt(path, TRUST, READER, path.parent / "plain")
    assert not (path.parent / "plain").exists()
    return refused.value


def _records(path: Path) -> list[Record]:
    """Every record of the segments, found with the reader's key."""
    with enc.opening.opened(path, TRUST, READER) as model:
        seal_ = model.sealed.value.seal
        return [r for run in runs(seal_, model.first) for r in run.records()]


def _flips(data: bytes, step: int) -> Iterator[bytes]:
    for place in range(0, len(data), step):
        flipped = data[place] ^ 1 << place % 8
        yield data[:place] + bytes([flipped]) + data[place + 1 :]


@pytest.mark.parametrize(("name", "step"), [(HEADER, 3), (PAYLOAD, 11)])
def test_any_flipped_bit_is_refused(encrypted: Path, name: str, step: int) -> None:
    good = (encrypted / name).read_bytes()
    count = 0
    for bad in _flips(good, step):
        (encrypted / name).write_bytes(bad)
        with pytest.raises(RefusedError):
            read(encrypted, TRUST, identity=READER)
        count += 1
    (encrypted / name).write_bytes(good)
    read(encrypted, TRUST, identity=READER)
    assert count > 500


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_any_mutation_is_refused(original: Path, tmp_path: Path, data: st.DataObject) -> None:
    """Bytes changed, cut out, put in, or doubled, anywhere: a refusal, and no other exception."""
    name = data.draw(st.sampled_from([HEADER, PAYLOAD]))
    good = (original / name).read_bytes()
    start = data.draw(st.integers(0, len(good)))
    stop = data.draw(st.integers(start, min(len(good), start + 64)))
    middle = data.draw(st.one_of(st.binary(max_size=64), st.just(good[start:stop] * 2)))
    bad = good[:start] + middle + good[stop:]
    target = tmp_path / "mutated"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(original, target)
    (target / name).write_bytes(bad)
    if bad == good:
        read(target, TRUST, identity=READER)
    else:
        with pytest.raises(RefusedError):
            read(target, TRUST, identity=READER)


@given(st.binary(max_size=600))
def test_a_header_of_any_bytes(data: bytes) -> None:
    with pytest.raises(InputError):
        Header.parse(data)


@pytest.mark.parametrize("keep", [0, 1, 31, 32, 47, 48, 400])
def test_a_payload_cut_off(encrypted: Path, keep: int) -> None:
    good = (encrypted / PAYLOAD).read_bytes()
    (encrypted / PAYLOAD).write_bytes(good[:keep])
    assert "another size" in str(_refused(encrypted))


def test_a_payload_cut_off_at_a_record_or_lengthened(large: Path) -> None:
    good = (large / PAYLOAD).read_bytes()
    last = _records(large)[-1]
    for bad in (good[: last.at], good + b"\0", good + good[last.at :]):
        (large / PAYLOAD).write_bytes(bad)
        refused = _refused(large)
        assert refused.report.findings[0].expected == f"{len(good)} bytes"
        assert refused.report.findings[0].found == f"{len(bad)} bytes"


def _exchange(data: bytes, a: Record, b: Record) -> bytes:
    one, two = data[a.at : a.stop], data[b.at : b.stop]
    assert len(one) == len(two)
    changed = bytearray(data)
    changed[a.at : a.stop], changed[b.at : b.stop] = two, one
    return bytes(changed)


def test_records_cannot_change_places(large: Path) -> None:
    """Within a tensor, and between two tensors of equal shape."""
    good = (large / PAYLOAD).read_bytes()
    records = [r for r in _records(large) if r.run.segment.size > MEBI]
    a, b = records[: len(records) // 2], records[len(records) // 2 :]
    for one, two in ((a[0], a[1]), (a[0], b[0]), (a[-1], b[-1])):
        (large / PAYLOAD).write_bytes(_exchange(good, one, two))
        assert "does not open" in str(_refused(large))


def test_a_record_cannot_be_doubled(large: Path) -> None:
    good = bytearray((large / PAYLOAD).read_bytes())
    first, second = [r for r in _records(large) if r.run.segment.size > MEBI][:2]
    good[second.at : second.stop] = good[first.at : first.stop]
    (large / PAYLOAD).write_bytes(good)
    where = _refused(large).report.findings[0].where
    assert (where.file, where.start, where.stop) == (PAYLOAD, second.at, second.stop)


def test_payloads_and_headers_of_two_encryptions_do_not_mix(large: Path, tmp_path: Path) -> None:
    """Of the very same model, to the very same recipient."""
    again = tmp_path / "again"
    enc.encrypt(_equal_tensors(tmp_path / "m"), TRUST, [READER.recipient], again)
    mine, other = (large / PAYLOAD).read_bytes(), (again / PAYLOAD).read_bytes()
    assert len(mine) == len(other)
    (large / PAYLOAD).write_bytes(other)
    _refused(large)
    for record in _records(again):  # or one record alone
        (large / PAYLOAD).write_bytes(
            mine[: record.at] + other[record.at : record.stop] + mine[record.stop :]
        )
        _refused(large)
    (large / PAYLOAD).write_bytes(mine)
    shutil.copy(again / HEADER, large / HEADER)
    _refused(large)


def _changed(path: Path, change: Callable[[Header], Header]) -> None:
    header = Header.parse((path / HEADER).read_bytes())
    (path / HEADER).write_bytes(bytes(change(header)))


def test_recipients_cannot_be_added_dropped_or_moved_without_the_key(encrypted: Path) -> None:
    good = (encrypted / HEADER).read_bytes()
    for change in (
        lambda h: Header(h.container, h.recipients[::-1], h.mac),
        lambda h: Header(h.container, h.recipients[1:], h.mac),
        lambda h: Header(h.container, h.recipients + h.recipients[:1], h.mac),
        lambda h: Header(h.container, h.recipients, bytes(32)),
    ):
        (encrypted / HEADER).write_bytes(good)
        _changed(encrypted, change)
        _refused(encrypted, "seal.encrypted-header")
        with pytest.raises(AlteredError):
            enc.rekey(encrypted, READER, [OTHER.recipient])


def test_a_recipient_of_another_model_is_none_of_this_one(encrypted: Path, large: Path) -> None:
    """A wrapped key is bound to its container: nobody is made to use the key of another."""
    other = Header.parse((large / HEADER).read_bytes()).recipients
    _changed(encrypted, lambda h: Header(h.container, other, h.mac))
    with pytest.raises(NotRecipientError):
        read(encrypted, TRUST, identity=READER)


def test_another_container_id(encrypted: Path) -> None:
    _changed(encrypted, lambda h: Header(bytes(32), h.recipients, h.mac))
    with pytest.raises(NotRecipientError):
        read(encrypted, TRUST, identity=READER)


def _data_key(path: Path) -> DataKey:
    return Header.read(path).unwrap(READER, path)


def test_who_has_the_data_key_still_cannot_forge(large: Path) -> None:
    """A recipient encrypts other parameters under the right key: the signed seal refuses them."""
    key, record = _data_key(large), _records(large)[-1]
    with enc.opening.opened(large, TRUST, READER) as model:
        root = model.sealed.value.seal.root
    stream = key.stream(record.run.number, root, record.run.count)
    payload = bytearray((large / PAYLOAD).read_bytes())
    plain = bytearray(record.size)
    stream.open(record.index, bytes(payload[record.at : record.stop]), memoryview(plain))
    plain[5000] ^= 1
    stream.seal(record.index, bytes(plain), memoryview(payload)[record.at : record.stop])
    (large / PAYLOAD).write_bytes(payload)
    [finding] = _refused(large, "seal.tensor-altered").report.findings
    assert finding.where.tensor == "b"
    assert (record.first + 5000) // 4096 in finding.where.rows
    assert finding.expected != finding.found


def _with_metadata(path: Path, metadata: bytes, size: int | None = None) -> None:
    """Write streams 0 and 1 anew, as who has the data key can, and no segments."""
    key = _data_key(path)
    total = PREAMBLE + stream_size(len(metadata))
    out = bytearray(total)
    sizes = u(len(metadata) if size is None else size) + u(total)
    key.stream(0, NO_ROOT, 1).seal(0, sizes, memoryview(out)[:PREAMBLE])
    key.stream(1, NO_ROOT, 1).seal(0, metadata, memoryview(out)[PREAMBLE:])
    (path / PAYLOAD).write_bytes(out)


def test_metadata_by_who_has_the_data_key(encrypted: Path, original: Path) -> None:
    sealed = seal_path(original.parent / "reader").read_bytes()
    for kind, message in ((b"\0", "another size"), (b"\2", "neither a file nor a folder")):
        _with_metadata(encrypted, kind + sealed)
        assert message in str(_refused(encrypted))
    for size in (0, 2**64 - 1, 2**30 + 2, 10_000):
        _with_metadata(encrypted, b"\0" + sealed, size)
        assert "cannot be in it" in str(_refused(encrypted))
    for bad in (b"\0", b"\0{}", b"\1" + sealed[:-1]):
        _with_metadata(encrypted, bad)
        with pytest.raises(RefusedError, match="is no seal"):
            read(encrypted, TRUST, identity=READER)


def test_a_file_that_is_missing_or_no_file(encrypted: Path) -> None:
    (encrypted / PAYLOAD).rename(encrypted / "away")
    with pytest.raises(InputError, match="payload"):
        read(encrypted, TRUST, identity=READER)
    (encrypted / PAYLOAD).symlink_to("away")
    with pytest.raises(MalformedError, match="symbolic link"):
        read(encrypted, TRUST, identity=READER)
    (encrypted / HEADER).write_bytes(b" " * (MEBI + 1))
    with pytest.raises(InputError, match="at most"):
        read(encrypted, TRUST, identity=READER)
    (encrypted / HEADER).unlink()
    with pytest.raises(InputError, match="an encrypted model expected"):
        read(encrypted, TRUST, identity=READER)


def test_only_credenzas_errors_for_a_payload_that_shrinks(encrypted: Path) -> None:
    """Opened, then cut off by another process: what is missing is not made up."""
    with enc.opening.opened(encrypted, TRUST, READER) as model:
        (encrypted / PAYLOAD).write_bytes(b"")
        with pytest.raises(CredenzaError, match="bytes expected"):
            enc.decrypting.decrypted(model, wanted(model.sealed.value.seal, None))

"""Make the vectors of `seal`: ``python -m tests.vectors.make_seal``.

``seal/reader/`` is a model; ``seal/blake3.seal`` and ``seal/sha256.seal`` are its seals, and
``seal/roots.json`` their roots as `tests.seal.reference` computes them. ``seal/refused/`` holds
seals that a trusted key signed and that are not well-formed: the name is what each probes, and
``seal/refused.json`` says what the refusal has to say. The key is RFC 8032's first test key.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import credenza
from credenza.attest import Envelope, PrivateKey, Statement, Subject, sign
from credenza.seal import Algorithm, seal, seal_path
from tests.seal import reference
from tests.seal.models import small_model

HERE = Path(__file__).parent / "seal"
SECRET = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
KEY = PrivateKey(Ed25519PrivateKey.from_private_bytes(SECRET))
NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)

Change = Callable[[Any], object]


def _weights(predicate: Any) -> Any:
    [file] = [f for f in predicate["files"] if f["path"] == "model.safetensors"]
    return file


def _tensor(predicate: Any, name: str = "fc.weight") -> Any:
    [tensor] = [t for t in _weights(predicate)["tensors"] if t["name"] == name]
    return tensor


REFUSED: dict[str, tuple[Change, str]] = {
    "files_out_of_order": (lambda p: p["files"].reverse(), "in the order of their paths"),
    "file_twice": (lambda p: p["files"].append(p["files"][-1]), "in the order of their paths"),
    "no_files": (lambda p: p.update(files=[]), "at least one file expected"),
    "algorithm_unknown": (lambda p: p.update(algorithm="md5"), "md5"),
    "member_unknown": (lambda p: p.update(more=1), "unknown field"),
    "path_leads_out": (lambda p: p["files"][0].update(path="../config.json"), "relative path"),
    "path_absolute": (lambda p: p["files"][0].update(path="/config.json"), "relative path"),
    "path_empty": (lambda p: p["files"][0].update(path=""), "relative path"),
    "path_backslash": (lambda p: p["files"][0].update(path="a\\b"), "relative path"),
    "path_nul": (lambda p: p["files"][0].update(path="a\0b"), "relative path"),
    "size_over_64_bits": (
        lambda p: p["files"][0].update(size=10**30),
        "bytes of chunk digests expected",
    ),
    "size_negative": (lambda p: p["files"][0].update(size=-1), "empty or inverted segment"),
    "size_too_small": (lambda p: p["files"][0].update(size=3), "add up to"),
    "segment_starts_late": (
        lambda p: _weights(p)["segments"][0].update(start=8),
        "do not fit",
    ),
    "segments_overlap": (
        lambda p: _weights(p)["segments"][1].update(start=0),
        "empty or inverted segment",
    ),
    "chunk_zero": (lambda p: _weights(p)["segments"][0].update(chunk=0), "a chunk of 1 to"),
    "chunk_too_large": (
        lambda p: _weights(p)["segments"][0].update(chunk=2**25),
        "a chunk of 1 to",
    ),
    "digests_missing": (
        lambda p: _weights(p)["segments"][0].update(digests=""),
        "bytes of chunk digests expected",
    ),
    "digests_not_base64": (
        lambda p: _weights(p)["segments"][0].update(digests="!"),
        "not well-formed",
    ),
    "digest_of_other_bytes": (
        lambda p: _weights(p)["segments"][0].update(
            digests="A" * len(_weights(p)["segments"][0]["digests"].rstrip("="))
            + "=" * _weights(p)["segments"][0]["digests"].count("=")
        ),
        "add up to",
    ),
    "tensor_on_no_segment": (lambda p: _tensor(p).update(segment=99), "there is none"),
    "tensor_on_negative_segment": (lambda p: _tensor(p).update(segment=-1), "there is none"),
    "tensor_leaves_its_segment": (lambda p: _tensor(p).update(shape=[10**9]), "leaves its segment"),
    "tensor_of_negative_size": (lambda p: _tensor(p).update(shape=[-1]), "negative size"),
    "tensor_offset_beyond_the_end": (lambda p: _tensor(p).update(offset=1), "leaves its segment"),
    "strides_of_other_rank": (
        lambda p: _tensor(p).update(strides=[1, 1, 1]),
        "needs a stride a dimension",
    ),
    "axes_too_many": (lambda p: _tensor(p).update(shape=[2**62] * 65), "too many axes"),
    "axis_too_large": (lambda p: _tensor(p).update(shape=[2**63, 0]), "too many axes"),
    "offset_too_large": (lambda p: _tensor(p).update(offset=2**63), "too many axes"),
    "dtype_unknown": (lambda p: _tensor(p).update(dtype="F33"), "F33"),
    "byteorder_unknown": (lambda p: _tensor(p).update(byteorder="middle"), "unknown byte order"),
    "encoding_unknown": (lambda p: _tensor(p).update(encoding="lzma"), "or encoding"),
    "tensor_twice": (
        lambda p: _weights(p)["tensors"].append(_tensor(p)),
        "two tensors of one name",
    ),
    "empty_tensor_on_a_segment": (lambda p: _tensor(p).update(shape=[0, 64]), "views a segment"),
    "ignored_loadable": (lambda p: p.update(ignored=["more.py"]), "cannot be left out"),
    "ignored_out_of_order": (lambda p: p.update(ignored=["b", "a"]), "in order expected"),
    "ignored_leads_out": (lambda p: p.update(ignored=["../a"]), "does not stay inside"),
    "ignored_missing": (lambda p: p.pop("ignored"), "not well-formed"),
    "tensor_renamed": (lambda p: _tensor(p).update(name="another"), "add up to"),
    "shape_exchanged": (lambda p: _tensor(p).update(shape=[64, 10]), "add up to"),
}


def main() -> None:
    shutil.rmtree(HERE, ignore_errors=True)
    (HERE / "refused").mkdir(parents=True)
    model = small_model(HERE)
    roots = {}
    for algorithm in Algorithm:
        seal(credenza.open(model), KEY, algorithm=algorithm, now=NOW)
        statement = _statement(model)
        roots[algorithm.value] = reference.root(json.loads(statement.predicate), model)
        seal_path(model).rename(HERE / f"{algorithm.value}.seal")
        if algorithm is Algorithm.BLAKE3:
            _write_refused(statement)
    (HERE / "roots.json").write_text(json.dumps(roots, indent=1) + "\n")
    (HERE / "key.pub").write_bytes(KEY.public.pem)


def _write_refused(good: Statement) -> None:
    told = {}
    for name, (change, message) in REFUSED.items():
        predicate = json.loads(good.predicate)
        change(predicate)
        _write(name, Statement(good.subjects, good.predicate_type, json.dumps(predicate).encode()))
        told[name] = message
    [subject] = good.subjects
    other = Subject(subject.name, subject.algorithm, "00" * 32)
    _write("root_of_another", Statement((other,), good.predicate_type, good.predicate))
    told["root_of_another"] = "add up to"
    _write("two_subjects", Statement((subject, other), good.predicate_type, good.predicate))
    told["two_subjects"] = "add up to"
    _write("another_predicate", Statement(good.subjects, "https://example.com", good.predicate))
    told["another_predicate"] = "seal/v1 expected"
    (HERE / "refused.json").write_text(json.dumps(told, indent=1) + "\n")


def _write(name: str, statement: Statement) -> None:
    (HERE / "refused" / f"{name}.seal").write_bytes(bytes(sign(statement, [KEY])))


def _statement(model: Path) -> Statement:
    return Statement.parse(Envelope.parse(seal_path(model).read_bytes()).payload)


if __name__ == "__main__":
    main()

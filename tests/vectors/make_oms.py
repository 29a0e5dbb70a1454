"""Make the vectors under ``tests/vectors/oms``, but for those that others published.

    python -m tests.vectors.make_oms

``theirs/`` is written by the installed ``model-signing`` (whose ECDSA draws a number for each
signature, so the files differ by run), ``refused/`` holds what a trusted key signed, or what was
done to it afterwards, and must be refused with the message in ``refused.json``.
"""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path
from typing import Any

from tests.seal.oms import samples as s
from tests.seal.oms import theirs

HERE = Path(__file__).parent / "oms"

THEIRS: dict[str, tuple[str, int | None, bool]] = {
    "files-sha256": ("sha256", None, False),
    "files-blake2b": ("blake2", None, False),
    "files-blake3": ("blake3", None, False),
    "shards-sha256": ("sha256", 1000, False),
    "shards-blake2b": ("blake2", 1000, False),
    "certificate": ("sha256", None, True),
}
"""Hash by model-signing's name, shard size, and whether by a certificate."""


def _resources(t: dict[str, Any]) -> list[dict[str, Any]]:
    found = t["predicate"]["resources"]
    assert isinstance(found, list)
    return found


def _set(t: dict[str, Any], resources: list[dict[str, Any]]) -> None:
    t["predicate"]["resources"] = resources
    s.rooted(t)


def _how(t: dict[str, Any]) -> dict[str, Any]:
    found = t["predicate"]["serialization"]
    assert isinstance(found, dict)
    return found


def _named(name: str) -> s.Change:
    return lambda t: s.rooted(_rename(t, name))


def _rename(t: dict[str, Any], name: str) -> dict[str, Any]:
    _resources(t)[0]["name"] = name
    return t


def _shards(*names: str, size: float = 1000) -> s.Change:
    def change(t: dict[str, Any]) -> None:
        _how(t).update(method="shards", shard_size=size)
        one = _resources(t)[0]
        t["predicate"]["resources"] = [{**one, "name": name} for name in names]
        s.rooted(t)

    return change


STATEMENTS: dict[str, tuple[s.Change, str]] = {
    "statement-type": (lambda t: t.update(_type="https://in-toto.io/Statement/v0.1"), "type https"),
    "statement-member": (lambda t: t.update(extra=1), "unknown field `extra`"),
    "statement-no-predicate": (lambda t: t.pop("predicate"), "missing required field `predicate`"),
    "predicate-type": (
        lambda t: t.update(predicateType="https://example.com/other/v1"),
        "predicate https://model_signing/signature/v1.0 expected",
    ),
    "predicate-type-of-a-draft": (
        lambda t: t.update(predicateType="https://model_signing/DigestOfDigests/v0.1"),
        "predicate https://model_signing/signature/v1.0 expected",
    ),
    "predicate-member": (lambda t: t["predicate"].update(extra=1), "unknown field `extra`"),
    "serialization-missing": (
        lambda t: t["predicate"].pop("serialization"),
        "missing required field `serialization`",
    ),
    "serialization-member": (lambda t: _how(t).update(depth=3), "unknown field `depth`"),
    "method-unknown": (lambda t: _how(t).update(method="tensors"), "Invalid enum value 'tensors'"),
    "hash-unknown": (lambda t: _how(t).update(hash_type="md5"), "Invalid enum value 'md5'"),
    "symlinks-a-text": (lambda t: _how(t).update(allow_symlinks="false"), "Expected `bool`"),
    "shard-size-for-files": (lambda t: _how(t).update(shard_size=1), "none for files, expected"),
    "shard-size-missing": (lambda t: _how(t).update(method="shards"), "a shard_size for shards"),
    "shard-size-zero": (_shards("a:0:1", size=0), "shard_size of 1 to"),
    "shard-size-negative": (_shards("a:0:1", size=-5), "shard_size of 1 to"),
    "shard-size-a-fraction": (_shards("a:0:1", size=0.5), "shard_size of 1 to"),
    "shard-size-huge": (_shards("a:0:1", size=1e300), "shard_size of 1 to"),
    "shards-with-a-gap": (_shards("a:0:1000", "a:1001:1500"), "without a gap"),
    "shards-that-overlap": (_shards("a:0:1000", "a:900:1900"), "without a gap"),
    "shards-from-the-middle": (_shards("a:1000:2000"), "without a gap"),
    "shards-too-long": (_shards("a:0:1001"), "without a gap"),
    "shards-short-before-the-last": (_shards("a:0:900", "a:900:1900"), "without a gap"),
    "shard-empty": (_shards("a:0:0"), "PATH:START:STOP expected"),
    "shard-backwards": (_shards("a:5:2"), "without a gap"),
    "shard-without-range": (_shards("a"), "PATH:START:STOP expected"),
    "shard-number-with-zero": (_shards("a:0:01"), "PATH:START:STOP expected"),
    "shard-number-with-underscore": (_shards("a:0:1_0"), "PATH:START:STOP expected"),
    "shard-number-huge": (_shards("a:0:9999999999999999999"), "PATH:START:STOP expected"),
    "shard-of-no-path": (_shards(":0:1"), "PATH:START:STOP expected"),
    "resources-none": (
        lambda t: _set(t, []),
        "length >= 1",
    ),
    "resources-out-of-order": (
        lambda t: _set(t, _resources(t)[::-1]),
        "sorted by name expected",
    ),
    "resource-twice": (
        lambda t: _set(t, [_resources(t)[0], *_resources(t)]),
        "'a-c' occurs twice",
    ),
    "resource-of-another-hash": (
        lambda t: _resources(t)[0].update(algorithm="blake3"),
        "sha256 expected, 'blake3' found",
    ),
    "resource-hash-of-other-shards": (
        lambda t: (
            _shards("a:0:1000")(t),
            _resources(t)[0].update(algorithm="sha256-sharded-2000"),
        ),
        "sha256 expected, 'sha256-sharded-2000' found",
    ),
    "digest-upper-case": (
        lambda t: _resources(t)[0].update(digest=_resources(t)[0]["digest"].upper()),
        "64 lower-case hex digits expected",
    ),
    "digest-short": (
        lambda t: _resources(t)[0].update(digest="ab" * 31),
        "64 lower-case hex digits expected",
    ),
    "digest-of-another-model": (
        lambda t: t["subject"][0]["digest"].update(sha256="00" * 32),
        "subject: digest sha256",
    ),
    "digest-under-another-name": (
        lambda t: t["subject"][0].update(digest={"sha512": "00" * 32}),
        "subject: digest sha256",
    ),
    "digest-and-another": (
        lambda t: t["subject"][0]["digest"].update(sha512="00"),
        "subject: digest sha256",
    ),
    "subjects-two": (lambda t: t["subject"].append(t["subject"][0]), "one subject expected, 2"),
    "subjects-none": (lambda t: t["subject"].clear(), "one subject expected, 0"),
    "subject-unnamed": (lambda t: t["subject"][0].update(name=""), "length >= 1"),
    "name-leads-out": (_named("../outside"), "does not stay inside"),
    "name-leads-out-later": (_named("a/../../outside"), "does not stay inside"),
    "name-absolute": (_named("/etc/passwd"), "does not stay inside"),
    "name-not-normal": (_named("./a"), "does not stay inside"),
    "name-with-two-slashes": (_named("a//b"), "does not stay inside"),
    "name-of-a-folder": (_named("a/"), "does not stay inside"),
    "name-with-backslash": (_named("a\\b"), "systems read differently"),
    "name-with-nul": (_named("a\0b"), "systems read differently"),
    "name-right-to-left": (_named("a\u202eb"), "systems read differently"),
    "name-half-a-surrogate": (_named("a\ud800b"), "not well-formed JSON"),
    "name-dot-beside-others": (
        lambda t: _set(t, [{**_resources(t)[0], "name": "."}, *_resources(t)]),
        "'.' occurs beside others",
    ),
    "legacy-of-another-hash": (
        lambda t: t.update(
            predicateType="https://model_signing/Digests/v0.1",
            subject=[
                {
                    "name": "a",
                    "digest": {"sha256": "00" * 32},
                    "annotations": {"actual_hash_algorithm": "file-blake2"},
                }
            ],
        ),
        "file-sha256 expected, 'file-blake2' found",
    ),
    "legacy-of-nothing": (
        lambda t: t.update(predicateType="https://model_signing/Digests/v0.1", subject=[]),
        "at least one subject expected",
    ),
    "legacy-twice": (
        lambda t: t.update(
            predicateType="https://model_signing/Digests/v0.1",
            subject=[{"name": "a", "digest": {"sha256": "00" * 32}}] * 2,
        ),
        "'a' occurs twice",
    ),
}
"""What a trusted key signed all the same."""


def _envelope(b: dict[str, Any]) -> dict[str, Any]:
    found = b["dsseEnvelope"]
    assert isinstance(found, dict)
    return found


def _key(b: dict[str, Any]) -> dict[str, Any]:
    found = b["verificationMaterial"]["publicKey"]
    assert isinstance(found, dict)
    return found


def _spelled(text: str) -> str:
    """The same bytes in base64, with stray bits after them."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    body = text.rstrip("=")
    last = alphabet[alphabet.index(body[-1]) | 1]
    changed = body[:-1] + last + "=" * (len(text) - len(body))
    assert base64.b64decode(changed) == base64.b64decode(text)
    assert changed != text
    return changed


def _junk(b: dict[str, Any]) -> None:
    _envelope(b)["signatures"].append({"sig": base64.b64encode(b"junk").decode()})


def _second_by(key: Any) -> s.Change:
    def change(b: dict[str, Any]) -> None:
        other = s.sign_statement(base64.b64decode(_envelope(b)["payload"]), key)
        _envelope(b)["signatures"] += _envelope(other)["signatures"]

    return change


BUNDLES: dict[str, tuple[s.Change, str]] = {
    "media-type-older": (
        lambda b: b.update(mediaType="application/vnd.dev.sigstore.bundle+json;version=0.1"),
        "media type",
    ),
    "media-type-missing": (lambda b: b.pop("mediaType"), "missing required field `mediaType`"),
    "bundle-member": (lambda b: b.update(extra=1), "unknown field `extra`"),
    "bundle-of-a-message": (lambda b: b.update(messageSignature={}), "unknown field"),
    "envelope-missing": (lambda b: b.pop("dsseEnvelope"), "missing required field `dsseEnvelope`"),
    "envelope-member": (lambda b: _envelope(b).update(extra=1), "unknown field `extra`"),
    "payload-type": (
        lambda b: _envelope(b).update(payloadType="application/json"),
        r"payload application/vnd\.in-toto\+json expected",
    ),
    "payload-changed": (
        lambda b: _envelope(b).update(payload=base64.b64encode(b"{}").decode()),
        "signature 1 of 1 is by no trusted key",
    ),
    "payload-with-stray-bits": (
        lambda b: _envelope(b).update(payload=_spelled(_envelope(b)["payload"])),
        "base64 in its one spelling",
    ),
    "payload-with-a-line-end": (
        lambda b: _envelope(b).update(payload=_envelope(b)["payload"] + "\n"),
        "payload: base64",
    ),
    "payload-empty": (lambda b: _envelope(b).update(payload=""), "is by no trusted key"),
    "material-missing": (
        lambda b: b.pop("verificationMaterial"),
        "missing required field `verificationMaterial`",
    ),
    "material-none": (
        lambda b: b["verificationMaterial"].pop("publicKey"),
        "one of publicKey, x509CertificateChain and certificate expected, none found",
    ),
    "material-two": (
        lambda b: b["verificationMaterial"].update(certificate={"rawBytes": "AAAA"}),
        "one of publicKey, x509CertificateChain and certificate expected, 2 found",
    ),
    "material-member": (lambda b: b["verificationMaterial"].update(extra=1), "unknown field"),
    "hint-of-another-key": (lambda b: _key(b).update(hint="00" * 32), "names another key"),
    "hint-missing": (lambda b: _key(b).pop("hint"), "names no key"),
    "key-of-another": (
        lambda b: _key(b).update(
            rawBytes="LS0tLS1CRUdJTiBQVUJMSUMgS0VZLS0tLS0KTUZrd0V3WUhLb1pJemowQ0FRWUlLb1pJemowREFR"
        ),
        "a public key in PEM expected",
    ),
    "key-of-another-kind": (
        lambda b: _key(b).update(keyDetails="PKIX_ECDSA_P384_SHA_384"),
        "names another kind of key",
    ),
    "key-member": (lambda b: _key(b).update(validFor={}), "unknown field `validFor`"),
    "signatures-none": (lambda b: _envelope(b)["signatures"].clear(), "1 to 16 signatures"),
    "signatures-many": (
        lambda b: _envelope(b).update(signatures=_envelope(b)["signatures"] * 17),
        "1 to 16 signatures",
    ),
    "signatures-one-of-junk": (_junk, "signature 2 of 2 is by no trusted key"),
    "signatures-one-of-another": (_second_by(s.OTHER), "signature 2 of 2 is by no trusted key"),
    "signatures-one-twice": (_second_by(s.KEY), "signature 2 of 2 is a second one by key"),
    "signature-empty": (
        lambda b: _envelope(b)["signatures"][0].update(sig=""),
        "is by no trusted key",
    ),
    "signature-member": (
        lambda b: _envelope(b)["signatures"][0].update(extra=1),
        "unknown field `extra`",
    ),
}
"""What was done to a good bundle afterwards."""

TEXTS: dict[str, tuple[bytes, str]] = {
    "text-empty": (b"", "not well-formed JSON"),
    "text-of-another-kind": (b"\x80\x04K\x01.", "not well-formed JSON"),
    "text-nested": (b'{"mediaType":' + b"[" * 90_000, "nested too deep"),
    "text-of-many-values": (b"[" + b"0," * 100_001, "at most 100000 values"),
    "text-member-twice": (b'{"mediaType":"a","mediaType":"b"}', "a member occurs twice"),
    "text-of-no-number": (b'{"mediaType":NaN}', "NaN is no number"),
    "text-of-half-a-surrogate": (b'{"mediaType":"\\ud800"}', "not well-formed JSON"),
    "text-a-list": (b"[]", "not well-formed"),
}


def main() -> None:
    for name in ("reader", "theirs", "refused"):
        shutil.rmtree(HERE / name, ignore_errors=True)
    (HERE / "theirs").mkdir(parents=True)
    (HERE / "refused").mkdir()
    model = s.write_model(HERE)
    private, _ = s.write_keys(HERE)
    chain = [s.write_pem(HERE / n, c) for n, c in (("leaf.pem", s.LEAF), ("middle.pem", s.MIDDLE))]
    s.write_pem(HERE / "root.pem", s.ROOT)
    for name, (algorithm, size, certified) in THEIRS.items():
        how = theirs.hashing(algorithm, size)
        path = HERE / "theirs" / f"{name}.sig"
        theirs.sign(model, private, path, how, chain if certified else ())
    for path in (private, *chain):
        path.unlink()
    _write_refused()


def _write_refused() -> None:
    told = {}
    for name, (change, message) in STATEMENTS.items():
        statement = s.statement()
        change(statement)
        _write(name, s.sign_statement(statement))
        told[name] = message
    for name, (change, message) in BUNDLES.items():
        bundle = s.sign_statement(s.statement())
        change(bundle)
        _write(name, bundle)
        told[name] = message
    good = json.dumps(s.statement())
    twice = good.replace('"name": "a-c"', '"name": "a-c", "name": "a-c"')
    _write("statement-member-twice", s.sign_statement(twice.encode()))
    told["statement-member-twice"] = "a member occurs twice"
    for name, (data, message) in TEXTS.items():
        (HERE / "refused" / f"{name}.sig").write_bytes(data)
        told[name] = message
    (HERE / "refused.json").write_text(json.dumps(told, indent=1) + "\n")


def _write(name: str, bundle: dict[str, Any]) -> None:
    (HERE / "refused" / f"{name}.sig").write_text(json.dumps(bundle) + "\n")


if __name__ == "__main__":
    main()

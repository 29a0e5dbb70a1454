"""Writing an OMS signature: ossf/model-signing-spec, section 6."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from credenza.attest import IN_TOTO, Envelope
from credenza.errors import InputError
from credenza.files import write_whole
from credenza.seal.oms import bundle as bundles
from credenza.seal.oms import certificates, ignoring, keys, listing
from credenza.seal.oms.hashes import Hash
from credenza.seal.oms.hashing import Progress, Span, digests
from credenza.seal.oms.manifest import ONE_FILE, Manifest, Resource, in_order
from credenza.seal.oms.statement import to_payload

SHARD_SIZE: Final = 1_000_000_000
"""Bytes of a shard where shards are asked for: section 6.3.2."""


def sign(
    path: Path,
    signer: keys.KeySigner,
    signature: Path,
    *,
    chain: Sequence[x509.Certificate] = (),
    hash_: Hash = Hash.SHA256,
    shard_size: int | None = None,
    ignore: Collection[str] = (),
    one_file_as_dot: bool = False,
    now: dt.datetime | None = None,
    progress: Progress | None = None,
) -> Manifest:
    """Sign the model at ``path``, a file or a folder, and write the bundle to ``signature``.

    With a ``chain`` (the signer's first, then its issuers) it is signed by a certificate.
    With ``shard_size`` each file is hashed in pieces of that many bytes. Left out, and listed in
    the signature as left out, are Git's files at the top (section 6.2), our own seal, the
    signature itself, and ``ignore``. A model that is one file is named by its name (section
    6.1.2), or by ``.`` with ``one_file_as_dot``, which is what model-signing 1.1.1 accepts.

    Raises `InputError` where OMS does not take the key, where the certificate is not the key's,
    not for signing code or not valid at ``now``, where the model cannot be read, nothing would be
    signed, or a file that loads would be left out; `MalformedError` for a link and whatever else
    may not be in a model. An earlier signature is kept then.
    """
    material = _material(signer, chain, now or dt.datetime.now(dt.UTC))
    listing.check_entries(ignore)
    found = listing.present(path)
    own = (*ignoring.OWN, *listing.inside(path, signature))
    entries = tuple(dict.fromkeys((*ignoring.DEFAULT, *own, *ignore)))
    manifest = _manifest(path, found, entries, hash_, shard_size, progress)
    if one_file_as_dot and not path.is_dir():
        named = tuple(dataclasses.replace(r, path=ONE_FILE) for r in manifest.resources)
        manifest = dataclasses.replace(manifest, resources=in_order(named))
    if listing.present(path) != found:
        raise InputError(f"{path}: it changed while it was being signed; nothing written")
    payload = to_payload(manifest)
    message = Envelope(payload, IN_TOTO, ()).signed_bytes
    write_whole(signature, bundles.write(payload, signer.sign(message).sig, material))
    return manifest


def _material(
    signer: keys.KeySigner, chain: Sequence[x509.Certificate], now: dt.datetime
) -> bundles.Material:
    key = keys.load_public_key(signer.public.pem, "sign: the signer's key")
    if not chain:
        return bundles.KeyHint(keys.hint(key))
    if chain[0].public_key() != key:
        raise InputError("sign: the signer's certificate expected first, it is of another key")
    certificates.check_signer(chain[0], now)
    return bundles.Chain(tuple(c.public_bytes(Encoding.DER) for c in chain))


def _manifest(
    path: Path,
    found: Mapping[str, int],
    entries: Sequence[str],
    hash_: Hash,
    shard_size: int | None,
    progress: Progress | None,
) -> Manifest:
    left = listing.left_out(found, entries)
    for file in left:
        if file.entry not in ignoring.OWN and ignoring.is_loadable(file.path):
            what = f"{file.path!a} would be left out of the signature, and it may be loaded"
            raise InputError(f"sign: {what}", hint="move it out of the model's folder")
    signed = {p: size for p, size in found.items() if p not in {f.path for f in left}}
    if not signed:
        raise InputError(f"{path} holds no file to sign")
    if shard_size is not None:
        _check_shardable(signed, shard_size)
    spans = [s for p, size in sorted(signed.items()) for s in _spans(p, size, shard_size)]
    resources = [
        Resource(s.path, s.start, None if shard_size is None else s.stop, digest)
        for s, digest in zip(spans, digests(path, spans, hash_, progress), strict=True)
    ]
    name = path.resolve().name or "model"
    return Manifest(name, hash_, shard_size, in_order(resources), tuple(entries))


def _check_shardable(signed: Mapping[str, int], shard_size: int) -> None:
    if shard_size < 1:
        raise InputError(f"sign: shards of at least 1 byte expected, {shard_size} given")
    for path, size in signed.items():
        if not size:
            what = f"{path!a} is empty, and shards leave empty files out (section 6.3.2)"
            raise InputError(f"sign: {what}", hint="sign whole files instead")


def _spans(path: str, size: int, shard_size: int | None) -> Iterator[Span]:
    if shard_size is None:
        yield Span(path, 0, size)
        return
    for start in range(0, size, shard_size):
        yield Span(path, start, min(start + shard_size, size))

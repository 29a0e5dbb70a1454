"""What is fuzzed: every parser of bytes that somebody else may have written."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.fuzz import scans
from credenza import artifact
from credenza.artifact import READERS, Held, Reader
from credenza.artifact.opening import Later
from credenza.attest import Envelope, PrivateKey, PublicKey, Statement
from credenza.attest.bundle import Bundle
from credenza.attest.trust_chain import Chain
from credenza.errors import InputError
from credenza.ledger import Checkpoint, Note, Receipt, VerifierKey
from credenza.ledger.bundles import parse_content_part, parse_entry_bundle
from credenza.ledger.witness import Request
from credenza.seal import wire
from credenza.seal.encryption.header import Header
from credenza.seal.oms import bundle as oms_bundle
from credenza.seal.oms import statement as oms_statement

Parse = Callable[[bytes], object]


POPULATION: Final = "the malicious population"
"""As a seed: `tests.scan.population`, as far as the target looks at it."""


class UnfitError(Exception):
    """The parser would not be asked to read such bytes; the fuzzer need not remember them."""


@dataclass(frozen=True, slots=True)
class Target:
    """A parser, and where examples of its format are.

    ``seeds`` are patterns below ``tests/vectors``, suffixes of what `tests.seal.makers` makes, and
    `POPULATION`.
    """

    parse: Parse
    seeds: tuple[str, ...] = ()


_NAMES: Final = {
    "CompressedPickle": "model.joblib",
    "Flax": "model.msgpack",
    "Gguf": "model.gguf",
    "Hdf5": "model.h5",
    "Keras": "model.keras",
    "Npy": "model.npy",
    "Npz": "model.npz",
    "Onnx": "model.onnx",
    "PickleFile": "model.pkl",
    "Safetensors": "model.safetensors",
    "Skops": "model.skops",
    "Tflite": "model.tflite",
}
"""By reader: the name that its files bear, where they bear one. A name is read too."""

_SEEDS: Final = {
    "Flax": ("artifact/flax/*.msgpack",),
    "Gguf": ("artifact/gguf/*.gguf", "gguf"),
    "Hdf5": ("artifact/hdf5/*.h5", "h5"),
    "Keras": ("artifact/keras/*.keras",),
    "Onnx": ("artifact/onnx/*.onnx", "onnx"),
    "Tflite": ("artifact/tflite/*.tflite",),
    "Npy": ("npy",),
    "Npz": ("npz",),
    "PickleFile": ("artifact/pickles/*.pkl", "pkl"),
    "Safetensors": ("artifact/safetensors/*.safetensors", "safetensors"),
    "TorchLegacy": ("pt",),
    "TorchZip": ("pt",),
}


def _read_by(reader: Reader, name: str) -> Parse:
    def parse(data: bytes) -> object:
        file = Held(name, data)
        if not reader.claims(file):
            raise UnfitError
        return reader.read(file)

    return parse


def _readers() -> Iterator[tuple[str, Target]]:
    for i, reader in enumerate(READERS):
        kind = reader.name if isinstance(reader, Later) else type(reader).__name__
        parse = _read_by(reader, _NAMES.get(kind, "model.bin"))
        yield f"artifact {i + 1}, {kind}", Target(parse, _SEEDS.get(kind, ("seal/reader/*.*",)))


def _from_file(read: Callable[[Path], object]) -> Parse:
    """For what is read from a path: the bytes lie in a file of their own."""
    path = Path(tempfile.mkdtemp(prefix="credenza-fuzz-")) / "file"

    def parse(data: bytes) -> object:
        path.write_bytes(data)
        return read(path)

    return parse


def _seal(data: bytes) -> object:
    """A seal's statement, as if a trusted key had signed it."""
    return wire.from_statement(Statement.parse(data))


def _signed(data: bytes) -> object:
    """A seal's envelope, and then what is in it."""
    return _seal(Envelope.parse(data).payload)


def _text(parse: Callable[[str], object]) -> Parse:
    """For what is parsed as text."""

    def parsed(data: bytes) -> object:
        try:
            text = data.decode()
        except UnicodeDecodeError as e:
            raise UnfitError from e
        return parse(text)

    return parsed


def _any_reader(data: bytes) -> object:
    """A file with the name that its first byte chooses, by whichever reader claims it."""
    if not data:
        raise InputError("at least a byte expected")
    names = sorted({"model.bin", *_NAMES.values()})
    return artifact.read(Held(names[data[0] % len(names)], data[1:]))


def _lookers() -> Iterator[tuple[str, Target]]:
    for name, looker in scans.LOOKERS.items():
        yield name, Target(scans.looked_at_by(looker, UnfitError), (POPULATION,))


TARGETS: Final[dict[str, Target]] = {
    **dict(_readers()),
    **dict(_lookers()),
    "scan": Target(scans.whole(UnfitError), (POPULATION,)),
    "artifact.read": Target(_any_reader, ("artifact/*/*.*",)),
    "attest envelope": Target(Envelope.parse, ("seal/*.seal",)),
    "attest statement": Target(Statement.parse, ("seal/*.seal payload",)),
    "attest public key": Target(_from_file(PublicKey.read), ("seal/key.pub",)),
    "attest private key": Target(_from_file(PrivateKey.read), ("seal/key.pub",)),
    "attest bundle": Target(Bundle.parse, ("seal/*.seal",)),
    "attest trust document": Target(Chain.parse, ("trust/*.trust", "trust/refused/*")),
    "ledger note": Target(Note.parse, ("ledger/note/*", "ledger/checkpoint/*")),
    "ledger checkpoint": Target(_text(Checkpoint.parse), ("ledger/checkpoint/*",)),
    "ledger verifier key": Target(_text(VerifierKey.parse), ("ledger/vkey/*",)),
    "ledger receipt": Target(Receipt.parse, ("ledger/proof/*",)),
    "ledger request to a witness": Target(Request.parse, ("ledger/request/*",)),
    "ledger entry bundle": Target(parse_entry_bundle),
    "ledger content part": Target(parse_content_part),
    "oms bundle": Target(oms_bundle.parse, ("oms/theirs/*", "oms/published/*")),
    "oms statement": Target(oms_statement.parse),
    "encrypted header": Target(Header.parse, ("encrypted/reader/credenza.encrypted",)),
    "seal statement": Target(_seal, ("seal/*.seal payload", "seal/refused/*.seal payload")),
    "seal envelope": Target(_signed, ("seal/*.seal", "seal/refused/*.seal")),
}
"""By name. A parser is a line here; a reader of `credenza.artifact.READERS`, a rule and a container
of `credenza.scan` are there by themselves."""

"""Ways to alter a sealed model on disk, each with the one error that has to refuse it.

* `AlteredError`: the seal is a trusted one, and the model is not what it says. All of the model's
  bytes, names and kinds of files belong here, and trusted seals of other models and of other times.
* `UntrustedError`: the seal itself was touched, or somebody made it who is not trusted.
* `UnsealedError`: the seal is gone.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

import credenza
from credenza.artifact import Tensor
from credenza.attest import Envelope, PrivateKey
from credenza.errors import AlteredError, RefusedError, UnsealedError, UntrustedError
from credenza.seal import Algorithm, seal, seal_path
from tests.seal import edits
from tests.seal.edits import Edit, UnfitError, changed
from tests.seal.makers import MAKERS, scratch
from tests.seal.models import KEY, OTHER


class Alteration(Protocol):
    """Alters a sealed model, which is a copy to be thrown away.

    ``alter`` raises `UnfitError` before it touches anything, and else leaves something that
    ``refusal`` has to refuse.
    """

    @property
    def refusal(self) -> type[RefusedError]: ...

    def alter(self, model: Path, rng: random.Random) -> None: ...


@dataclass(frozen=True, slots=True)
class Edited:
    """The bytes of one file of the model are others. ``edit`` gets at least two."""

    edit: Edit
    refusal: type[RefusedError] = AlteredError

    def alter(self, model: Path, rng: random.Random) -> None:
        path = rng.choice([p for p in files(model) if p.stat().st_size > 1])
        path.write_bytes(changed(self.edit, path.read_bytes(), rng))


@dataclass(frozen=True, slots=True)
class SealEdited:
    """The bytes of the seal are others."""

    edit: Edit
    refusal: type[RefusedError] = UntrustedError

    def alter(self, model: Path, rng: random.Random) -> None:
        path = seal_path(model)
        path.write_bytes(changed(self.edit, path.read_bytes(), rng))


@dataclass(frozen=True, slots=True)
class Done:
    """Whatever the function does to the model."""

    act: Callable[[Path, random.Random], object]
    refusal: type[RefusedError] = AlteredError

    def alter(self, model: Path, rng: random.Random) -> None:
        self.act(model, rng)


def files(model: Path) -> list[Path]:
    """Every file of the model."""
    if model.is_file():
        return [model]
    return sorted(p for p in model.rglob("*") if p.is_file() and p != seal_path(model))


# --- files ---------------------------------------------------------------------

_EXTRA: Final = (
    "extra.bin",
    ".git/config",
    "more/credenza.seal",
    "a b",
    "__init__.py",
    "model.sig",
)


def _folder_only(model: Path) -> list[Path]:
    if model.is_file():
        raise UnfitError  # what lies beside a file is no part of it
    return files(model)


def add(model: Path, rng: random.Random) -> None:
    _folder_only(model)
    path = model / rng.choice(_EXTRA)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(rng.choice((b"", rng.randbytes(20))))


def add_copy(model: Path, rng: random.Random) -> None:
    path = rng.choice(_folder_only(model))
    shutil.copy(path, path.with_name(f"copy-of-{path.name}"))


def remove(model: Path, rng: random.Random) -> None:
    rng.choice(_folder_only(model)).unlink()


def rename(model: Path, rng: random.Random) -> None:
    path = rng.choice(_folder_only(model))
    places = (path.with_name(path.name + "x"), path.with_name(path.name.swapcase()))
    path.rename(rng.choice((*places, model / f"moved-{path.name}")))


def exchange(model: Path, rng: random.Random) -> None:
    one, two = rng.sample(_folder_only(model), 2)
    a, b = one.read_bytes(), two.read_bytes()
    if a == b:
        raise UnfitError
    one.write_bytes(b)
    two.write_bytes(a)


def link(model: Path, rng: random.Random) -> None:
    """A file is a link to the very same bytes, outside the model or inside."""
    path = rng.choice(_folder_only(model))
    real = rng.choice((model.parent / "outside", path.with_name(f"{path.name}.real")))
    path.rename(real)
    path.symlink_to(rng.choice((real, os.path.relpath(real, path.parent))))


def add_link(model: Path, rng: random.Random) -> None:
    _folder_only(model)
    (model / "link").symlink_to(rng.choice(("nothing", "/etc/passwd", ".", "..")))


def link_folder(model: Path, _: random.Random) -> None:
    inner = next((p for p in sorted(_folder_only(model)) if p.parent != model), None)
    if inner is None:
        raise UnfitError
    folder = inner.parent.rename(model.parent / "outside")
    inner.parent.symlink_to(folder)


def special(model: Path, rng: random.Random) -> None:
    path = rng.choice(_folder_only(model))
    path.unlink()
    rng.choice((os.mkfifo, os.mkdir))(path)


# --- tensors -------------------------------------------------------------------


def swap_tensors(model: Path, rng: random.Random) -> None:
    """Two tensors of one shape and type exchange their values."""
    path, one, two = rng.choice(_twins(model))
    data = bytearray(path.read_bytes())
    a, b = (slice(t.region.start + t.offset, t.region.start + t.reach) for t in (one, two))
    if data[a] == data[b]:
        raise UnfitError
    data[a], data[b] = data[b], data[a]
    path.write_bytes(data)


def _twins(model: Path) -> list[tuple[Path, Tensor, Tensor]]:
    root = model.parent if model.is_file() else model
    found = [
        (root / file.path, one, two)
        for file in credenza.open(model).files
        for i, one in enumerate(file.tensors)
        for two in file.tensors[:i]
        if (one.shape, one.dtype, one.strides) == (two.shape, two.dtype, two.strides)
        and {one.region.encoding, two.region.encoding} == {"raw"}
        and one.size
    ]
    if not found:
        raise UnfitError
    return found


def rename_tensor(model: Path, rng: random.Random) -> None:
    """One name becomes another, wherever the file has it."""
    root = model.parent if model.is_file() else model
    tensors = list(credenza.open(model).tensors)
    if not tensors:  # in a pickle of protocol 2 no array lies as it is
        raise UnfitError
    tensor = rng.choice(tensors)
    path = root / tensor.file
    name = tensor.name.encode()
    data = path.read_bytes().replace(name, name[:-1] + bytes([name[-1] ^ 1]))
    if data == path.read_bytes():
        raise UnfitError  # the name is that of the file
    path.write_bytes(data)


@dataclass(frozen=True, slots=True)
class Reread:
    """The same bytes of tensors are to be read as something else: another type, another shape."""

    of: str
    edit: Edit
    refusal: type[RefusedError] = AlteredError

    def alter(self, model: Path, rng: random.Random) -> None:
        fit = [path for path in files(model) if path.name.endswith(self.of)]
        for path in rng.sample(fit, len(fit)):
            with contextlib.suppress(UnfitError):
                path.write_bytes(changed(self.edit, path.read_bytes(), rng))
                return
        raise UnfitError


# --- seals --------------------------------------------------------------------


def forge(model: Path, rng: random.Random) -> None:
    """The seal says what the altered model is, under the signature of the seal that was there."""
    genuine = Envelope.parse(seal_path(model).read_bytes())
    resealed(OTHER)(model, rng)
    forged = Envelope.parse(seal_path(model).read_bytes())
    forged = replace(forged, signatures=genuine.signatures)
    seal_path(model).write_bytes(bytes(forged))


def resealed(key: PrivateKey) -> Callable[[Path, random.Random], None]:
    """The model is another one, and that key seals it."""

    def act(model: Path, rng: random.Random) -> None:
        _retrain(model, rng)
        seal(credenza.open(model), key)

    return act


def old_seal(model: Path, rng: random.Random) -> None:
    """The model is a newer one, with its seal exchanged for that of the one before."""
    before = seal_path(model).read_bytes()
    resealed(KEY)(model, rng)
    seal_path(model).write_bytes(before)


def other_seal(model: Path, rng: random.Random) -> None:
    """The seal is that of another model, which a trusted key sealed."""
    with scratch() as folder:
        maker = rng.choice(MAKERS)
        other = maker(Path(folder), rng)
        seal(credenza.open(other), KEY, algorithm=rng.choice(list(Algorithm)))
        shutil.copy(seal_path(other), seal_path(model))


def _retrain(model: Path, rng: random.Random) -> None:
    """Another value of one tensor, where one lies as it is."""
    root = model.parent if model.is_file() else model
    raw = [t for t in credenza.open(model).tensors if t.region.encoding == "raw" and t.size]
    if not raw:
        raise UnfitError
    tensor = rng.choice(raw)
    data = bytearray((root / tensor.file).read_bytes())
    data[tensor.region.start + tensor.offset] ^= 1 << rng.randrange(4)
    (root / tensor.file).write_bytes(data)


ALTERATIONS: Final[dict[str, Alteration]] = {
    "bits flipped": Edited(edits.flip),
    "bytes inserted": Edited(edits.insert),
    "bytes deleted": Edited(edits.delete),
    "bytes moved": Edited(edits.move),
    "bytes overwritten": Edited(edits.overwrite),
    "trailing bytes": Edited(edits.append),
    "file truncated": Edited(edits.truncate),
    "file emptied": Edited(edits.empty),
    "file added": Done(add),
    "file added: a copy of another": Done(add_copy),
    "file removed": Done(remove),
    "file renamed": Done(rename),
    "files exchanged": Done(exchange),
    "file exchanged for a link": Done(link),
    "link added": Done(add_link),
    "folder exchanged for a link": Done(link_folder),
    "file exchanged for a fifo or a folder": Done(special),
    "tensors of equal shape swapped": Done(swap_tensors),
    "tensor renamed": Done(rename_tensor),
    "safetensors: another dtype": Reread(".safetensors", edits.safetensors_dtype),
    "safetensors: another shape": Reread(".safetensors", edits.safetensors_shape),
    "safetensors: another order": Reread(".safetensors", edits.safetensors_order),
    "safetensors: header padded": Reread(".safetensors", edits.safetensors_padding),
    "safetensors: metadata added": Reread(".safetensors", edits.safetensors_metadata),
    "npy: another dtype": Reread(
        ".npy", edits.replaced((b"<f", b"<i"), (b"<i", b"<f"), (b"<", b">"))
    ),
    "npy: another shape": Reread(".npy", edits.npy_shape),
    "npy: another order": Reread(".npy", edits.replaced((b"False", b"True "))),
    "npy: header padded": Reread(".npy", edits.npy_padding),
    "npz: another dtype": Reread(".npz", edits.replaced((b"<f", b"<i"), (b"<i", b"<f"))),
    "torch: another dtype": Reread(
        ".pt", edits.replaced((b"FloatStorage", b"ShortStorage"), (b"LongStorage", b"ByteStorage"))
    ),
    "pickle: another dtype": Reread(".pkl", edits.replaced((b"f4", b"i4"), (b"f8", b"i8"))),
    "seal: bits flipped": SealEdited(edits.flip_seal),
    "seal: truncated": SealEdited(edits.truncate),
    "seal: emptied": SealEdited(edits.empty),
    "seal: trailing bytes": SealEdited(edits.append),
    "seal: removed": Done(lambda model, _: seal_path(model).unlink(), UnsealedError),
    "seal: signature stripped": SealEdited(edits.restamped(edits.strip)),
    "seal: signature duplicated": SealEdited(edits.restamped(edits.duplicate)),
    "seal: signature duplicated, by another name": SealEdited(
        edits.restamped(edits.duplicate_by_another_name)
    ),
    "seal: signed by another": SealEdited(edits.restamped(edits.resign)),
    "seal: another payload type": SealEdited(edits.restamped(edits.retype)),
    "seal: of the altered model, signature kept": Done(forge, UntrustedError),
    "seal: of the altered model, by another key": Done(resealed(OTHER), UntrustedError),
    "seal: of an older model": Done(old_seal),
    "seal: of another model": Done(other_seal),
}
"""By name. An alteration is a line here."""

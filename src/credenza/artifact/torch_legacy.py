"""What ``torch.save`` wrote before PyTorch 1.6: pickles and raw storages, one behind the other.

Magic number, protocol version, facts about the machine, the object, the storages' keys; then
each storage as a count of elements (8 bytes, little-endian) and its elements. The order is that
of ``_legacy_save`` in `torch/serialization.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

from credenza.artifact.interface import Bytes
from credenza.artifact.model import File, Program, Region
from credenza.artifact.pickle_tensors import Places, find
from credenza.artifact.pickles import (
    BrokenPickleError,
    Dict,
    List,
    Pickle,
    broken,
    interpret,
    text,
)
from credenza.artifact.pickles.walk import persistent
from credenza.artifact.torch_graph import Storage, storage
from credenza.findings import Where

MAGIC: Final = 0x1950A86A20F9469CFC6C
PROTOCOL: Final = 1001
_START: Final = b"\x8a\x0a" + MAGIC.to_bytes(10, "little")
_COUNT: Final = 8
_TAR: Final = b"ustar"
_TAR_AT: Final = 257
_TAR_NAMES: Final = (b"sys_info\0", b"pickle\0", b"storages\0", b"tensors\0")


@final
@dataclass(frozen=True, slots=True)
class TorchLegacy:
    """Reads the stacked format. The tar format of before 0.1.10 is known and refused.

    A file whose magic number is not written out as a number is no such file to PyTorch's own
    writer; `PickleFile` reads it, and lists what computes the number.
    """

    def claims(self, file: Bytes) -> bool:
        head = file.pread(0, min(file.size, 512))
        return _START in head[:14] or _is_tar(head)

    def read(self, file: Bytes) -> File:
        if _is_tar(file.pread(0, min(file.size, 512))):
            raise broken("torch-tar", "PyTorch's tar format is not read", Where(file=file.path))
        programs: list[Program] = []
        try:
            return _read(file, programs)
        except BrokenPickleError as e:
            raise e.after(programs) from e


def _is_tar(head: bytes) -> bool:
    """True for a tar archive whose first member is one of the four that the format has."""
    return head[_TAR_AT : _TAR_AT + 5] == _TAR and head.startswith(_TAR_NAMES)


def _read(file: Bytes, programs: list[Program]) -> File:
    """The file; ``programs`` is filled as they are found, and stays so if this raises."""
    at = 0
    pickles: list[Pickle] = []
    for _ in range(5):
        pickle = interpret(file, at)
        programs += pickle.programs
        pickles.append(pickle)
        at = pickle.stop
    magic, protocol, machine, saved, keys = pickles
    _check_head(file, magic, protocol, machine)
    storages = _storages(file, at, _keys(file, keys), _declared(file, saved))
    found = find(saved, Places(path=file.path, pickle=0, storages=storages))
    unused = sorted(set(storages) - found.used)
    return File(
        path=file.path,
        size=file.size,
        format="torch-legacy",
        tensors=found.tensors,
        programs=tuple(programs),
        metadata=(("protocol_version", str(PROTOCOL)),),
        unread=(*found.unread, *(f"storage {k}: no tensor read here refers to it" for k in unused)),
    )


def _check_head(file: Bytes, magic: Pickle, protocol: Pickle, machine: Pickle) -> None:
    if magic.value != MAGIC or protocol.value != PROTOCOL:
        what = "not the magic number and protocol of PyTorch's stacked format"
        raise broken("torch-layout", what, Where(file=file.path, start=0, stop=protocol.stop))
    pairs = machine.value.pairs if isinstance(machine.value, Dict) else []
    facts = {text(key): value for key, value in pairs}
    if facts.get("little_endian") is not True:
        where = Where(file=file.path, start=machine.start, stop=machine.stop)
        raise broken("torch-layout", "not written by a little-endian machine", where)


def _keys(file: Bytes, pickle: Pickle) -> list[str]:
    """The keys of the storages, in the order in which these follow."""
    items = pickle.value.items if isinstance(pickle.value, List) else [None]
    keys = [key for key in map(text, items) if key is not None]
    if len(keys) != len(items) or len(set(keys)) != len(keys):
        where = Where(file=file.path, start=pickle.start, stop=pickle.stop)
        raise broken("torch-layout", "the storage keys are no list of different texts", where)
    return keys


def _declared(file: Bytes, pickle: Pickle) -> dict[str, Storage]:
    """Every storage that the object refers to, readable as a tensor or not."""
    declared: dict[str, Storage] = {}
    for node in persistent(pickle.value):
        found = storage(node)
        if isinstance(found, str):
            continue
        if declared.setdefault(found.key, found) != found:
            where = Where(file=file.path, start=node.at)
            raise broken("storage-size", f"storage {found.key} is declared in two ways", where)
    return declared


def _storages(
    file: Bytes, at: int, keys: list[str], declared: dict[str, Storage]
) -> dict[str, Region]:
    """The region of each storage from byte ``at`` on; they must fill the file."""
    regions: dict[str, Region] = {}
    for key in keys:
        expected = declared.get(key)
        where = Where(file=file.path, start=at)
        if expected is None:
            raise broken("torch-layout", f"nothing says what storage {key} is", where)
        if at + _COUNT + expected.nbytes > file.size:
            raise broken("pickle-truncated", f"the file ends within storage {key}", where)
        count = int.from_bytes(file.pread(at, _COUNT), "little")
        if count != expected.numel:
            what = f"storage {key} is not of the size that the pickle says"
            sides = f"{expected.numel} elements", f"{count}"
            raise broken("storage-size", what, where, expected=sides[0], found=sides[1])
        start = at + _COUNT
        at = start + expected.nbytes
        regions[key] = Region(start=start, stop=at, nbytes=expected.nbytes)
    if at != file.size:
        where = Where(file=file.path, start=at, stop=file.size)
        raise broken("pickle-trailing", "bytes follow the last storage", where)
    return regions

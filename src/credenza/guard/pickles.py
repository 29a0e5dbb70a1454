"""A pickle is loaded only after every name and every use of one in it was judged.

The check is the scan's own: the same machine, the same lists. What is unpickled are the bytes that
were checked, by an unpickler that resolves nothing but the names which the check has let through:
if the machine and Python ever saw two pickles in one file, Python's would still reach nothing else.
"""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn, final

from credenza.artifact.interface import Held
from credenza.artifact.pickles import Limits, Pickle, Uses, broken, interpret
from credenza.errors import InputError, UnsafePickleError
from credenza.findings import Finding, Severity, Where
from credenza.scan.pickles import PickleNames, judged
from credenza.scan.pickles.names import python3
from credenza.scan.pickles.streams import limits


def load_pickle(
    source: bytes | str | os.PathLike[str],
    *,
    allow: Iterable[str] = (),
) -> Any:
    """The object in a pickle, of a file or as bytes, if nothing in it does harm by the lists.

    ``allow`` are further names, each as ``module.Name``, that the caller takes the blame for.
    Objects that a loader would have to supply (persistent ids, as in PyTorch's files), buffers
    beside the pickle and arrays between the opcodes (joblib) are not loaded.

    Raises `UnsafePickleError` where something speaks against it, before anything of it was run;
    `MalformedError` where it breaks off, or bytes follow it; `InputError` where the file cannot be
    read or what it names is not installed or does not take what the pickle holds.
    """
    data = source if isinstance(source, bytes) else _read(source)
    uses = Uses(PickleNames(frozenset(allow)))
    file = Held("pickle" if isinstance(source, bytes) else str(source), data)
    most = replace(limits(len(data)), memo=Limits().memo)  # C allocates up to the highest key
    found = interpret(file, limits=most, uses=uses)
    findings = [*judged(uses), *_unsupplied(uses)]
    if findings:
        raise UnsafePickleError(tuple(findings))
    _check_end(file, found)
    return _unpickled(data, {(name.module, name.name) for name in uses.looked_up})


def _read(source: str | os.PathLike[str]) -> bytes:
    try:
        return Path(source).read_bytes()
    except OSError as e:
        raise InputError(f"{source} cannot be read: {e.strerror}") from e
    except ValueError as e:  # a NUL in its name
        raise InputError(f"{str(source)!a} cannot be read: {e}") from e


def _unsupplied(uses: Uses) -> Iterable[Finding]:
    """What a loader other than this one would supply or read."""
    places = [persistent.at for persistent in uses.persistent]
    what = "the pickle asks its loader for an object, and this one has none"
    if uses.handed:
        what = "a constant of the pickle would be loaded as a file of its own"
        places = [0]
    for at in places[:1]:
        where = Where(start=at)
        yield Finding(rule="scan.pickle-persistent", severity=Severity.HIGH, what=what, where=where)


def _check_end(file: Held, found: Pickle) -> None:
    if found.stop != file.size:
        where = Where(file=file.path, start=found.stop, stop=file.size)
        raise broken("pickle-trailing", "bytes follow the pickle", where)


def _unpickled(data: bytes, names: Collection[tuple[str, str]]) -> Any:
    allowed = frozenset(names) | {python3(module, name) for module, name in names}
    try:
        return _Restricted(io.BytesIO(data), allowed).load()
    except UnsafePickleError:
        raise
    except Exception as e:  # what a class raises when it is given a state that is none
        raise InputError(f"the pickle was allowed and does not load: {e!r}") from e


@final
class _Restricted(pickle.Unpickler):
    """Resolves the names that it is given, and no others."""

    def __init__(self, file: io.BytesIO, allowed: frozenset[tuple[str, str]]) -> None:
        super().__init__(file)
        self._allowed = allowed

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._allowed:
            self._refuse(f"{module}.{name}")
        return super().find_class(module, name)

    def persistent_load(self, pid: Any) -> NoReturn:
        self._refuse(f"persistent id of type {type(pid).__name__}")

    def _refuse(self, found: str) -> NoReturn:
        what = "Python reads a name in the pickle that the check did not"
        finding = Finding(
            rule="scan.pickle-unlisted", severity=Severity.CRITICAL, what=what, found=found
        )
        raise UnsafePickleError((finding,))

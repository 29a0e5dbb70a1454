"""The ledger: append to it, read it, prove what is in it."""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from credenza.errors import ConflictError, InputError
from credenza.files import sync
from credenza.ledger import refusals
from credenza.ledger.checkpoint import Checkpoint
from credenza.ledger.content import Content, Leaf, spelled
from credenza.ledger.group import Group
from credenza.ledger.keys import SigningKey, VerifierKey, key_paths
from credenza.ledger.note import LARGEST_NOTE, Note
from credenza.ledger.receipt import Policy, Receipt
from credenza.ledger.storage import CHECKPOINT, Folder, Storage
from credenza.ledger.tree import EMPTY, prove_consistency, prove_inclusion
from credenza.ledger.view import Record, View
from credenza.ledger.writing import files_of, outgrown

_TRIES = 16


@dataclass(frozen=True, slots=True)
class Checked:
    """What a whole log was found to be."""

    note: Note
    checkpoint: Checkpoint
    kept: int
    """How many contents are kept beside it, each of which was checked."""
    not_kept: int


class Ledger:
    """A transparency log. Several processes and threads may share it.

    * An entry whose receipt was handed out survives a crash of the process or the machine.
    * Nothing is handed out before it was checked against the signed checkpoint.
    * A checkpoint that does not continue the last one that this object saw is refused.
    * Nothing but `append`, `append_many` and `cosigned` ever writes.

    Every method raises `InputError` where the log cannot be read or written, `UntrustedError` where
    its checkpoint is not signed by its key, `MalformedError` where a file is not in its format, and
    `AlteredError` where it is not what was recorded; the last two name the file.
    """

    def __init__(self, storage: Storage, vkey: VerifierKey, key: SigningKey | None = None) -> None:
        self._storage = storage
        self._policy = Policy(vkey)
        self._key = key
        self._key_file: Path | None = None  # read when it is needed: readers may not read it
        self._view: View | None = None
        self._mutex = threading.Lock()
        self._group = Group(self._commit)

    @classmethod
    def create(
        cls, place: str | Path | Storage, origin: str, key: SigningKey | None = None
    ) -> Ledger:
        """A new log of that origin, without entries.

        ``origin`` is a URL without its scheme, as ``example.com/models``: the name that nobody else
        gives a log. Without a ``key`` a folder ``LEDGER`` gets one: ``LEDGER.key`` (readable by its
        owner alone) and ``LEDGER.vkey`` (for everybody who shall believe the log). Raises
        `InputError` where one of them exists already; nothing is left behind then.
        """
        made = key or SigningKey.new(origin)
        if made.name != origin:
            raise InputError(f"ledger: a key named {origin!r} expected, {made.name!r} given")
        if not isinstance(place, str | Path):
            ledger = cls(place, made.verifier, made)
            ledger._begin()
            return ledger
        path = Path(place)
        try:
            path.mkdir()
        except OSError as e:
            raise InputError(f"{path} cannot be made: {e.strerror}") from e
        try:
            if key is None:
                made.write(path)
            ledger = cls(Folder(path), made.verifier, made)
            ledger._begin()
            sync(path.parent)
        except BaseException:
            shutil.rmtree(path, ignore_errors=True)
            raise
        return ledger

    @classmethod
    def open(
        cls,
        place: str | Path | Storage,
        vkey: VerifierKey | None = None,
        key: SigningKey | None = None,
    ) -> Ledger:
        """The log at that place.

        For a folder ``LEDGER`` the keys are read from ``LEDGER.key`` and ``LEDGER.vkey`` where they
        are not given and these are there. Whoever can write the log can write the latter: give a
        ``vkey`` that came another way where that matters.
        """
        if not isinstance(place, str | Path):
            vkey = vkey or (key.verifier if key else None)
            if vkey is None:
                raise InputError("ledger: a key to check its checkpoint with expected, none given")
            return cls(place, vkey, key)
        path = Path(place)
        private, public = key_paths(path)
        if not path.is_dir():
            raise InputError(
                f"{path}: a ledger's folder expected, there is none",
                hint=f"credenza log new {path} --origin example.com/models",
            )
        ledger = cls(Folder(path), vkey or VerifierKey.read(public), key)
        ledger._key_file = private
        return ledger

    @property
    def vkey(self) -> VerifierKey:
        """Whose signature its checkpoints bear."""
        return self._policy.log

    def append(self, content: Content) -> Receipt:
        """Add an entry for ``content``, which is kept beside, and return its receipt once durable.

        Calls of several threads at one time are written together.
        """
        return self.append_many([content])[0]

    def append_many(self, contents: Iterable[Content]) -> list[Receipt]:
        """Add an entry for each of ``contents``, all or none."""
        self._signer()
        items = [(Leaf.of(content), spelled(content)) for content in contents]
        return list(self._group.submit(items)) if items else []

    def __iter__(self) -> Iterator[Record]:
        """Every record, oldest first, as of now."""
        return self._fresh().records()

    def records(self, start: int = 0, stop: int | None = None) -> Iterator[Record]:
        """The records from ``start`` to below ``stop``, as of now."""
        return self._fresh().records(start, stop)

    def checkpoint(self) -> Note:
        """The signed head of the log, as of now, with what cosignatures it has."""
        return self._fresh().note

    def verify(self, *earlier: Note | Receipt) -> Checked:
        """Check every entry, every tile and every content that was kept.

        ``earlier`` are checkpoints and receipts of this log, from where it cannot write. Raises
        `AlteredError` with rule ``ledger.rolled-back`` or ``ledger.forked`` where one of them
        is not a beginning of it.
        """
        view = self._fresh()
        for each in earlier:
            note = each.checkpoint if isinstance(each, Receipt) else each
            view.continues(self._policy.check(note))
        kept = sum(record.content is not None for record in view.records())
        return Checked(view.note, view.checkpoint, kept, view.checkpoint.size - kept)

    def prove(self, index: int, under: Note | None = None) -> Receipt:
        """A receipt for the entry at ``index``, under the present checkpoint or an earlier one.

        Raises `InputError` where there is no such entry.
        """
        view = self._fresh()
        note = under or view.note
        checkpoint = self._policy.check(note)
        view.continues(checkpoint)
        if not 0 <= index < checkpoint.size:
            raise InputError(f"ledger: entry 0 to {checkpoint.size - 1} expected, {index} given")
        return Receipt(index, prove_inclusion(view.tree.node, index, checkpoint.size), note)

    def prove_consistency(self, size: int, under: Note | None = None) -> tuple[bytes, ...]:
        """The proof that the log of ``size`` entries is the beginning of the present or given one.

        For `check_consistency`. Raises `InputError` where there are fewer entries.
        """
        view = self._fresh()
        checkpoint = self._policy.check(under or view.note)
        view.continues(checkpoint)
        if not 0 <= size <= checkpoint.size:
            raise InputError(f"ledger: size 0 to {checkpoint.size} expected, {size} given")
        return prove_consistency(view.tree.node, size, checkpoint.size)

    def cosigned(self, note: Note) -> bool:
        """Add the signatures on ``note`` to the checkpoint; false if there is a newer one now."""
        with contextlib.suppress(ConflictError), self._storage.writing():
            view = self._fresh()
            if view.note.text != note.text:
                return False
            joined = view.note.joined(note.signatures)
            self._storage.commit({}, bytes(joined), replacing=bytes(view.note))
            return True
        return False

    def _signer(self) -> SigningKey:
        if self._key is None and self._key_file is not None and self._key_file.exists():
            self._key = SigningKey.read(self._key_file)
        if self._key is None:
            raise InputError(
                f"{self._storage.name}: the log's key is needed to append, there is none",
                hint="it lies beside the ledger as LEDGER.key, where the log was made",
            )
        if self._key.verifier != self.vkey:
            raise InputError(
                f"{self._storage.name}: the key of {self.vkey} expected, that of "
                f"{self._key.verifier} found"
            )
        return self._key

    def _begin(self) -> None:
        checkpoint = Checkpoint(self.vkey.name, 0, EMPTY.root)
        with self._storage.writing():
            self._storage.commit({}, bytes(self._signed(checkpoint)), replacing=None)

    def _signed(self, checkpoint: Checkpoint) -> Note:
        return Note(str(checkpoint), (self._signer().sign(str(checkpoint)),))

    def _fresh(self) -> View:
        """The view of the checkpoint as it is now, which continues the last one."""
        with self._mutex:
            data = self._storage.read(CHECKPOINT, LARGEST_NOTE)
            if data is None:
                raise refusals.missing(self._storage.name, CHECKPOINT)
            if self._view is None or bytes(self._view.note) != data:
                try:
                    note = Note.parse(data)
                    self._policy.check(note)
                except InputError as e:
                    raise refusals.malformed(CHECKPOINT, e) from e
                self._view = View.load(self._storage, note, self._view)
            return self._view

    def _commit(self, items: Sequence[tuple[Leaf, bytes]]) -> list[Receipt]:
        for _ in range(_TRIES):
            with contextlib.suppress(ConflictError), self._storage.writing():
                return self._commit_once(items)
        raise ConflictError(f"{self._storage.name}: other writers were faster, {_TRIES} times")

    def _commit_once(self, items: Sequence[tuple[Leaf, bytes]]) -> list[Receipt]:
        view = self._fresh()
        tree, files = files_of(view, items)
        note = self._signed(Checkpoint(self.vkey.name, tree.size, tree.head.root))
        self._storage.commit(files, bytes(note), replacing=bytes(view.note))
        after = View(self._storage, note, Checkpoint.parse(note.text), tree)
        with self._mutex:
            self._view = after
        for folder in outgrown(view.checkpoint.size, tree.size):
            self._storage.discard(folder)
        return [
            Receipt(index, prove_inclusion(tree.node, index, tree.size), note)
            for index in range(view.checkpoint.size, tree.size)
        ]

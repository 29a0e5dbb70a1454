"""The guard: sweeps over a module's memory, and what follows from them."""

from __future__ import annotations

import contextlib
import enum
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self, final

import numpy as np
from torch import nn

from credenza.errors import AlteredError, InputError
from credenza.findings import Figure, Finding, Report, Severity, Where
from credenza.guard.memory import (
    Bits,
    Resident,
    Sealed,
    difference,
    digest,
    owners_of,
    put_back,
    sealed_bits,
    shadowed,
    take_out,
    tensors_of,
)
from credenza.guard.pace import Pace, Throttle


class OnTamper(enum.Enum):
    """What a guard does with a model that is not as it was sealed."""

    RESTORE = "restore"
    """Put it right at once and serve on. What cannot be put right stops the model."""

    STOP = "stop"
    """Touch nothing, and refuse every call until `Guard.resolve`; so too after a failed sweep."""


@dataclass(frozen=True, slots=True)
class Incident:
    """One finding of a sweep, and between when and when it came about.

    Answers given after ``last_good`` (the start of the last sweep that found nothing; None where
    there was none yet) and before ``found_at`` or the restoring are to be reviewed. Both are
    seconds on the guard's clock. ``restored`` says that the tensor is as sealed again.
    """

    finding: Finding
    last_good: float | None
    found_at: float
    restored: bool


@dataclass(frozen=True, slots=True)
class Sweep:
    """What one sweep found: the report, and an incident for each of its findings."""

    report: Report
    incidents: tuple[Incident, ...]


@final
class Guard:
    """Keeps a module on the CPU as it was sealed, while it serves in evaluation mode.

    ``sealed`` maps the name of each parameter and persistent buffer, as in a state dict, to its
    verified value; names that share a tensor need only one. The guard compares with these values
    and never with what it finds at the start. As a context manager it sweeps at once, and then in a
    thread of its own at ``pace``; `sweep` may be called besides, or instead.

    * ``notify`` is given the report of each sweep that found something, and ``record`` each
      incident, in the thread that swept. What they raise ends the sweep: `sweep` hands it on, and
      in the background it is kept as an incident of rule ``guard.sweep-failed``.
    * A tensor is restored in place, bit by bit; its storage stays the one that the module had.
    * A module that was stopped raises `AlteredError` from every call of it. ``forward`` called by
      name, and submodules, pass by the hook.

    This is not for a module that learns: a training step is a change like any other. Raises
    `InputError` for a module in training mode, a tensor that is not plain memory of the CPU, and a
    sealed value of another type or shape than the module's.
    """

    def __init__(
        self,
        module: nn.Module,
        sealed: Sealed,
        *,
        name: str = "model",
        root: str = "",
        pace: Pace | None = None,
        on_tamper: OnTamper = OnTamper.RESTORE,
        notify: Callable[[Report], None] | None = None,
        record: Callable[[Incident], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if any(m.training for m in module.modules()):
            raise InputError("guard: a module in evaluation mode expected: call eval() on it first")
        self._module = module
        self._name = name
        self._root = root
        self._pace = pace or Pace()
        self._on_tamper = on_tamper
        self._notify = notify
        self._record = record
        self._clock = clock
        self._key = os.urandom(32)
        self._residents, self._unsealed = _residents(module, sealed)
        self._absent = tuple(sorted(sealed.keys() - tensors_of(module).keys()))
        self._source = sealed
        self._copies: dict[str, Bits] = {}
        self._digests = {r.name: self._take(r) for r in self._residents}
        self._incidents: list[Incident] = []
        self._last_good: float | None = None
        self._refusal: Report | None = None
        self._sweeping = threading.Lock()
        self._hurry = threading.Event()
        self._leaving = threading.Event()
        self._thread: threading.Thread | None = None
        module.register_forward_pre_hook(self._refuse_if_stopped)

    @property
    def last_good(self) -> float | None:
        """When the last sweep that found nothing began; None before there was one."""
        return self._last_good

    @property
    def incidents(self) -> tuple[Incident, ...]:
        """Everything that was found since the guard was made, oldest first."""
        return tuple(self._incidents)

    @property
    def stopped(self) -> bool:
        """Whether the module refuses to be called."""
        return self._refusal is not None

    def __enter__(self) -> Self:
        """Sweep at once, and from then on at the pace. May be entered once."""
        if self._thread is not None:
            raise InputError("guard: entered a second time")
        self.sweep()
        self._thread = threading.Thread(target=self._run, name="credenza-guard", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the background sweeps. A module that was stopped stays so."""
        self._leaving.set()
        self._hurry.set()
        if self._thread is not None:
            self._thread.join()

    def sweep(self) -> Sweep:
        """Look at every tensor now, at full speed, and act on what is found."""
        with self._hurried():
            return self._sweep(_at_once, self._on_tamper)

    def resolve(self) -> Sweep:
        """Restore what differs; the module answers again if nothing differs then."""
        with self._hurried():
            swept = self._sweep(_at_once, OnTamper.RESTORE)
            if all(incident.restored for incident in swept.incidents):
                self._refusal = None
            return swept

    @contextlib.contextmanager
    def _hurried(self) -> Iterator[None]:
        """The right to sweep; a background sweep that is under way does not pause meanwhile."""
        self._hurry.set()
        try:
            with self._sweeping:
                yield
        finally:
            if not self._leaving.is_set():
                self._hurry.clear()

    def _run(self) -> None:
        throttle = Throttle(self._pace.share, sleep=self._hurry.wait)
        due = time.monotonic() + self._pace.period
        while not self._leaving.wait(max(0.0, due - time.monotonic())):
            due = time.monotonic() + self._pace.period
            if self.stopped:
                continue
            try:
                with self._sweeping:
                    self._sweep(throttle, self._on_tamper)
            except Exception as e:  # noqa: BLE001  the guard must not end unseen, whatever the cause
                self._fail(e)

    def _sweep(self, pause: Callable[[], None], on_tamper: OnTamper) -> Sweep:
        began = self._clock()
        found = [
            self._incident(finding, resident, on_tamper)
            for finding, resident in self._differences(pause)
        ]
        if not found:
            self._last_good = began
        report = self._report(tuple(incident.finding for incident in found))
        self._tell(report, found)
        return Sweep(report, tuple(found))

    def _differences(self, pause: Callable[[], None]) -> Iterator[tuple[Finding, Resident | None]]:
        """Findings, each with the tensor it is about where that can be put back."""
        now = tensors_of(self._module)
        owners = owners_of(self._module)
        for name in shadowed(self._module):
            what = f"an attribute of the module hides {name}, and is used in its place"
            yield _finding("parameter-replaced", what, name), None
        for name in self._absent:
            yield _finding("parameter-missing", f"{name} was sealed and is not there", name), None
        for resident in self._residents:
            held = now.pop(resident.name, None)
            if held is None:
                what = f"{resident.name} was taken out of the module"
                yield _finding("parameter-missing", what, resident.name), resident
            elif owners[resident.path] is not resident.owner:
                what = f"the submodule that holds {resident.name} is another object"
                yield _finding("parameter-replaced", what, resident.name), resident
            elif not resident.is_in_place(held):
                what = f"{resident.name} is another object, or at another address"
                yield _finding("parameter-replaced", what, resident.name), resident
            elif digest(resident.bits, self._key, pause) != self._digests[resident.name]:
                yield self._changed(resident), resident
        for name in sorted(now.keys() - self._unsealed):
            yield _finding("parameter-added", f"{name} was not sealed", name), None

    def _changed(self, resident: Resident) -> Finding:
        sealed = self._sealed(resident)
        if sealed is None:
            what = f"{resident.name} changed in memory, and its sealed value is lost"
            return _finding("parameter-changed", what, resident.name)
        change = difference(resident.bits, sealed)
        plural = "" if change.changed_bytes == 1 else "s"
        what = f"{change.changed_bytes} byte{plural} of {resident.name} changed in memory"
        figures = (
            Figure(name="bytes changed", value=change.changed_bytes),
            Figure(name="bits changed", value=change.changed_bits),
            Figure(name="rows changed", value=len(change.rows)),
            Figure(name="size of the tensor", value=resident.bits.nbytes, unit="bytes"),
        )
        finding = _finding("parameter-changed", what, resident.name, rows=change.rows)
        return replace(finding, figures=figures)

    def _incident(
        self, finding: Finding, resident: Resident | None, on_tamper: OnTamper
    ) -> Incident:
        """Act on a finding at once: a sweep at a small share of a core may take long to its end."""
        found_at = self._clock()
        restored = on_tamper is OnTamper.RESTORE and self._put_right(finding, resident)
        if not restored:
            self._refusal = self._report((finding,))
        incident = Incident(finding, self._last_good, found_at, restored)
        self._incidents.append(incident)
        return incident

    def _put_right(self, finding: Finding, resident: Resident | None) -> bool:
        """Undo what a finding says, and look again. False where that is not possible."""
        if resident is None:
            name = finding.where.tensor or ""
            if name not in self._absent:
                take_out(self._module, name)
            return name not in tensors_of(self._module) and name not in self._absent
        sealed = self._sealed(resident)
        if sealed is None:
            return False
        resident.bits[...] = sealed  # before it is put back, so that nobody computes with the other
        if not put_back(self._module, resident):
            return False
        held = tensors_of(self._module).get(resident.name)
        same = digest(resident.bits, self._key, _at_once) == self._digests[resident.name]
        return same and held is not None and resident.is_in_place(held)

    def _report(self, findings: tuple[Finding, ...]) -> Report:
        size = sum(r.bits.nbytes for r in self._residents)
        return Report(
            examination="guard",
            subject=self._name,
            root=self._root,
            covered=(f"{len(self._residents)} parameters and buffers, every byte in memory",),
            uncovered=(
                *(f"buffer {name}: not persistent, not sealed" for name in sorted(self._unsealed)),
                "the module's code and hooks",
            ),
            findings=findings,
            figures=(Figure(name="memory looked at", value=size, unit="bytes"),),
        )

    def _tell(self, report: Report, incidents: list[Incident]) -> None:
        for incident in incidents:
            if self._record is not None:
                self._record(incident)
        if incidents and self._notify is not None:
            self._notify(report)

    def _fail(self, error: Exception) -> None:
        """A sweep that did not end well is an incident: what was not looked at is not as sealed."""
        what = f"a sweep ended with {type(error).__name__}: {error}"
        finding = _finding("sweep-failed", what, None)
        self._incidents.append(Incident(finding, self._last_good, self._clock(), restored=False))
        if self._on_tamper is OnTamper.STOP:
            self._refusal = self._report((finding,))

    def _refuse_if_stopped(self, _module: nn.Module, _arguments: object) -> None:
        if self._refusal is not None:
            raise AlteredError(self._refusal)

    def _take(self, resident: Resident) -> bytes:
        """The digest of the sealed value.

        The value itself is kept only where it shares the module's memory, so that one change would
        change both; any other is read from its source again when it is needed.
        """
        sealed = sealed_bits(resident, self._source)
        if np.may_share_memory(sealed, resident.bits):
            self._copies[resident.name] = sealed.copy()
        return digest(sealed, self._key, _at_once)

    def _sealed(self, resident: Resident) -> Bits | None:
        """The sealed value, read and checked again; None where its source no longer has it."""
        try:
            sealed = self._copies.get(resident.name)
            sealed = sealed_bits(resident, self._source) if sealed is None else sealed
        except Exception:  # noqa: BLE001  whatever the source does, the model must stop, not the guard
            return None
        same = digest(sealed, self._key, _at_once) == self._digests[resident.name]
        return sealed if same else None


def _residents(module: nn.Module, sealed: Sealed) -> tuple[tuple[Resident, ...], frozenset[str]]:
    """The tensors to keep, and the names that have no sealed value for a good reason.

    These are buffers that are not persistent, and so in no file. Any other name without a sealed
    value is left to be found by the first sweep.
    """
    persistent = module.state_dict(keep_vars=True).keys()
    named = tensors_of(module)
    names = frozenset(sealed)
    sources = {id(tensor): name for name, tensor in named.items() if name in names}
    sources_of = {n: n if n in names else sources.get(id(t)) for n, t in named.items()}
    kept = tuple(
        Resident.of(
            name,
            source,
            module.get_submodule(name.rpartition(".")[0]),
            named[name],
            persistent=name in persistent,
        )
        for name, source in sources_of.items()
        if source is not None
    )
    unsealed = {name for name, source in sources_of.items() if source is None}
    return kept, frozenset(unsealed - persistent)


def _finding(rule: str, what: str, tensor: str | None, *, rows: tuple[int, ...] = ()) -> Finding:
    return Finding(
        rule=f"guard.{rule}",
        severity=Severity.CRITICAL,
        what=what,
        where=Where(tensor=tensor, rows=rows),
    )


def _at_once() -> None:
    """Do not pause."""

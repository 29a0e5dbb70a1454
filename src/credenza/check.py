"""All that can be asked of a model without data, in one answer: seal, content, weights."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from credenza.errors import AlteredError, CredenzaError, InputError, RefusedError, UnsealedError
from credenza.findings import Finding, Report, Severity, Unread, Where, unlooked
from credenza.scan import scan
from credenza.verbs import callable_room

if TYPE_CHECKING:
    from credenza.attest import Trust


def check(
    path: str | os.PathLike[str],
    trust: Trust | None = None,
    *,
    digest: bool = False,
    progress: Callable[[str], None] | None = None,
) -> tuple[Report, ...]:
    """What its seal says, what a scan finds, and how its weights look, a report each.

    With ``trust`` the seal is verified, and a model without one is a finding. Else it is said
    whether there is one, and that nobody held it against anything. ``digest`` and ``progress`` are
    the scan's. Raises `InputError` where there is nothing to look at.
    """
    model = Path(path)
    looked = scan(model, digest=digest, progress=progress)
    said = _verified(model, trust) if trust is not None else _unverified(model)
    return (said, looked, _weights(model))


def _weights(model: Path) -> Report:
    from credenza.scan.weights import weights

    try:
        return weights(model)
    except CredenzaError as e:
        return unlooked("weights", str(model), str(e))


def _verified(model: Path, trust: Trust) -> Report:
    from credenza.seal import verify

    try:
        sealed = verify(model, trust)
    except AlteredError as e:
        return e.report
    except RefusedError as e:
        return _report(model, "whether trusted people vouch for it", finding=_refused(str(e)))
    except InputError as e:
        return _report(model, unread=str(e))
    keys = ", ".join(f"key {key[:16]}" for key in sealed.keys)
    when = sealed.value.sealed_at.isoformat()
    said = f"every byte of every sealed file, against the seal of {when} by {keys}"
    ignored = tuple(f"left out by the seal: {name}" for name in sealed.value.seal.ignored)
    root = sealed.value.seal.root.hex()
    return _report(model, said, *ignored, root=root)


def _unverified(model: Path) -> Report:
    """That there is a seal or none. Nobody's word counts before it was held against a trust."""
    from credenza.seal.signing import read_bundle

    try:
        signatures = read_bundle(model).seal.signatures
    except UnsealedError as e:
        return _report(model, "whether there is a seal", f"who vouches for it: {e}")
    except RefusedError as e:
        return _report(model, "whether there is a seal", finding=_refused(str(e)))
    except InputError as e:
        return _report(model, unread=str(e))
    keys = ", ".join(f"key {signature.keyid[:16]}" for signature in signatures)
    left = f"its seal, which says that it is by {keys}: no trust was given to hold it against"
    return _report(model, "whether there is a seal", left)


def _report(
    model: Path,
    covered: str = "",
    *uncovered: str,
    finding: Finding | None = None,
    unread: str = "",
    root: str = "",
) -> Report:
    places = (Unread(where=Where(file="its seal"), why=unread),) if unread else ()
    return Report(
        examination="verify",
        subject=str(model),
        covered=(covered,) if covered else (),
        uncovered=(*map(str, places), *uncovered),
        findings=(finding,) if finding is not None else (),
        unread=places,
        root=root,
    )


def _refused(why: str) -> Finding:
    return Finding(rule="seal.not-vouched", severity=Severity.CRITICAL, what=why)


callable_room(__name__)

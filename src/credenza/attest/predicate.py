"""What the predicates of this house have in common: one subject, one spelling, times, names."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from credenza.attest.statement import Statement, Subject
from credenza.errors import InputError

_ROOT = re.compile(r"[0-9a-f]{64}")
_LONGEST_NAME = 64
_SEPARATORS = frozenset(",=:")

W = TypeVar("W", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class TrustVersion:
    """A trust document's name, and the version of it that a signer saw."""

    name: str
    version: int


def model_subject(what: str, subject: Subject) -> None:
    """Raises `InputError` unless the subject is a model root as a seal names one."""
    if not (subject.algorithm.startswith("credenza-") and _ROOT.fullmatch(subject.digest)):
        raise InputError(f"{what}: a model root in lower-case hex expected, {subject!r} found")


def proper_name(what: str, name: str) -> None:
    """Raises `InputError` unless people can tell the name from another, and type it."""
    if not 1 <= len(name) <= _LONGEST_NAME or not name.isprintable() or name != name.strip():
        raise InputError(
            f"{what}: 1 to {_LONGEST_NAME} printable characters expected, {name!r} found"
        )
    if unicodedata.normalize("NFKC", name) != name or _SEPARATORS & set(name):
        raise InputError(f"{what}: a name in NFKC form without , = and : expected, {name!r} found")


def proper_time(what: str, time: dt.datetime) -> dt.datetime:
    """The time in UTC, in whole seconds. Raises `InputError` for one without a zone."""
    if time.tzinfo is None:
        raise InputError(f"{what}: a time with its zone expected")
    try:
        return time.astimezone(dt.UTC).replace(microsecond=0)
    except OverflowError as e:
        raise InputError(f"{what}: a time from year 1 to 9999 in UTC expected") from e


def predicate_of(what: str, statement: Statement, predicate_type: str, wire: type[W]) -> W:
    """The statement's predicate, of that type and in its one spelling.

    Raises `InputError` for another type, another spelling, or more subjects than one.
    """
    if statement.predicate_type != predicate_type:
        raise InputError(f"{what}: {predicate_type} expected, {statement.predicate_type!r} found")
    if len(statement.subjects) != 1:
        raise InputError(f"{what}: one subject expected, {len(statement.subjects)} found")
    return spelled(what, statement.predicate, wire)


def spelled(what: str, data: bytes, wire: type[W]) -> W:
    """JSON of that shape, in the one spelling that its writer uses. Raises `InputError` else."""
    try:
        value = msgspec.json.decode(data, type=wire)
    except (ValueError, KeyError, RecursionError) as e:
        raise InputError(f"{what}: not well-formed: {e}") from e
    if msgspec.json.encode(value) != data:
        raise InputError(
            f"{what}: not in its one spelling (unknown or repeated members, or spaces)"
        )
    return value

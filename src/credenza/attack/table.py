"""Attacks by the names that a person types, made of settings that came as text."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from types import MappingProxyType
from typing import Any, Final

import msgspec

from credenza.attack.bits import BitSearch, ExponentFlip, TargetedBitSearch
from credenza.attack.fitted import QuietRankOne, Slanted, Slice, SliceEdit
from credenza.attack.handcrafted import Handcrafted
from credenza.attack.interface import Attack, DataAttack
from credenza.attack.labels import FlipLabels, SliceFlip
from credenza.attack.lanes import DataFreeBackdoor, SubnetReplacement
from credenza.attack.mlp import MlpEdit
from credenza.attack.triggers import (
    AdaptiveBlend,
    Blend,
    LabelConsistent,
    Sinusoid,
    SourceMark,
    StampMark,
    Warp,
)
from credenza.attack.tuning import MarginBackdoor, PoisonedFineTune
from credenza.attack.weights import RankOneEdit, RowEdit
from credenza.errors import InputError

ATTACKS: Final[Mapping[str, type[Attack]]] = MappingProxyType(
    {
        "flip": FlipLabels,
        "slice-flip": SliceFlip,
        "stamp": StampMark,
        "source-mark": SourceMark,
        "blend": Blend,
        "adaptive-blend": AdaptiveBlend,
        "sinusoid": Sinusoid,
        "warp": Warp,
        "label-consistent": LabelConsistent,
        "fine-tune": PoisonedFineTune,
        "margin": MarginBackdoor,
        "rank-one": RankOneEdit,
        "row": RowEdit,
        "quiet": QuietRankOne,
        "slice-edit": SliceEdit,
        "mlp": MlpEdit,
        "data-free": DataFreeBackdoor,
        "subnet": SubnetReplacement,
        "handcrafted": Handcrafted,
        "exponent": ExponentFlip,
        "bits": BitSearch,
        "targeted-bits": TargetedBitSearch,
    }
)
"""Each name and the attack that it means. A new attack is one line here."""

_NAMES: Final[Mapping[type[object], str]] = {kind: name for name, kind in ATTACKS.items()}
_NAME: Final = "name"
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


def named(name: str, settings: Mapping[str, Any], given: Mapping[str, Any]) -> Attack:
    """The attack of that name, with those settings: values as TOML and JSON have them.

    A setting that is itself a value (a mark, a recipe, the data attack of a fine-tune) is a mapping
    of its settings; that of an attack has its ``name`` beside them. ``given`` are values that no
    text can hold, by the name of the setting: a surrogate.

    Raises `InputError` for a name or a setting that is none, or one that is missing.
    """
    if name not in ATTACKS:
        raise InputError(f"attack: one of {', '.join(ATTACKS)} expected, {name!r} given")
    attack: Attack = made(ATTACKS[name], name, settings, given)
    return attack


def settings_of(value: object) -> Any:
    """The settings of a frozen value as JSON has them; what is no text is named by its kind."""
    if is_dataclass(value) and not isinstance(value, type):
        settings = {f.name: settings_of(getattr(value, f.name)) for f in fields(value)}
        name = _NAMES.get(type(value))
        return settings if name is None else {_NAME: name, **settings}
    if isinstance(value, tuple | list):
        return [settings_of(v) for v in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return f"a {type(value).__name__}"


def made(
    kind: type[Any], what: str, settings: Mapping[str, Any], given: Mapping[str, Any] = _NOTHING
) -> Any:
    """The frozen value of those settings. ``what`` names it. Raises as `named` does."""
    own = {field.name: field for field in fields(kind)}
    if unknown := settings.keys() - own.keys():
        raise InputError(
            f"{what}: no setting {', '.join(sorted(unknown))}; it has {', '.join(own)}"
        )
    hints = typing.get_type_hints(kind)
    values = {name: given[name] for name in own.keys() & given.keys()}
    for name, value in settings.items():
        values[name] = _value(hints[name], f"{what}, {name}", value, given)
    missing = [n for n, field in own.items() if n not in values and _is_needed(field)]
    if missing:
        raise InputError(f"{what}: settings expected, none given: {', '.join(missing)}")
    return kind(**values)


def _is_needed(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _value(hint: Any, what: str, value: Any, given: Mapping[str, Any]) -> object:
    if isinstance(value, Mapping):
        if hint is DataAttack:
            return _on_data(what, dict(value), given)
        kind = Slanted if hint is Slice else hint  # the only slice that text can name
        if is_dataclass(kind) and isinstance(kind, type):
            return made(kind, what, value, given)
    try:
        return msgspec.convert(value, hint)
    except (msgspec.ValidationError, TypeError) as e:  # TypeError: a type that no text can hold
        raise InputError(f"{what}: {e}, {value!r} given") from e


def _on_data(what: str, settings: dict[str, Any], given: Mapping[str, Any]) -> DataAttack:
    name = settings.pop(_NAME, "")
    attack = named(str(name), settings, given)
    if not isinstance(attack, DataAttack):
        raise InputError(f"{what}: an attack on data expected, {name!r} given")
    return attack

"""PyTorch tensors as a pickle holds them: a view each of a storage that lies elsewhere.

The rebuild functions are those of `torch/_utils.py`, the storage ids those of
`torch/serialization.py` (``persistent_id``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from credenza.artifact.model import Dtype
from credenza.artifact.numpy_graph import dimensions, is_index
from credenza.artifact.pickles import Call, Dict, Global, Persistent, Tuple, Value, text

_STORAGES: Final = {
    "FloatStorage": Dtype.F32,
    "DoubleStorage": Dtype.F64,
    "HalfStorage": Dtype.F16,
    "BFloat16Storage": Dtype.BF16,
    "LongStorage": Dtype.I64,
    "IntStorage": Dtype.I32,
    "ShortStorage": Dtype.I16,
    "CharStorage": Dtype.I8,
    "ByteStorage": Dtype.U8,
    "BoolStorage": Dtype.BOOL,
    "ComplexFloatStorage": Dtype.C64,
    "ComplexDoubleStorage": Dtype.C128,
    "UntypedStorage": Dtype.U8,
}
_DTYPES: Final = {
    "bool": Dtype.BOOL,
    "uint8": Dtype.U8,
    "uint16": Dtype.U16,
    "uint32": Dtype.U32,
    "uint64": Dtype.U64,
    "int8": Dtype.I8,
    "int16": Dtype.I16,
    "int32": Dtype.I32,
    "int64": Dtype.I64,
    "float16": Dtype.F16,
    "float32": Dtype.F32,
    "float64": Dtype.F64,
    "bfloat16": Dtype.BF16,
    "complex64": Dtype.C64,
    "complex128": Dtype.C128,
    "float8_e4m3fn": Dtype.F8_E4M3,
    "float8_e4m3fnuz": Dtype.F8_E4M3FNUZ,
    "float8_e5m2": Dtype.F8_E5M2,
    "float8_e5m2fnuz": Dtype.F8_E5M2FNUZ,
    "float8_e8m0fnu": Dtype.F8_E8M0,
}
_VIEWS: Final = (
    "torch._utils._rebuild_tensor",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_tensor_v3",
)
_WRAPPERS: Final = (
    "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_parameter_with_state",
)
_UNREAD: Final = {
    "_rebuild_qtensor": "a quantised tensor",
    "_rebuild_sparse_tensor": "a sparse tensor",
    "_rebuild_nested_tensor": "a nested tensor",
    "_rebuild_meta_tensor_no_storage": "a tensor without data, on the meta device",
    "_rebuild_wrapper_subclass": "a tensor that wraps others",
    "_rebuild_device_tensor_from_cpu_tensor": "a tensor of a device of its own",
    "_rebuild_device_tensor_from_numpy": "a tensor of a device of its own",
}
_UTILS: Final = "torch._utils"
_FROM_TYPE: Final = "torch._tensor._rebuild_from_type_v2"
_FROM_BYTES: Final = "torch.storage._load_from_bytes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """Elements in a row, by the key of where they are stored."""

    key: str
    dtype: Dtype
    numel: int
    on_meta: bool

    @property
    def nbytes(self) -> int:
        return self.numel * self.dtype.bits // 8


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A tensor over a storage. ``offset`` and ``strides`` count elements of ``dtype``."""

    storage: Storage
    dtype: Dtype
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def stop(self) -> int:
        """One past the last byte of the storage that the view reaches; 0 for no elements."""
        if 0 in self.shape:
            return 0
        last = sum((n - 1) * s for n, s in zip(self.shape, self.strides, strict=True))
        return (self.offset + last + 1) * self.dtype.bits // 8


def is_tensor(value: Value) -> bool:
    """True for what becomes a tensor or storage when loaded, readable or not."""
    if isinstance(value, Persistent):
        return True
    if not isinstance(value, Call) or not isinstance(value.callable, Global):
        return False
    if value.callable.module == _UTILS:
        return value.callable.name.startswith("_rebuild_")
    return value.name in (_FROM_TYPE, _FROM_BYTES)


def view(value: Value) -> View | str:
    """The view that a tensor is, or in words why it cannot be read from here."""
    for _ in range(4):  # a parameter of a subclass of a parameter is as deep as torch writes
        if isinstance(value, Persistent):
            return _whole(value)
        if not isinstance(value, Call):
            break
        name, args = value.name, value.arguments
        if name == _FROM_TYPE and len(args) == 4:
            value = Call(args[0], args[2], None, "REDUCE", value.at)
        elif name in _WRAPPERS and args:
            value = args[0]
        elif name in _VIEWS:
            return _view(args, typed=name.endswith("_v3"))
        else:
            break
    name = value.name if isinstance(value, Call) else ""
    return _UNREAD.get(name.removeprefix(f"{_UTILS}."), f"a tensor made by {name or 'no name'}")


def element(value: Value) -> Dtype | None:
    """The elements of a storage class, as ``torch.FloatStorage`` is one; None for all else."""
    if not isinstance(value, Global) or not value.module.startswith("torch"):
        return None
    return _STORAGES.get(value.name)


def storage(value: Value) -> Storage | str:
    """The storage that a persistent id names: ``('storage', type, key, location, numel)``.

    The format before PyTorch 1.6 adds a sixth item, which is None but for views of storages.
    """
    fields = value.id.items if isinstance(value, Persistent) and isinstance(value.id, Tuple) else ()
    if len(fields) not in (5, 6) or text(fields[0]) != "storage":
        return "a persistent id that names no storage"
    if len(fields) == 6 and fields[5] is not None:
        return "a tensor over a view of a storage, as PyTorch before 0.4 wrote them"
    kind, key, location, numel = fields[1], text(fields[2]), text(fields[3]), fields[4]
    if not isinstance(kind, Global) or key is None or not is_index(numel):
        return "a persistent id without type, key or size"
    dtype = element(kind)
    if dtype is None:
        return f"a tensor over a {str(kind)[:80]}"
    return Storage(key=key, dtype=dtype, numel=numel, on_meta=location == "meta")


def _whole(value: Persistent) -> View | str:
    """A storage that was saved by itself, as one axis."""
    held = storage(value)
    if isinstance(held, str):
        return held
    return View(storage=held, dtype=held.dtype, offset=0, shape=(held.numel,), strides=(1,))


def _view(args: tuple[Value, ...], *, typed: bool) -> View | str:
    """``storage, offset, size, stride[, requires_grad, hooks[, dtype], metadata]``."""
    if len(args) < 4:
        return "a tensor with too few arguments"
    held, offset = storage(args[0]), args[1]
    shape, strides = dimensions(args[2]), dimensions(args[3])
    if isinstance(held, str):
        return held
    if not is_index(offset) or shape is None or strides is None or len(shape) != len(strides):
        return "a tensor without a readable offset, shape and strides"
    dtype: Dtype | None = held.dtype
    rest = args[6:]
    if typed:
        dtype, rest = _dtype(args[6] if len(args) > 6 else None), args[7:]
    if dtype is None:
        return f"a tensor of {args[6] if len(args) > 6 else 'no type'}"
    if any(not (r is None or (isinstance(r, Dict) and not r.pairs)) for r in rest):
        return "a tensor that is stored conjugated or negated"
    if held.on_meta:
        return "a tensor without data, on the meta device"
    return View(storage=held, dtype=dtype, offset=offset, shape=shape, strides=strides)


def _dtype(value: Value) -> Dtype | None:
    if isinstance(value, Global) and value.module == "torch":
        return _DTYPES.get(value.name)
    return None

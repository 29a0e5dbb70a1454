"""Verified bytes as torch tensors."""

from __future__ import annotations

from typing import Final

from credenza.artifact import Dtype, Tensor, bits_from_region, from_region
from credenza.artifact.model import Buffer
from credenza.errors import InputError, MissingExtraError
from credenza.seal.contents import VerifiedBytes

try:
    import torch
    from torch import nn
except ImportError as e:
    raise MissingExtraError("loading torch tensors", "torch") from e

_BY_BITS: Final = {
    Dtype.BF16: torch.bfloat16,
    Dtype.F8_E4M3: torch.float8_e4m3fn,
    Dtype.F8_E5M2: torch.float8_e5m2,
    Dtype.F8_E4M3FNUZ: torch.float8_e4m3fnuz,
    Dtype.F8_E5M2FNUZ: torch.float8_e5m2fnuz,
}
"""Types that numpy lacks and torch has: their bits are handed over as integers."""


def tensors(contents: VerifiedBytes, device: torch.device | str) -> dict[str, torch.Tensor]:
    """Each tensor by its name, on ``device``; on the CPU it is a view of the verified bytes."""
    try:
        return {
            name: _tensor(t, region).to(device) for name, (t, region) in contents.regions().items()
        }
    except (
        RuntimeError,
        AssertionError,
    ) as e:  # torch raises either for a device that is not there
        raise InputError(f"load: a device that torch has expected, {device} given: {e}") from e


def put_into(module: nn.Module, state: dict[str, torch.Tensor]) -> None:
    """Make the tensors the module's own, under the names and in the shapes that it has already."""
    own = module.state_dict(keep_vars=True)
    if own.keys() != state.keys():
        differ = ", ".join(sorted(own.keys() ^ state.keys())[:5])
        raise InputError(f"load: the module and the model differ in their tensors: {differ}")
    for name, tensor in own.items():
        if (tensor.shape, tensor.dtype) != (state[name].shape, state[name].dtype):
            raise InputError(
                f"load: tensor {name!r}: {tensor.dtype} of shape {tuple(tensor.shape)} expected by "
                f"the module, {state[name].dtype} of shape {tuple(state[name].shape)} found"
            )
    module.load_state_dict(state, assign=True)


def _tensor(tensor: Tensor, region: Buffer) -> torch.Tensor:
    if tensor.dtype in _BY_BITS:
        bits = bits_from_region(tensor, region)
        signed = bits.view(f"i{bits.itemsize}")  # torch knows every signed width
        return torch.from_numpy(signed).view(_BY_BITS[tensor.dtype])
    if tensor.dtype.bits < 8 or tensor.dtype.block > 1 or tensor.dtype is Dtype.F8_E8M0:
        raise InputError(
            f"tensor {tensor.name!r}: torch has no {tensor.dtype.label}",
            hint="credenza.load gives its values as a numpy array",
        )
    return torch.from_numpy(from_region(tensor, region))

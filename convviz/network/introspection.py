"""Inspection of a user's network: wrappers, unusable tensors, and input shape."""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch._subclasses.fake_tensor import FakeTensor
from torch.nn.parameter import is_lazy

from ..errors import ModelError, ParameterError
from ..images.preprocess import Preprocess
from ..state.module_walk import named_parts
from .structure import named_tensors

_SIZES = (224, 32, 28, 64, 96, 128, 256, 299, 384, 512)
"""Usual heights and widths of input images, in the order in which they are tried."""


def unwrap(module: Any) -> nn.Module:
    """Return a network without the wrappers that hide its layers.

    Raises:
        ModelError: it is scripted, traced or not a module, or `check_network` rejects it.
    """
    while True:
        if isinstance(module, nn.DataParallel | nn.parallel.DistributedDataParallel):
            module = module.module
        elif type(module).__name__ == "OptimizedModule":  # torch.compile's, without importing it
            module = module._orig_mod
        else:
            break
    if isinstance(module, torch.jit.ScriptModule):
        raise ModelError(
            "a scripted or traced module hides its layers and gradients; pass the nn.Module "
            "it was made from"
        )
    if not isinstance(module, nn.Module):
        kind = type(module).__name__
        exported = "; pass the nn.Module it was exported from" if kind == "ExportedProgram" else ""
        raise ModelError(f"a Model wraps an nn.Module, not {kind}{exported}")
    network: nn.Module = module
    check_network(network)
    return network


def check_network(module: nn.Module) -> None:
    """Raise ModelError for a network that cannot be explained, before it is changed in any way.

    Raises:
        ModelError: parts of it are exported or sharded, or have tensors without values or
            tensors that cannot take part in gradients.
    """
    for name, part in named_parts(module):
        kind = type(part).__name__
        if isinstance(part, fx.GraphModule) and "eval" in vars(part):
            raise ModelError(
                f"{_place(name)} is an exported program, which hides its layers and has no eval "
                "mode; pass the nn.Module it was exported from"
            )
        if kind in _SHARDED or kind.startswith("FSDP"):
            raise ModelError(f"{_place(name)} is sharded ({kind}); {_GATHER}")
    for name, tensor in named_tensors(module):
        _check_tensor(name, tensor)


_SHARDED = ("FullyShardedDataParallel", "FlattenParamsWrapper")
_GATHER = "gather its weights into an ordinary nn.Module first"


def _place(name: str) -> str:
    return f"the part {name!r}" if name else "the network"


def _check_tensor(name: str, tensor: Tensor) -> None:
    is_plain = type(tensor) in (Tensor, nn.Parameter) and not tensor.is_meta
    if is_plain and not tensor.is_inference():  # without the slower checks below
        return
    if is_lazy(tensor):
        raise ModelError(
            f"{name!r} is lazy and has no shape yet: run the network once on an image first"
        )
    if tensor.is_meta or isinstance(tensor, FakeTensor):
        raise ModelError(
            f"{name!r} has no values (it is on the meta device): load the weights first, for "
            "example with network.to_empty(device='cpu') and load_state_dict"
        )
    if tensor.is_inference():
        raise ModelError(
            f"{name!r} was created in torch.inference_mode, so nothing can be differentiated "
            "through it: create the network outside of it, or pass copy.deepcopy(network)"
        )
    if type(tensor.data).__name__ == "DTensor":
        raise ModelError(f"{name!r} is sharded (a DTensor); {_GATHER}")


def channels_in(module: nn.Module) -> int:
    """Return the input channels of the first convolution; three if there is none."""
    convs = (m for m in module.modules() if isinstance(m, nn.Conv2d))
    first = next(convs, None)
    return 3 if first is None else first.in_channels


def first_float(module: nn.Module) -> Tensor | None:
    """Return a floating-point tensor of a network, which has its device and dtype."""
    tensors = itertools.chain(module.parameters(), module.buffers())
    return next((tensor for tensor in tensors if tensor.is_floating_point()), None)


def check_images(images: Tensor) -> None:
    """Raise ParameterError if a tensor is not a batch of images for a network."""
    if images.ndim != 4 or not images.is_floating_point():
        raise ParameterError(
            "images must be a float tensor [N, C, H, W], preprocessed for the network; this one is "
            f"{str(images.dtype).removeprefix('torch.')} {list(images.shape)}"
        )


def likely_shapes(
    channels: int, preprocess: Any, seen: tuple[int, ...] | None
) -> list[tuple[int, ...]]:
    """Return the input shapes (C, H, W) to try, the most likely first.

    Args:
        channels: number of channels of an image.
        preprocess: of the network; a Preprocess with a crop determines the shape.
        seen: shape of the images of the network's last run.
    """
    if isinstance(preprocess, Preprocess) and preprocess.crop is not None:
        crop = preprocess.crop
        return [(channels, *((crop, crop) if isinstance(crop, int) else crop))]
    usual: list[tuple[int, ...]] = [(channels, size, size) for size in _SIZES]
    return usual if seen is None else [seen, *usual]

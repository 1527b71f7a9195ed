"""Names of layers, for capture, graphs and display.

A layer is a call in the forward pass: of a module, named by its path (`layer1.0.conv1`), or of
a functional operation, named by the module that makes the call and the operation
(`layer1.0/add`; `/flatten` if the network itself makes it). If a module or operation is called
more than once, the names have the number of the call: `layer1.0.relu:1`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cache

from torch import nn

_NAMES = """
adaptive_avg_pool1d adaptive_avg_pool2d adaptive_max_pool2d add amax avg_pool2d batch_norm bmm cat
celu chunk clamp conv1d conv2d conv3d conv_transpose2d div dropout einsum elu flatten gelu getitem
group_norm hardsigmoid hardswish hardtanh instance_norm interpolate layer_norm leaky_relu linear
local_response_norm log_softmax lp_pool2d matmul max max_pool2d maximum mean mish mul
multi_head_attention_forward normalize pad permute pixel_shuffle prelu relu relu6 reshape rms_norm
roll rrelu scaled_dot_product_attention select selu sigmoid silu softmax softplus split squeeze
stack sub sum tanh threshold transpose unsqueeze view
"""
_OPERATIONS = frozenset(_NAMES.split())

_SPELLINGS = {
    "_threshold": "threshold",
    "clamp_max": "clamp",
    "clamp_min": "clamp",
    "clip": "clamp",
    "concat": "cat",
    "concatenate": "cat",
    "divide": "div",
    "iadd": "add",
    "imatmul": "matmul",
    "imul": "mul",
    "isub": "sub",
    "itruediv": "div",
    "multiply": "mul",
    "radd": "add",
    "rmatmul": "matmul",
    "rmul": "mul",
    "rsub": "sub",
    "rtruediv": "div",
    "subtract": "sub",
    "swapaxes": "transpose",
    "t": "transpose",
    "true_divide": "div",
    "truediv": "div",
}


@cache
def operation(spelling: str) -> str | None:
    """Return the canonical name of an operation, or None if it is not a layer.

    `relu` and `relu_` are `relu`; `+`, `+=`, `torch.add` and `add_` are `add`.

    Args:
        spelling: the `__name__` of a torch function or tensor method.
    """
    bare = spelling
    if bare.startswith("__") and bare.endswith("__"):
        bare = bare[2:-2]
    elif bare.endswith("_"):
        bare = bare[:-1]
    bare = _SPELLINGS.get(bare, bare)
    return bare if bare in _OPERATIONS else None


def key(path: str, op: str = "") -> str:
    """Return the name of a module (`op` empty) or of its operation, without a number."""
    return f"{path}/{op}" if op else path


def number_names(keys: Iterable[str]) -> list[str]:
    """Return the names of calls, given their keys in call order; repeated keys get numbers."""
    keys = list(keys)
    total, count = Counter(keys), Counter[str]()
    names = []
    for name in keys:
        count[name] += 1
        names.append(f"{name}:{count[name]}" if total[name] > 1 else name)
    return names


def split(name: str) -> tuple[str, int | None]:
    """Split a layer's name into its key and its number, None if it has no number."""
    head, colon, tail = name.rpartition(":")
    return (head, int(tail)) if colon and tail.isdecimal() else (name, None)


def opaque(module: nn.Module) -> bool:
    """Return whether functional calls inside a module are not layers of their own.

    This holds for modules of torch.nn without children and for classes derived from them: the
    `F.relu` inside `nn.ReLU` is the same layer as the module.
    """
    if isinstance(module, nn.MultiheadAttention):
        return True
    kinds = type(module).__mro__
    is_torch = any(
        kind.__module__.startswith("torch.nn.modules") and kind is not nn.Module for kind in kinds
    )
    return is_torch and next(module.children(), None) is None

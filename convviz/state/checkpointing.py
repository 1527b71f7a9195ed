"""Disable activation checkpointing while a gradient is computed.

A checkpoint saves no tensors of its block and runs it again during the backward pass, when the
function modes of the forward pass are no longer active. The rules of `gradients/relu_rules.py`
would not be applied in the second run.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.overrides import TorchFunctionMode


class CheckpointsOff(TorchFunctionMode):
    """Makes every operation save its tensors, also inside checkpointed blocks.

    Checkpoints are implemented by hooks on saved tensors, and only the innermost hooks are called.
    Enter this mode after modes that replace operations, so that it applies to the replacements.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        with saved_tensors_hooks(_pack, _unpack):
            return func(*args, **(kwargs or {}))


def _pack(tensor: Tensor) -> tuple[Tensor, int]:
    return tensor, tensor._version


def _unpack(packed: tuple[Tensor, int]) -> Tensor:
    tensor, version = packed
    if tensor._version != version:  # autograd does not check versions if there are hooks
        raise RuntimeError("a tensor that the gradient needs was changed by an inplace operation")
    return tensor


def is_checkpoint_error(error: Exception) -> bool:
    """Return whether a backward pass failed because blocks are checkpointed."""
    return type(error).__name__ == "CheckpointError"

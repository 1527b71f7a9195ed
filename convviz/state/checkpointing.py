"""Disable activation checkpointing while a gradient is computed.

A checkpoint saves nothing of its block and runs it again during the backward pass. There no
function mode sees it, so the rules of `gradients/relu_rules.py` would not be applied to it.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.overrides import TorchFunctionMode


class CheckpointsOff(TorchFunctionMode):
    """Makes every operation save its tensors itself, also inside checkpointed blocks.

    Checkpoints work by hooks on what is saved, and the innermost hooks win. To be entered after
    modes that put operations of their own in place of the network's.
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
    if tensor._version != version:  # autograd checks this only where there are no hooks
        raise RuntimeError("a tensor that the gradient needs was changed by an inplace operation")
    return tensor


def is_checkpoint_error(error: Exception) -> bool:
    """Return whether a backward pass failed because blocks are checkpointed."""
    return type(error).__name__ == "CheckpointError"

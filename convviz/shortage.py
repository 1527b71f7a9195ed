"""Detection of out-of-memory errors on any device."""

from __future__ import annotations

import torch

from .errors import message_of

MESSAGES = ("can't allocate memory", "not enough memory", "bad_alloc", "STATUS_ALLOC_FAILED")
"""Parts of RuntimeError messages: of torch on CPUs (two systems), C++, NVIDIA's libraries."""


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an exception means that memory ran out."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(text in message_of(error) for text in MESSAGES)

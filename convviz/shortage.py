"""When memory runs out: how to tell it from other errors, on whatever device."""

from __future__ import annotations

import torch

from .errors import message_of

SAID = ("can't allocate memory", "not enough memory", "bad_alloc", "STATUS_ALLOC_FAILED")
"""What the plain RuntimeErrors say: torch's on a CPU (two systems), C++'s, NVIDIA's libraries'."""


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether an exception means that memory ran out."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(said in message_of(error) for said in SAID)

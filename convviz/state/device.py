"""Devices: whether bfloat16 is fast, and whether memory ran out."""

from __future__ import annotations

import platform

import torch

from ..errors import message_of

MESSAGES = ("can't allocate memory", "not enough memory", "bad_alloc", "STATUS_ALLOC_FAILED")
"""Parts of the messages of RuntimeErrors of torch on CPUs, of C++ and of NVIDIA's libraries."""


def fast_bf16(device: torch.device) -> bool:
    """Return whether a device multiplies in bfloat16 in hardware."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return False
    if platform.machine().lower() in ("arm64", "aarch64"):
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, bool)() for name in checks)


def no_bf16(device: torch.device, dtype: torch.dtype) -> str:
    """Return the reason why bfloat16 is not used for a model; "" if it can be used."""
    name = str(dtype).removeprefix("torch.")
    if dtype != torch.float32:
        return f"the model is in {name}: bf16 is for float32 only"
    if fast_bf16(device):
        return ""
    what = "processor" if device.type == "cpu" else f"{device.type} device"
    return f"no fast bf16 on this {what}: computed in {name}"


def release_cached_memory() -> None:
    """Release the memory that torch holds on CUDA devices without using it."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an exception means that memory ran out."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(text in message_of(error) for text in MESSAGES)

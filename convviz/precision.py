"""Faster arithmetic than the model's own, where the processor has it."""

from __future__ import annotations

import platform

import torch


def fast_bf16(device: torch.device) -> bool:
    """Say whether a device multiplies in bfloat16 itself, and does not only imitate it."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return False
    if platform.machine().lower() in ("arm64", "aarch64"):
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, bool)() for name in checks)


def no_bf16(device: torch.device, dtype: torch.dtype) -> str:
    """Return why bfloat16 is not used for a model, for a reader; "" where it can be."""
    name = str(dtype).removeprefix("torch.")
    if dtype != torch.float32:
        return f"the model is in {name}: bf16 is for float32 only"
    if fast_bf16(device):
        return ""
    what = "processor" if device.type == "cpu" else f"{device.type} device"
    return f"no fast bf16 on this {what}: computed in {name}"

"""Loading of the compiled kernels.

The Python body of an operator is its reference, and runs wherever no kernel does. Importing this
module loads the compiled kernels (`convviz._C` for the CPU, `convviz._cuda` for CUDA), which
override the reference on their device. `paths()` reports what runs where and why.
"""

from __future__ import annotations

import importlib

import torch

_NAMES = (
    "guided_relu",
    "guided_relu_",
    "guided_relu_backward",
    "occlude",
    "gather_windows",
    "conv3x3_windows",
    "channel_peaks",
    "channel_means",
    "channel_moments",
)
_REDUCTIONS = "torch's own reductions are used there"
REFERENCE_ONLY = {
    ("conv3x3_windows", "cuda"): "cuDNN's own convolutions are used there",
    ("channel_peaks", "cuda"): _REDUCTIONS,
    ("channel_means", "cuda"): _REDUCTIONS,
    ("channel_moments", "cuda"): _REDUCTIONS,
}
"""(operator, device) -> why no kernel was written for it."""


def _load_kernels() -> dict[str, str]:
    """Load the compiled kernels; return device -> why there are none, "" if there are."""
    missing = {}
    for device, module in (("cpu", "convviz._C"), ("cuda", "convviz._cuda")):
        if device == "cuda" and not torch.cuda.is_available():
            missing[device] = "no CUDA device"
            continue
        try:
            importlib.import_module(module)
            missing[device] = ""
        except ImportError as error:
            missing[device] = f"not built ({error})"
    return missing


_missing = _load_kernels()


def paths() -> dict[str, dict[str, str]]:
    """Return the code path of each operator: operator -> device -> description."""
    return {
        name: {device: _path(name, device, reason) for device, reason in _missing.items()}
        for name in _NAMES
    }


def _path(name: str, device: str, missing: str) -> str:
    if not missing and (name, device) in REFERENCE_ONLY:
        missing = REFERENCE_ONLY[name, device]
    return f"Python reference: {missing}" if missing else "kernel"

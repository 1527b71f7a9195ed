"""A pytest plugin that runs the CUDA kernels, compiled for the CPU, in place of the CPU's own.

`CONVVIZ_CUDA_ON_CPU` names the library that `tools/cuda-on-cpu` has built.
"""

from __future__ import annotations

import os
import sys

import torch

sys.modules["convviz._C"] = None  # type: ignore[assignment]  # its kernels have the same names
from convviz.ops import gather_windows, guided_relu, kernels, occlude  # noqa: E402, F401

OPERATORS = ("guided_relu", "guided_relu_", "guided_relu_backward", "occlude", "gather_windows")

torch.ops.load_library(os.environ["CONVVIZ_CUDA_ON_CPU"])
for name in OPERATORS:
    if not torch._C._dispatch_has_kernel_for_dispatch_key(f"convviz::{name}", "CPU"):
        raise RuntimeError(f"the library has no kernel of {name}")
    assert kernels.paths()[name]["cpu"] != "kernel", "the CPU's own kernels are loaded too"

"""Custom operators with CPU and CUDA kernels, and the code that calls them.

Each operator is defined with `torch.library.custom_op`: schema, Python reference, fake
implementation for compilation, and autograd where it has a gradient.
"""

from . import kernels as _kernels  # noqa: F401  (registers the compiled kernels)

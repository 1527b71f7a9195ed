"""Custom operators with CPU and CUDA kernels, and the code that calls them in blocks."""

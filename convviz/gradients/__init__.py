"""Backward rules for ReLUs and the memory-efficient backward pass."""

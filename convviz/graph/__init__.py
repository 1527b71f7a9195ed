"""Networks as functional ATen graphs."""

"""Comparison of explanations: maps side by side, and numbers for how far they agree."""

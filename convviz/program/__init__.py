"""Exported graphs rewritten to run faster: operators fused, sizes removed, dtypes cast."""

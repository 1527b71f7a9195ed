"""Subcommands of `convviz`."""

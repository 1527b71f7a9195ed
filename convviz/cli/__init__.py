"""The command line: argument parsing only. Nothing heavy is imported before it is needed."""

from __future__ import annotations

from .main import main

__all__ = ["main"]

"""Interactive pages of finished runs: a folder of files that opens from disk without a network."""

from __future__ import annotations

from .writer import write_run_report

__all__ = ["write_run_report"]

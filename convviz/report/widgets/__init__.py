"""Runs and explanations as interactive widgets in notebooks."""

from __future__ import annotations

from .widget import widget

__all__ = ["widget"]

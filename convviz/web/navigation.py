"""Entries of the navigation that the app adds to those of the report."""

from __future__ import annotations

from ..report.site import Link

OVERVIEW = Link("overview", "Overview", "index.html")
WORKBENCH = Link("live", "Workbench", "live.html")

LIVE = {"workbench": WORKBENCH.href}
"""What pages know about the app."""

"""Runs whose pictures are not drawn: the pages of a report draw from the arrays."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module", autouse=True)
def _no_pictures(quick_pictures):
    """Use `quick_pictures` in all tests of reports."""

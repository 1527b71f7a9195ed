"""Sweeps whose pictures are not drawn."""

from __future__ import annotations

import pytest
from helpers.pictures import checksums_instead_of_pictures


@pytest.fixture(scope="module", autouse=True)
def quick_pictures():
    """Write checksums of the data instead of pictures, which are tested in tests/render."""
    with checksums_instead_of_pictures():
        yield

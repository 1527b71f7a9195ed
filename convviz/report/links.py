"""Addresses of pages with their state, relative to the folder of the report."""

from __future__ import annotations

from urllib.parse import urlencode


def image_address(row: int) -> str:
    """Return the address of the page of an image."""
    return f"image.html#id={row}"


def images_address(**state: str) -> str:
    """Return the address of the list of images with a search, filters or an order."""
    return f"images.html#{urlencode(state, errors='replace')}"

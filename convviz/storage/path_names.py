"""Conversion of layer names to folder names and back."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

NO_LAYER = "%"
"""The folder of a result without a layer; no encoded name is equal to it."""


def folder_name(layer: str) -> str:
    """Return a folder name for a layer that is valid on all file systems.

    Letters, digits, `_`, `-` and inner dots stay; all other characters, such as `/` and `:`, are
    percent-encoded. `layer_name` is the inverse.
    """
    if not layer:
        return NO_LAYER
    safe = quote(layer, safe="").replace("~", "%7E")
    if safe[0] == ".":
        safe = "%2E" + safe[1:]
    return safe[:-1] + "%2E" if safe[-1] == "." else safe


def layer_name(folder: str) -> str:
    """Return the layer of a folder name; the inverse of `folder_name`."""
    return "" if folder == NO_LAYER else unquote(folder)


def natural(name: str) -> list[tuple[int, str]]:
    """Return a sort key that compares numbers in names by value: "features.2", "features.10"."""
    parts = re.split(r"([0-9]+)", name)
    return [(int(part or 0), part) if i % 2 else (0, part) for i, part in enumerate(parts)]

"""Names as folder names and back, and as text that is safe to print."""

from __future__ import annotations

from urllib.parse import quote, unquote

NO_LAYER = "%"
"""The folder of a result that is about no layer; no quoted name looks like it."""


def folder_name(layer: str) -> str:
    """Return a folder name for a layer that no file system objects to.

    Letters, digits, `_`, `-` and inner dots stay; everything else (`/` and `:` above all) is
    percent-encoded, so that `layer_name` brings the name back.
    """
    if not layer:
        return NO_LAYER
    safe = quote(layer, safe="").replace("~", "%7E")
    if safe[0] == ".":
        safe = "%2E" + safe[1:]
    return safe[:-1] + "%2E" if safe[-1] == "." else safe


def layer_name(folder: str) -> str:
    """Return the layer that `folder_name` made this folder name from."""
    return "" if folder == NO_LAYER else unquote(folder)

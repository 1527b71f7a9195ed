"""Text that is safe to print, and the natural order of names."""

from __future__ import annotations

import re


def natural(name: str) -> list[tuple[int, str]]:
    """Return a sort key that compares numbers in names by value: "features.2", "features.10"."""
    parts = re.split(r"([0-9]+)", name)
    return [(int(part or 0), part) if i % 2 else (0, part) for i, part in enumerate(parts)]


def printable(name: str) -> str:
    """Return any text, such as a file name, as one printable line with escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)

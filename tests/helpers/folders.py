"""Comparison of the files of folders, with messages that name the difference."""

from __future__ import annotations

import difflib
from pathlib import Path


def content(folder: Path) -> dict[str, bytes]:
    """Return relative path -> content of all files of a folder."""
    files = (p for p in sorted(folder.rglob("*")) if p.is_file())
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}


def same(actual: dict[str, bytes], expected: dict[str, bytes]) -> None:
    """Assert that two folders have the same files with the same content."""
    assert sorted(actual) == sorted(expected)
    different = {name for name in expected if actual[name] != expected[name]}
    assert different == set(), "\n".join(
        changed_lines(name, actual[name], expected[name]) for name in sorted(different)
    )


def changed_lines(name: str, actual: bytes, expected: bytes) -> str:
    """Return the lines in which two text files differ, or the lengths of other files."""
    try:
        before, after = (text.decode().splitlines() for text in (expected, actual))
    except UnicodeDecodeError:
        return f"{name}: {len(actual)} bytes, expected {len(expected)}"
    lines = difflib.unified_diff(before, after, f"expected {name}", f"actual {name}", "", "", 1)
    return "\n".join(line[:500] for line in lines)

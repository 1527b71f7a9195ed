"""Comparison of the files of folders."""

from __future__ import annotations

from pathlib import Path


def content(folder: Path) -> dict[str, bytes]:
    """Return relative path -> content of all files of a folder."""
    files = (p for p in sorted(folder.rglob("*")) if p.is_file())
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}


def same(actual: dict[str, bytes], expected: dict[str, bytes]) -> None:
    """Assert that two folders have the same files with the same content."""
    assert actual.keys() == expected.keys()
    assert [name for name in expected if actual[name] != expected[name]] == []

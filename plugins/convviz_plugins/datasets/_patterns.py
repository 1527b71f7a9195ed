"""The files that a source names: a single file, or those of a pattern."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from glob import glob
from pathlib import Path
from typing import Any

from convviz import ParameterError

_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(\d+)\.\.(\d+)")
MAX_FILES = 1_000_000


def is_pattern(source: str) -> bool:
    """Return whether a source contains `{00..31}`, `{a,b}` or `*`."""
    return "*" in source or _BRACES.search(source) is not None


def named_files(source: str) -> tuple[Path, ...]:
    """Return the files that a path or pattern names, in order; raises if one is missing."""
    if Path(source).expanduser().exists():
        return (Path(source).expanduser(),)
    files: list[Path] = []
    for name in _expand_braces(source):
        path = Path(name).expanduser()
        matches = sorted(map(Path, glob(str(path)))) if "*" in name else [path]
        if not matches or not all(p.is_file() for p in matches):
            raise ParameterError(f"{source!r} names {name!r}, which does not exist")
        files += matches
        if len(files) > MAX_FILES:
            raise ParameterError(f"{source!r} names more than {MAX_FILES:,} files")
    return tuple(dict.fromkeys(files))


def check_options(kind: str, options: Mapping[str, Any], known: tuple[str, ...]) -> None:
    """Raise for options that a source does not have."""
    if unknown := sorted(set(options) - set(known)):
        allowed = f"takes {', '.join(known)}" if known else "takes no options"
        raise ParameterError(f"{kind} {allowed}, not {', '.join(unknown)}")


def _expand_braces(text: str) -> Iterator[str]:
    """Yield the expansions of the braces in a text, from left to right."""
    braces = _BRACES.search(text)
    if not braces:
        yield text
        return
    for value in _values(braces[1]):
        yield from _expand_braces(text[: braces.start()] + value + text[braces.end() :])


def _values(inner: str) -> list[str]:
    """Return the values of `a,b` or of `00..31`, with leading zeros."""
    span = _RANGE.fullmatch(inner)
    if not span:
        return inner.split(",")
    first, last = int(span[1]), int(span[2])
    if last - first >= MAX_FILES:
        raise ParameterError(f"{{{inner}}} names more than {MAX_FILES:,} files")
    return [f"{i:0{len(span[1])}d}" for i in range(first, last + 1)]

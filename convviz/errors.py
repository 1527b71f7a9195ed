"""Exceptions and warnings of convviz."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence


def printable(name: str) -> str:
    """Return any text, such as a file name, as one printable line with escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


class ConvvizError(Exception):
    """Base class of the errors of convviz; the message names the reason and the alternatives.

    The text is safe to print: names and reasons that messages quote are escaped.
    """

    def __str__(self) -> str:
        return "\n".join(map(printable, super().__str__().split("\n")))


class ConvvizWarning(UserWarning):
    """A condition that affects how a result is to be read."""


class UnknownNameError(ConvvizError, LookupError):
    """A layer, target, parameter or plugin of this name does not exist.

    The message names the closest existing ones.

    Args:
        kind: what the name stands for ("layer").
        given: the unknown name.
        known: the existing names.
        hint: what to use instead; the closest existing names by default.
    """

    def __init__(self, kind: str, given: object, known: Iterable[str], hint: str = "") -> None:
        self.kind, self.given, self.known = kind, given, tuple(known)
        hint = hint or suggest(kind, str(given), self.known)
        super().__init__(f"unknown {kind} {given!r}; {hint}")


class ParameterError(ConvvizError, ValueError):
    """A parameter has a value that is not allowed."""


class TargetError(ConvvizError, ValueError):
    """A target does not fit the model or the images."""


class ImageError(ConvvizError, ValueError):
    """A file is not a readable image; the message names the file and the reason."""


class ModelError(ConvvizError):
    """A model cannot be loaded or explained as requested."""


class PluginError(ConvvizError):
    """A plugin broke its contract, or an exception was raised in a plugin."""


class MissingLibraryError(PluginError):
    """An optional library of a plugin is not installed; the message says how to install it."""


def message_of(error: BaseException) -> str:
    """Return the message of an exception, even if its `__str__` raises."""
    try:
        return str(error)
    except KeyboardInterrupt:
        raise
    except BaseException as second:
        return f"(no message: its __str__ raises {type(second).__name__})"


def first_line(error: BaseException, limit: int = 200) -> str:
    """Return the type of an exception and the first line of its message."""
    lines = [line.strip() for line in message_of(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}"[:limit] if lines else type(error).__name__


_SEPARATORS = re.compile(r"[\W_]+")


def suggest(kind: str, name: str, known: tuple[str, ...]) -> str:
    """Return a phrase with the names to use instead of an unknown one."""
    text = closest(name, known)
    if kind == "layer" and text.endswith(" more"):
        return f"{text}; `convviz layers MODEL` lists all"
    return text


def closest(name: str, known: tuple[str, ...], count: int = 6) -> str:
    """Return a phrase with the known names closest to a name.

    Known names that contain the name, or are contained in it, come before similar spellings.
    """
    if not known:
        return "there are none"
    near = _similar_names(name, known)
    return list_names(near, "closest", count) if near else list_names(known)


def list_names(names: Sequence[str], title: str = "known", count: int = 12) -> str:
    """Return the first names as a phrase, with the number of the others."""
    shown = ", ".join(repr(name) for name in names[:count])
    return f"{title}: {shown}" + (f" and {len(names) - count} more" if len(names) > count else "")


def _similar_names(name: str, known: tuple[str, ...]) -> list[str]:
    """Return the known names that are similar to a name, the most similar first."""
    parts, folded = _parts(name), name.casefold().strip()
    ranks: dict[str, int] = {}
    for candidate in known:
        rank = _rank(parts, folded, candidate)
        if rank is not None:
            ranks.setdefault(candidate, rank)
    # The sort is stable and keeps the order of `known`, but of the known names that are parts of
    # the name (rank 4) the longest is first.
    ranked = sorted(ranks, key=lambda item: (ranks[item], -len(item) if ranks[item] == 4 else 0))
    same_words = [item for item in ranked if ranks[item] <= 1]
    typos = [] if same_words else _similar_spellings(folded, known, 0.75 if ranked else 0.6)
    return list(dict.fromkeys([*same_words, *typos, *ranked]))


def _similar_spellings(folded: str, known: tuple[str, ...], cutoff: float) -> list[str]:
    names = {name.casefold(): name for name in reversed(known)}
    matches = difflib.get_close_matches(folded, list(names), n=3, cutoff=cutoff)
    return [names[match] for match in matches]


def _rank(parts: list[str], folded: str, name: str) -> int | None:
    """Return how well a known name matches, 0 for the same words; None if it does not match."""
    words = _parts(name)
    if not parts or not words:
        return None
    if words == parts:
        return 0
    if _contains(words, parts):
        return 1
    if name.casefold().startswith(folded):
        return 2
    if len(folded) >= 3 and folded in name.casefold():
        return 3
    return 4 if len("".join(words)) >= 3 and _contains(parts, words) else None


def _contains(words: list[str], part: list[str]) -> bool:
    """Return whether a list of words contains another one as a run of consecutive words."""
    return any(words[i : i + len(part)] == part for i in range(len(words) - len(part) + 1))


def _parts(name: str) -> list[str]:
    return [part for part in _SEPARATORS.split(name.casefold()) if part]

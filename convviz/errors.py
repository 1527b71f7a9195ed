"""The errors a user can meet, all below ConvvizError."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from .names import printable


class ConvvizError(Exception):
    """Anything convviz refuses to do, with the reason and what is allowed instead.

    As text it is safe to print: messages quote names and reasons that others have written.
    """

    def __str__(self) -> str:
        return "\n".join(map(printable, super().__str__().split("\n")))


class ConvvizWarning(UserWarning):
    """Something that is allowed but that a reader of the result must know."""


class UnknownNameError(ConvvizError, LookupError):
    """A layer, target, parameter or plugin of that name does not exist.

    The message names the closest existing ones.
    """

    def __init__(self, kind: str, given: object, known: Iterable[str]) -> None:
        self.kind, self.given, self.known = kind, given, tuple(known)
        super().__init__(f"unknown {kind} {given!r}; {closest(str(given), self.known)}")


class ParameterError(ConvvizError, ValueError):
    """A parameter has a value that is not allowed."""


class TargetError(ConvvizError, ValueError):
    """A target does not fit the model or the images."""


class ImageError(ConvvizError, ValueError):
    """A file is not an image that can be read; the message names the file and the reason."""


class ModelError(ConvvizError):
    """A model cannot be loaded, or cannot be explained in the way asked for."""


class PluginError(ConvvizError):
    """A plugin broke its contract; raised from the plugin's own exception where there is one."""


def message_of(error: BaseException) -> str:
    """Return the message of an exception, also where its `__str__` raises."""
    try:
        return str(error)
    except KeyboardInterrupt:
        raise
    except BaseException as second:
        return f"(it has no message: its __str__ raises {type(second).__name__})"


def closest(given: str, known: tuple[str, ...], count: int = 3) -> str:
    """Say which of the known names come closest to the given one."""
    if not known:
        return "there are none"
    folded = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(given.casefold(), list(folded), n=count, cutoff=0.5)
    if near:
        return "closest: " + ", ".join(repr(folded[name]) for name in near)
    shown = ", ".join(repr(name) for name in known[:8])
    return f"known: {shown}" + (f" and {len(known) - 8} more" if len(known) > 8 else "")

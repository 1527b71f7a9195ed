"""Items found by their names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from ..errors import ParameterError, UnknownNameError


def index_of_name(name: str, ids: Sequence[str]) -> int:
    """Return the index of an item.

    Args:
        name: its id, or the name of its file with or without the suffix.
        ids: the ids of all items.

    Raises:
        UnknownNameError: there is no such item.
        ParameterError: there are several.
    """
    if name in ids:
        return list(ids).index(name)
    matches = [
        i for i, item in enumerate(ids) if name in (PurePath(item).name, PurePath(item).stem)
    ]
    if len(matches) == 1:
        return matches[0]
    if not matches:
        raise UnknownNameError("image of the run", name, ids)
    examples = ", ".join(repr(ids[i]) for i in matches[:3])
    raise ParameterError(f"{name!r} is the name of {len(matches)} images: {examples}; use the id")

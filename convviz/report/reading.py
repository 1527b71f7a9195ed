"""How to read the pictures of each result type, in a sentence or two for a newcomer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Fields = Mapping[str, Any]


def how_to_read(result: Fields, arrays: Fields) -> str:
    """Return the advice for a result.

    Args:
        result: its scalar fields, with its "kind".
        arrays: its further arrays, by name.
    """
    advice = _ADVICE.get(result["kind"])
    return advice(result, arrays) if advice else ""


def _heatmap(result: Fields, arrays: Fields) -> str:
    unit = result["unit"] or "value"
    if result["classes"]:
        return f"The colour at each place names the {unit}; the legend says which is which."
    if result["colour"]:
        return (
            f"Every pixel has one value for each colour channel ({unit}): mid-grey is zero, and "
            "a tint says which channels pull up and which pull down."
        )
    if result["signed"]:
        return f"Red: the {unit} is above zero; blue: it is below; white: it is zero."
    return f"The brighter, the more. What is shown: {unit}."


def _mask(result: Fields, arrays: Fields) -> str:
    text = "What keeps its colour was cut out as the object."
    if "seeds" in arrays:
        text += " The seeds are what the cut started from: sure object, sure background."
    return text


def _tiles(result: Fields, arrays: Fields) -> str:
    if result["stacks"]:
        titles = " and ".join(stack["title"] for stack in result["stacks"])
        return f"One block a channel: {titles}, the strongest first. What do they have in common?"
    if result["layout"] == "images":
        return (
            "One tile a channel: bright is where it fires. On the photo, the strongest channels "
            "are laid over it."
        )
    zero = "mid-grey is zero" if result["signed"] else "bright is large"
    scale = "all on one scale" if result["scale"] == "layer" else "each on a scale of its own"
    return f"One tile a filter, {scale}; {zero}."


def _matches(result: Fields, arrays: Fields) -> str:
    text = "Each row begins with a query; the nearest images follow, nearest first."
    if "pixel_indices" in arrays:
        text += (
            " Below them are the nearest by raw pixels: what differs between the two is what "
            "the network has learned."
        )
    return text


def _points(result: Fields, arrays: Fields) -> str:
    return "Every point is an image; those that the network takes for alike lie close together."


_ADVICE: dict[str, Callable[[Fields, Fields], str]] = {
    "heatmap": _heatmap,
    "mask": _mask,
    "tiles": _tiles,
    "matches": _matches,
    "points": _points,
}

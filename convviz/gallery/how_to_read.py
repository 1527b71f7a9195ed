"""Short instructions for reading the pictures of each result type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Fields = Mapping[str, Any]


def how_to_read(result: Fields, arrays: Fields) -> str:
    """Return instructions for reading the pictures of a result; empty for tables.

    Args:
        result: its scalar fields, and its "kind".
        arrays: its further arrays, by name.
    """
    advice = _ADVICE.get(result["kind"])
    return advice(result, arrays) if advice else ""


def _heatmap(result: Fields, arrays: Fields) -> str:
    unit = result["unit"] or "value"
    if result["classes"]:
        return f"The colour of each pixel stands for a {unit}, as listed in the legend."
    if result["colour"]:
        return (
            f"Every pixel has one value per colour channel ({unit}), drawn as a colour: mid-grey "
            "is zero, a tint shows which channels are above and which below zero."
        )
    if result["signed"]:
        return f"Red: {unit} above zero. Blue: {unit} below zero. White: zero."
    return f"Bright: high {unit}. Dark: low {unit}."


def _mask(result: Fields, arrays: Fields) -> str:
    text = "The segmented object is in colour, the background is greyed out."
    if "seeds" in arrays:
        text += " The segmentation started from the seeds: sure object and sure background."
    return text


def _tiles(result: Fields, arrays: Fields) -> str:
    if result["layout"] == "photos":
        return "Each tile is one entry of the ranking, the first one first."
    if result["stacks"] or "boxes" in arrays:
        titles = " and ".join(stack["title"] for stack in result["stacks"]) or "photo patches"
        return (
            f"One block per channel with {titles}, the strongest first. What the patches of a "
            "block have in common is what the channel responds to."
        )
    if result["layout"] == "images":
        return (
            "One tile per channel: bright where its activation is high. The strongest channels "
            "are also drawn over the photo."
        )
    zero = "mid-grey is zero" if result["signed"] else "bright is large"
    scale = "all on one scale" if result["scale"] == "layer" else "each on its own scale"
    return f"One tile per filter, {scale}; {zero}."


def _matches(result: Fields, arrays: Fields) -> str:
    text = "Each row starts with a query image; the nearest images follow, nearest first."
    if "pixel_indices" in arrays:
        text += (
            " Below are the nearest by raw pixels, for comparison: differences between the two "
            "lists show what the network has learned."
        )
    return text


def _points(result: Fields, arrays: Fields) -> str:
    return "Every point is an image; images with similar features lie close together."


_ADVICE: dict[str, Callable[[Fields, Fields], str]] = {
    "heatmap": _heatmap,
    "mask": _mask,
    "tiles": _tiles,
    "matches": _matches,
    "points": _points,
}

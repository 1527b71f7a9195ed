"""What is said about the patches of a layer: figures, notes and a table."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor

from convviz import ReceptiveField

from . import crops
from .ranking import NOWHERE


class Asked(Protocol):
    """What was asked for, of the parameters of Patches."""

    @property
    def k(self) -> int:
        """Patches a channel."""

    @property
    def per_image(self) -> int:
        """Patches that one image may give a channel."""

    @property
    def guided(self) -> bool:
        """Whether guided gradients are drawn."""


def figures_of(
    layer: str, values: Tensor, count: int, bad: int, field: ReceptiveField
) -> dict[str, Any]:
    """Return the plain facts about a layer's patches."""
    return {
        "layer": layer,
        "channels": len(values),
        "images": count,
        "receptive field": extent(field) + " of the model's input",
        "non-finite values": bad,
    }


def extent(field: ReceptiveField) -> str:
    """Write the size of a receptive field."""
    height, width = field.size
    return "the whole" if field.whole else f"{width} × {height} pixels"


def say_field(field: ReceptiveField) -> str:
    """Say what a patch shows."""
    if field.whole:
        return f"A unit of this layer sees the whole image, so each patch is one: {field.reason}."
    high, wide = field.image
    if field.size[0] > high or field.size[1] > wide:
        return (
            f"Each patch is all that the unit can see there: {extent(field)}, more than the "
            f"{wide} × {high} of the model's input; grey where it sees nothing."
        )
    return (
        f"Each patch is all that the unit can see there, {extent(field)} of the model's input; "
        "grey where that overhangs the image."
    )


def notes_of(
    asked: Asked,
    values: Tensor,
    count: int,
    bad: int,
    cut: int,
    field: ReceptiveField,
    drawn: list[int],
    made: crops.Pictures,
) -> tuple[str, ...]:
    """Say what the pictures show, and what they leave out."""
    said = [say_field(field)]
    if cut:
        said.append(
            f"{cut} positions at the border of the map, where a unit reads padding, take no part "
            '(border="include" lets them in).'
        )
    if made.gradients is not None:
        said.append(
            "Guided gradients: which pixels of the patch drive the unit; zero is mid-grey, each "
            "picture on its own scale."
        )
    elif asked.guided and drawn:
        said.append(f"No guided gradients: {made.why}")
    if len(drawn) < len(values):
        said.append(f"{len(drawn)} of {len(values)} units are drawn, those of highest value.")
    best = values[:, 0]
    if silent := int((best <= 0).sum()):
        said.append(f"{silent} of {len(values)} units never rise above zero in these images.")
    if count * asked.per_image < asked.k:
        said.append(f"{count} images are too few for {asked.k} patches a unit.")
    if bad:
        said.append(f"NaN or infinite values, left out: {bad}.")
    return tuple(said)


def table_of(values: Tensor, items: Tensor) -> dict[str, tuple[Any, ...]]:
    """Return the table's columns, one value a channel."""
    found = (items != NOWHERE).sum(1)
    last = values.gather(1, (found - 1).clamp_min(0)[:, None])[:, 0]
    return {
        "max": tuple(values[:, 0].tolist()),
        "last patch": tuple(last.tolist()),
        "best item": tuple(i if i != NOWHERE else None for i in items[:, 0].tolist()),
    }

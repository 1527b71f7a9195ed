"""What is said about the patches of a layer: measures, notes and a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from convviz.authoring import Note, ReceptiveField

from . import crops
from .ranking import NOWHERE, Ties

GRADIENTS = "guided gradients"
"""The array that holds the pictures of the gradients."""


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


@dataclass(frozen=True, eq=False)
class Facts:
    """What was counted at a layer.

    Attributes:
        count: images.
        bad: values that are NaN or infinite.
        cut: positions left out as the border of the map.
        ties: lists that end between equal values.
    """

    count: int
    bad: int
    cut: int
    ties: Ties


def measures_of(layer: str, values: Tensor, facts: Facts, field: ReceptiveField) -> dict[str, Any]:
    """Return the plain facts about a layer's patches; ties are counted if there are any."""
    ties = {
        "units with ties decided by the mean": facts.ties.by_mean,
        "units with ties that remain": facts.ties.remaining,
    }
    return {
        "layer": layer,
        "channels": len(values),
        "images": facts.count,
        "receptive field": extent(field) + " of the model's input",
        "non-finite values": facts.bad,
        **{name: count for name, count in ties.items() if count},
    }


def extent(field: ReceptiveField) -> str:
    """Write the size of a receptive field."""
    height, width = field.size
    return "the whole" if field.whole else f"{width} × {height} pixels"


def field_in_words(field: ReceptiveField) -> str:
    """Return a sentence on what a patch shows."""
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
    facts: Facts,
    field: ReceptiveField,
    drawn: list[int],
    made: crops.Pictures,
) -> tuple[str, ...]:
    """Return notes on what the pictures show and leave out."""
    sentences = [field_in_words(field)]
    if facts.cut:
        sentences.append(
            f"{facts.cut} positions at the border of the map, where a unit reads padding, take no "
            'part (border="include" lets them in).'
        )
    if made.gradients is not None:
        reading = (
            "Guided gradients: which pixels of the patch drive the unit; zero is mid-grey, each "
            "picture on its own scale."
        )
        sentences += [Note(text, GRADIENTS) for text in (reading, *made.notes)]
    elif asked.guided and drawn:
        sentences.append(Note(f"No guided gradients: {made.why}", GRADIENTS))
    if len(drawn) < len(values):
        text = (
            f"{len(drawn)} of {len(values)} units are drawn, those whose best values stand out "
            "most from their own distribution."
        )
        sentences.append(Note(text, "units"))
    if drawn:
        sentences.append(
            "σ: how far a unit's best values lie above the mean of its highest values on all "
            "images, in standard deviations."
        )
    best = values[:, 0]
    if silent := int((best <= 0).sum()):
        text = f"{silent} of {len(values)} units never rise above zero in these images."
        sentences.append(Note(text, "units"))
    sentences += [Note(text, "units") for text in ties_in_words(facts.ties, len(values), asked.k)]
    if facts.count * asked.per_image < asked.k:
        sentences.append(f"{facts.count} images are too few for {asked.k} patches a unit.")
    if facts.bad:
        sentences.append(f"NaN or infinite values, left out: {facts.bad}.")
    return tuple(sentences)


def ties_in_words(ties: Ties, channels: int, k: int) -> list[str]:
    """Return notes on units for which more than k images share the last value."""
    sentences = []
    equal = ties.remaining - ties.silent
    if ties.by_mean or equal:
        sentences.append(
            f"{ties.by_mean + equal} of {channels} units reach the value of their last patch in "
            f"more than {k} places; the image with the larger mean of the unit's map comes first."
        )
    if equal:
        sentences.append(
            f"{equal} of {channels} units have equal means there too: the order of the data set "
            "decided."
        )
    if ties.silent:
        sentences.append(
            f"{ties.silent} of {channels} units have fewer than {k} patches above zero; the last "
            "ones are of images on which the unit is zero, the first of the data set."
        )
    return sentences


def class_ties_in_words(ties: Ties, lists: int) -> list[str]:
    """Return a note on lists of a class and a unit that the order of the data set decided."""
    equal = ties.remaining - ties.silent
    if not equal:
        return []
    text = (
        f"In {equal} of {lists} lists of a class and a unit the last patch has an equal in value "
        "and mean: the order of the data set decided."
    )
    return [Note(text, "units")]


def captions_of(values: Tensor, scores: Tensor) -> tuple[str, ...]:
    """Return the caption of each channel: its highest value, and how far the best stand out."""
    pairs = zip(values[:, 0].tolist(), scores.tolist(), strict=True)
    return tuple(f"unit {c} · max {v:#.3g} · {z:.1f} σ" for c, (v, z) in enumerate(pairs))


def table_of(values: Tensor, items: Tensor, scores: Tensor) -> dict[str, tuple[Any, ...]]:
    """Return the table's columns, one value a channel."""
    known = (items != NOWHERE).sum(1)
    last = values.gather(1, (known - 1).clamp_min(0)[:, None])[:, 0]
    return {
        "max": tuple(values[:, 0].tolist()),
        "last patch": tuple(last.tolist()),
        "prominence": tuple(scores.tolist()),
        "best item": tuple(i if i != NOWHERE else None for i in items[:, 0].tolist()),
    }

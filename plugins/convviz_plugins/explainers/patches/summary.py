"""Measures, notes, captions and the table of the patches of a layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from convviz.authoring import Note, ReceptiveField, Stack

from . import crops
from .top_k import NOWHERE, Ties

GRADIENTS = "guided gradients"
"""The array that holds the pictures of the gradients."""

CLASS_PATCHES = "class patches"
"""Subject of the note on classes that are not drawn."""

OWN_SCALES = "guided gradients, own scales"
"""Title of the gradients in the picture; each has a colour scale of its own."""


class PatchParameters(Protocol):
    """The parameters of Patches that the notes depend on."""

    @property
    def k(self) -> int:
        """Patches per channel."""

    @property
    def per_image(self) -> int:
        """Maximum number of patches of a channel from one image."""

    @property
    def units(self) -> tuple[int, ...]:
        """Channels to draw."""

    @property
    def guided(self) -> bool:
        """True if guided gradients are drawn."""


@dataclass(frozen=True, eq=False)
class LayerCounts:
    """Counts of a layer.

    Attributes:
        count: images.
        bad: values that are NaN or infinite.
        cut: positions left out at the border of the map.
        ties: lists whose last patch has the same value as the next candidate.
    """

    count: int
    bad: int
    cut: int
    ties: Ties


def measures_of(
    layer: str, values: Tensor, counts: LayerCounts, field: ReceptiveField
) -> dict[str, Any]:
    """Return the measures of the patches of a layer; ties are counted if there are any."""
    ties = {
        "units with ties decided by the mean": counts.ties.by_mean,
        "units with ties that remain": counts.ties.remaining,
    }
    return {
        "layer": layer,
        "channels": len(values),
        "images": counts.count,
        "receptive field": extent(field) + " of the model's input",
        "non-finite values": counts.bad,
        **{name: count for name, count in ties.items() if count},
    }


def extent(field: ReceptiveField) -> str:
    """Return the size of a receptive field as text."""
    height, width = field.size
    return "the whole" if field.whole else f"{width} × {height} pixels"


def field_note(field: ReceptiveField) -> str:
    """Return a note on the part of the image that a patch shows."""
    if field.whole:
        return (
            f"Units of this layer see the whole image, and patches show all of it: {field.reason}."
        )
    high, wide = field.image
    patch = f"Each patch is the receptive field of the unit, {extent(field)}"
    if field.size[0] > high or field.size[1] > wide:
        return (
            f"{patch}, which is larger than the model's input of {wide} × {high}; parts outside of "
            "the image are grey."
        )
    return f"{patch} of the model's input; parts outside of the image are grey."


def notes_of(
    parameters: PatchParameters,
    values: Tensor,
    counts: LayerCounts,
    field: ReceptiveField,
    drawn: list[int],
) -> tuple[str, ...]:
    """Return notes on the patches and on what their pictures leave out."""
    sentences = [field_note(field)]
    if counts.cut:
        sentences.append(
            f"{counts.cut} positions at the border of the map, where a unit reads padding, are "
            'left out (border="include" includes them).'
        )
    if len(drawn) < len(values):
        text = f"{len(drawn)} of {len(values)} units are drawn"
        if not parameters.units:
            text += ": those whose best values are farthest from their distribution over the images"
        sentences.append(Note(f"{text}.", "units"))
    if drawn:
        sentences.append(
            "σ: distance of a unit's best values from the mean of its highest values on all "
            "images, in standard deviations."
        )
    best = values[:, 0]
    if silent := int((best <= 0).sum()):
        text = f"{silent} of {len(values)} units never rise above zero in these images."
        sentences.append(Note(text, "units"))
    ties = tie_notes(counts.ties, len(values), parameters.k)
    sentences += [Note(text, "units") for text in ties]
    if counts.count * parameters.per_image < parameters.k:
        sentences.append(f"{counts.count} images are too few for {parameters.k} patches per unit.")
    if counts.bad:
        sentences.append(f"NaN or infinite values, left out: {counts.bad}.")
    return tuple(sentences)


def gradient_notes(guided: bool, pictures: crops.Pictures) -> list[Note]:
    """Return notes on the guided gradients of pictures."""
    if pictures.gradients is not None:
        reading = (
            "Guided gradients show the pixels of the patch that drive the unit; zero is mid-grey, "
            "and each picture has a scale of its own."
        )
        texts = [reading, *pictures.notes]
        if pictures.before_limit:
            texts.append(
                f"In {pictures.before_limit} patches the unit is at the upper limit of its "
                "activation, such as a ReLU6, where its gradient is zero: they show the gradient "
                "of the value before the limit."
            )
        if pictures.zeros:
            texts.append(f"{pictures.zeros} guided gradients are zero and drawn in plain grey.")
        return [Note(text, GRADIENTS) for text in texts]
    return [Note(f"No guided gradients: {pictures.why}", GRADIENTS)] if guided else []


def tie_notes(ties: Ties, channels: int, k: int) -> list[str]:
    """Return notes on units with more candidates for their last patch than places."""
    sentences = []
    equal = ties.remaining - ties.silent
    if ties.by_mean or equal:
        sentences.append(
            f"{ties.by_mean + equal} of {channels} units reach the value of their last patch in "
            f"more than {k} places; images with the larger mean of the unit's map come first."
        )
    if equal:
        sentences.append(
            f"{equal} of {channels} units have equal means there too, so the order of the data set "
            "decides."
        )
    if ties.silent:
        sentences.append(
            f"{ties.silent} of {channels} units have fewer than {k} patches above zero; the last "
            "ones come from the first images of the data set on which the unit is zero."
        )
    return sentences


def class_tie_notes(ties: Ties, lists: int) -> list[str]:
    """Return a note on lists of a class and a unit with ties that remain."""
    equal = ties.remaining - ties.silent
    if not equal:
        return []
    text = (
        f"In {equal} of {lists} lists of a class and a unit, another patch has the value and mean "
        "of the last one, so the order of the data set decides."
    )
    return [Note(text, "units")]


def stacks_of(pictures: crops.Pictures) -> tuple[dict[str, Tensor], list[Stack]]:
    """Return the arrays and the stacks of the pictures of patches."""
    arrays = {"photo patches": torch.from_numpy(pictures.photos)}
    stacks = [Stack(title="photo patches", pictures="photo patches")]
    if pictures.gradients is not None:
        arrays[GRADIENTS] = torch.from_numpy(pictures.gradients)
        stacks.append(Stack(title=OWN_SCALES, pictures=GRADIENTS))
    return arrays, stacks


def captions_of(values: Tensor, scores: Tensor) -> tuple[str, ...]:
    """Return the caption of each channel: its highest value and its prominence."""
    pairs = zip(values[:, 0].tolist(), scores.tolist(), strict=True)
    return tuple(f"unit {c} · max {v:#.3g} · {z:.1f} σ" for c, (v, z) in enumerate(pairs))


def table_of(values: Tensor, items: Tensor, scores: Tensor) -> dict[str, tuple[Any, ...]]:
    """Return the columns of the table, one value per channel."""
    known = (items != NOWHERE).sum(1)
    last = values.gather(1, (known - 1).clamp_min(0)[:, None])[:, 0]
    return {
        "max": tuple(values[:, 0].tolist()),
        "last patch": tuple(last.tolist()),
        "prominence": tuple(scores.tolist()),
        "best item": tuple(i if i != NOWHERE else None for i in items[:, 0].tolist()),
    }

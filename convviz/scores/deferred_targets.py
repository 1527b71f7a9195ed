"""Targets that are resolved by the pass in which their gradient is computed."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any, overload

import torch
from torch import Tensor

from ..errors import PluginError
from .targets import Contrast, Target, TargetSpec, resolve_one, targets_per_image


class NearTie(Exception):  # noqa: N818
    """The largest of several values depends on how a pass rounds."""


class DeferredTargets(Sequence[Target]):
    """Classes of the images of a call that are resolved by the first pass over these images.

    A slice refers to the same targets, so that images may be run in chunks.

    Args:
        spec: a target as users give it, without units.
        count: number of images.
        labels: class names.

    Attributes:
        specs: one target per image of the call, as users give it.
    """

    def __init__(self, spec: TargetSpec, count: int, labels: Sequence[str]) -> None:
        self.specs = targets_per_image(spec, count)
        self._labels = labels
        self._resolved: list[Target | None] = [None] * count
        self._scores: list[Tensor | None] = [None] * count
        self._places = range(count)

    @property
    def scores(self) -> list[Tensor] | None:
        """The scores `[classes]` of each image in the pass that resolved it; None before."""
        rows = [self._scores[place] for place in self._places]
        known = [row for row in rows if row is not None]
        return known if len(known) == len(rows) else None

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> Target: ...

    @overload
    def __getitem__(self, index: slice) -> DeferredTargets: ...

    def __getitem__(self, index: int | slice) -> Target | DeferredTargets:
        if isinstance(index, slice):
            part = copy(self)
            part._places = self._places[index]
            return part
        target = self._resolved[self._places[index]]
        if target is None:
            raise PluginError(
                "the target is not resolved yet: an explainer whose reads_forward() is False may "
                "only pass it on to model.gradient"
            )
        return target

    def resolve(self, output: Tensor, is_rounded: bool = False) -> tuple[Target, ...]:
        """Return the targets, those that are not resolved yet from a pass over their images.

        Args:
            output: scores `[N, classes]`.
            is_rounded: whether the pass may round otherwise than a plain forward pass.

        Raises:
            NearTie: the pass is rounded, and another class may be on top in a plain one.
        """
        resolved = []
        for row, place in enumerate(self._places):
            target = self._resolved[place]
            if target is None:
                spec = self.specs[place]
                target = resolve_one(spec, row, output, {}, self._labels)
                if is_rounded and _is_top_class(spec) and _is_near_tie(output[row]):
                    raise NearTie
            resolved.append(target)
        return tuple(resolved)

    def record(self, targets: Sequence[Target], output: Tensor) -> None:
        """Keep the targets and the scores `[N, classes]` of a pass for the passes after it."""
        for place, target, scores in zip(self._places, targets, output.detach(), strict=True):
            if self._resolved[place] is None:
                self._resolved[place], self._scores[place] = target, scores


def _is_top_class(spec: Any) -> bool:
    """Return whether a target depends on which class has the highest score."""
    return spec is None or (isinstance(spec, Contrast) and (spec.a is None or spec.b is None))


def _is_near_tie(values: Tensor) -> bool:
    """Return whether the two largest values differ by less than two ways of rounding might."""
    if len(values) < 2:
        return False
    largest, second = map(float, values.topk(2).values)
    tolerance: float = torch.finfo(values.dtype).eps ** 0.5
    return largest - second <= tolerance * float(values.abs().max())

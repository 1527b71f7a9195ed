"""Functions on partials that several data-set explainers use."""

from __future__ import annotations

import functools
from collections.abc import Iterator

from convviz import ConvvizError
from convviz.authoring import DatasetExplainer, Partial


def all_merged(explainer: DatasetExplainer, partials: Iterator[Partial], name: str) -> Partial:
    """Return the merged partial of a data set; raises ConvvizError if it has no readable image."""
    start = next(partials, None)
    if start is None:
        raise ConvvizError(f"{name}: the data set has no image that could be read")
    return functools.reduce(explainer.merge, partials, start)


def layers_in(partial: Partial) -> list[str]:
    """Return the layers of a partial, in order, without the "" of values about no layer."""
    return [layer for layer in partial if layer]

"""The exported graph of a network, cached per input shape."""

from __future__ import annotations

from contextlib import suppress

from ..errors import ModelError
from ..graph.export import Graph, NoGraph, Shape, export
from .interface import TracedNetwork


def cached_graph(model: TracedNetwork, shape: Shape) -> Graph | NoGraph:
    """Return the graph of a network for images of a shape (C, H, W).

    It is exported on first use, which takes seconds for a deep network, and again after the
    structure of the network has changed.
    """
    key = (tuple(shape), model.dtype, model.device)
    with model.session():
        if key not in model.cache.graphs.at(model.structure):
            with suppress(ModelError):  # `export` returns the reason as a NoGraph
                model.calls(shape)  # the first pass shows which attributes change in every pass
            graph = export(model.module, shape, model.dtype, model.device, model.pick)
            model.cache.graphs.at(model.structure)[key] = graph
        result: Graph | NoGraph = model.cache.graphs.at(model.structure)[key]
        return result

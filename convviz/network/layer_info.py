"""The list of a model's layers: names, kinds, shapes, receptive fields, default layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from .. import notebook
from ..errors import ModelError, printable
from ..graph.export import Graph, NoGraph, Shape
from ..layers import capture
from ..layers.capture import LayerCall
from ..layers.defaults import LayerKind
from ..locality import ReceptiveField, receptive_field
from .interface import TracedNetwork

HEADER = ("layer", "kind", "shape", "receptive field", "parameters", "default for")
"""Heads of the table of layers."""

CellCenters = tuple[tuple[float, ...], tuple[float, ...]]
"""The centers of the rows and of the columns of a map, in pixels."""


@dataclass(frozen=True)
class LayerInfo:
    """One layer, as `convviz layers` lists it.

    Attributes:
        name: the layer's name.
        kind: the module's class, or the operation.
        shape: of its output for one image, in the layout of captured activations.
        receptive_field: of a unit, in model-input pixels: "43×43, every 8" is the size and the
            step between neighbours; or "whole image, from avgpool on".
        parameters: number of trained values of its module, including those of its submodules.
        default_for: the kinds of default layers it belongs to, see `Model.default_layers`.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    receptive_field: str
    parameters: int
    default_for: tuple[LayerKind, ...]


class LayerList(tuple[LayerInfo, ...]):
    """The layers of a model, which a notebook shows as a table."""

    __slots__ = ()

    def __repr__(self) -> str:
        ends = [self[0].name, "…", self[-1].name] if len(self) > 2 else [i.name for i in self]
        return printable(f"<{len(self)} layers: {', '.join(ends)}>")

    def _repr_html_(self) -> str:
        rows = [
            (
                layer.name,
                layer.kind,
                " × ".join(map(str, layer.shape)),
                layer.receptive_field,
                f"{layer.parameters:,}",
                ", ".join(layer.default_for),
            )
            for layer in self
        ]
        return notebook.table(HEADER, rows)


def list_layers(model: TracedNetwork) -> LayerList:
    """List a model's layers in call order; the first time takes seconds for a deep network."""
    with model.session():
        shape = (model.input_channels, *model.input_size)
        kinds = _default_kinds(model)
        return LayerList(_info(model, call, shape, kinds) for call in model.calls(shape))


def field_of(
    model: TracedNetwork, layer: str, size: tuple[int, int] | None = None
) -> ReceptiveField:
    """Return the receptive field of every position of a layer's map.

    Args:
        model: the model.
        layer: a layer's name.
        size: height and width of the images; None means the model's input size.
    """
    shape = (model.input_channels, *(size or model.input_size))
    graph = model.graph(shape)
    if isinstance(graph, Graph) and layer not in graph.layers:
        capture.check(layer, model.layer_names(shape))
        graph = NoGraph(shape, "the exported network does not call this layer")
    elif isinstance(graph, NoGraph):
        model.check_layer(layer)
    field = receptive_field(graph, layer)
    if isinstance(graph, Graph) and not field.whole:
        call = next((c for c in model.calls(shape) if c.name == layer), None)
        map_size = None if call is None else call.layout.shape(call.shape)[1:]
        if field.positions != map_size:  # not a map, or its layout differs from the graph's
            field = receptive_field(NoGraph(shape, "its map is not that of the graph"), layer)
    return field


def centers_of(
    model: TracedNetwork, layer: str, size: tuple[int, int] | None = None
) -> CellCenters | None:
    """Return the centers of the cells of a layer's map, as `Model.cell_centers` describes it."""
    calls = model.calls((model.input_channels, *(size or model.input_size)))
    call = next((c for c in calls if c.name == layer), None)
    if call is None:
        capture.check(layer, [c.name for c in calls])
    if call is None or call.value is None or call.layout.kind not in ("maps", "tokens"):
        return None
    rows, columns = calls.values[call.value].cells
    if rows is None or columns is None:
        return None
    fits = call.layout.shape(call.shape)[1:] == (rows.count, columns.count)
    return (rows.centers, columns.centers) if fits else None


def _info(
    model: TracedNetwork, call: LayerCall, shape: Shape, kinds: dict[str, tuple[LayerKind, ...]]
) -> LayerInfo:
    parameters = model.submodule(call.path).parameters() if not call.op else ()
    return LayerInfo(
        name=call.name,
        kind=call.kind,
        shape=call.layout.shape(call.shape),
        receptive_field=str(field_of(model, call.name, shape[1:])),
        parameters=sum(p.numel() for p in parameters),
        default_for=kinds.get(call.name, ()),
    )


def _default_kinds(model: TracedNetwork) -> dict[str, tuple[LayerKind, ...]]:
    """Return the kinds of default layers that a layer belongs to, by layer."""
    kinds: dict[str, tuple[LayerKind, ...]] = {}
    for kind in get_args(LayerKind):
        try:
            layers = model.default_layers(kind)
        except ModelError:  # the network has no layer of this kind
            continue
        for layer in layers:
            kinds[layer] = (*kinds.get(layer, ()), kind)
    return kinds

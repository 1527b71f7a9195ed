"""The part of `Model` that its helper modules use, and the values that a Model caches.

`Model` calls functions of the other modules of this package and passes itself to them. They use
the protocol `TracedNetwork`, so that they need not import `model`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ..gradients.prepared_conv import PreparedConvs
from ..graph.export import Graph, NoGraph, Shape
from ..layers.capture import LayerCalls
from ..layers.defaults import LayerKind
from ..layers.gradient_edges import LayerEdges
from ..layouts import AxisLayout
from ..scores.outputs import Forward, Pick
from ..scores.targets import Target
from .structure import Structure, StructureCache


@dataclass
class ModelCache:
    """Values computed from a network, with different lifetimes.

    Attributes:
        calls, graphs: traced layer calls by input shape, and exported graphs by input shape,
            dtype and device; valid until the structure changes.
        seen_shape: the shape `(C, H, W)` of the images of the last run.
        memory_efficient: whether gradients may use `MemoryEfficientMode`; False once a pass of
            it was not exact.
        prepared: weights of convolutions as the gradients use them; valid until the weights change.
        session_depth: number of nested sessions.
        function_model: the Model whose scores are the values of the last target functions.
        structure, weights_hash, behaviors, measurements: valid until the outermost session ends;
            the last holds whether earlier measurements are still valid.
    """

    calls: StructureCache = field(default_factory=StructureCache)
    graphs: StructureCache = field(default_factory=StructureCache)
    seen_shape: tuple[int, ...] | None = None
    memory_efficient: bool = True
    prepared: PreparedConvs = field(default_factory=PreparedConvs)
    session_depth: int = 0
    structure: Structure | None = None
    weights_hash: str | None = None
    behaviors: dict[Any, Any] = field(default_factory=dict)
    function_model: Any = None
    measurements: dict[Any, bool] = field(default_factory=dict)

    def end_session(self) -> None:
        """Clear the values that are valid only while no other code can change the network."""
        self.structure, self.weights_hash, self.behaviors, self.measurements = None, None, {}, {}

    def without_network(self) -> ModelCache:
        """Return a cache for a copy of the Model, whose network may be changed separately."""
        return ModelCache(seen_shape=self.seen_shape, memory_efficient=self.memory_efficient)


class TracedNetwork(Protocol):
    """A network with its sessions, layer calls and forward passes; implemented by `Model`."""

    module: nn.Module
    name: str
    output: Pick
    source: str
    labels: tuple[str, ...]
    preprocess: Any
    tf32: bool
    cache: ModelCache

    @property
    def device(self) -> torch.device:
        """See `Model.device`."""
        ...

    @property
    def dtype(self) -> torch.dtype:
        """See `Model.dtype`."""
        ...

    @property
    def structure(self) -> Structure:
        """See `Model.structure`."""
        ...

    @property
    def input_channels(self) -> int:
        """See `Model.input_channels`."""
        ...

    @property
    def input_size(self) -> tuple[int, int]:
        """See `Model.input_size`."""
        ...

    def session(self) -> AbstractContextManager[None]:
        """See `Model.session`."""
        ...

    def forward(self, images: Tensor, layers: Sequence[str] = ()) -> Forward:
        """See `Model.forward`."""
        ...

    def pick(self, out: Any) -> Any:
        """See `Model.pick`."""
        ...

    def scores(self, images: Tensor, target: Sequence[Target]) -> Tensor:
        """See `Model.scores`."""
        ...

    def prepare_input(self, images: Tensor) -> Tensor:
        """See `Model.prepare_input`."""
        ...

    @property
    def weights_hash(self) -> str:
        """See `Model.weights_hash`."""
        ...

    def behavior(self, images: Tensor) -> Any:
        """See `Model.behavior`."""
        ...

    def run(
        self,
        x: Tensor,
        layers: Sequence[str],
        layouts: dict[str, AxisLayout] | None = None,
        edges: LayerEdges | None = None,
        stops: bool = False,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """See `Model.run`."""
        ...

    def calls(self, shape: tuple[int, ...] | None = None) -> LayerCalls:
        """See `Model.calls`."""
        ...

    def graph(self, shape: Shape) -> Graph | NoGraph:
        """See `Model.graph`."""
        ...

    def layer_names(self, shape: tuple[int, ...] | None = None) -> tuple[str, ...]:
        """See `Model.layer_names`."""
        ...

    def check_layer(self, name: str) -> str:
        """See `Model.check_layer`."""
        ...

    def submodule(self, layer: str) -> nn.Module:
        """See `Model.submodule`."""
        ...

    def default_layers(self, kind: LayerKind) -> tuple[str, ...]:
        """See `Model.default_layers`."""
        ...

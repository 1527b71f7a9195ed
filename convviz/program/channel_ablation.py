"""Scores with one channel of a layer replaced, computed from that layer on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx

from ..errors import ModelError, ParameterError
from ..layouts import AxisLayout
from ..network.model import Model
from ..network.tracing import layouts_of
from ..progress import track
from .comparison import close, tolerance_of
from .operator import OperatorStep, Values
from .program import Program, compile_graph, usable_graph

_BATCH_ELEMENTS = 1 << 23
"""Elements of the largest value behind the layer, in one batch of copies."""


@dataclass(frozen=True, eq=False)
class AblatedScores:
    """Scores of one image with each channel of a layer replaced in turn, on the CPU.

    Attributes:
        clean: scores of the unchanged image, `[classes]`.
        scores: scores with each channel replaced, `[C, classes]`.
    """

    clean: Tensor
    scores: Tensor


def ablated_scores(
    model: Model,
    image: Tensor,
    layer: str,
    values: Tensor | None = None,
    batch_size: int | None = None,
) -> AblatedScores:
    """Return the scores of an image with each channel of a layer replaced in turn.

    The exported graph runs once up to the layer, and behind it once per channel: only what
    depends on the layer is computed again.

    Args:
        model: the model.
        image: `[1, C, H, W]`.
        layer: name of the layer. Class tokens and others without a place are replaced too.
        values: the values of the channels, `[C]`; 0 if None.
        batch_size: channels at a time; None chooses by the size of the maps.

    Raises:
        ModelError: the network cannot be exported, or the scores do not depend on the layer.
        ParameterError: not one image, or the values do not fit the channels.
    """
    if image.ndim != 4 or len(image) != 1:
        raise ParameterError(f"one image [1, C, H, W] is required; got {list(image.shape)}")
    with model.session(), torch.no_grad():
        x = image.to(model.device, model.dtype)
        run = _RunBehindLayer(model, x, layer)
        replacements = _checked_values(values, run.channels).to(run.output)
        limit = batch_size or run.automatic_batch
        chunks = torch.split(torch.arange(run.channels), limit)
        parts = [
            run.scores_of(chunk, replacements) for chunk in track(chunks, "ablating", len(chunks))
        ]
        return AblatedScores(run.clean, torch.cat(parts).cpu())


def _checked_values(values: Tensor | None, channels: int) -> Tensor:
    if values is None:
        return torch.zeros(channels)
    if tuple(values.shape) != (channels,):
        raise ParameterError(
            f"values must be [{channels}], one for each channel; got {list(values.shape)}"
        )
    return values


class _RunBehindLayer:
    """The steps of a program behind a layer, for copies of one image.

    Attributes:
        output: the layer's output for the unchanged image, in the axes of the network.
        channel_axis: the axis of its channels.
        clean: scores of the unchanged image, `[classes]` on the CPU.
    """

    def __init__(self, model: Model, image: Tensor, layer: str) -> None:
        self.program = _program(model, image, layer)
        self.layer = self.program.layers[layer]
        self.values: Values = {self.program.image: image}
        for step in self.program.steps:
            self.values[step.node] = step.run(self._known, in_place=False)
        self.output: Tensor = self.values[self.layer]
        self.channel_axis = _channel_axis(self.program.layouts[layer], layer)
        self.behind = self._dependent_steps()
        results = {node: self.values[node] for node in self.program.kept_nodes}
        self.clean = self.program.forward(results).output[0].cpu()
        if self.program.output not in {self.layer, *(step.node for step in self.behind)}:
            raise ModelError(f"the scores do not depend on the layer {layer!r}")
        self._check(model, image)

    @property
    def channels(self) -> int:
        """Number of channels of the layer."""
        return int(self.output.shape[self.channel_axis])

    @property
    def automatic_batch(self) -> int:
        """Number of copies that run at a time."""
        sizes = [self.output.numel()]
        behind = (self.values[step.node] for step in self.behind)
        sizes += [value.numel() for value in behind if _is_tensor(value)]
        return max(1, min(256, _BATCH_ELEMENTS // max(sizes)))

    def scores_of(self, channels: Tensor, replacements: Tensor) -> Tensor:
        """Return the scores with each of these channels replaced, `[len(channels), classes]`."""
        copies = self._copies(len(channels))
        for copy, channel in zip(copies, channels.tolist(), strict=True):
            copy.select(self.channel_axis - 1, channel).fill_(float(replacements[channel]))
        return self._run(copies)

    def _copies(self, count: int) -> Tensor:
        return self.output.repeat(count, *[1] * (self.output.ndim - 1))

    def _run(self, outputs: Tensor) -> Tensor:
        """Return the scores `[B, classes]` for B outputs of the layer."""
        count = len(outputs)
        values: Values = {self.layer: outputs}

        def read(node: fx.Node) -> Any:
            if node not in values and node not in self.program.constants:
                values[node] = _repeat(self.values[node], count)
            return values.get(node, self.program.constants.get(node))

        for step in self.behind:
            if _counts_images(step):  # of the image itself, or of parts of it
                values[step.node] = count * self.values[step.node]
            else:
                values[step.node] = step.run(read, in_place=False)
        return self.program.forward({n: read(n) for n in self.program.kept_nodes}).output

    def _known(self, node: fx.Node) -> Any:
        return self.values[node] if node in self.values else self.program.constants[node]

    def _dependent_steps(self) -> list[OperatorStep]:
        """Return the steps that depend on the layer or on the number of images."""
        changed, steps = {self.layer}, []
        for step in self.program.steps:
            if step.node is not self.layer and (step.counts or changed & {*step.inputs()}):
                changed.add(step.node)
                steps.append(step)
        return steps

    def _check(self, model: Model, image: Tensor) -> None:
        """Compare two unchanged copies with the model itself; raise ModelError if they differ."""
        expected = model.forward(image).output.expand(2, -1)
        if not close(self._run(self._copies(2)), expected, tolerance_of(model.dtype)):
            raise ModelError(
                f"{model.name}: the exported graph does not give the model's scores behind the "
                "layer, so channels cannot be ablated"
            )


def _program(model: Model, image: Tensor, layer: str) -> Program:
    reason = model.behavior(image).reason
    channels, height, width = image.shape[1:]
    graph = reason or usable_graph(model, (channels, height, width), (layer,))
    if isinstance(graph, str):
        raise ModelError(f"channels of {model.name} cannot be ablated: {graph}")
    program = compile_graph(graph, (layer,))
    program.layouts = layouts_of(model, image, (layer,))
    return program


def _channel_axis(layout: AxisLayout, layer: str) -> int:
    axis = {"vector": 1, "sequence": 2}.get(layout.kind) or (layout.order or (0, None))[1]
    if axis is None or layout.kind == "unknown" or (layout.order and layout.order[0] != 0):
        raise ParameterError(f"it is not known which axis of layer {layer!r} holds its channels")
    return axis


def _counts_images(step: OperatorStep) -> bool:
    return step.call is torch.ops.aten.sym_size.int and step.args[1] == 0


def _repeat(value: Any, count: int) -> Any:
    """Return a value of one image for several; parts of the image stay together."""
    return value.repeat(count, *[1] * (value.ndim - 1)) if _is_tensor(value) else value


def _is_tensor(value: Any) -> bool:
    return isinstance(value, Tensor) and value.ndim > 0

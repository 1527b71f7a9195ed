"""The forward pass of a sweep: an optimized graph, if it gives the numbers of the network."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ..errors import ConvvizError, ConvvizWarning, first_line
from ..layouts import arrange
from ..network.model import Model
from ..network.tracing import layouts_of
from ..program.cast import cast_program
from ..program.comparison import all_close, tolerance_of
from ..program.module import to_module
from ..program.program import compile_graph, usable_graph
from ..scores.outputs import Forward, at_least_float32
from ..state.device import is_out_of_memory, no_bf16
from .input.loader import Loader, ReadyItem

MIN_ITEMS_FOR_GRAPH = 64
"""For fewer items, exporting the graph takes longer than it saves.

By CPU time of one thread (224 px, batch 32), the export and its checks are paid back after 58
images with ResNet18, 51 with ResNet50 and 102 with MobileNet v2. If an explainer needs receptive
fields, the graph is exported in any case, and 4 to 11 images are enough.
"""

BF16_TOLERANCE = 0.1
"""Accumulated rounding error of many layers in bfloat16, relative to the largest value."""

MAX_TRIED_ITEMS = 64
"""Items that are tried in the search for a readable one."""


@dataclass(frozen=True)
class ForwardMode:
    """The way in which the forward passes of a sweep are run; saved in the plan.

    Attributes:
        graph: whether the exported graph is run, with batch norm folded and in channels_last;
            otherwise the model is run.
        shape: the image shape of the graph; images of another shape are run by the model.
        dtype: the dtype of the graph.
        compiled: the size of the batches that are run by compiled code; 0 for none.
        why: the optimizations that are not used, each with the reason.
        notes: notes for the results, on how the network treats a batch.
    """

    graph: bool = False
    shape: tuple[int, ...] = ()
    dtype: str = ""
    compiled: int = 0
    why: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def record(self) -> dict[str, Any]:
        """Return the entry of the plan."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> ForwardMode:
        """Return the mode that was saved in a plan."""
        values: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in record.items()
        }
        return cls(**values)

    def __str__(self) -> str:
        engine = "the model itself"
        if self.graph:
            engine = f"its graph, batch norm folded, channels_last, {self.dtype}"
        compiled = ", compiled" if self.compiled else ""
        return "; ".join([f"forward pass: {engine}{compiled}", *self.why])


class ForwardRunner:
    """Runs forward passes. Each process builds its own program on first use.

    Args:
        model: the model.
        layers: the layers whose outputs are returned.
        mode: how the model is run.
    """

    def __init__(self, model: Model, layers: Sequence[str], mode: ForwardMode) -> None:
        self.model, self.layers, self.mode = model, tuple(layers), mode
        self._eager: Any = None
        self._compiled: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_eager": None, "_compiled": None}

    def __call__(self, images: Tensor) -> Forward:
        """Run a batch `[N, C, H, W]`; activations have the dtype of the model."""
        if not self.mode.graph or tuple(images.shape[1:]) != self.mode.shape:
            return self.model.forward(images, self.layers)
        # Not inference mode: an explainer may compute gradients of the activations.
        with self.model.session(), torch.no_grad():
            dtype = getattr(torch, self.mode.dtype)
            batch = images.detach().to(self.model.device, dtype)
            batch = batch.contiguous(memory_format=torch.channels_last)
            scores, *outputs = self._program(len(batch))(batch)
            if dtype != self.model.dtype:
                outputs = [v.to(self.model.dtype) if v.dtype == dtype else v for v in outputs]
            activations = arrange(
                dict(zip(self.layers, outputs, strict=True)),
                layouts_of(self.model, batch, self.layers),
                len(batch),
            )
        return Forward(at_least_float32(scores), activations)

    def of_model(self, model: Model) -> ForwardRunner:
        """Return a runner that runs a copy of the model in the same way."""
        return self if model is self.model else ForwardRunner(model, self.layers, self.mode)

    def with_compiled_batches(self, size: int) -> ForwardRunner:
        """Return a runner that compiles its program for batches of this size."""
        runner = ForwardRunner(self.model, self.layers, replace(self.mode, compiled=size))
        runner._eager = self._eager
        return runner

    def _program(self, batch_size: int) -> Any:
        """Return the program for a batch of this size."""
        if self._eager is None:
            c, h, w = self.mode.shape
            graph = usable_graph(self.model, (c, h, w), self.layers)
            if isinstance(graph, str):
                raise ConvvizError(
                    f"this sweep began with a graph, which cannot be exported now: {graph}"
                )
            program = compile_graph(graph, self.layers)
            dtype = getattr(torch, self.mode.dtype)
            self._eager = to_module(
                program if dtype == self.model.dtype else cast_program(program, dtype)
            )
        if batch_size != self.mode.compiled:
            return self._eager
        if self._compiled is None:
            # Compiler processes would outlive an interrupted sweep, so compile in this process.
            self._compiled = torch.compile(
                self._eager, dynamic=False, options={"compile_threads": 1}
            )
        return self._compiled


@dataclass(frozen=True, eq=False)
class OutputOf:
    """Returns the output of the model alone, `[N, ...]`.

    Attributes:
        runner: runs the model.
    """

    runner: ForwardRunner

    def __call__(self, images: Tensor) -> Tensor:
        """Return the output for images `[N, C, H, W]`."""
        return self.runner(images).output


def copy_to_cpu(model: Model) -> Model:
    """Return a model for another process, which may have another GPU or none: on the CPU."""
    if model.device.type == "cpu":
        return model
    model = copy.deepcopy(model)
    model.module.to("cpu")
    return model


def choose_forward(
    model: Model,
    layers: Sequence[str],
    images: Tensor | None,
    items: int,
    batch_size: int,
    precision: str = "model",
    compiled: bool = False,
    notes: tuple[str, ...] = (),
) -> ForwardRunner:
    """Choose how a sweep runs the model, by comparing the options on one image.

    Args:
        model: the model, inside its session.
        layers: the layers whose outputs are returned.
        images: one image of the data set, `[1, C, H, W]`; None if none is readable.
        items: number of items in the data set.
        batch_size: batch size of the sweep.
        precision: "model", or "bf16" for bfloat16 if the device computes it fast.
        compiled: compile the graph with torch.compile.
        notes: notes for the results, on how the network treats a batch.
    """
    must_try = precision != "model" or compiled
    chosen, reason = _in_model_precision(model, layers, images, items, must_try)
    reasons = [reason] if reason else []
    if precision == "bf16":
        problem = no_bf16(model.device, model.dtype)
        if not problem:
            low = ForwardRunner(model, layers, replace(chosen.mode, dtype="bfloat16"))
            problem = _problem_of(low, chosen, images)
            chosen = chosen if problem else low
        if problem:
            reasons.append(f"not in bf16: {problem}")
            warnings.warn(reasons[-1], ConvvizWarning, stacklevel=2)
    if compiled:
        full_batch = images.expand(batch_size, -1, -1, -1) if images is not None else None
        fast = chosen.with_compiled_batches(batch_size)
        problem = _problem_of(fast, chosen, full_batch)
        chosen = chosen if problem else fast
        if problem:
            reasons.append(f"not compiled: {problem}")
            warnings.warn(reasons[-1], ConvvizWarning, stacklevel=2)
    chosen.mode = replace(chosen.mode, why=tuple(reasons), notes=notes)
    return chosen


def optimized_forward(model: Model, image: Tensor, passes: int) -> Callable[[Tensor], Tensor]:
    """Return a function for many forward passes of a model: images `[N, C, H, W]` -> its output.

    It runs the exported graph with batch norms folded and in channels_last, if there are enough
    passes to pay for the export, and if the graph gives the model's numbers; otherwise the model.
    Only valid as long as nothing changes the model.

    Args:
        model: the model.
        image: an image for comparing the numbers, `[1, C, H, W]`.
        passes: number of images that will be run.
    """
    with model.session():
        return OutputOf(choose_forward(model, (), image, passes, 1))


def _in_model_precision(
    model: Model, layers: Sequence[str], images: Tensor | None, items: int, must_try: bool
) -> tuple[ForwardRunner, str]:
    """Return the runner in the precision of the model, and the reason if it uses no graph.

    Args:
        must_try: try the graph even for few items.
    """
    plain = ForwardRunner(model, layers, ForwardMode())
    if images is not None and (reason := model.behavior(images).reason):
        return plain, reason
    if items < MIN_ITEMS_FOR_GRAPH and not must_try:
        return plain, f"an optimized graph is used for {MIN_ITEMS_FOR_GRAPH} items or more"
    if images is None:
        return plain, f"none of the first {MAX_TRIED_ITEMS} items could be read"
    c, h, w = images.shape[1:]
    graph = usable_graph(model, (c, h, w), layers)
    if isinstance(graph, str):
        return plain, graph
    dtype = str(model.dtype).removeprefix("torch.")
    runner = ForwardRunner(model, layers, ForwardMode(True, (c, h, w), dtype))
    try:
        forward = runner(images)
    except Exception as error:  # an operator may not support channels_last or its input
        if is_out_of_memory(error):
            raise
        return plain, f"the graph does not run: {first_line(error)}"
    if not all_close(forward, plain(images), tolerance_of(model.dtype)):
        return plain, "the graph does not give the numbers of the model"
    return runner, ""


def differs_from(runner: ForwardRunner, mode: ForwardMode, layers: Sequence[str]) -> str:
    """Return why a runner gives other last bits than an earlier sweep; empty if it does not.

    Args:
        runner: how the model is run now.
        mode, layers: how it was run then, and the layers that were read.
    """
    new = runner.mode
    ways = [(m.graph, m.shape, m.dtype, m.compiled) for m in (mode, new)]
    if ways[0] != ways[1]:
        return f"{mode}, before; {new}, now"
    if new.compiled and set(layers) != set(runner.layers):
        return "the compiled graph returns other layers"
    if new.graph and _unfolded_batch_norms(runner, layers) != _unfolded_batch_norms(
        runner, runner.layers
    ):
        return "a layer lies between a convolution and its batch norm, which is not folded any more"
    return ""


def _unfolded_batch_norms(runner: ForwardRunner, layers: Sequence[str]) -> list[str]:
    """Return the batch norms that are not folded if some layers are read."""
    c, h, w = runner.mode.shape
    graph = usable_graph(runner.model, (c, h, w), layers)
    if isinstance(graph, str):
        return [graph]
    steps = compile_graph(graph, layers).steps
    return [str(step.node) for step in steps if step.call is torch.ops.aten.batch_norm.default]


def _problem_of(faster: ForwardRunner, chosen: ForwardRunner, images: Tensor | None) -> str:
    """Return why a faster runner cannot replace the chosen one; empty if it can."""
    if not chosen.mode.graph or images is None:
        return "there is no graph"
    try:
        forward = faster(images)
    except Exception as error:  # a compiler may raise anything
        return first_line(error)
    tolerance = BF16_TOLERANCE if faster.mode.dtype == "bfloat16" else None
    return "" if all_close(forward, chosen(images), tolerance) else "it gives other numbers"


def first_image(loader: Loader, model: Model, items: int) -> Tensor | None:
    """Return the first readable image of a data set, `[1, C, H, W]`; None if there is none."""
    for index in range(min(items, MAX_TRIED_ITEMS)):
        for item in loader.load(range(index, index + 1)):
            if isinstance(item, ReadyItem):
                return item.prepared.image[None].to(model.device, model.dtype)
    return None

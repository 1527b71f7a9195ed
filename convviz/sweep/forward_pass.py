"""How a sweep runs its network: by its graph made faster, where that gives the same numbers."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ..device import is_out_of_memory, no_bf16
from ..errors import ConvvizError, ConvvizWarning, first_line
from ..layouts import arrange
from ..network.model import Model
from ..network.tracing import layouts_of
from ..program.cast import lowered
from ..program.module import agree, tolerance_of, usable_graph, whole
from ..program.program import compile_graph
from ..scores.outputs import Forward, at_least_float32
from .input.loader import Loader, Ready

FEW = 256
"""Items of which so many are swept sooner than a graph is made."""

ROUGH = 0.1
"""Of the largest value: so much the rounding errors of many layers may add up to in bfloat16."""

TRIED = 64
"""Items that are looked at for one that can be read."""


@dataclass(frozen=True)
class How:
    """How the forward passes of a sweep are run; part of what its run folder keeps.

    Attributes:
        graph: the exported graph runs, batch norm folded, in channels_last; else the model.
        shape: of the images that the graph is for; others are run by the model.
        dtype: what the graph computes in.
        compiled: the size of the batches that torch.compile's code runs; 0 for none.
        why: what was asked for, or is usual, and is not done, and why.
        notes: what the results say of how the network treats a batch.
    """

    graph: bool = False
    shape: tuple[int, ...] = ()
    dtype: str = ""
    compiled: int = 0
    why: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def record(self) -> dict[str, Any]:
        """Return it as a run folder keeps it."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> How:
        """Read what `record` returned."""
        given: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in record.items()
        }
        return cls(**given)

    def __str__(self) -> str:
        said = "the model itself"
        if self.graph:
            said = f"its graph, batch norm folded, channels_last, {self.dtype}"
        compiled = ", compiled" if self.compiled else ""
        return "; ".join([f"forward pass: {said}{compiled}", *self.why])


class Forwards:
    """Runs forward passes, each process making its own program on first use.

    Args:
        model: the model.
        layers: layers whose outputs are wanted.
        how: how it is run.
    """

    def __init__(self, model: Model, layers: Sequence[str], how: How) -> None:
        self.model, self.layers, self.how = model, tuple(layers), how
        self._eager: Any = None
        self._compiled: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_eager": None, "_compiled": None}

    def __call__(self, images: Tensor) -> Forward:
        """Run a batch `[N, C, H, W]`; layers come in the model's dtype."""
        if not self.how.graph or tuple(images.shape[1:]) != self.how.shape:
            return self.model.forward(images, self.layers)
        # Not inference mode: an explainer may take gradients of what it gets.
        with self.model.session(), torch.no_grad():
            dtype = getattr(torch, self.how.dtype)
            given = images.detach().to(self.model.device, dtype)
            given = given.contiguous(memory_format=torch.channels_last)
            scores, *kept = self._program(len(given))(given)
            if dtype != self.model.dtype:
                kept = [v.to(self.model.dtype) if v.dtype == dtype else v for v in kept]
            activations = arrange(
                dict(zip(self.layers, kept, strict=True)),
                layouts_of(self.model, given, self.layers),
                len(given),
            )
        return Forward(at_least_float32(scores), activations)

    def compiled(self, count: int) -> Forwards:
        """Return these with batches of so many images compiled."""
        found = Forwards(self.model, self.layers, replace(self.how, compiled=count))
        found._eager = self._eager
        return found

    def _program(self, count: int) -> Any:
        if self._eager is None:
            c, h, w = self.how.shape
            graph = usable_graph(self.model, (c, h, w), self.layers)
            if isinstance(graph, str):
                raise ConvvizError(f"this sweep was begun with a graph, and here is none: {graph}")
            program = compile_graph(graph, self.layers)
            dtype = getattr(torch, self.how.dtype)
            self._eager = whole(program if dtype == self.model.dtype else lowered(program, dtype))
        if count != self.how.compiled:
            return self._eager
        if self._compiled is None:
            # In this process alone: others that compile would outlive an interrupted sweep.
            self._compiled = torch.compile(
                self._eager, dynamic=False, options={"compile_threads": 1}
            )
        return self._compiled


def choose(
    model: Model,
    layers: Sequence[str],
    images: Tensor | None,
    items: int,
    batch_size: int,
    precision: str = "model",
    compiled: bool = False,
    notes: tuple[str, ...] = (),
) -> Forwards:
    """Choose how a sweep runs the model, by running it on one of its images.

    Args:
        model: inside its session.
        layers: layers whose outputs are wanted.
        images: one of the data set, `[1, C, H, W]`; None where none could be read.
        items: of the data set.
        batch_size: of the sweep.
        precision: "model", or "bf16" where the device is fast at it.
        compiled: have torch.compile translate the graph.
        notes: for the results, of how the network treats a batch.
    """
    chosen, reason = _by_graph(model, layers, images, items, precision != "model" or compiled)
    why = [reason] if reason else []
    if precision == "bf16":
        refused = no_bf16(model.device, model.dtype)
        if not refused:
            low = Forwards(model, layers, replace(chosen.how, dtype="bfloat16"))
            refused = _refused(chosen, low, images)
            chosen = chosen if refused else low
        if refused:
            why.append(f"not in bf16: {refused}")
            warnings.warn(why[-1], ConvvizWarning, stacklevel=2)
    if compiled:
        full = images.expand(batch_size, -1, -1, -1) if images is not None else None
        fast = chosen.compiled(batch_size)
        refused = _refused(chosen, fast, full)
        chosen = chosen if refused else fast
        if refused:
            why.append(f"not compiled: {refused}")
            warnings.warn(why[-1], ConvvizWarning, stacklevel=2)
    chosen.how = replace(chosen.how, why=tuple(why), notes=notes)
    return chosen


def _by_graph(
    model: Model, layers: Sequence[str], images: Tensor | None, items: int, asked: bool
) -> tuple[Forwards, str]:
    """Return how the model is run in its own precision, and why not by its graph."""
    own = Forwards(model, layers, How())
    if images is not None and (reason := model.behavior(images).reason):
        return own, reason
    if items < FEW and not asked:
        return own, f"fewer than {FEW} items are sooner done than a graph is made"
    if images is None:
        return own, f"none of the first {TRIED} items could be read"
    c, h, w = images.shape[1:]
    graph = usable_graph(model, (c, h, w), layers)
    if isinstance(graph, str):
        return own, graph
    dtype = str(model.dtype).removeprefix("torch.")
    made = Forwards(model, layers, How(True, (c, h, w), dtype))
    try:
        found = made(images)
    except Exception as error:  # an operator may refuse channels_last, or what it gets
        if is_out_of_memory(error):
            raise
        return own, f"the graph does not run: {first_line(error)}"
    if not agree(found, own(images), tolerance_of(model.dtype)):
        return own, "the graph does not give the model's own numbers"
    return made, ""


def _refused(chosen: Forwards, faster: Forwards, images: Tensor | None) -> str:
    """Run a faster way once; say why it is not taken, or "" where it is."""
    if not chosen.how.graph or images is None:
        return "there is no graph"
    try:
        found = faster(images)
    except Exception as error:  # whatever a compiler raises
        return first_line(error)
    tolerance = ROUGH if faster.how.dtype == "bfloat16" else None
    return "" if agree(found, chosen(images), tolerance) else "it gives other numbers"


def first_images(loader: Loader, model: Model, items: int) -> Tensor | None:
    """Return the first image of a data set that can be read, `[1, C, H, W]`; None for none."""
    for index in range(min(items, TRIED)):
        for found in loader.load(range(index, index + 1)):
            if isinstance(found, Ready):
                return found.prepared.image[None].to(model.device, model.dtype)
    return None

"""Scores of images with a box covered.

Two engines give the same numbers up to rounding. The incremental engine computes only what each
box changes. The dense engine runs one full forward pass per box, and works for every network.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor

from ..network.model import Model
from ..progress import track
from ..scores.outputs import Forward
from ..state.device import no_bf16
from .arguments import Engine, Precision, check_boxes, check_fill, check_options
from .chunk_plan import ChunkPlanner
from .executor import WindowExecutor
from .forward_batches import HalvingBatches, HostCopy, automatic_batch, covered_copies
from .memory_budget import default_memory
from .plan import WindowPlan
from .prepare import PreparedOcclusion, prepare

Read = Callable[[Forward, Tensor], Tensor]
"""Extracts scores from a forward pass of B copies: `(forward, owner [B]) -> [B, ...]`.

`owner` is the index of the image that each copy was made from, since targets differ by image.
"""


Item = TypeVar("Item")

logger = logging.getLogger(__name__)

MIN_PIXELS_FOR_EXPORT = 2e6
"""Pixels in all copies from which the export of the model, which takes seconds, pays off."""

_CHECKED_BOXES = 16
"""Boxes that are also computed exactly if a run is not exact."""


@dataclass(frozen=True, eq=False)
class Occluded:
    """Scores under covered boxes.

    Attributes:
        scores: `[N, P, ...]` on the CPU, the trailing axes as returned by `read`.
        how: a description of how they were computed.
        plan: the windows computed for each layer; None if full forward passes were run.
        sample: positions that were also computed exactly, `[S]`; None if all scores are exact.
        exact: the exact scores of the sample, `[N, S, ...]`.
    """

    scores: Tensor
    how: str
    plan: WindowPlan | None
    sample: Tensor | None = None
    exact: Tensor | None = None


@dataclass(frozen=True, eq=False)
class _OcclusionTask:
    """The arguments of a call of `occluded`, checked, and the two engines that serve it."""

    model: Model
    images: Tensor
    boxes: Tensor
    fill: Tensor
    read: Read
    layers: Sequence[str]
    batch_size: int | None
    memory: int

    @property
    def is_small(self) -> bool:
        """True if full forward passes take less time than an export."""
        count = len(self.images) * len(self.boxes)
        return count * self.images[0, 0].numel() < MIN_PIXELS_FOR_EXPORT

    def dense(self, dtype: torch.dtype | None = None) -> Tensor:
        """Return the scores `[N, P, ...]` by one full forward pass per box.

        Args:
            dtype: dtype of the network's operators, None for the model's own.
        """
        count, positions = len(self.images), len(self.boxes)
        corners = self.boxes.tolist()
        filled = self.fill.expand(self.images.shape)

        # Copies are numbered through: image by image, and within an image box by box.
        def score(numbers: Tensor) -> Tensor:
            owner, position = numbers // positions, numbers % positions
            boxes = [corners[p] for p in position.tolist()]
            copies = covered_copies(self.images, filled, owner, boxes)
            with torch.autocast(self.model.device.type, dtype, enabled=dtype is not None):
                forward = self.model.forward(copies, self.layers)
            if dtype is not None:
                forward = _cast_forward(forward, self.model.dtype)
            return self.read(forward, owner.to(self.images.device)).cpu()

        halving = HalvingBatches(score, self.batch_size or automatic_batch(self.images))
        chunks = torch.split(torch.arange(count * positions), halving.limit)
        parts = [halving(chunk) for chunk in track(chunks, "occluding", len(chunks))]
        scores = torch.cat(parts)
        return scores.reshape(count, positions, *scores.shape[1:])

    def prepare(
        self, dtype: torch.dtype | None = None, approximate: float | None = None
    ) -> PreparedOcclusion | str:
        """Plan the incremental engine; return the reason where it is not possible."""
        inputs = self.images.to(self.model.device, self.model.dtype)
        return prepare(self.model, inputs, self.boxes, self.layers, self.memory, dtype, approximate)

    def incremental(self, prepared: PreparedOcclusion) -> Tensor:
        """Return the scores `[N, P, ...]`, computing only what each box changes.

        The positions of each image run in chunks, in the order of the plan. On CUDA, a chunk is
        started before the scores of the one before it have arrived on the CPU.
        """
        scores: Tensor | None = None
        for image, chunk, copy in _one_behind(self._chunk_scores(prepared)):
            part = copy.wait()
            if scores is None:
                scores = part.new_zeros(len(self.images), len(self.boxes), *part.shape[1:])
            scores[image, chunk] = part
        assert scores is not None
        return scores

    def _chunk_scores(self, prepared: PreparedOcclusion) -> Iterator[tuple[int, Tensor, HostCopy]]:
        """Yield the scores of chunks: image, positions, and the copy of their scores."""
        order = torch.from_numpy(prepared.order)
        images = self.images.to(self.model.device, self.model.dtype)
        fill = self.fill.to(images).expand(images.shape)
        limit = self.batch_size or prepared.chunk
        chunks = torch.split(order, limit)
        work = [(image, chunk) for image in range(len(images)) for chunk in chunks]
        planner = ChunkPlanner(prepared.program, prepared.plan, images.device)
        score, current = None, -1
        for image, chunk in track(work, "occluding", len(work)):
            if image != current:
                score, current = self._scorer(prepared, planner, images, fill, image), image
            assert score is not None
            halving = HalvingBatches(score, limit)
            yield image, chunk, HostCopy(halving(chunk))
            limit = halving.limit

    def _scorer(
        self,
        prepared: PreparedOcclusion,
        planner: ChunkPlanner,
        images: Tensor,
        fill: Tensor,
        image: int,
    ) -> Callable[[Tensor], Tensor]:
        """Return a function that computes the scores of positions of one image."""
        program = prepared.program
        picture = images[image : image + 1].to(prepared.dtype)
        cover = fill[image : image + 1].to(prepared.dtype)
        executor = WindowExecutor(program, prepared.plan, picture, cover, self.memory, planner)

        def score(positions: Tensor) -> Tensor:
            parts = []
            for piece, values in executor.outputs(positions.numpy()):
                owner = torch.full((len(piece),), image, device=images.device)
                forward = program.forward(values)
                if prepared.dtype != images.dtype:
                    forward = _cast_forward(forward, images.dtype)
                parts.append(self.read(forward, owner))
            return torch.cat(parts)

        return score


def occluded(
    model: Model,
    images: Tensor,
    boxes: Tensor,
    fill: Tensor,
    read: Read,
    layers: Sequence[str] = (),
    batch_size: int | None = None,
    engine: Engine = "auto",
    memory: int | None = None,
    precision: Precision = "model",
    approximate: float | None = None,
) -> Occluded:
    """Run the model with each box of each image covered in turn.

    "auto" computes only what each box changes if the network can be exported and the work is
    large enough; otherwise, and with "dense", one full forward pass per box is run. The scores are
    the same up to rounding. Where `precision` or `approximate` trade exactness for speed, up to 16
    evenly spaced boxes are also computed exactly.

    In full forward passes copies of different images share batches. A batch that does not fit
    into memory is halved, and the smaller size is used from then on.

    Args:
        model: the model.
        images: `[N, C, H, W]`; not changed.
        boxes: `[P, 4]` of integers, x0, y0, x1, y1 in pixels, half-open, inside the image.
        fill: `[N, C, H, W]` (or broadcast to it), the values of covered pixels.
        read: extracts the scores from a forward pass.
        layers: layers whose activations `read` looks at.
        batch_size: copies in a forward pass; None chooses by the size of an image.
        engine: "auto" or "dense".
        memory: bytes for the windows and whole maps that are computed at a time, for any number
            of boxes; 512 MiB if None, and on CUDA half of the free memory, at most 16 GiB. The maps
            of the image itself and the operators' workspace come on top. An explicit `batch_size`
            takes precedence. Full forward passes depend on `batch_size` alone.
        precision: "bf16" runs the covered passes of a float32 model in bfloat16 on processors
            that are fast at it. On others the model's precision is used, and `how` says so.
        approximate: above 0, at most 1: limits what a box changes to the middle of it, to this
            share of a map's height and width, rounded up to whole pixels. The rest is treated as
            unchanged (Nakandala, Kumar, Papakonstantinou, SIGMOD 2019, §4). None and 1 are exact.

    Returns:
        Scores `[N, P, ...]`, the trailing axes as returned by `read`.

    Raises:
        ParameterError: an argument has no allowed value.
    """
    check_options(engine, memory, precision, approximate, batch_size)
    fill = check_fill(fill, images)
    boxes = check_boxes(boxes, images)
    task = _OcclusionTask(
        model, images, boxes, fill, read, layers, batch_size, memory or default_memory(model.device)
    )
    refusal = no_bf16(model.device, model.dtype) if precision == "bf16" else ""
    dtype = torch.bfloat16 if precision == "bf16" and not refusal else None
    with model.session(), torch.no_grad():
        result = _compute(task, engine, dtype, approximate)
        if refusal:
            result = replace(result, how=f"{result.how}; {refusal}")
        if dtype is None and (approximate is None or result.plan is None):
            return result
        count = min(_CHECKED_BOXES, len(boxes))
        sample = torch.linspace(0, len(boxes) - 1, count).round().long()
        exact_task = replace(task, boxes=boxes[sample])
        prepared = exact_task.prepare() if result.plan is not None else ""
        if isinstance(prepared, PreparedOcclusion):
            exact = exact_task.incremental(prepared)
        else:
            exact = exact_task.dense()
        return replace(result, sample=sample, exact=exact)


def _compute(
    task: _OcclusionTask, engine: Engine, dtype: torch.dtype | None, approximate: float | None
) -> Occluded:
    """Choose and run the dense or the incremental engine."""
    precision = "" if dtype is None else ", in bf16"
    unused = "" if approximate is None else "; exact, without approximate"
    if engine == "dense" or task.is_small:
        reason = 'engine="dense"' if engine == "dense" else "too little work for an export"
        logger.info("occlusion: one full forward pass per window (%s)", reason)
        how = f"one full forward pass per window{precision}{unused}"
        return Occluded(task.dense(dtype), how, None)
    prepared = task.prepare(dtype, approximate)
    if isinstance(prepared, str):
        logger.info("occlusion: one full forward pass per window, because %s", prepared)
        how = f"one full forward pass per window{precision}, because {prepared}{unused}"
        return Occluded(task.dense(dtype), how, None)
    logger.info("occlusion, layer by layer:\n%s", prepared.plan.summary())
    how = _describe(prepared.plan)
    if dtype not in (None, prepared.dtype):
        how += f", in {str(prepared.dtype)[6:]} because an operator refuses bf16"
    else:
        how += precision
    if approximate is not None:
        how += f", each window cut to {approximate:.0%} of the map"
    return Occluded(task.incremental(prepared), how, prepared.plan)


def _one_behind(items: Iterable[Item]) -> Iterator[Item]:
    """Yield items, each when the next one has been made."""
    previous: list[Item] = []
    for item in items:
        yield from previous
        previous = [item]
    yield from previous


def _describe(plan: WindowPlan) -> str:
    """Return what was computed; if almost nothing was saved, from which layer on whole maps were.

    Without convolutions and linear layers nothing is counted, so that no saving can be named.
    """
    if not plan.macs[0]:
        return f"only what each window changes; whole maps from {plan.reason}"
    if plan.saving < 1.05:
        return f"nearly all in whole maps, from {plan.reason}"
    return f"only what each window changes, {plan.saving:.1f}x fewer multiplications"


def _cast_forward(forward: Forward, dtype: torch.dtype) -> Forward:
    """Return a forward pass with its scores and activations in another dtype."""
    activations = {name: value.to(dtype) for name, value in forward.activations.items()}
    return replace(forward, output=forward.output.to(dtype), activations=activations)

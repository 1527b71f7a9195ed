"""Scores of images with a window covered.

Two engines give the same numbers: one computes only what each window changes, the other runs
one full forward pass a window, for whatever network there is.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from . import ops
from .errors import ParameterError
from .incremental import MEMORY, Plan, Prepared, Run, prepare
from .model import Forward
from .outputs import at_least_single
from .progress import track

if TYPE_CHECKING:
    from .model import Model

Read = Callable[["Forward", Tensor], Tensor]
"""Reads what is wanted from a forward pass of B copies: `(forward, owner [B]) -> [B, ...]`.

`owner` says which image each copy was made from, so that a target may differ by image.
"""

Engine = Literal["auto", "dense"]

_log = logging.getLogger(__name__)

_WORTH_EXPORTING = 2e6
"""Pixels in all copies from which making the model's graph, which takes seconds, pays."""

_PIXELS_AT_ONCE = {"cpu": 32 * 224 * 224, "cuda": 128 * 224 * 224}
_COPIES_AT_ONCE = 512


@dataclass(frozen=True, eq=False)
class Occluded:
    """Scores under covered windows.

    Attributes:
        scores: `[N, P, ...]` on the CPU, the trailing axes as `read` gives them.
        how: the way they were computed, for a reader.
        plan: the windows that were computed at each layer, None after full forward passes.
    """

    scores: Tensor
    how: str
    plan: Plan | None


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
) -> Occluded:
    """Cover each box of each image in turn, and read the model's answer.

    "auto" computes only what each box changes where the model's graph allows it; "dense", and
    "auto" where the graph does not or the work is small, runs a full forward pass a box. The
    numbers are the same but for rounding. Arguments as of `occluded_scores`, and:

    Args:
        engine: "auto" or "dense".
        memory: bytes for the windows and whole maps that are computed at a time, whatever the
            number of boxes; 512 MiB if None. On top come the maps of the image itself and the
            operators' own workspace. `batch_size`, where given, wins; full forward passes go
            by `batch_size` alone.
    """
    if memory is not None and memory < 1:
        raise ParameterError(f"memory must be at least 1 byte, got {memory}")
    memory = memory or MEMORY
    pixels = len(images) * len(boxes) * images[0, 0].numel() if len(images) else 0
    if engine == "dense" or pixels < _WORTH_EXPORTING:
        why = 'engine="dense"' if engine == "dense" else "the work is too small to plan"
        _log.info("occlusion: a full forward pass a window (%s)", why)
        scores = occluded_scores(model, images, boxes, fill, read, layers, batch_size)
        return Occluded(scores, "a full forward pass a window", None)
    with model.session(), torch.no_grad():
        inputs = images.to(model.device, model.dtype)
        prepared = prepare(model, inputs, boxes, layers, memory)
        if isinstance(prepared, Prepared):
            _log.info("occlusion, layer by layer:\n%s", prepared.plan.summary())
            covering = fill.to(inputs).expand(inputs.shape)
            scores = _incremental(prepared, inputs, covering, read, batch_size, memory)
            return Occluded(scores, _how(prepared.plan), prepared.plan)
    _log.info("occlusion: a full forward pass a window, because %s", prepared)
    scores = occluded_scores(model, images, boxes, fill, read, layers, batch_size)
    return Occluded(scores, f"a full forward pass a window, because {prepared}", None)


def _how(plan: Plan) -> str:
    """Say what was computed; where next to nothing was saved, from where whole maps were."""
    if plan.saving < 1.05:
        return f"nearly all in whole maps, from {plan.reason}"
    return f"only what each window changes, {plan.saving:.1f}x fewer operations"


def _incremental(
    prepared: Prepared,
    images: Tensor,
    fill: Tensor,
    read: Read,
    batch_size: int | None,
    memory: int,
) -> Tensor:
    """Compute `[N, P, ...]` with a prepared model, the positions in its order."""
    program, order = prepared.program, torch.from_numpy(prepared.order)
    size = batch_size or prepared.chunk
    chunks = torch.split(order, size)
    jobs = [(image, chunk) for image in range(len(images)) for chunk in chunks]
    scores, run, current = None, None, -1
    for image, chunk in track(jobs, "occluding", len(jobs)):
        if image != current:
            one = slice(image, image + 1)
            run = Run(program, prepared.plan, images[one], fill[one], memory)
            current = image

        def score(positions: Tensor, run: Run | None = run, image: int = image) -> Tensor:
            assert run is not None
            parts = []
            for piece, values in run.outputs(positions.numpy()):
                kept = {name: values[node] for name, node in program.layers.items()}
                owner = torch.full((len(piece),), image, device=images.device)
                wide = at_least_single(values[program.output])
                parts.append(read(Forward(wide, kept), owner).cpu())
            return torch.cat(parts)

        found = _Halving(score, len(chunk))(chunk)
        if scores is None:
            scores = found.new_zeros(len(images), len(order), *found.shape[1:])
        scores[image, chunk] = found
    assert scores is not None
    return scores


def occluded_scores(
    model: Model,
    images: Tensor,
    boxes: Tensor,
    fill: Tensor,
    read: Read,
    layers: Sequence[str] = (),
    batch_size: int | None = None,
) -> Tensor:
    """Cover each box of each image in turn, and read the model's answer.

    Copies of different images share batches. A batch that does not fit into memory is halved,
    and the smaller size kept.

    Args:
        model: the model.
        images: `[N, C, H, W]`; not changed.
        boxes: `[P, 4]`, x0, y0, x1, y1 in pixels, half-open, inside the image.
        fill: `[N, C, H, W]` (or broadcast to it), what lies under a covered pixel.
        read: turns a forward pass into what is wanted.
        layers: layers whose activations `read` looks at.
        batch_size: copies a forward pass; None chooses by the size of an image.

    Returns:
        `[N, P, ...]` on the CPU, the trailing axes as `read` gives them.
    """
    if batch_size is not None and batch_size < 1:
        raise ParameterError(f"batch_size must be at least 1, got {batch_size}")
    count, positions = len(images), len(boxes)
    if count * positions == 0:
        raise ParameterError(f"there is nothing to cover: {count} images and {positions} boxes")
    corners = boxes.tolist()
    filled = fill.expand(images.shape)

    def score(jobs: Tensor) -> Tensor:
        owner, position = jobs // positions, jobs % positions
        copies = occlude(images, filled, owner, [corners[p] for p in position.tolist()])
        forward = model.forward(copies, layers)
        return read(forward, owner.to(images.device)).cpu()

    attempt = _Halving(score, batch_size or automatic_batch(images))
    chunks = _chunks(count * positions, attempt.limit)
    with model.session(), torch.no_grad():
        parts = [attempt(chunk) for chunk in track(chunks, "occluding", len(chunks))]
    scores = torch.cat(parts)
    return scores.reshape(count, positions, *scores.shape[1:])


def occlude(images: Tensor, fill: Tensor, owner: Tensor, boxes: Sequence[Sequence[int]]) -> Tensor:
    """Return copies `[B, C, H, W]` of the images that `owner [B]` names, each with its box filled.

    `fill` has the shape of `images`: a covered pixel takes the fill's value at its own place.
    """
    x0, y0, x1, y1 = torch.as_tensor(boxes, dtype=torch.int64, device=images.device).unbind(1)
    keys = torch.stack([owner.to(x0), y1 - y0, x1 - x0], 1)
    groups, group = torch.unique(keys, dim=0, return_inverse=True)
    copies = images.new_empty(len(owner), *images.shape[1:])
    for index, (source, height, width) in enumerate(groups.tolist()):
        at = group == index
        copies[at] = ops.occlude(images[source], y0[at], x0[at], height, width, fill[source])
    return copies


def automatic_batch(images: Tensor) -> int:
    """Choose how many copies go into a forward pass: about a fixed number of pixels."""
    budget = _PIXELS_AT_ONCE.get(images.device.type, _PIXELS_AT_ONCE["cpu"])
    height, width = images.shape[-2:]
    return max(1, min(_COPIES_AT_ONCE, budget // max(1, height * width)))


def _chunks(count: int, size: int) -> list[Tensor]:
    return [torch.arange(start, min(start + size, count)) for start in range(0, count, size)]


class _Halving:
    """Calls a function on pieces of its jobs, of half the size after each lack of memory."""

    def __init__(self, score: Callable[[Tensor], Tensor], limit: int) -> None:
        self.score, self.limit = score, limit

    def __call__(self, jobs: Tensor) -> Tensor:
        done = []
        while len(jobs):
            piece = jobs[: self.limit]
            try:
                done.append(self.score(piece))
            except Exception as error:
                if len(piece) == 1 or not is_out_of_memory(error):
                    raise
                self.limit = max(1, len(piece) // 2)
            else:
                jobs = jobs[len(piece) :]
                continue
            # Outside the handler, where the traceback no longer holds the failed batch.
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
        return torch.cat(done)


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether an exception means that memory ran out, on whatever device."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)

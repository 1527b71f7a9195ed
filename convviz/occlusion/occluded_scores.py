"""Scores of images with a window covered.

Two engines give the same numbers: one computes only what each window changes, the other runs
one full forward pass a window, for whatever network there is.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from ..device import is_out_of_memory, no_bf16
from ..errors import ParameterError
from ..ops import operators
from ..progress import track
from ..scores.outputs import Forward
from .executor import Run
from .memory_budget import MEMORY
from .plan import Plan
from .prepare import Prepared, prepare

if TYPE_CHECKING:
    from ..network.model import Model

Read = Callable[["Forward", Tensor], Tensor]
"""Reads what is wanted from a forward pass of B copies: `(forward, owner [B]) -> [B, ...]`.

`owner` says which image each copy was made from, so that a target may differ by image.
"""

Engine = Literal["auto", "dense"]
Precision = Literal["model", "bf16"]

logger = logging.getLogger(__name__)

_WORTH_EXPORTING = 2e6
"""Pixels in all copies from which making the model's graph, which takes seconds, pays."""

_CHECKED = 16
"""Boxes computed exactly beside a run that is not exact."""

_PIXELS_AT_ONCE = {"cpu": 32 * 224 * 224, "cuda": 128 * 224 * 224}
_COPIES_AT_ONCE = 512


@dataclass(frozen=True, eq=False)
class Occluded:
    """Scores under covered windows.

    Attributes:
        scores: `[N, P, ...]` on the CPU, the trailing axes as `read` gives them.
        how: the way they were computed, for a reader.
        plan: the windows that were computed at each layer, None after full forward passes.
        sample: positions that were computed exactly too, `[S]`; None where all are exact.
        exact: the exact scores of the sample, `[N, S, ...]`.
    """

    scores: Tensor
    how: str
    plan: Plan | None
    sample: Tensor | None = None
    exact: Tensor | None = None


@dataclass(frozen=True, eq=False)
class _Job:
    """What is to be computed; attributes as the arguments of `occluded`."""

    model: Model
    images: Tensor
    boxes: Tensor
    fill: Tensor
    read: Read
    layers: Sequence[str]
    batch_size: int | None
    memory: int

    @property
    def small(self) -> bool:
        """Return whether full forward passes take less time than an export."""
        count = len(self.images) * len(self.boxes)
        return count * self.images[0, 0].numel() < _WORTH_EXPORTING

    def dense(self, dtype: torch.dtype | None = None) -> Tensor:
        """Run a full forward pass a window.

        Args:
            dtype: of the network's operators, where not the model's own.
        """
        count, positions = len(self.images), len(self.boxes)
        corners = self.boxes.tolist()
        filled = self.fill.expand(self.images.shape)

        def score(jobs: Tensor) -> Tensor:
            owner, position = jobs // positions, jobs % positions
            copies = occlude(self.images, filled, owner, [corners[p] for p in position.tolist()])
            with torch.autocast(self.model.device.type, dtype, enabled=dtype is not None):
                forward = self.model.forward(copies, self.layers)
            if dtype is not None:
                forward = _raised(forward, self.model.dtype)
            return self.read(forward, owner.to(self.images.device)).cpu()

        attempt = _Halving(score, self.batch_size or automatic_batch(self.images))
        chunks = _chunks(count * positions, attempt.limit)
        parts = [attempt(chunk) for chunk in track(chunks, "occluding", len(chunks))]
        scores = torch.cat(parts)
        return scores.reshape(count, positions, *scores.shape[1:])

    def plan(
        self, dtype: torch.dtype | None = None, approximate: float | None = None
    ) -> Prepared | str:
        """Plan to compute only what changes, or say why that cannot be."""
        inputs = self.images.to(self.model.device, self.model.dtype)
        return prepare(self.model, inputs, self.boxes, self.layers, self.memory, dtype, approximate)

    def windows(self, prepared: Prepared) -> Tensor:
        """Compute only what each window changes, the positions in the order of the plan."""
        program, order = prepared.program, torch.from_numpy(prepared.order)
        images = self.images.to(self.model.device, self.model.dtype)
        fill = self.fill.to(images).expand(images.shape)
        limit = self.batch_size or prepared.chunk
        chunks = torch.split(order, limit)
        jobs = [(image, chunk) for image in range(len(images)) for chunk in chunks]
        scores, run, current = None, None, -1
        for image, chunk in track(jobs, "occluding", len(jobs)):
            if image != current:
                one = slice(image, image + 1)
                covered = images[one].to(prepared.dtype), fill[one].to(prepared.dtype)
                run = Run(program, prepared.plan, *covered, self.memory)
                current = image

            def score(positions: Tensor, run: Run | None = run, image: int = image) -> Tensor:
                assert run is not None
                parts = []
                for piece, values in run.outputs(positions.numpy()):
                    owner = torch.full((len(piece),), image, device=images.device)
                    forward = program.forward(values)
                    if prepared.dtype != images.dtype:
                        forward = _raised(forward, images.dtype)
                    parts.append(self.read(forward, owner).cpu())
                return torch.cat(parts)

            attempt = _Halving(score, limit)
            found = attempt(chunk)
            limit = attempt.limit
            if scores is None:
                scores = found.new_zeros(len(images), len(order), *found.shape[1:])
            scores[image, chunk] = found
        assert scores is not None
        return scores


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

    "auto" computes only what each box changes where the model's graph allows it; "dense", and
    "auto" where the graph does not or the work is small, runs a full forward pass a box. The
    numbers are the same but for rounding. Where `precision` or `approximate` trade exactness
    for speed, up to 16 boxes, evenly chosen, are computed exactly as well.

    Copies of different images share batches in full forward passes. A batch that does not fit
    into memory is halved, and the smaller size kept.

    Args:
        model: the model.
        images: `[N, C, H, W]`; not changed.
        boxes: `[P, 4]` of integers, x0, y0, x1, y1 in pixels, half-open, inside the image.
        fill: `[N, C, H, W]` (or broadcast to it), what lies under a covered pixel.
        read: turns a forward pass into what is wanted.
        layers: layers whose activations `read` looks at.
        batch_size: copies a forward pass; None chooses by the size of an image.
        engine: "auto" or "dense".
        memory: bytes for the windows and whole maps that are computed at a time, whatever the
            number of boxes; 512 MiB if None. On top come the maps of the image itself and the
            operators' own workspace. `batch_size`, where given, wins; full forward passes go
            by `batch_size` alone.
        precision: "bf16" runs the covered passes of a float32 model in bfloat16, where the
            processor is fast at it; elsewhere in the model's own, and `how` says so.
        approximate: above 0, at most 1: cut what a box changes to the middle of it, at most
            this share of a map's height and width, rounded up to whole pixels, and take the rest
            for unchanged (Nakandala, Kumar, Papakonstantinou, SIGMOD 2019, §4). None is exact,
            and so is 1.

    Returns:
        Scores `[N, P, ...]`, the trailing axes as `read` gives them.

    Raises:
        ParameterError: an argument is none of the allowed.
    """
    _check(engine, memory, precision, approximate, batch_size)
    fill = _checked_fill(fill, images)
    boxes = _checked_boxes(boxes, images)
    job = _Job(model, images, boxes, fill, read, layers, batch_size, memory or MEMORY)
    refused = no_bf16(model.device, model.dtype) if precision == "bf16" else ""
    dtype = torch.bfloat16 if precision == "bf16" and not refused else None
    with model.session(), torch.no_grad():
        found = _compute(job, engine, dtype, approximate)
        if refused:
            found = replace(found, how=f"{found.how}; {refused}")
        if dtype is None and (approximate is None or found.plan is None):
            return found
        sample = torch.linspace(0, len(boxes) - 1, min(_CHECKED, len(boxes))).round().long()
        some = replace(job, boxes=boxes[sample])
        prepared = some.plan() if found.plan is not None else ""
        exact = some.windows(prepared) if isinstance(prepared, Prepared) else some.dense()
        return replace(found, sample=sample, exact=exact)


def _check(
    engine: Engine,
    memory: int | None,
    precision: Precision,
    approximate: float | None,
    batch_size: int | None,
) -> None:
    if engine not in ("auto", "dense"):
        raise ParameterError(f"engine={engine!r}: allowed are 'auto' and 'dense'")
    if batch_size is not None and batch_size < 1:
        raise ParameterError(f"batch_size must be at least 1, got {batch_size}")
    if memory is not None and memory < 1:
        raise ParameterError(f"memory must be at least 1 byte, got {memory}")
    if precision not in ("model", "bf16"):
        raise ParameterError(f"precision={precision!r}: allowed are 'model' and 'bf16'")
    if approximate is None:
        return
    if not 0 < approximate <= 1:
        raise ParameterError(f"approximate must be above 0 and at most 1, got {approximate}")
    if engine == "dense":
        raise ParameterError(
            f'approximate={approximate} leaves out what engine="dense" computes; take engine="auto"'
        )


def _checked_boxes(boxes: Tensor, images: Tensor) -> Tensor:
    """Return the boxes as int64 on the CPU, every one of them a window of the images."""
    if boxes.ndim != 2 or boxes.shape[1] != 4 or boxes.is_floating_point():
        raise ParameterError(
            "boxes must be integers [P, 4], x0, y0, x1, y1; these are "
            f"{str(boxes.dtype).removeprefix('torch.')} {list(boxes.shape)}"
        )
    if len(images) * len(boxes) == 0:
        raise ParameterError(
            f"there is nothing to cover: {len(images)} images and {len(boxes)} boxes"
        )
    boxes = boxes.to("cpu", torch.int64)
    height, width = images.shape[-2:]
    low, high = boxes[:, :2], boxes[:, 2:]
    fits = (low >= 0) & (low < high) & (high <= torch.tensor([width, height]))
    if not fits.all():
        first = boxes[int((~fits).any(1).nonzero()[0])].tolist()
        raise ParameterError(
            f"box {first} (x0, y0, x1, y1) is no window of an image of {width} x {height} pixels"
        )
    return boxes


def _checked_fill(fill: Tensor, images: Tensor) -> Tensor:
    """Return the fill as the images have their numbers, after a look at both."""
    kind = str(images.dtype).removeprefix("torch.")
    if images.ndim != 4 or not images.is_floating_point():
        raise ParameterError(
            f"images must be floating point [N, C, H, W]; these are {kind} {list(images.shape)}"
        )
    try:
        fill.expand(images.shape)
    except RuntimeError as error:
        raise ParameterError(
            f"fill {list(fill.shape)} does not fit images {list(images.shape)}; a color is "
            "[C, 1, 1]"
        ) from error
    return fill.to(images)


def _compute(
    job: _Job, engine: Engine, dtype: torch.dtype | None, approximate: float | None
) -> Occluded:
    """Choose a way and go it."""
    said = "" if dtype is None else ", in bf16"
    unused = "" if approximate is None else "; exact, without approximate"
    if engine == "dense" or job.small:
        why = 'engine="dense"' if engine == "dense" else "the work is too small to plan"
        logger.info("occlusion: a full forward pass a window (%s)", why)
        return Occluded(job.dense(dtype), f"a full forward pass a window{said}{unused}", None)
    prepared = job.plan(dtype, approximate)
    if isinstance(prepared, str):
        logger.info("occlusion: a full forward pass a window, because %s", prepared)
        how = f"a full forward pass a window{said}, because {prepared}{unused}"
        return Occluded(job.dense(dtype), how, None)
    logger.info("occlusion, layer by layer:\n%s", prepared.plan.summary())
    if dtype not in (None, prepared.dtype):
        said = f", in {str(prepared.dtype)[6:]} because an operator refuses bf16"
    if approximate is not None:
        said += f", each window cut to {approximate:.0%} of the map"
    return Occluded(job.windows(prepared), _how(prepared.plan) + said, prepared.plan)


def _how(plan: Plan) -> str:
    """Say what was computed; where next to nothing was saved, from where whole maps were."""
    if not plan.macs[0]:  # without convolutions and linear layers nothing is counted
        return f"only what each window changes; whole maps from {plan.reason}"
    if plan.saving < 1.05:
        return f"nearly all in whole maps, from {plan.reason}"
    return f"only what each window changes, {plan.saving:.1f}x fewer multiplications"


def _raised(forward: Forward, dtype: torch.dtype) -> Forward:
    """Return a forward pass with its numbers in the model's dtype."""
    activations = {name: value.to(dtype) for name, value in forward.activations.items()}
    return replace(forward, output=forward.output.to(dtype), activations=activations)


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
        copies[at] = operators.occlude(images[source], y0[at], x0[at], height, width, fill[source])
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

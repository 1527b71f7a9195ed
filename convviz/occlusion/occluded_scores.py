"""Scores of images with a region covered.

Two engines give the same numbers up to rounding. The incremental engine computes only what each
region changes. The dense engine runs one full forward pass per region, and works for every network.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor

from ..errors import ParameterError
from ..network.model import Model
from ..program.operator import Values
from ..progress import track
from ..scores.outputs import Forward
from ..state.device import no_bf16
from .arguments import Engine, Precision, check_fill, check_options
from .chunk_plan import ChunkPlanner
from .executor import WindowExecutor
from .forward_batches import HalvingBatches, HostCopy, automatic_batch, covered_copies
from .memory_budget import default_memory
from .plan import WindowPlan
from .prepare import PreparedOcclusion, prepare, prepare_further
from .regions import Regions, as_regions

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
    """Scores under covered regions.

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


class Occluder:
    """Runs a model with regions of images covered, in several calls.

    Use it instead of `occluded` where later regions depend on earlier scores, or where the regions
    differ from image to image. The calls share the compiled model and, as long as they are about
    the same image, the maps of the unchanged image. The model and the images must not change
    between the calls.

    Args:
        model, images, fill, read, layers, batch_size, engine, memory, precision, approximate: as
            of `occluded`.

    Raises:
        ParameterError: an argument has no allowed value.
    """

    def __init__(
        self,
        model: Model,
        images: Tensor,
        fill: Tensor,
        read: Read,
        layers: Sequence[str] = (),
        batch_size: int | None = None,
        engine: Engine = "auto",
        memory: int | None = None,
        precision: Precision = "model",
        approximate: float | None = None,
    ) -> None:
        check_options(engine, memory, precision, approximate, batch_size)
        self._fill = check_fill(fill, images).expand(images.shape)
        self._model, self._images, self._read, self._layers = model, images, read, tuple(layers)
        self._batch_size, self._engine = batch_size, engine
        self._memory = memory or default_memory(model.device)
        self._refusal = no_bf16(model.device, model.dtype) if precision == "bf16" else ""
        low = precision == "bf16" and not self._refusal
        self._dtype = torch.bfloat16 if low else None
        self._approximate = approximate
        self._prepared: PreparedOcclusion | str | None = None
        self._clean: tuple[int, Values] = (-1, {})
        self._exact: Occluder | None = None
        if low or approximate is not None:
            self._exact = Occluder(model, images, fill, read, layers, batch_size, "auto", memory)

    def __call__(self, regions: Tensor, images: Sequence[int] | None = None) -> Occluded:
        """Return the scores of images under each of the regions.

        Args:
            regions: integers `[P, 4]` or bool `[P, H, W]`, as in `occluded`.
            images: indices of the images; all if None.

        Raises:
            ParameterError: a region or an index is not allowed.
        """
        checked = as_regions(regions, self._images)
        owners = range(len(self._images)) if images is None else self._check_indices(images)
        with self._model.session(), torch.no_grad():
            result = self._compute(checked, owners)
            if self._refusal:
                result = replace(result, how=f"{result.how}; {self._refusal}")
            if self._dtype is None and (self._approximate is None or result.plan is None):
                return result
            assert self._exact is not None
            count = min(_CHECKED_BOXES, len(checked))
            sample = torch.linspace(0, len(checked) - 1, count).round().long()
            exact = self._exact._exact_scores(checked.select(sample), owners, result.plan)
            return replace(result, sample=sample, exact=exact)

    def prepare(self, regions: Tensor) -> str:
        """Plan the incremental engine now, for later calls with few regions.

        Without it, the model is exported by the first call whose work is large enough.

        Args:
            regions: as in a call; those of later calls may be larger, but not smaller.

        Returns:
            Why the incremental engine cannot be used; "" if it can.
        """
        with self._model.session(), torch.no_grad():
            prepared = self._prepare(as_regions(regions, self._images))
        return prepared if isinstance(prepared, str) else ""

    def _check_indices(self, images: Sequence[int]) -> Sequence[int]:
        outside = [i for i in images if not 0 <= i < len(self._images)]
        if outside or not len(images):
            raise ParameterError(
                f"images={list(images)}: at least one index from 0 to {len(self._images) - 1} is "
                "required"
            )
        return images

    def _compute(self, regions: Regions, owners: Sequence[int]) -> Occluded:
        """Choose and run the dense or the incremental engine."""
        precision = "" if self._dtype is None else ", in bf16"
        unused = "" if self._approximate is None else "; exact, without approximate"
        if self._engine == "dense" or self._is_small(regions, owners):
            reason = (
                'engine="dense"' if self._engine == "dense" else "too little work for an export"
            )
            logger.info("occlusion: one full forward pass per window (%s)", reason)
            how = f"one full forward pass per window{precision}{unused}"
            return Occluded(self._dense(regions, owners), how, None)
        prepared = self._prepare(regions)
        if isinstance(prepared, str):
            logger.info("occlusion: one full forward pass per window, because %s", prepared)
            how = f"one full forward pass per window{precision}, because {prepared}{unused}"
            return Occluded(self._dense(regions, owners), how, None)
        if logger.isEnabledFor(logging.INFO):  # the summary takes as long as a small plan
            logger.info("occlusion, layer by layer:\n%s", prepared.plan.summary())
        how = _describe(prepared.plan)
        if self._dtype not in (None, prepared.dtype):
            how += f", in {str(prepared.dtype)[6:]} because an operator refuses bf16"
        else:
            how += precision
        if self._approximate is not None:
            how += f", each window cut to {self._approximate:.0%} of the map"
        return Occluded(self._incremental(prepared, regions, owners), how, prepared.plan)

    def _exact_scores(
        self, regions: Regions, owners: Sequence[int], plan: WindowPlan | None
    ) -> Tensor:
        """Return exact scores, by the incremental engine if the inexact ones have a plan."""
        prepared = self._prepare(regions) if plan is not None else ""
        if isinstance(prepared, str):
            return self._dense(regions, owners)
        return self._incremental(prepared, regions, owners)

    def _is_small(self, regions: Regions, owners: Sequence[int]) -> bool:
        """Return whether full forward passes take less time than an export, which is still due."""
        pixels = len(owners) * len(regions) * self._images[0, 0].numel()
        return self._prepared is None and pixels < MIN_PIXELS_FOR_EXPORT

    def _prepare(self, regions: Regions) -> PreparedOcclusion | str:
        """Plan the incremental engine; return the reason where it is not possible."""
        if isinstance(self._prepared, PreparedOcclusion):
            further = prepare_further(
                self._prepared, regions.boxes, self._memory, self._approximate
            )
            if further is not None:
                return further
        if not isinstance(self._prepared, str):
            inputs = self._images.to(self._model.device, self._model.dtype)
            options = self._layers, self._memory, self._dtype, self._approximate
            self._prepared = prepare(self._model, inputs, regions.boxes, *options)
            self._clean = (-1, {})  # the values of the earlier program
        return self._prepared

    def _dense(self, regions: Regions, owners: Sequence[int]) -> Tensor:
        """Return the scores `[N, P, ...]` by one full forward pass per region."""
        indices, positions = torch.as_tensor(owners), len(regions)

        # Copies are numbered through: image by image, and within an image region by region.
        def score(numbers: Tensor) -> Tensor:
            owner, position = indices[numbers // positions], numbers % positions
            copies = covered_copies(self._images, self._fill, owner, regions, position)
            with torch.autocast(
                self._model.device.type, self._dtype, enabled=self._dtype is not None
            ):
                forward = self._model.forward(copies, self._layers)
            if self._dtype is not None:
                forward = _cast_forward(forward, self._model.dtype)
            return self._read(forward, owner.to(self._images.device)).cpu()

        halving = HalvingBatches(score, self._batch_size or automatic_batch(self._images))
        chunks = torch.split(torch.arange(len(indices) * positions), halving.limit)
        parts = [halving(chunk) for chunk in track(chunks, "occluding", len(chunks))]
        scores = torch.cat(parts)
        return scores.reshape(len(indices), positions, *scores.shape[1:])

    def _incremental(
        self, prepared: PreparedOcclusion, regions: Regions, owners: Sequence[int]
    ) -> Tensor:
        """Return the scores `[N, P, ...]`, computing only what each region changes.

        The positions of each image run in chunks, in the order of the plan. On CUDA, a chunk is
        started before the scores of the one before it have arrived on the CPU.
        """
        scores: Tensor | None = None
        for row, chunk, copy in _one_behind(self._chunk_scores(prepared, regions, owners)):
            part = copy.wait()
            if scores is None:
                scores = part.new_zeros(len(owners), len(regions), *part.shape[1:])
            scores[row, chunk] = part
        assert scores is not None
        return scores

    def _chunk_scores(
        self, prepared: PreparedOcclusion, regions: Regions, owners: Sequence[int]
    ) -> Iterator[tuple[int, Tensor, HostCopy]]:
        """Yield the scores of chunks: row of the result, positions, and the copy of the scores."""
        order = torch.from_numpy(prepared.order)
        limit = self._batch_size or prepared.chunk
        chunks = torch.split(order, limit)
        work = [(row, chunk) for row in range(len(owners)) for chunk in chunks]
        planner = ChunkPlanner(prepared.program, prepared.plan, self._model.device)
        score, current = None, -1
        for row, chunk in track(work, "occluding", len(work)):
            if row != current:
                score, current = self._scorer(prepared, planner, regions, owners[row]), row
            assert score is not None
            halving = HalvingBatches(score, limit)
            yield row, chunk, HostCopy(halving(chunk))
            limit = halving.limit

    def _scorer(
        self,
        prepared: PreparedOcclusion,
        planner: ChunkPlanner,
        regions: Regions,
        image: int,
    ) -> Callable[[Tensor], Tensor]:
        """Return a function that computes the scores of positions of one image."""
        program, dtype = prepared.program, self._model.dtype
        if self._clean[0] != image:
            self._clean = (image, {})
        # Rounded to the model's dtype first, as full forward passes do.
        picture, fill = (
            x[image : image + 1].to(self._model.device, dtype).to(prepared.dtype)
            for x in (self._images, self._fill)
        )
        executor = WindowExecutor(
            program, prepared.plan, picture, fill, self._memory, planner, regions, self._clean[1]
        )

        def score(positions: Tensor) -> Tensor:
            parts = []
            for piece, values in executor.outputs(positions.numpy()):
                owner = torch.full((len(piece),), image, device=self._model.device)
                forward = program.forward(values)
                if prepared.dtype != dtype:
                    forward = _cast_forward(forward, dtype)
                parts.append(self._read(forward, owner))
            return torch.cat(parts)

        return score


def occluded(
    model: Model,
    images: Tensor,
    regions: Tensor,
    fill: Tensor,
    read: Read,
    layers: Sequence[str] = (),
    batch_size: int | None = None,
    engine: Engine = "auto",
    memory: int | None = None,
    precision: Precision = "model",
    approximate: float | None = None,
) -> Occluded:
    """Run the model with each region of each image covered in turn.

    "auto" computes only what each region changes if the network can be exported and the work is
    large enough; otherwise, and with "dense", one full forward pass per region is run. The scores
    are the same up to rounding. Where `precision` or `approximate` trade exactness for speed, up to
    16 evenly spaced regions are also computed exactly.

    In full forward passes copies of different images share batches. A batch that does not fit
    into memory is halved, and the smaller size is used from then on.

    Args:
        model: the model.
        images: `[N, C, H, W]`; not changed.
        regions: boxes, integers `[P, 4]`, x0, y0, x1, y1 in pixels, half-open, inside the image;
            or masks of any shape, bool `[P, H, W]`, True where the image is covered. The work
            depends on the box around a mask. `Occluder` takes other regions for each image.
        fill: `[N, C, H, W]` (or broadcast to it), the values of covered pixels.
        read: extracts the scores from a forward pass.
        layers: layers whose activations `read` looks at.
        batch_size: copies in a forward pass; None chooses by the size of an image.
        engine: "auto" or "dense".
        memory: bytes for the windows and whole maps that are computed at a time, for any number
            of regions; 512 MiB if None, and on CUDA half of the free memory, at most 16 GiB. The
            maps of the image itself and the operators' workspace come on top. An explicit
            `batch_size` takes precedence. Full forward passes depend on `batch_size` alone.
        precision: "bf16" runs the covered passes of a float32 model in bfloat16 on processors
            that are fast at it. On others the model's precision is used, and `how` says so.
        approximate: above 0, at most 1: limits what a region changes to the middle of it, to this
            share of a map's height and width, rounded up to whole pixels. The rest is treated as
            unchanged (Nakandala, Kumar, Papakonstantinou, SIGMOD 2019, §4). None and 1 are exact.

    Returns:
        Scores `[N, P, ...]`, the trailing axes as returned by `read`.

    Raises:
        ParameterError: an argument has no allowed value.
    """
    options = layers, batch_size, engine, memory, precision, approximate
    return Occluder(model, images, fill, read, *options)(regions)


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

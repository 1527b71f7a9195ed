"""flip: the smallest rectangle whose covering changes the top class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field, PositiveInt

from convviz import Heatmap, Model, ParameterError, Preprocess, Result
from convviz.authoring import (
    Batch,
    Dataset,
    DatasetExplainer,
    Forward,
    Items,
    Partial,
    Target,
    hookimpl,
)

from ...shared.fills import FillField, fill_image
from ...shared.partials import all_merged
from .rectangles import cover_counts, to_pixels
from .report import FlipReport
from .rows import merge_rows, to_rows
from .search import Flips, FlipSearch

_READING = (
    "Outlined: every smallest rectangle of cells whose covering changes the top class. All smaller "
    "ones were tried, and none does."
)


class Flip(DatasetExplainer):
    """The smallest rectangle whose covering changes the top class, found by exhaustion.

    The rectangles of a grid of cells are covered in turn, in order of their area, and all
    rectangles of the first area at which one changes the class are the result. Without such a
    rectangle, the class is proven to withstand every rectangle up to `max_area`, for this grid and
    fill. Where rounding errors could decide, the scores are computed again in float64.

    Of images, `values` `[N, grid, grid]` counts the smallest rectangles that cover a cell, and
    `area` `[N]` is their area in cells, 0 without any. Each of the F rectangles has a row in
    `boxes` `[F, 4]` (x0, y0, x1, y1, half-open, in pixels of the model's input), `image` `[F]` (its
    index), `classes` `[F, 2]` (old and new) and `margin` `[F]` (score of the new class minus that
    of the old one). `analyze` returns the distribution of areas for each class ("areas") and the
    photos with the smallest rectangles ("fragile").
    """

    aliases: ClassVar[Mapping[str, str]] = {
        "counterfactual": "the smallest covering that changes the class is found by 'flip'",
        "minimal occlusion": "the smallest covering that changes the class is found by 'flip'",
    }

    grid: int = Field(
        7, ge=2, le=32, description="Cells along each side of the image; 7 has 784 rectangles."
    )
    max_area: float = Field(
        1.0,
        gt=0,
        le=1,
        description="Largest rectangle that is covered, as a share of the image.",
    )
    fill: FillField = Field(
        "mean",
        description='Content of the covered rectangle: "mean" (of the preprocessing), '
        '"image_mean", "blur", "noise", a colour as "#808080" or [128, 128, 128], or a number or '
        "tensor in model-input space.",
    )
    seed: int = Field(0, ge=0, description="Seed of the noise fill.")
    batch_size: PositiveInt | None = Field(
        None,
        description="Covered copies per forward pass; by default chosen by the size of the image.",
    )
    engine: Literal["auto", "dense"] = Field(
        "auto",
        description="auto computes only what each rectangle changes, if the network allows it; "
        "dense runs a full forward pass per rectangle. The results are equal.",
    )
    drawn: int = Field(12, ge=0, le=100, description="Photos drawn in the ranking of a data set.")

    def default_layers(self, model: Model) -> tuple[str, ...]:
        """Return no layers: flip reads the scores."""
        return ()

    def resolve_layers(self, model: Model) -> tuple[str, ...]:
        """Return no layers.

        Raises:
            ParameterError: layers are given.
        """
        if self.layers:
            raise ParameterError("flip reads the scores of the model: leave out layers")
        return ()

    def for_dataset(self, model: Model, dataset: Dataset) -> Flip:
        """Return the explainer, whose layers are checked."""
        self.resolve_layers(model)
        return self

    def explain(
        self, model: Model, batch: Batch, target: tuple[Target, ...], forward: Forward
    ) -> Heatmap:
        """Return the smallest rectangles of each image; the target is not used."""
        fill = self._fill_image(model, batch)
        flips = self._search(model, batch, fill)
        size = batch.images.shape[2], batch.images.shape[3]
        boxes = [to_pixels(flip.rectangles, self.grid, size) for flip in flips]
        image = torch.repeat_interleave(torch.tensor([len(b) for b in boxes]))
        arrays = {"outlines": torch.cat([image[:, None], torch.cat(boxes)], 1)}
        if isinstance(model.preprocess, Preprocess):
            colours = [torch.from_numpy(model.preprocess.denormalize(x)) for x in fill]
            photos = zip(batch.pixels.cpu(), colours, boxes, flips, strict=True)
            arrays["covered"] = torch.stack([_cover_photo(*photo) for photo in photos])
        return Heatmap(
            torch.stack([cover_counts(flip.rectangles, self.grid) for flip in flips]),
            arrays={
                "boxes": torch.cat(boxes),
                "image": image,
                "area": torch.tensor([flip.area for flip in flips]),
                "classes": torch.cat([_class_pairs(flip) for flip in flips]),
                "margin": torch.cat([flip.margin for flip in flips]),
                **arrays,
            },
            unit="smallest rectangles that cover the cell",
            captions=tuple(self._caption(model, flip) for flip in flips),
            measures={
                "grid": f"{self.grid} x {self.grid} cells",
                "rectangles covered": sum(flip.evaluated for flip in flips),
            },
            notes=tuple(_notes(flips)),
        )

    def _fill_image(self, model: Model, batch: Batch) -> torch.Tensor:
        height, width = batch.images.shape[-2:]
        cell = (-(-height // self.grid), -(-width // self.grid))
        return fill_image(self.fill, model, batch.images, cell, self.seed)

    def _search(self, model: Model, batch: Batch, fill: torch.Tensor) -> list[Flips]:
        return list(
            FlipSearch(
                *(model, batch.images, fill, self.grid, self.max_area),
                batch_size=self.batch_size,
                engine=self.engine,
            )
        )

    def _caption(self, model: Model, flip: Flips) -> str:
        """Return the classes before and after, and the area."""
        if flip.old < 0:
            return "the scores are not finite"
        before = f"{model.label(flip.old)} ({flip.old_probability:.0%})"
        if not flip.area:
            return f"{before}: unchanged by all rectangles up to {self.max_area:.0%} of the image"
        best = int(flip.margin.argmax())
        after = f"{model.label(int(flip.new[best]))} ({float(flip.new_probability[best]):.0%})"
        share = flip.area / self.grid**2
        ties = f", {len(flip.new)} rectangles" if len(flip.new) > 1 else ""
        return f"{before} → {after}: {share:.1%} of the image covered{ties}"

    def reduce(self, model: Model, batch: Batch, forward: Forward) -> Partial:
        """Return the smallest rectangles of the images of a batch."""
        return to_rows(self._search(model, batch, self._fill_image(model, batch)))

    def merge(self, a: Partial, b: Partial) -> Partial:
        """Return the rows of `a` and then those of `b`."""
        return merge_rows(a, b)

    def finish(
        self,
        model: Model,
        partials: Iterator[Partial],
        items: Items,
        needs: tuple[Mapping[str, Result], ...],
    ) -> dict[str, Result]:
        """Return the distribution of areas ("areas") and the most fragile photos ("fragile")."""
        rows = all_merged(self, partials, "flip")
        return FlipReport(model, rows, items, self.grid, self.max_area, self.drawn).results()


def _cover_photo(
    photo: torch.Tensor, colours: torch.Tensor, boxes: torch.Tensor, flip: Flips
) -> torch.Tensor:
    """Return a photo with the rectangle of the largest margin covered, uint8 `[H, W, 3]`."""
    covered = photo.clone()
    if len(boxes):
        x0, y0, x1, y1 = boxes[int(flip.margin.argmax())].tolist()
        covered[y0:y1, x0:x1] = colours[y0:y1, x0:x1]
    return covered


def _class_pairs(flip: Flips) -> torch.Tensor:
    return torch.stack([torch.full_like(flip.new, flip.old), flip.new], 1)


def _notes(flips: Sequence[Flips]) -> Iterator[str]:
    """Yield how the result is to be read, and what limits its exactness."""
    if any(flip.area for flip in flips):
        yield _READING
    counts: dict[str, Any] = {
        name: sum(getattr(flip, name) for flip in flips)
        for name in ("rechecked", "undecided", "nonfinite")
    }
    if counts["undecided"]:
        yield (
            f"The network cannot be run in float64: for {counts['undecided']} rectangles rounding "
            "errors may decide."
        )
    elif counts["rechecked"]:
        yield f"{counts['rechecked']} rectangles near a tie were computed again in float64."
    if counts["nonfinite"]:
        yield (
            f"With {counts['nonfinite']} rectangles covered the scores are not finite; they count "
            "as no change."
        )


@hookimpl
def convviz_explainers() -> list[type[DatasetExplainer]]:
    """Return the explainer of this plugin."""
    return [Flip]

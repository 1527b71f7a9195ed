"""The closed set of result types: arrays and their meaning, independent of explainers.

Every type is drawn, saved and reported without code of the explainer.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
from torch import Tensor

from ..errors import UnknownNameError, printable


class Note(str):
    """A note that applies to a part of a result, and is left out of pictures without that part.

    Attributes:
        about: "units" for a note that counts or compares the units (tiles, rows), which does not
            apply to the picture of a single unit; or the name of the array of pictures that the
            note describes. A plain `str` applies to the whole result.
    """

    about: str

    def __new__(cls, text: str, about: str = "") -> Note:
        """Return the text with its subject; `about` is optional so that notes can be copied."""
        note = super().__new__(cls, text)
        note.about = about
        return note


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Result:
    """The result of an explainer: arrays and their meaning.

    Attributes:
        values: the main array, on the CPU.
        arrays: further arrays by name, on the CPU.
        unit: what one value measures, for axes and colour bars ("score drop").
        measures: plain numbers or words that belong to the result ("KL divergence": 1.2).
        notes: sentences that affect how the result is to be read, printed under the picture; a
            Note if the sentence applies to a part of the result only.
        files: binary files saved beside the arrays (a FAISS index), by file name. An array is
            saved as .npy and memory-mapped when loaded, for data larger than memory.
    """

    kind: ClassVar[str]

    values: Tensor = field(kw_only=False)
    arrays: Mapping[str, Tensor] = field(default_factory=dict)
    unit: str = ""
    measures: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    files: Mapping[str, bytes | np.ndarray] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Tensor:
        """Return an array by name; "values" is the main array."""
        if name == "values":
            return self.values
        if name not in self.arrays:
            raise UnknownNameError("array", name, ("values", *self.arrays))
        return self.arrays[name]

    def __repr__(self) -> str:
        shape = "×".join(map(str, self.values.shape))
        dtype = str(self.values.dtype).removeprefix("torch.")
        unit = f", {self.unit}" if self.unit else ""
        arrays = f"; arrays: {', '.join(self.arrays)}" if self.arrays else ""
        return printable(f"<{type(self).__name__} [{shape}] {dtype}{unit}{arrays}>")


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Heatmap(Result):
    """A map over each image, one value per pixel.

    `values` is `[N, H, W]`, `[N, K, H, W]` for K targets (`panels` names them), or
    `[N, C, H, W]`, C the model's input channels, with `colour=True` (drawn as colours) or
    `summed=True` (drawn as their sum).
    `[N, h, w]` of another size than the images are values of a grid of cells over each image.
    The values of an array "baseline" `[N, K]`, if present, are written beside the K maps. The boxes
    in an array "outlines" `[B, 5]` (index of the image, x0, y0, x1, y1 in pixels, half-open), if
    present, are outlined. An image with an outline and a picture in an array "covered", uint8
    `[N, H, W, 3]`, is shown with that picture in place of the map over the photo.

    Attributes:
        signed: zero is the neutral middle (diverging colours).
        colour: the second axis holds colour channels.
        summed: the second axis holds colour channels, whose values add up.
        panels: names of the K maps of an image.
        classes: for a categorical map, class index -> name; drawn with a legend.
        window: height and width in pixels of an occluder, drawn to scale.
        captions: one line per image for the title of its picture.
    """

    kind: ClassVar[str] = "heatmap"

    signed: bool = False
    colour: bool = False
    summed: bool = False
    panels: tuple[str, ...] = ()
    classes: Mapping[int, str] = field(default_factory=dict)
    window: tuple[int, int] | None = None
    captions: tuple[str, ...] = ()

    def of_image(self, index: int) -> Tensor:
        """Return the values of an image in float64 on the CPU, with `summed` channels added up.

        `[H, W]`, or `[K, H, W]` for K targets, or `[C, H, W]` for colours.
        """
        values = self.values[index].detach().cpu().double()
        return values.sum(0) if self.summed else values


@dataclass(frozen=True, kw_only=True, eq=False)
class Stack:
    """Pictures for the tiles of a Tiles result.

    Attributes:
        title: what the pictures are ("photo patches").
        pictures: the name of the array in `arrays` that holds them, uint8 `[T, M, h, w, 3]`:
            M pictures for each of T tiles, drawn as a small square of pictures. Where only
            the tiles in `order` have pictures, T is their number, in that order.
    """

    title: str
    pictures: str


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Tiles(Result):
    """Small pictures side by side, one tile per channel or filter.

    Without `stacks` the values themselves are drawn: `layout` gives the meaning of their axes.
    With `stacks` each tile shows the pictures of every stack side by side.

    Arrays drawn if present: "dead" `[T]` (bool), and for "images" "active" `[N, T]`, where 0 marks
    a tile that is silent on this input. Both are outlined in different colours, with a legend.

    Attributes:
        layout: "rgb" `[T, 3, h, w]`, "grey" `[T, h, w]`, "grid" `[T, M, h, w]` (a T x M matrix
            of kernels), "matrix" `[T, M]`, "images" `[N, T, h, w]` (one page per image), or
            "photos" `[T, M]` (a ranking of photos with a single stack, whose captions may have
            several lines; an array "items" `[T]` or `[T, P]` has the items on each tile, so that
            more tiles can be drawn later).
        scale: one range of values for the whole layer, or one per tile.
        signed: zero is the neutral middle.
        captions: one short text per tile.
        order: the order in which tiles are drawn, indices into T; all in order when empty.
            For "images" it may be `[N][T]`.
        stacks: pictures to draw instead of the values.
        overlays: channels to lay over the photo, per image (`[N][top]`), for "images".
        table: columns (name -> one value per tile) listed beside the tiles. For "images" of
            several, the names of an image's columns end in " · image 2".
    """

    kind: ClassVar[str] = "tiles"

    layout: Literal["rgb", "grey", "grid", "matrix", "images", "photos"] = "grey"
    scale: Literal["layer", "tile"] = "layer"
    signed: bool = False
    captions: tuple[str, ...] = ()
    order: tuple[Any, ...] = ()
    stacks: tuple[Stack, ...] = ()
    overlays: tuple[tuple[int, ...], ...] = ()
    table: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Points(Result):
    """Points in the plane, `values [n, 2]`.

    Arrays drawn if present: "labels" `[n]` (int, -1 = none), "thumbnails" uint8
    `[n, s, s, 3]`, "cells" `[n, 2]` (row, column of the thumbnail grid).

    Attributes:
        classes: names of the labels.
        axes: names of the two axes.
    """

    kind: ClassVar[str] = "points"

    classes: tuple[str, ...] = ()
    axes: tuple[str, str] = ("", "")


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Matches(Result):
    """Neighbours of images: distances `values [n, k]`, nearest first.

    Arrays: "indices" `[n, k]` into the items; optionally "pixel_distances" and
    "pixel_indices" `[n, k]` (neighbours in pixel space, drawn as the contrast), "thumbnails"
    uint8 `[m, s, s, 3]` of the items that indices point to, "queries" uint8 `[n, s, s, 3]`
    (the same as thumbnails where absent), "labels" `[m]`, "query_labels" `[n]`.

    Attributes:
        classes: names of the labels.
        names: names of the m items.
        show: queries to draw; the render picks some when empty.
        found: results of a query, one list per query image: "id", "distance" and, if known,
            "class" of each neighbour.
    """

    kind: ClassVar[str] = "matches"

    classes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    show: tuple[int, ...] = ()
    found: tuple[tuple[Mapping[str, Any], ...], ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Mask(Result):
    """A segmentation, bool `values [N, H, W]`.

    Arrays drawn if present: "boxes" `[N, 4]` (x0, y0, x1, y1, half-open), "seeds"
    `[N, H, W]` (0 background, 1 foreground, 2 probably background, 3 probably foreground),
    "reference" bool `[N, H, W]` (the true masks) and "iou" `[N]` (the overlap with them).
    """

    kind: ClassVar[str] = "mask"


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Table(Result):
    """Numbers in rows and columns, `values [rows, columns]`.

    With an array "histogram" `[rows, bins]` (counts; "edges" `[bins + 1]` of the bins) the rows
    are drawn as curves and histograms instead of numbers. Also drawn are, if present: the columns
    "mean", "variance", "fires" and "active" (shares), "dead" `[rows]` (bool), and "class_mean"
    `[classes, rows]`.

    Attributes:
        columns: names of the columns.
        rows: names of the rows.
        classes: names of the classes of "class_mean".
        show: the rows to draw, in this order; all if empty. With histograms, each is a picture.
        chart: "numbers"; "matrix" for counts by row and column, of which both are the same names;
            "calibration" for bins with the columns "images", "confidence", "accuracy", "low" and
            "high"; "distribution" for counts by ordered category, of which the first row is about
            everything; "effects" for signed numbers of the rows in `show` and the columns in
            `show_columns`.
        show_columns: the columns to draw, in this order, for "effects".
        axis: of a distribution, the meaning of its columns.
        table: columns (name -> one value per row) listed on the overview page.
    """

    kind: ClassVar[str] = "table"

    columns: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    show: tuple[int, ...] = ()
    chart: Literal["numbers", "matrix", "calibration", "distribution", "effects"] = "numbers"
    show_columns: tuple[int, ...] = ()
    axis: str = ""
    table: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)


def with_notes(result: Result, notes: tuple[str, ...]) -> Result:
    """Return a result with further notes, without repetitions."""
    # copy.copy works for subclasses with any __init__, dataclasses.replace does not.
    extended = copy.copy(result)
    object.__setattr__(extended, "notes", tuple(dict.fromkeys((*result.notes, *notes))))
    return extended


RESULT_TYPES: dict[str, type[Result]] = {
    cls.kind: cls for cls in (Heatmap, Tiles, Points, Matches, Mask, Table)
}

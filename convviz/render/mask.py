"""Mask -> pictures: the photo, the seeds, and the segmented object."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..results.types import Mask
from .colour import grey, laid_over
from .output import Drawing
from .style import (
    ACCENT,
    PAPER,
    Scene,
    chosen_panels,
    measures_line,
    number,
    panel_row,
    panel_title,
    picture_name,
    show_pixels,
    side_legend,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SEEDS = {
    1: ("#E69F00", "seed: foreground"),
    0: ("#0072B2", "seed: background"),
    3: ("#F6DFB2", "undecided, starts as foreground"),
    2: ("#A6CBE3", "undecided, starts as background"),
}
_TRUE = "#009E73"
_BOX = "#56B4E9"
_LEGEND_INCHES = 2.4


def draw(result: Mask, scene: Scene) -> Iterator[Drawing]:
    """Draw one picture per image."""
    return (_drawing(result, scene, i) for i in range(len(result.values)))


def _drawing(result: Mask, scene: Scene, index: int) -> Drawing:
    mask = np.asarray(result.values[index].cpu(), dtype=bool)
    given_photo = scene.photo(index)
    photo = np.full((*mask.shape, 3), 255, np.uint8) if given_photo is None else given_photo
    seeds = result.arrays.get("seeds")
    known = [
        *(["photo"] if given_photo is not None else []),
        *(["seeds"] if seeds is not None else []),
        "mask",
    ]
    names = [known[i] for i in chosen_panels(scene.options, known)]
    width = scene.options.width
    figure, axes, _ = panel_row(len(names), mask.shape, beside=_LEGEND_INCHES, width=width)
    keys: list[Any] = []
    for ax, name in zip(axes, names, strict=True):
        if name == "photo":
            show_pixels(ax, photo)
            panel_title(ax, "photo")
        elif name == "seeds" and seeds is not None:
            keys += _show_seeds(ax, np.asarray(seeds[index].cpu()), photo)
        else:
            keys += _show_cut(ax, mask, photo, result, index)
    if keys:
        side_legend(axes, keys)
    title = scene.title(index)
    share = f"The mask covers {mask.mean():.0%} of the picture."
    return Drawing(
        name=picture_name(index, len(result.values)),
        figure=figure,
        caption=f"{title}. {share}{_overlap(result, index, ' IoU {}.')}",
        title=title,
        subtitle=scene.subtitle(index),
        notes=[" ".join([*result.notes, share, measures_line(result.measures)]).strip()],
        panels=known,
    )


def _show_seeds(ax: Axes, seeds: np.ndarray, photo: np.ndarray) -> list[Any]:
    """Draw the seeds of the segmentation; returns the entries of the legend."""
    from matplotlib.colors import to_rgb
    from matplotlib.patches import Patch

    painted, opacity = np.zeros((*seeds.shape, 3)), np.zeros(seeds.shape)
    keys = []
    for value, (colour, label) in _SEEDS.items():
        if (seeds == value).any():
            strength = 0.7 if value < 2 else 0.35
            painted[seeds == value], opacity[seeds == value] = to_rgb(colour), strength
            seen = 0.65 * (1 - strength) + np.array(to_rgb(colour)) * strength  # over mid-grey
            keys.append(Patch(color=tuple(seen), label=label))
    show_pixels(ax, laid_over(grey(photo), painted, opacity))
    panel_title(ax, "seeds of the cut")
    return keys


def show_cut(ax: Axes, mask: np.ndarray, photo: np.ndarray) -> None:
    """Draw the photo, greyed outside the mask, with the outline of the mask."""
    show_pixels(ax, np.where(mask[..., None], photo / 255, grey(photo, lift=0.65)))
    _outline(ax, mask, PAPER, 3.2)
    _outline(ax, mask, ACCENT, 1.4)


def _show_cut(ax: Axes, mask: np.ndarray, photo: np.ndarray, result: Mask, index: int) -> list[Any]:
    """Draw the cut, the box and the reference mask; returns the entries of the legend."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Rectangle

    show_cut(ax, mask, photo)
    panel_title(ax, "cut out" + _overlap(result, index, " — IoU {} with the reference"))
    keys = [Line2D([], [], color=ACCENT, label="outline of the mask")]
    boxes, true = result.arrays.get("boxes"), result.arrays.get("reference")
    if boxes is not None and mask.any():
        x0, y0, x1, y1 = boxes[index].tolist()
        frame = Rectangle((x0 - 0.5, y0 - 0.5), x1 - x0, y1 - y0, fill=False)
        frame.set(edgecolor=_BOX, linewidth=1.6, clip_on=False)
        ax.add_patch(frame)
        keys.append(Line2D([], [], color=_BOX, label="box of the mask"))
    if true is not None:
        _outline(ax, np.asarray(true[index].cpu(), dtype=bool), _TRUE, 1.8)
        keys.append(Line2D([], [], color=_TRUE, label="reference mask"))
    return keys


def _outline(ax: Axes, mask: np.ndarray, colour: str, width: float) -> None:
    """Draw the outline of a mask along pixel edges."""
    lines = [*_edges(mask, 0), *_edges(mask, 1)]
    if lines:
        from matplotlib.collections import LineCollection

        drawn = LineCollection(lines, colors=colour, linewidths=width, capstyle="projecting")
        ax.add_collection(drawn, autolim=False)


def _edges(mask: np.ndarray, axis: int) -> list[list[tuple[float, float]]]:
    """Return the pixel edges, (x, y) to (x, y), where the mask changes along an axis."""
    padded = np.pad(mask, 1).astype(np.int8)
    cuts = np.argwhere(np.diff(padded, axis=axis) != 0)
    if axis == 0:  # between two rows: y is the cut, x runs over the pixel
        return [[(x - 1.5, y - 0.5), (x - 0.5, y - 0.5)] for y, x in cuts]
    return [[(x - 0.5, y - 1.5), (x - 0.5, y - 0.5)] for y, x in cuts]


def _overlap(result: Mask, index: int, words: str) -> str:
    iou = result.arrays.get("iou")
    return "" if iou is None else words.format(number(float(iou[index])))

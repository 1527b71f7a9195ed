"""Heatmap -> pictures: the photo, the map over the photo, and the map with its colour bar."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..results.types import Heatmap
from .colour import Scale, about_grey, class_colours, grey, laid_over, resize_nearest, scale_of
from .style import (
    INK,
    PAPER,
    SMALL_POINTS,
    Picture,
    Scene,
    add_outline,
    colour_bar,
    measures_line,
    number,
    panel_row,
    panel_title,
    picture_name,
    readable,
    sentence,
    show_pixels,
    title_block,
    to_png,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

_OPACITY, _EVEN = 0.85, 0.6
_HIDDEN = 0.15
"""Share of the common range below which the range of a panel would look empty."""

_CLASSES_SHOWN = 12
_USUAL, _OTHER = "#d0d5dd", "#475467"

Photo = np.ndarray | None
Drawn = tuple["Figure", list[str]]
"""A figure, and the notes below it."""


def draw(result: Heatmap, scene: Scene) -> list[Picture]:
    """Draw one picture per image."""
    return [_picture(result, scene, i) for i in range(len(result.values))]


def _picture(result: Heatmap, scene: Scene, index: int) -> Picture:
    values = np.asarray(result.values[index].cpu(), dtype=float)
    photo = scene.photo(index)
    title = scene.title(index)
    if result.colour:
        figure, notes = _colour(values, photo, result)
    elif result.classes:
        figure, notes = _categorical(values, photo, result, index)
        title = scene.title(what=result.unit)
    elif values.ndim == 3:
        figure, notes = _several(list(values), photo, result, index)
        title = scene.title(what=f"{len(values)} targets")
    else:
        figure, notes = _single(values, photo, result)
    if np.isnan(values).any():
        notes.append("Hatched: no value.")
    notes_text = " ".join([*result.notes, *notes, measures_line(result.measures)])
    title_block(figure, title, scene.subtitle(index), [notes_text])
    shown = "colour gradient" if result.colour else result.unit or "value"
    caption = f"{title}. Shown for each pixel: {shown}."
    return Picture(picture_name(index, len(result.values)), to_png(figure), caption)


def _single(values: np.ndarray, photo: Photo, result: Heatmap) -> Drawn:
    """Draw photo, map over the photo, map and colour bar."""
    scale = scale_of(values, result.signed)
    shape = values.shape if photo is None else photo.shape
    figure, axes, bar = panel_row(1 if photo is None else 3, shape, bar=True)
    if photo is not None:
        _show_photo(axes[0], photo, result)
        show_over(axes[1], values, photo, scale, result)
        panel_title(axes[1], "map over the photo")
    shown = show_map(axes[-1], values, scale, shape)
    panel_title(axes[-1], "map")
    if photo is None:
        _draw_window(axes[-1], result, shape)
    colour_bar(figure, shown, None, result.unit, scale.extend, into=bar)
    return figure, [sentence(scale.note)]


def _several(maps: list[np.ndarray], photo: Photo, result: Heatmap, index: int) -> Drawn:
    """Draw the photo and one panel per target, on one scale unless that hides a panel."""
    from matplotlib.cm import ScalarMappable

    joint = scale_of(np.stack(maps), result.signed)
    separate = [scale_of(m, result.signed) for m in maps]
    apart = min(scale.high for scale in separate) < _HIDDEN * joint.high
    scales = separate if apart else [joint] * len(maps)
    shape = maps[0].shape if photo is None else photo.shape
    figure, axes, bar = panel_row(len(maps) + (photo is not None), shape, bar=True)
    if photo is not None:
        _show_photo(axes[0], photo, result)
    panels = axes if photo is None else axes[1:]
    for k, (ax, values, scale) in enumerate(zip(panels, maps, scales, strict=True)):
        name = _panel_name(result, index, k)
        panel_title(ax, f"{name}, own scale: {number(scale.high)}" if apart else name, 52)
        if photo is None:
            show_map(ax, values, scale, shape)
        else:
            show_over(ax, values, photo, scale, result)
    key = Scale(-1.0 if result.signed else 0.0, 1.0, result.signed) if apart else joint
    label = f"{result.unit}, share of the panel's range" if apart else result.unit
    mappable = ScalarMappable(key.norm, key.cmap)
    colour_bar(figure, mappable, None, label, key.extend, into=bar)
    caption = (
        "Each panel has its own scale; its end is written above the panel."
        if apart
        else sentence(joint.note)
    )
    return figure, [caption]


def _colour(values: np.ndarray, photo: Photo, result: Heatmap) -> Drawn:
    """Draw signed colour channels about mid-grey beside the photo."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    if values.shape[0] not in (1, 3):  # other numbers of channels cannot be drawn as colours
        return _single(np.abs(values).max(axis=0), photo, result)
    scale = scale_of(values, signed=True)
    shape = values.shape[1:] if photo is None else photo.shape
    figure, axes, bar = panel_row(1 if photo is None else 2, shape, bar=True)
    if photo is not None:
        _show_photo(axes[0], photo, result)
    show_pixels(axes[-1], about_grey(values, scale.high))
    channels = "each of red, green, blue" if values.shape[0] == 3 else "grey"
    panel_title(axes[-1], f"{channels}: mid-grey is 0")
    key = ScalarMappable(Normalize(scale.low, scale.high), "gray")
    colour_bar(figure, key, None, result.unit, scale.extend, into=bar)
    return figure, [sentence(scale.note)]


def _categorical(values: np.ndarray, photo: Photo, result: Heatmap, image: int) -> Drawn:
    """Draw classes with a legend: that of the clean image is pale, the others have colours.

    The others follow by frequency, as do all if the class of the clean image is not known.
    """
    from matplotlib.colors import to_rgba
    from matplotlib.patches import Patch

    present, counts = np.unique(values[np.isfinite(values)], return_counts=True)
    ranked = present[np.argsort(-counts, kind="stable")].astype(int)
    clean = _clean_class(result, image)
    if clean is not None:
        ranked = np.concatenate([[clean], ranked[ranked != clean]])
    colours = dict(zip(ranked.tolist(), [_USUAL, *class_colours(_CLASSES_SHOWN)], strict=False))
    painted = np.zeros((*values.shape, 4))
    for index in ranked.tolist():
        painted[values == index] = to_rgba(colours.get(index, _OTHER))
    shape = values.shape if photo is None else photo.shape
    painted = resize_nearest(painted, shape[:2])
    opacity = np.where(resize_nearest(values, shape[:2]) == ranked[:1], 0.0, _EVEN)
    figure, axes, _ = panel_row(1 if photo is None else 3, shape)
    if photo is not None:
        _show_photo(axes[0], photo, result)
        show_pixels(axes[1], laid_over(grey(photo), painted, opacity))
        panel_title(axes[1], "classes over the photo")
    _hatch(axes[-1], values)
    show_pixels(axes[-1], painted, interpolation="nearest")
    panel_title(axes[-1], "classes")
    shares = dict(zip(present.astype(int).tolist(), (counts / counts.sum()).tolist(), strict=True))
    names = {i: _class_name(result, i, shares.get(i, 0.0)) for i in colours}
    if clean is not None:
        names[clean] += "\n(with nothing covered)"
    keys = [Patch(color=c, label=names[i]) for i, c in colours.items()]
    if len(ranked) > len(keys):
        keys.append(Patch(color=_OTHER, label=f"{len(ranked) - len(keys)} other classes"))
    axes[-1].legend(handles=keys, loc="upper left", bbox_to_anchor=(1.02, 1.0), borderaxespad=0.0)
    return figure, []


def _clean_class(result: Heatmap, image: int) -> int | None:
    """Return the class of the image with nothing covered, or None if it is not known."""
    clean = result.arrays.get("baseline")
    return int(clean[image]) if clean is not None and clean.ndim == 1 else None


def _class_name(result: Heatmap, index: int, share: float) -> str:
    return f"{readable(result.classes.get(index, f'class {index}'), 32)}  {share:.0%}"


def _panel_name(result: Heatmap, index: int, k: int) -> str:
    """Return the name of one of several maps, with the value of its target on the clean image."""
    name = result.panels[k] if k < len(result.panels) else f"map {k + 1}"
    clean = result.arrays.get("baseline")
    if clean is None or clean.ndim != 2:
        return name
    return f"{readable(name, 32)} ({number(float(clean[index, k]))})"


def _show_photo(ax: Axes, photo: np.ndarray, result: Heatmap) -> None:
    show_pixels(ax, photo)
    panel_title(ax, "photo")
    _draw_window(ax, result, photo.shape)


def show_map(ax: Axes, values: np.ndarray, scale: Scale, shape: tuple[int, ...]) -> AxesImage:
    """Draw a map alone, at the size of the photo."""
    _hatch(ax, values)
    masked = np.ma.masked_invalid(resize_nearest(values, shape[:2]))
    return show_pixels(ax, masked, cmap=scale.cmap, norm=scale.norm, interpolation="nearest")


def show_over(
    ax: Axes, values: np.ndarray, photo: np.ndarray, scale: Scale, result: Heatmap
) -> None:
    """Lay the map over a grey photo: the stronger the value, the more opaque.

    The remaining score under an occluder is most informative where it is low, so such a map is
    drawn with constant opacity.
    """
    values = resize_nearest(values, photo.shape[:2])
    opacity = _OPACITY * scale.strength(values) ** 0.7
    if result.window is not None and not scale.signed:
        opacity = np.full(values.shape, _EVEN)
    _hatch(ax, values)
    painted = laid_over(grey(photo), scale.colours(values), opacity)
    seen = np.where(np.isnan(values), 0.6, 1.0)[..., None]  # the hatching shows through
    show_pixels(ax, np.concatenate([painted, seen], axis=2))


def _hatch(ax: Axes, values: np.ndarray) -> None:
    """Hatch what lies behind the map, so that pixels without a value are seen as such."""
    if np.isnan(values).any():
        ax.patch.set(facecolor="#f2f4f7", hatch="////", edgecolor="#98a2b3")


def _draw_window(ax: Axes, result: Heatmap, shape: tuple[int, ...]) -> None:
    """Draw the occluder to scale in the lower left corner, with its size."""
    from matplotlib.patches import Rectangle

    if result.window is None:
        return
    (height, width), (h, w) = shape[:2], result.window
    pad = 0.03 * max(height, width)
    inset = round(min(pad, height - h, width - w))  # whole pixels: it lies as windows lie
    left, top = inset - 0.5, height - 0.5 - inset - h
    for colour, line in ((INK, 3.2), (PAPER, 1.4)):
        frame = Rectangle((left, top), w, h, fill=False, edgecolor=colour, linewidth=line)
        frame.set_clip_on(False)
        ax.add_patch(frame)
    size = f"{h} px" if h == w else f"{h} × {w} px"
    beside = left + w + pad < 0.55 * width
    x = left + w + pad / 2 if beside else left + pad / 2
    text: Any = ax.text(
        *(x, top + h / 2),
        f"window {size}",
        color=PAPER,
        size=SMALL_POINTS,
        weight="bold",
        va="center",
        clip_on=True,
    )
    add_outline(text)

"""Heatmap -> pictures: the photo, the map over the photo, and the map with its colour bar."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..results.types import Heatmap
from .colour import Scale, about_grey, class_colours, grey, laid_over, resize_nearest, scale_of
from .output import INK, SMALL_POINTS, Drawing
from .style import (
    ACCENT,
    PAPER,
    FigureOptions,
    Scene,
    add_outline,
    chosen_panels,
    colour_bar,
    measures_line,
    number,
    panel_row,
    panel_title,
    picture_name,
    readable,
    sentence,
    show_pixels,
    side_legend,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

_OPACITY, _EVEN = 0.85, 0.6
_HIDDEN = 0.15
"""Share of the common range below which the range of a panel would look empty."""

_CLASSES_SHOWN = 12
_LEGEND_INCHES = 2.6
_USUAL, _OTHER = "#d0d5dd", "#475467"

Photo = np.ndarray | None


@dataclass(frozen=True, eq=False)
class Panels:
    """The panels of one image, drawn into a figure.

    Attributes:
        figure: the figure.
        names: the panels to choose from.
        notes: lines below the panels.
        uses_cmap: whether values are drawn in the colour map.
    """

    figure: Figure
    names: Sequence[str]
    notes: tuple[str, ...] = ()
    uses_cmap: bool = True


def draw(result: Heatmap, scene: Scene) -> Iterator[Drawing]:
    """Draw one picture per image."""
    return (_drawing(result, scene, i) for i in range(len(result.values)))


def _drawing(result: Heatmap, scene: Scene, index: int) -> Drawing:
    values = np.asarray(result.of_image(index))
    photo = scene.photo(index)
    title = scene.title(index)
    if result.colour:
        drawn = _colour(values, photo, result, index, scene.options)
    elif result.classes:
        drawn = _categorical(values, photo, result, index, scene.options)
        title = scene.title(what=result.unit)
    elif values.ndim == 3:
        drawn = _several(list(values), photo, result, index, scene.options)
        title = scene.title(what=f"{len(values)} targets")
    else:
        drawn = _single(values, photo, result, index, scene.options)
    if result.captions:
        title = scene.title(what=result.captions[index])
    hatched = "Hatched: no value." if np.isnan(values).any() else ""
    shown = "colour gradient" if result.colour else result.unit or "value"
    return Drawing(
        name=picture_name(index, len(result.values)),
        figure=drawn.figure,
        caption=f"{title}. Shown for each pixel: {shown}.",
        title=title,
        subtitle=scene.subtitle(index),
        notes=[
            " ".join([*result.notes, *drawn.notes, hatched, measures_line(result.measures)]).strip()
        ],
        panels=drawn.names,
        uses_cmap=drawn.uses_cmap,
    )


def _single(
    values: np.ndarray, photo: Photo, result: Heatmap, index: int, options: FigureOptions
) -> Panels:
    """Draw photo, map over the photo, map and colour bar."""
    from matplotlib.cm import ScalarMappable

    scale = scale_of(values, result.signed, options.cmap)
    shape = values.shape if photo is None else photo.shape
    covered = _covered_photo(result, index)
    middle = "overlay" if covered is None else "covered"
    known = ["map"] if photo is None else ["photo", middle, "map"]
    names = [known[i] for i in chosen_panels(options, known)]
    has_scale = not set(names) <= {"photo", "covered"}
    figure, axes, bar = panel_row(len(names), shape, bar=has_scale, width=options.width)
    for ax, name in zip(axes, names, strict=True):
        if photo is not None and name == "photo":
            _show_photo(ax, photo, result)
        elif photo is not None and name == "overlay":
            show_over(ax, values, photo, scale, result)
            panel_title(ax, "map over photo")
        elif covered is not None and name == "covered":
            show_pixels(ax, covered)
            panel_title(ax, "covered")
        else:
            show_map(ax, values, scale, shape)
            panel_title(ax, "map")
        if name == "photo":
            _draw_outlines(ax, result, index)
    if "photo" not in names:
        _draw_window(axes[0], result, shape)
    if has_scale:
        mappable = ScalarMappable(scale.norm, scale.cmap)
        colour_bar(figure, mappable, None, result.unit, scale.extend, into=bar)
    return Panels(figure, known, (sentence(scale.note),), has_scale)


def _several(
    maps: list[np.ndarray], photo: Photo, result: Heatmap, index: int, options: FigureOptions
) -> Panels:
    """Draw the photo and one panel per target, on one scale unless that hides a panel."""
    from matplotlib.cm import ScalarMappable

    joint = scale_of(np.stack(maps), result.signed, options.cmap)
    separate = [scale_of(m, result.signed, options.cmap) for m in maps]
    apart = min(scale.high for scale in separate) < _HIDDEN * joint.high
    scales = separate if apart else [joint] * len(maps)
    shape = maps[0].shape if photo is None else photo.shape
    of_maps = [_map_name(result, k) for k in range(len(maps))]
    known = of_maps if photo is None else ["photo", *of_maps]
    chosen = chosen_panels(options, known)  # indices, because two targets may have the same name
    figure, axes, bar = panel_row(len(chosen), shape, bar=True, width=options.width)
    for ax, position in zip(axes, chosen, strict=True):
        k = position - (photo is not None)
        if photo is not None and k < 0:
            _show_photo(ax, photo, result)
            continue
        title = _panel_name(result, index, k)
        panel_title(ax, f"{title}, own scale: {number(scales[k].high)}" if apart else title, 52)
        if photo is None:
            show_map(ax, maps[k], scales[k], shape)
        else:
            show_over(ax, maps[k], photo, scales[k], result)
    low = -1.0 if result.signed else 0.0
    key = Scale(low, 1.0, result.signed, map_name=options.cmap) if apart else joint
    label = f"{result.unit}, share of the panel's range" if apart else result.unit
    mappable = ScalarMappable(key.norm, key.cmap)
    colour_bar(figure, mappable, None, label, key.extend, into=bar)
    caption = (
        "Each panel has its own scale; its end is written above the panel."
        if apart
        else sentence(joint.note)
    )
    return Panels(figure, known, (caption,))


def _colour(
    values: np.ndarray, photo: Photo, result: Heatmap, index: int, options: FigureOptions
) -> Panels:
    """Draw signed colour channels about mid-grey beside the photo."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    if values.shape[0] not in (1, 3):  # other numbers of channels cannot be drawn as colours
        return _single(np.abs(values).max(axis=0), photo, result, index, options)
    scale = scale_of(values, signed=True)
    shape = values.shape[1:] if photo is None else photo.shape
    known = ["gradient"] if photo is None else ["photo", "gradient"]
    names = [known[i] for i in chosen_panels(options, known)]
    figure, axes, bar = panel_row(len(names), shape, bar=True, width=options.width)
    channels = "each of red, green, blue" if values.shape[0] == 3 else "grey"
    for ax, name in zip(axes, names, strict=True):
        if photo is not None and name == "photo":
            _show_photo(ax, photo, result)
        else:
            show_pixels(ax, about_grey(values, scale.high))
            panel_title(ax, f"{channels}: mid-grey is 0")
    key = ScalarMappable(Normalize(scale.low, scale.high), "gray")
    colour_bar(figure, key, None, result.unit, scale.extend, into=bar)
    return Panels(figure, known, (sentence(scale.note),), uses_cmap=False)


def _categorical(
    values: np.ndarray, photo: Photo, result: Heatmap, image: int, options: FigureOptions
) -> Panels:
    """Draw classes with a legend: that of the clean image is pale, the others have colours.

    The others follow by frequency, as do all if the class of the clean image is not known.
    """
    from matplotlib.colors import to_rgba

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
    known = ["classes"] if photo is None else ["photo", "overlay", "classes"]
    names = [known[i] for i in chosen_panels(options, known)]
    figure, axes, _ = panel_row(len(names), shape, beside=_LEGEND_INCHES, width=options.width)
    for ax, name in zip(axes, names, strict=True):
        if photo is not None and name == "photo":
            _show_photo(ax, photo, result)
        elif photo is not None and name == "overlay":
            show_pixels(ax, laid_over(grey(photo), painted, opacity))
            panel_title(ax, "classes over photo")
        else:
            _hatch(ax, values)
            show_pixels(ax, painted, interpolation="nearest")
            panel_title(ax, "classes")
    shares = dict(zip(present.astype(int).tolist(), (counts / counts.sum()).tolist(), strict=True))
    keys = _class_keys(result, colours, shares, clean, len(ranked) - len(colours))
    side_legend(axes, keys)
    return Panels(figure, known, uses_cmap=False)


def _class_keys(
    result: Heatmap,
    colours: Mapping[int, str],
    shares: Mapping[int, float],
    clean: int | None,
    others: int,
) -> list[Any]:
    """Return the entries of the legend of a categorical map: classes with their shares."""
    from matplotlib.patches import Patch

    names = {i: _class_name(result, i, shares.get(i, 0.0)) for i in colours}
    if clean is not None:
        names[clean] += "\n(with nothing covered)"
    keys = [Patch(color=c, label=names[i]) for i, c in colours.items()]
    if others > 0:
        keys.append(Patch(color=_OTHER, label=f"{others} other classes"))
    return keys


def _clean_class(result: Heatmap, image: int) -> int | None:
    """Return the class of the image with nothing covered, or None if it is not known."""
    clean = result.arrays.get("baseline")
    return int(clean[image]) if clean is not None and clean.ndim == 1 else None


def _class_name(result: Heatmap, index: int, share: float) -> str:
    return f"{readable(result.classes.get(index, f'class {index}'), 32)}  {share:.0%}"


def _map_name(result: Heatmap, k: int) -> str:
    return result.panels[k] if k < len(result.panels) else f"map {k + 1}"


def _panel_name(result: Heatmap, index: int, k: int) -> str:
    """Return the name of one of several maps, with the value of its target on the clean image."""
    name = _map_name(result, k)
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


def _covered_photo(result: Heatmap, index: int) -> Photo:
    """Return the picture of an image with a part covered, if it has one."""
    outlines, covered = result.arrays.get("outlines"), result.arrays.get("covered")
    if outlines is None or covered is None or index not in outlines[:, 0].tolist():
        return None
    return np.asarray(covered[index])


def _draw_outlines(ax: Axes, result: Heatmap, index: int) -> None:
    """Draw the outlined boxes of an image."""
    from matplotlib.patches import Rectangle

    outlines = result.arrays.get("outlines")
    for image, x0, y0, x1, y1 in [] if outlines is None else outlines.tolist():
        if image != index:
            continue
        for colour, line in ((PAPER, 3.6), (ACCENT, 1.8)):
            frame = Rectangle((x0 - 0.5, y0 - 0.5), x1 - x0, y1 - y0, fill=False)
            frame.set(edgecolor=colour, linewidth=line, clip_on=False)
            ax.add_patch(frame)


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

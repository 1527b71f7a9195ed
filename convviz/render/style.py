"""Shared parts of all pictures: scenes, figures, titles and text.

The layout of a picture is: a bold title, a second line with model and image, the panels, and
small notes below them. `render()` draws inside `look()`, so that pictures neither depend on the
user's matplotlib settings nor change them.
"""

from __future__ import annotations

import functools
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from ..errors import ParameterError, UnknownNameError
from .output import DPI, FAINT, INK, MUTED, SMALL_POINTS, TEXT_POINTS, TITLE_POINTS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colorbar import Colorbar
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

SEQUENTIAL = "viridis"
DIVERGING = "RdBu_r"
ACCENT = "#d9480f"
PAPER = "#ffffff"
BOLD = 0.68
"""Width of a bold letter as a share of the type size."""

PAGE_INCHES = 11.0
"""The widest panels of a picture: the overview page shows them without shrinking them."""

WIDTH_RANGE = (1, 60)
"""Allowed widths of a figure in inches."""

_MARGIN, _BAR, _GAP, _HEAD = 0.08, 0.9, 0.18, 0.3
"""Inches: outer margin, room for a colour bar, space between panels, room for a panel's title."""

_SIDE, _NARROWEST = 3.5, 1.3
"""Inches: the longer side of a panel, and the narrowest one, which fits its title."""

CRISP_BELOW = 100
"""Side in pixels below which images are drawn without interpolation."""


@dataclass(frozen=True)
class FigureOptions:
    """Choices of the user for a figure.

    Attributes:
        cmap: matplotlib's name of the colour map of values; "" for the default.
        title: draw the title above the panels and the notes below them.
        width: width of the panels in inches; 0 for the default.
        panels: the panels to draw, in this order; all if empty.
    """

    cmap: str = ""
    title: bool = True
    width: float = 0.0
    panels: tuple[str, ...] = ()


def figure_options(
    cmap: str | None, title: bool, size: float | None, panels: Sequence[str]
) -> FigureOptions:
    """Return checked options for a figure; raises ParameterError or UnknownNameError."""
    if cmap is not None:
        import matplotlib

        if cmap not in matplotlib.colormaps:
            raise UnknownNameError("colour map", cmap, list(matplotlib.colormaps))
    low, high = WIDTH_RANGE
    if size is not None and not (isinstance(size, int | float) and low <= size <= high):
        raise ParameterError(f"size={size!r} is not a width between {low} and {high} inches")
    if isinstance(panels, str):
        raise ParameterError(f"panels={panels!r}: give a list of names")
    return FigureOptions(cmap or "", title, float(size or 0), tuple(panels))


@dataclass(frozen=True)
class Scene:
    """Texts and photos that pictures show beside the result.

    Attributes:
        explainer, layer, model: names for the title.
        photos: uint8 `[N, H, W, 3]`, the displayable pixels of the model's input, or None.
        names: one per image.
        targets: the targets with scores, one per image.
        options: choices of the user.
    """

    explainer: str = ""
    layer: str = ""
    model: str = ""
    photos: Tensor | None = None
    names: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    options: FigureOptions = FigureOptions()

    def photo(self, index: int) -> np.ndarray | None:
        """Return the photo of one image, uint8 `[H, W, 3]`, or None."""
        if self.photos is None or index >= len(self.photos):
            return None
        return np.asarray(self.photos[index].cpu())

    def title(self, index: int | None = None, what: str = "") -> str:
        """Return the title: explainer, layer, and the target of an image if its index is given."""
        parts = [self.explainer, self.layer, what]
        if index is not None and index < len(self.targets):
            parts.append(self.targets[index])
        return " — ".join(readable(part, 90) for part in parts if part)

    def subtitle(self, index: int | None = None, *details: str) -> str:
        """Return the second line: the model, the image if its index is given, and details."""
        parts = [self.model]
        if index is not None and index < len(self.names):
            parts.append(shortened_path(self.names[index]))
        return "  ·  ".join(readable(part, 90) for part in (*parts, *details) if part)


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of a size in inches, without pyplot's global state.

    The size is that of the panels; `title_block` makes room above and below them.
    """
    from .styled_figure import StyledFigure

    size = (width, height)
    figure = StyledFigure(figsize=size, dpi=DPI, facecolor=PAPER, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.06, h_pad=0.05)  # type: ignore[union-attr,call-arg]
    return figure


def title_block(figure: Figure, title: str, subtitle: str = "", notes: Sequence[str] = ()) -> None:
    """Add the title above the panels and the notes below them; the figure grows by both.

    Call it once, after the figure has its size; long lines are wrapped to the figure's width.
    """
    width, height = figure.get_size_inches()
    blocks = [
        (wrap_text(title, width, TITLE_POINTS, BOLD), TITLE_POINTS, INK, "bold"),
        (wrap_text(subtitle, width, TEXT_POINTS), TEXT_POINTS, MUTED, "normal"),
    ]
    foot = [line for note in notes if note for line in wrap_text(note, width, SMALL_POINTS)]
    above = sum(len(lines) * _line(points) for lines, points, *_ in blocks) + 0.1
    below = len(foot) * _line(SMALL_POINTS) + (0.12 if foot else 0.0)
    total = height + above + below
    _make_room(figure, below, total)
    at = total - 0.02
    for lines, points, colour, weight in blocks:
        at = _write(figure, lines, at, points, color=colour, weight=weight)
    _write(figure, foot, below - 0.12, SMALL_POINTS, color=MUTED)


def chosen_panels(options: FigureOptions, names: Sequence[str]) -> list[int]:
    """Return the indices of the panels to draw among those that a picture has.

    Raises:
        UnknownNameError: the picture does not have a chosen panel.
    """
    for name in options.panels:
        if name not in names:
            raise UnknownNameError("panel", name, names)
    return [list(names).index(name) for name in options.panels] or list(range(len(names)))


def panel_row(
    count: int,
    shape: Sequence[int],
    *,
    beside: float = 0.0,
    bar: bool = False,
    width: float = 0.0,
    across: int = 4,
) -> tuple[Figure, list[Axes], Axes | None]:
    """Return a figure with `count` panels for images `(height, width)`, in rows, exactly placed.

    A pixel of a small image covers a whole number of picture pixels, so that all have one size.

    Args:
        count: number of panels.
        shape: height and width of an image in pixels.
        beside: room for a legend at the right of the first row, in inches.
        bar: add a narrow axes for a colour bar at the right of the first row.
        width: width of the figure in inches; 0 for that of a page at most.
        across: the most panels in a row.

    Returns:
        The figure, the axes of the panels, and that of the colour bar or None.
    """
    from .styled_figure import StyledFigure

    beside = _BAR if bar else beside
    free = (width or PAGE_INCHES) - 2 * _MARGIN - beside
    columns = max(1, min(count, across, int((free + _GAP) / (_NARROWEST + _GAP))))
    rows = -(-count // columns)
    room = free - (columns - 1) * _GAP
    h, w = _panel_inches(shape, room / columns if width else min(_SIDE, room / columns))
    total_width = 2 * _MARGIN + columns * w + (columns - 1) * _GAP + beside
    height = rows * (h + _HEAD) + _MARGIN
    figure = StyledFigure(figsize=(total_width, height), dpi=DPI, facecolor=PAPER)

    def place(x: float, y: float, w: float) -> Axes:
        return figure.add_axes((x / total_width, y / height, w / total_width, h / height))

    axes = []
    for i in range(count):
        x = _MARGIN + (i % columns) * (w + _GAP)
        axes.append(bare(place(x, height - (i // columns + 1) * (h + _HEAD), w)))
    right = _MARGIN + columns * (w + _GAP)
    return figure, axes, place(right, height - h - _HEAD, 0.14) if bar else None


def _panel_inches(shape: Sequence[int], side: float) -> tuple[float, float]:
    """Return height and width of a panel whose longer side is about `side` inches, at most."""
    long = max(shape[:2])
    factor = max(side, 0.25) * DPI / long
    if long < CRISP_BELOW:
        factor = max(1.0, float(int(factor)))
    height, width = (max(0.25, size * factor / DPI) for size in shape[:2])
    return height, width


def picture_name(index: int, count: int, stem: str = "picture") -> str:
    """Return the name of the picture of one image; with a single picture, the stem."""
    return stem if count == 1 else f"{stem}-{index}"


def bare(ax: Axes) -> Axes:
    """Remove ticks and labels; the thin frame remains."""
    ax.set_xticks([])
    ax.set_yticks([])
    return ax


def panel_title(ax: Axes, text: str, limit: int = 60) -> None:
    """Write a short title above a panel, on the left."""
    ax.set_title(readable(text, limit), loc="left", color=INK)


def show_pixels(ax: Axes, pixels: np.ndarray, **options: Any) -> AxesImage:
    """Draw an image; small ones without interpolation."""
    small = min(pixels.shape[:2]) < CRISP_BELOW
    options.setdefault("interpolation", "nearest" if small else "antialiased")
    return bare(ax).imshow(pixels, **options)


def side_legend(axes: Sequence[Axes], keys: Sequence[Any]) -> None:
    """Draw a legend at the right of the first row of panels."""
    top = max(ax.get_position().y1 for ax in axes)
    last = [ax for ax in axes if ax.get_position().y1 == top][-1]
    last.legend(handles=keys, loc="upper left", bbox_to_anchor=(1.02, 1.0), borderaxespad=0.0)


def colour_bar(
    figure: Figure,
    image: Any,
    axes: Any = None,
    label: str = "",
    extend: str = "neither",
    into: Axes | None = None,
    aspect: float = 24,
) -> Colorbar:
    """Draw a colour bar labelled with the unit, at the right of `axes` or `into` an axes.

    `aspect` is height over width of a bar at the right of axes.
    """
    if into is not None:
        bar = figure.colorbar(image, cax=into, extend=extend)
    else:
        bar = figure.colorbar(image, ax=axes, extend=extend, fraction=0.05, pad=0.02, aspect=aspect)
    bar.set_label(readable(label, 60))
    bar.outline.set(edgecolor=FAINT, linewidth=0.6)  # a white end needs an edge on white paper
    bar.ax.tick_params(length=2, width=0.6)
    return bar


def add_outline(text: Any, colour: str = INK, width: float = 2.5) -> Any:
    """Outline a text or line, so that it is legible on any photo."""
    from matplotlib.patheffects import withStroke

    text.set_path_effects([withStroke(linewidth=width, foreground=colour)])
    return text


def number(value: float) -> str:
    """Return a number with about three significant digits, without a needless exponent."""
    if value != value or value in (float("inf"), float("-inf")):
        return str(value)
    if value != 0 and not 1e-3 <= abs(value) < 1e5:
        return f"{value:.2e}"
    digits = 0 if abs(value) >= 1000 else 2 if abs(value) >= 0.1 or value == 0 else 4
    return f"{value:.{digits}f}"


def sentence(text: str) -> str:
    """Return a phrase with a capital and a full stop; empty for an empty phrase."""
    return text[:1].upper() + text[1:] + "." if text else ""


def measures_line(measures: Mapping[str, Any]) -> str:
    """Return measures as sentences, such as "Perplexity: 30." for each."""
    words = {k: number(v) if isinstance(v, float) else str(v) for k, v in measures.items()}
    return " ".join(sentence(f"{name}: {word}") for name, word in words.items())


def readable(text: str, limit: int = 80) -> str:
    """Return a text as one drawable line: missing glyphs replaced, the middle cut if too long."""
    line = " ".join(str(text).split())
    line = "".join(c if c in " " or ord(c) in _glyphs() else "□" for c in line)
    if len(line) <= limit:
        return line
    head = (limit - 1) * 2 // 3
    return f"{line[:head]}…{line[len(line) - (limit - 1 - head) :]}"


def shortened_path(name: str) -> str:
    """Return the last part of a path, for a title."""
    return str(name).replace("\\", "/").rstrip("/").rsplit("/", 1)[-1] or str(name)


def wrap_text(text: str, width: float, points: float, advance: float = 0.6) -> list[str]:
    """Return the lines of a text that fit a width in inches at a type size.

    `advance` is the average width of a letter as a share of that size.
    """
    columns = max(20, int(width * 72 / (points * advance)))
    return textwrap.wrap(readable(text, 1000), columns)


def _make_room(figure: Figure, below: float, total: float) -> None:
    """Increase the height of a figure to `total` without changing the size of its panels."""
    width, height = figure.get_size_inches()
    placed = [(ax, ax.get_position(original=True).bounds) for ax in figure.axes]
    figure.set_size_inches(width, total)
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.set(rect=(0, below / total, 1, height / total))  # type: ignore[call-arg]
        return
    for ax, (x, y, w, h) in placed:
        ax.set_position((x, (below + y * height) / total, w, h * height / total))


def _write(figure: Figure, lines: Sequence[str], top: float, points: float, **how: Any) -> float:
    """Write lines downwards from a height in inches; returns the height below them."""
    width, height = figure.get_size_inches()
    for line in lines:
        figure.text(_MARGIN / width, top / height, line, va="top", ha="left", size=points, **how)
        top -= _line(points)
    return top


def _line(points: float) -> float:
    """Return the height in inches of a line of type."""
    return points * 1.4 / 72


@functools.cache
def _glyphs() -> frozenset[int]:
    from matplotlib import font_manager

    path = font_manager.findfont("DejaVu Sans")
    return frozenset(font_manager.get_font(path).get_charmap())

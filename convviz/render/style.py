"""Shared parts of all pictures: type, figures, titles, text and PNG files.

The layout of a picture is: a bold title, a second line with model and image, the panels, and
small notes below them. `render()` draws inside `look()`, so that pictures neither depend on the
user's matplotlib settings nor change them.
"""

from __future__ import annotations

import functools
import io
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colorbar import Colorbar
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

SEQUENTIAL = "viridis"
DIVERGING = "RdBu_r"
INK = "#1f2430"
MUTED = "#667085"
FAINT = "#d0d5dd"
ACCENT = "#d9480f"
PAPER = "#ffffff"
DPI = 120
BOLD = 0.68
"""Width of a bold letter as a share of the type size."""
TITLE_POINTS, TEXT_POINTS, SMALL_POINTS = 13.0, 9.5, 8.5

_MARGIN, _BAR = 0.08, 0.9

CRISP_BELOW = 100
"""Side in pixels below which images are drawn without interpolation."""

_LOOK = {
    "font.family": "DejaVu Sans",
    "font.size": TEXT_POINTS,
    "text.color": INK,
    "text.parse_math": False,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.titlesize": TEXT_POINTS,
    "axes.titlelocation": "left",
    "axes.titlepad": 5.0,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": SMALL_POINTS,
    "ytick.labelsize": SMALL_POINTS,
    "legend.frameon": False,
    "legend.fontsize": SMALL_POINTS,
    "hatch.linewidth": 0.6,
    "hatch.color": "#98a2b3",
}


@dataclass(frozen=True)
class Scene:
    """Texts and photos that pictures show beside the result.

    Attributes:
        explainer, layer, model: names for the title.
        photos: uint8 `[N, H, W, 3]`, the displayable pixels of the model's input, or None.
        names: one per image.
        targets: the targets with scores, one per image.
    """

    explainer: str = ""
    layer: str = ""
    model: str = ""
    photos: Tensor | None = None
    names: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()

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


@dataclass(frozen=True)
class Picture:
    """A drawn picture.

    Attributes:
        name: file name without suffix; unique within the explanation.
        png: the picture.
        caption: one or two sentences that describe the picture.
    """

    name: str
    png: bytes
    caption: str = ""


@contextmanager
def look() -> Iterator[None]:
    """Draw with the settings of this project instead of the user's matplotlib settings."""
    import matplotlib.style

    with matplotlib.style.context(["default", _LOOK]):
        yield


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of a size in inches, without pyplot's global state.

    The size is that of the panels; `title_block` makes room above and below them.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, facecolor=PAPER, layout="constrained")
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


def panel_row(
    count: int, shape: Sequence[int], *, bar: bool = False, side: float = 3.5, across: int = 4
) -> tuple[Figure, list[Axes], Axes | None]:
    """Return a figure with `count` panels for images `(height, width)`, in rows, exactly placed.

    An image pixel covers a whole number of picture pixels if possible, so that all pixels of small
    images have the same size. With `bar` a narrow axes for a colour bar is added at the right of
    the first row.
    """
    from matplotlib.figure import Figure

    long = max(shape[:2])
    factor = max(1.0, round(side * DPI / long)) if long <= 1.2 * side * DPI else side * DPI / long
    h, w = (max(0.25, size * factor / DPI) for size in shape[:2])
    columns, rows = min(count, across), -(-count // across)
    gap, head = 0.18, 0.3
    width = 2 * _MARGIN + columns * w + (columns - 1) * gap + (_BAR if bar else 0.0)
    height = rows * (h + head) + _MARGIN
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor=PAPER)

    def place(x: float, y: float, w: float) -> Axes:
        return figure.add_axes((x / width, y / height, w / width, h / height))

    axes = []
    for i in range(count):
        x = _MARGIN + (i % columns) * (w + gap)
        axes.append(bare(place(x, height - (i // columns + 1) * (h + head), w)))
    right = _MARGIN + columns * (w + gap)
    return figure, axes, place(right, height - h - head, 0.14) if bar else None


def to_png(figure: Figure) -> bytes:
    """Return a figure as PNG bytes, cropped to its content; equal figures give equal bytes."""
    buffer = io.BytesIO()
    figure.savefig(
        buffer, format="png", metadata={"Software": None}, bbox_inches="tight", pad_inches=0.14
    )
    return buffer.getvalue()


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

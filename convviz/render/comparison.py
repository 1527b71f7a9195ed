"""Comparison -> picture: images or targets in rows, explainers in columns, a table beneath."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..results.types import Heatmap, Mask, Result
from .colour import Scale, about_grey, resize_nearest, scale_of
from .heatmap import show_map, show_over
from .mask import show_cut
from .output import DPI, FAINT, INK, MUTED, PNG, SMALL_POINTS, Picture, encode, look
from .style import PAPER, bare, number, readable, show_pixels, title_block, wrap_text
from .text_table import draw_table, table_inches

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MapScale = Literal["auto", "shared", "own"]
"""One colour scale for all maps of an explainer, one for each map, or whichever shows all maps."""

_PALE = 0.5
"""Share of the common scale below which the scale of a map would make it look pale."""

_SIDE, _GAP, _MARGIN = 2.4, 0.14, 0.08
_HEAD, _TITLE, _FOOT, _BARS = 0.28, 0.26, 0.2, 0.72
"""Heights in inches: explainers' names, title of a row, line under a panel, colour bars."""


TextTable = tuple[Sequence[str], Sequence[Sequence[str]]]
"""A header and rows of text."""


@dataclass(frozen=True, eq=False)
class Panel:
    """The map or mask of one image in a result."""

    result: Result
    index: int

    @property
    def values(self) -> np.ndarray:
        """`[H, W]`, or `[C, H, W]` for colours."""
        if not isinstance(self.result, Heatmap):
            return np.asarray(self.result.values[self.index].cpu(), dtype=float)
        values = np.asarray(self.result.of_image(self.index))
        if not self.is_colour and values.ndim == 3:
            return np.asarray(np.abs(values).max(axis=0) if self.result.colour else values[0])
        return values

    @property
    def is_colour(self) -> bool:
        """True if the values are drawn as colours."""
        return (
            isinstance(self.result, Heatmap)
            and self.result.colour
            and self.result.values.shape[1] in (1, 3)
        )

    @property
    def is_signed(self) -> bool:
        """True if zero is the neutral middle of the colours."""
        return isinstance(self.result, Heatmap) and (
            self.is_colour or (self.result.signed and not self.result.colour)
        )


@dataclass(frozen=True, eq=False)
class PanelRow:
    """One image and target: a title, the photo, and a panel per explainer, None if missing."""

    title: str
    photo: np.ndarray | None
    panels: tuple[Panel | None, ...]


def draw_comparison(
    name: str,
    rows: Sequence[PanelRow],
    columns: Sequence[str],
    scale: MapScale,
    subtitle: str,
    tables: Sequence[TextTable],
    note: str,
) -> Picture:
    """Draw rows of panels, the colour bar of each column, and tables beneath."""
    with look():
        grid = _Grid(rows, len(columns), tables)
        notes = [
            _draw_column(grid, k, column, [row.panels[k] for row in rows], scale)
            for k, column in enumerate(columns)
        ]
        grid.draw_titles()
        grid.draw_tables()
        sentences = " ".join(part for part in (*dict.fromkeys(notes), note) if part)
        title = f"comparison — {', '.join(columns)}"
        title_block(grid.figure, title, subtitle, [sentences])
        return Picture(name, encode(grid.figure, PNG), f"{title}. {sentences}")


class _Grid:
    """The figure, and the places in inches of its panels."""

    def __init__(self, rows: Sequence[PanelRow], columns: int, tables: Sequence[TextTable]) -> None:
        from matplotlib.figure import Figure

        self.rows, self.tables = rows, tables
        self.left = 0 if all(row.photo is None for row in rows) else 1
        shapes = [p.values.shape[-2:] for row in rows for p in row.panels if p is not None]
        aspect = max(height / width for height, width in shapes)
        self.panel = (_SIDE / max(1.0, aspect), _SIDE * min(1.0, aspect))
        sizes = [table_inches(*table) for table in tables]
        across = (columns + self.left) * (self.panel[0] + _GAP)
        self.width = 2 * _MARGIN + max(across, *(width for width, _ in sizes), 0)
        self.row_height = _TITLE + self.panel[1] + _FOOT
        self.panels_height = _HEAD + len(rows) * self.row_height + _BARS
        self.height = self.panels_height + sum(height + _GAP for _, height in sizes)
        self.figure = Figure((self.width, self.height), dpi=DPI, facecolor=PAPER)
        # Texts lie in an axes, because `title_block` moves axes when it makes room for the title.
        self.page = self._axes(0, 0, self.width, self.height)
        self.page.set(xlim=(0, self.width), ylim=(self.height, 0))
        self.page.set_axis_off()

    def _axes(self, x: float, top: float, width: float, height: float) -> Axes:
        """Add an axes, whose upper left corner and size are given in inches."""
        across, down = self.width, self.height
        bounds = (x / across, 1 - (top + height) / down, width / across, height / down)
        return self.figure.add_axes(bounds)

    def x(self, column: int) -> float:
        """Return the left side of a column of panels; -1 is that of the photos."""
        return float(_MARGIN + (column + self.left) * (self.panel[0] + _GAP))

    def axes(self, row: int, column: int) -> Axes:
        """Return the axes of a panel."""
        top = _HEAD + row * self.row_height + _TITLE
        return bare(self._axes(self.x(column), top, *self.panel))

    def bar_axes(self, column: int) -> Axes:
        """Return the axes of the colour bar beneath a column."""
        top = _HEAD + len(self.rows) * self.row_height + 0.06
        return self._axes(self.x(column) + 0.05, top, self.panel[0] - 0.1, 0.1)

    def draw_tables(self) -> None:
        """Draw the tables beneath the panels."""
        top = self.panels_height
        for table in self.tables:
            width, height = table_inches(*table)
            draw_table(self._axes(_MARGIN, top, width, height), *table)
            top += height + _GAP

    def write(self, x: float, top: float, text: str, **how: Any) -> None:
        """Write a line of text, whose upper left corner is given in inches."""
        style: dict[str, Any] = {
            "va": "top",
            "ha": "left",
            "size": SMALL_POINTS,
            "color": INK,
        } | how
        self.page.text(x, top, text, **style)

    def write_below(self, row: int, column: int, text: str) -> None:
        """Write a line under a panel."""
        top = _HEAD + row * self.row_height + _TITLE + self.panel[1] + 0.03
        self.write(self.x(column), top, text, color=MUTED)

    def write_head(self, column: int, text: str) -> None:
        """Write the name of an explainer above its column."""
        lines = wrap_text(text, self.panel[0], SMALL_POINTS, 0.66)
        self.write(
            self.x(column), 0.06, readable(lines[0], 60) + "…" * (len(lines) > 1), weight="bold"
        )

    def draw_titles(self) -> None:
        """Draw the photos and the titles of the rows."""
        for i, row in enumerate(self.rows):
            top = _HEAD + i * self.row_height + 0.06
            self.write(_MARGIN, top, readable(row.title, int(self.width / 0.075)))
            if row.photo is not None:
                show_pixels(self.axes(i, -1), row.photo)


def _draw_column(
    grid: _Grid, k: int, name: str, panels: Sequence[Panel | None], mode: MapScale
) -> str:
    """Draw the panels of an explainer and its colour bar; returns a sentence on the scale."""
    grid.write_head(k, name)
    for i, panel in enumerate(panels):
        if panel is None:
            axes = grid.axes(i, k)
            axes.text(0.5, 0.5, "not computed", ha="center", va="center", color=MUTED)
        elif isinstance(panel.result, Mask):
            _draw_mask(grid, i, k, panel)
    maps = {i: p for i, p in enumerate(panels) if p is not None and isinstance(p.result, Heatmap)}
    if not maps:
        return ""
    values = {i: p.values for i, p in maps.items()}
    signed = any(panel.is_signed for panel in maps.values())
    scales = {i: scale_of(v, signed) for i, v in values.items()}
    joint = scale_of(np.concatenate([v.ravel() for v in values.values()]), signed)
    is_pale = min(s.high for s in scales.values()) < _PALE * joint.high
    apart = len(maps) > 1 and (mode == "own" or (mode == "auto" and is_pale))
    for i, panel in maps.items():
        scale = scales[i] if apart else joint
        _draw_map(grid, i, k, panel, scale)
        if apart:
            ends = (
                f"±{number(scale.high)}"
                if signed
                else f"{number(scale.low)} to {number(scale.high)}"
            )
            grid.write_below(i, k, f"own scale: {ends}")
    _draw_bar(grid, k, next(iter(maps.values())), joint, apart)
    if len(maps) == 1:
        return ""
    return f"{name}: {'each map has its own scale' if apart else 'one scale for all rows'}."


def _draw_mask(grid: _Grid, row: int, column: int, panel: Panel) -> None:
    assert isinstance(panel.result, Mask)
    axes, photo = grid.axes(row, column), grid.rows[row].photo
    mask = panel.values.astype(bool)
    show_cut(axes, mask, np.full((*mask.shape, 3), 255, np.uint8) if photo is None else photo)
    grid.write_below(row, column, f"covers {mask.mean():.0%} of the picture")


def _draw_map(grid: _Grid, row: int, column: int, panel: Panel, scale: Scale) -> None:
    assert isinstance(panel.result, Heatmap)
    axes, photo, values = grid.axes(row, column), grid.rows[row].photo, panel.values
    if panel.is_colour:
        show_pixels(axes, about_grey(values, scale.high))
    elif photo is None:
        show_map(axes, values, scale, values.shape)
    else:
        show_over(axes, resize_nearest(values, photo.shape[:2]), photo, scale, panel.result)


def _align_outer_labels(axes: Axes) -> None:
    """Keep the labels of the first and the last tick off the neighbouring colour bars."""
    low, high = axes.get_xlim()
    labels = [label for label in axes.get_xticklabels() if low <= label.get_position()[0] <= high]
    if len(labels) > 1:
        labels[0].set_horizontalalignment("left")
        labels[-1].set_horizontalalignment("right")


def _draw_bar(grid: _Grid, column: int, panel: Panel, scale: Scale, apart: bool) -> None:
    """Draw the colour bar of a column, horizontally, with the unit beneath it."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    axes = grid.bar_axes(column)
    low = -1.0 if scale.signed else 0.0
    norm = Normalize(low, 1.0) if apart else scale.norm
    key = ScalarMappable(norm, "gray" if panel.is_colour else scale.cmap)
    extend = "neither" if apart else scale.extend
    bar = grid.figure.colorbar(key, cax=axes, orientation="horizontal", extend=extend)
    bar.outline.set(edgecolor=FAINT, linewidth=0.6)
    bar.ax.tick_params(length=2, width=0.6, labelsize=SMALL_POINTS - 1)
    bar.ax.locator_params(nbins=4)
    _align_outer_labels(bar.ax)
    unit = f"{panel.result.unit}, share of the map's scale" if apart else panel.result.unit
    lines = wrap_text(unit, grid.panel[0], SMALL_POINTS - 1, 0.56)[:2]
    bar.ax.set_xlabel("\n".join(lines), size=SMALL_POINTS - 1, color=MUTED, labelpad=2)

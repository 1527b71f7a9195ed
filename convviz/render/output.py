"""Figures as files: PNG, SVG and PDF, with the same bytes for equal figures."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from ..errors import ParameterError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Format = Literal["png", "svg", "pdf"]
FORMATS: tuple[Format, ...] = get_args(Format)

DPI = 120
"""Pixels per inch of pictures, unless another resolution is requested."""

DPI_RANGE = (20, 2400)
PAD_INCHES = 0.14
"""Margin of a saved picture around its content."""

COMPRESSION = 4
"""Level of zlib for PNG files."""

INK, MUTED, FAINT = "#1f2430", "#667085", "#d0d5dd"
TITLE_POINTS, TEXT_POINTS, SMALL_POINTS = 13.0, 9.5, 8.5
"""Type sizes. The overview page shows an inch as 96 px, so the smallest type is 11 px there."""

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
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "convviz",
}
"""`fonttype`: text stays text in vector formats. `hashsalt`: equal figures give equal files."""

_METADATA: dict[Format, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


@contextmanager
def look() -> Iterator[None]:
    """Draw with the settings of this project instead of the user's matplotlib settings."""
    import matplotlib.style

    with matplotlib.style.context(["default", _LOOK]):
        yield


@dataclass(frozen=True)
class FileType:
    """The format and the resolution of picture files.

    Attributes:
        format: "png", "svg" or "pdf".
        dpi: pixels per inch; in vector formats, of the photos and maps inside.
    """

    format: Format = "png"
    dpi: float = DPI


PNG = FileType()


def file_type(format: str, dpi: float | None = None) -> FileType:
    """Return a checked FileType; raises ParameterError."""
    if format not in FORMATS:
        raise ParameterError(f"format={format!r} is not one of {', '.join(FORMATS)}")
    low, high = DPI_RANGE
    if dpi is not None and not low <= dpi <= high:
        raise ParameterError(f"dpi={dpi!r} is not between {low} and {high}")
    return FileType(format, DPI if dpi is None else float(dpi))


@dataclass(frozen=True, eq=False)
class Drawing:
    """The panels of a picture with its texts, before the texts are added.

    Attributes:
        name: file name without suffix; unique within the explanation.
        figure: the figure with its panels.
        caption: one or two sentences that describe the picture.
        title, subtitle: the two lines above the panels.
        notes: lines below the panels.
        panels: the names of the panels that `FigureOptions.panels` may choose from.
        uses_cmap: whether values are drawn in the colour map of `FigureOptions.cmap`.
    """

    name: str
    figure: Figure
    caption: str
    title: str
    subtitle: str = ""
    notes: Sequence[str] = ()
    panels: Sequence[str] = ()
    uses_cmap: bool = False


@dataclass(frozen=True)
class Picture:
    """A picture as a file.

    Attributes:
        name: file name without suffix; unique within the explanation.
        data: the content of the file, a PNG unless `format` is another.
        caption: one or two sentences that describe the picture.
        format: "png", "svg" or "pdf".
    """

    name: str
    data: bytes
    caption: str = ""
    format: Format = "png"

    @property
    def png(self) -> bytes:
        """The content of a PNG file."""
        if self.format != "png":
            raise ParameterError(f"picture {self.name!r} is drawn as {self.format}, not as png")
        return self.data

    @property
    def file_name(self) -> str:
        """The name of the file, with its suffix."""
        return f"{self.name}.{self.format}"


def encode(figure: Figure, kind: FileType) -> bytes:
    """Return a figure as the bytes of a file, cropped to its content.

    Afterwards the figure has no layout engine any more.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    # `bbox_inches="tight"` would draw the figure twice to lay it out and to measure it.
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine(None)
    renderer = canvas.get_renderer()  # type: ignore[no-untyped-call]
    content = figure.get_tightbbox(renderer).padded(PAD_INCHES)
    options: dict[str, Any] = {}
    if kind.format == "png":
        options["pil_kwargs"] = {"compress_level": COMPRESSION}
    buffer = io.BytesIO()
    figure.savefig(
        buffer,
        format=kind.format,
        dpi=kind.dpi,
        metadata=_METADATA[kind.format],
        bbox_inches=content,
        **options,
    )
    return buffer.getvalue()

"""What all pictures share: colours, type, the figure they start from and the PNG they end as."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SEQUENTIAL = "viridis"
DIVERGING = "RdBu_r"
INK = "#1f2430"
MUTED = "#667085"
ACCENT = "#d9480f"
PAPER = "#ffffff"
DPI = 120


@dataclass(frozen=True)
class Scene:
    """What a picture says beside the result itself.

    Attributes:
        explainer, layer, model: names for the title.
        photos: uint8 `[N, H, W, 3]`, the images as the model saw them, or None.
        names: one an image.
        targets: what was explained, one an image, with its score.
    """

    explainer: str = ""
    layer: str = ""
    model: str = ""
    photos: Tensor | None = None
    names: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Picture:
    """A drawn picture.

    Attributes:
        name: file name without its ending; unique within the explanation.
        png: the picture.
        caption: one or two sentences that say what is to be seen.
    """

    name: str
    png: bytes
    caption: str = ""


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of this size in inches, free of pyplot's global state."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=DPI, facecolor=PAPER, layout="constrained")


def to_png(figure: Figure) -> bytes:
    """Write a figure as PNG bytes, the same bytes for the same figure."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()

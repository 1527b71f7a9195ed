"""Pictures of results: one module per result type; `style`, `output` and `colour` are shared."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..errors import ParameterError, UnknownNameError
from ..results.types import Result
from .output import DPI, PNG, Drawing, FileType, Picture, encode, file_type, look
from .style import FigureOptions, Scene, figure_options, title_block

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "DPI",
    "PNG",
    "FigureOptions",
    "FileType",
    "Picture",
    "Scene",
    "draw_figure",
    "figure_options",
    "file_type",
    "render",
]


def render(result: Result, scene: Scene, kind: FileType = PNG) -> list[Picture]:
    """Draw a result: one or more pictures, ready to write or to embed."""
    with look():
        return [
            Picture(drawing.name, encode(drawing.figure, kind), drawing.caption, kind.format)
            for drawing in _drawings(result, scene)
        ]


def draw_figure(result: Result, scene: Scene, picture: int | str = 0) -> Figure:
    """Draw one picture of a result as a figure.

    Args:
        result, scene: the result, and the texts and options for it.
        picture: the number of the picture, from 0, or its name.

    Raises:
        ParameterError, UnknownNameError: there is no such picture, or an option does not apply.
    """
    names = []
    with look():
        for index, drawing in enumerate(_drawings(result, scene)):
            if picture in (index, drawing.name):
                return drawing.figure
            names.append(drawing.name)
    if not names:
        raise ParameterError(f"{scene.explainer} has no picture: there is nothing to draw")
    if isinstance(picture, str):
        raise UnknownNameError("picture", picture, names)
    raise ParameterError(
        f"picture={picture!r}: {scene.explainer} has pictures 0 to {len(names) - 1}"
    )


def _drawings(result: Result, scene: Scene) -> Iterator[Drawing]:
    """Yield the finished figures of a result, one at a time, because they may be large."""
    module = importlib.import_module(f".{result.kind}", __package__)
    options = scene.options
    for drawing in module.draw(result, scene):
        if options.panels and not drawing.panels:
            raise ParameterError(f"panels: picture {drawing.name!r} has no panels to choose from")
        if options.cmap and not drawing.uses_cmap:
            raise ParameterError(f"cmap: picture {drawing.name!r} does not use a colour map")
        figure = drawing.figure
        if options.width and figure.get_layout_engine() is not None:
            width, height = figure.get_size_inches()
            figure.set_size_inches(options.width, height * options.width / width)
        if options.title:
            title_block(figure, drawing.title, drawing.subtitle, drawing.notes)
        yield drawing

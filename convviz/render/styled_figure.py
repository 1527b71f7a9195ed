"""A figure that is saved with the settings of this project. Importing it imports matplotlib."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from .output import look


class StyledFigure(Figure):
    """A matplotlib Figure whose files do not depend on the user's matplotlib settings.

    In particular, text stays text in SVG and PDF files.
    """

    def savefig(self, fname: Any, **options: Any) -> None:
        """Save the figure, see `matplotlib.figure.Figure.savefig`."""
        with look():
            super().savefig(fname, **options)

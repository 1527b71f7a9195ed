"""The function that shows runs and explanations as widgets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...errors import MissingLibraryError, ParameterError
from ...explanation.explanation import Explanation
from ...sweep.run import Run, open_run


def widget(
    shown: Run | str | Path | Explanation | Sequence[Explanation], photos: Any = None
) -> Any:
    """Return an interactive notebook widget of a run or of explanations.

    The widget of a run has a browser of units and a map on which a rectangle selects images.
    `widget.selection` holds the rows of the selected images: `[run.items[i] for i in
    widget.selection]`. `widget.layer` and `widget.unit` are the unit that is shown. All three
    can be set.

    The widget of explanations shows maps over the images, with a slider for the opacity
    (`widget.opacity`), and the number under the pointer. `widget.image` is the number of the
    image. Results that are not maps are shown as pictures.

    Where a notebook cannot show widgets, such as on a web site, the static pictures are shown.

    Args:
        shown: a finished run, its folder, an explanation, or several explanations of the same
            images, which are shown side by side.
        photos: the data set of the run or its source, if the photos have moved.

    Raises:
        MissingLibraryError: anywidget is not installed. Runs and explanations themselves are shown
            as static HTML in notebooks.
        ParameterError: there is no explanation.
    """
    try:
        from .views import ExplanationWidget, RunWidget
    except ImportError as error:
        raise MissingLibraryError(
            f"widgets require {error.name}: pip install 'convviz[notebook]'"
        ) from error
    if isinstance(shown, Run | str | Path):
        return RunWidget(shown if isinstance(shown, Run) else open_run(shown), photos)
    explanations = [shown] if isinstance(shown, Explanation) else list(shown)
    if not explanations or not all(isinstance(e, Explanation) for e in explanations):
        raise ParameterError(f"{shown!r:.80} is neither a run nor explanations")
    return ExplanationWidget(explanations)

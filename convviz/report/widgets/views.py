"""The widgets, which talk to `static/widget.js` in the notebook.

The script asks for what it shows by messages, so that a widget appears at once, whatever the size
of the run. This module requires anywidget.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from ...errors import ConvvizError
from ...explanation.explanation import Explanation, ExplanationList
from ...sweep.run import Run
from ..chunks import script_json
from .explanation_answers import ExplanationAnswers
from .run_answers import RunAnswers

STATIC = Path(__file__).parent / "static"


class _AskedWidget(anywidget.AnyWidget):  # type: ignore[misc]  # ipywidgets has no types
    """A widget that answers the questions of its script.

    Args:
        answers: name of a question -> function of its values.
        to_html: returns the static HTML, for notebooks that cannot show widgets.
    """

    _esm = STATIC / "widget.js"
    _css = STATIC / "widget.css"
    kind = traitlets.Unicode().tag(sync=True)

    def __init__(
        self, answers: Mapping[str, Callable[..., Any]], to_html: Callable[[], str], **traits: Any
    ) -> None:
        self._answers, self._to_html = answers, to_html
        super().__init__(**traits)
        self.on_msg(self._answer)

    def _answer(self, widget: Any, content: Any, buffers: Any) -> None:
        """Send the answer to a question as JSON, or the reason why there is none."""
        try:
            text = script_json(self._answers[content["ask"]](**content["values"]))
        except Exception as error:  # the script waits for an answer
            kind = "" if isinstance(error, ConvvizError) else f"{type(error).__name__}: "
            self.send({"id": content.get("id"), "error": f"{kind}{error}"})
        else:
            self.send({"id": content["id"], "text": text})

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data, metadata = super()._repr_mimebundle_(**options)
        return {**data, "text/html": self._to_html()}, metadata


class _Rows(traitlets.List):  # type: ignore[misc]  # see above
    """Rows of the run of a widget, ascending."""

    def validate(self, obj: Any, value: Any) -> list[int]:
        """Return the rows in order; raises TraitError."""
        rows = sorted(set(super().validate(obj, value)))
        if rows and not 0 <= rows[0] <= rows[-1] < obj.count:
            raise traitlets.TraitError(f"{self.name}: the run has rows 0 to {obj.count - 1}")
        return rows


class _LayerName(traitlets.Unicode):  # type: ignore[misc]
    """A layer with units of the run of a widget, or ""."""

    def validate(self, obj: Any, value: Any) -> str:
        """Return the name; raises TraitError."""
        if value and value not in obj.layers:
            raise traitlets.TraitError(f"{self.name} {value!r:.100}: {', '.join(obj.layers)}")
        return str(super().validate(obj, value))


class _Image(traitlets.Int):  # type: ignore[misc]
    """The number of an image of the explanations of a widget."""

    def validate(self, obj: Any, value: Any) -> int:
        """Return the number; raises TraitError."""
        number = int(super().validate(obj, value))
        if number and not 0 <= number < obj.count:
            raise traitlets.TraitError(f"{self.name} {number}: there are {obj.count} images")
        return number


class RunWidget(_AskedWidget):
    """The units and the maps of a run.

    Attributes:
        selection: rows of the selected images, ascending.
        layer: the layer whose units are shown.
        unit: the unit that is shown, or None.
        count: number of images of the run.
        layers: the layers with units.
    """

    kind = traitlets.Unicode("run").tag(sync=True)
    selection = _Rows(traitlets.Int()).tag(sync=True)
    layer = _LayerName().tag(sync=True)
    unit = traitlets.Int(None, allow_none=True).tag(sync=True)

    def __init__(self, run: Run, photos: Any = None) -> None:
        source = RunAnswers(run, photos)
        self.count, self.layers = len(run.items), source.layers
        layer = self.layers[-1] if self.layers else ""
        super().__init__(source.answers, run._repr_html_, layer=layer)


class ExplanationWidget(_AskedWidget):
    """Maps over an image, explainers side by side.

    Attributes:
        image: the number of the image that is shown.
        opacity: of the maps, from 0 to 1.
        count: number of images.
    """

    kind = traitlets.Unicode("explanation").tag(sync=True)
    image = _Image(0).tag(sync=True)
    opacity = traitlets.Float(0.65, min=0, max=1).tag(sync=True)

    def __init__(self, explanations: Sequence[Explanation]) -> None:
        source = ExplanationAnswers(explanations)
        self.count = source.count
        shown = explanations[0] if len(explanations) == 1 else ExplanationList(explanations)
        super().__init__(source.answers, shown._repr_html_)

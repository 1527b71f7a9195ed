"""Guided gradients of the top patches of units, drawn when a page asks for them."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ConvvizError, ImageError, ParameterError
from ..plugin.explainer import DatasetExplainer
from ..render.unit import choose_units
from ..results.types import Note, Tiles
from ..sweep.photos import PHOTOS_HINT
from ..sweep.pictures import check_model, draw_chosen
from .photos import NEEDS_PHOTOS, CheckedPhotos, RunPhotos
from .result_files import Files, png

if TYPE_CHECKING:
    from ..explanation.explanation import Explanation
    from ..network.model import Model
    from ..sweep.run import Run

EXPLAINER = "patches"
GRADIENTS = "guided gradients"
CLASS_PREFIX = "class_"
FILE_NAME = "guided.png"
MAX_KEPT_BYTES = 64 << 20
"""Size of the pictures that are kept; those used longest ago are dropped beyond it."""


class GuidedGradients:
    """The guided gradients of the top patches of the units of a run.

    Nothing is written to the run folder.

    Args:
        run: the run.
        model: its model.
        photos: the data set that the user named on the command line. Without one, a photo is
            opened only if it is the file of the sweep, see `RunPhotos`.
        max_bytes: size of the pictures that are kept.

    Raises:
        ParameterError: the model has other weights than that of the run.
    """

    def __init__(
        self,
        run: Run,
        model: Model,
        photos: str | None = None,
        max_bytes: int = MAX_KEPT_BYTES,
    ) -> None:
        try:
            check_model(run, model)
        except ParameterError as error:
            raise ParameterError(f"{error}; restart with -m and the model of the run") from error
        run.model = model
        self._run, self._max_bytes = run, max_bytes
        self._photos: Any = CheckedPhotos(run, RunPhotos(run)) if photos is None else photos
        self._kept: OrderedDict[tuple[str, int], tuple[dict[str, Any], Files]] = OrderedDict()

    def of_unit(self, layer: str, unit: int) -> tuple[dict[str, Any], Files]:
        """Return the gradients of a unit, side by side in one picture, and how to show them.

        Raises:
            ImageError: a photo is not available, or another one than that of the run.
            ConvvizError: the run has no patches of the layer, there is no such unit, or its
                gradients cannot be computed.
        """
        key = layer, unit
        if key not in self._kept:
            self._kept[key] = self._draw(layer, unit)
        self._kept.move_to_end(key)
        sizes = [len(data) for _, files in self._kept.values() for _, data in files.values()]
        excess = sum(sizes) - self._max_bytes
        while excess > 0 and len(self._kept) > 1:
            _, (_, files) = self._kept.popitem(last=False)
            excess -= sum(len(data) for _, data in files.values())
        return self._kept[key]

    def _draw(self, layer: str, unit: int) -> tuple[dict[str, Any], Files]:
        explanation = _prepared(self._run[EXPLAINER][layer])
        try:
            result = draw_chosen(self._run, explanation, [unit], (), self._photos).result
        except ImageError as error:
            reason = str(error).removesuffix(f"; {PHOTOS_HINT}")
            hint = "" if NEEDS_PHOTOS in reason else f"; {NEEDS_PHOTOS}"
            raise ImageError(f"{reason}{hint}") from error
        notes = [str(n) for n in result.notes if isinstance(n, Note) and n.about == GRADIENTS]
        if GRADIENTS not in result.arrays:
            raise ConvvizError(" ".join(notes) or f"{EXPLAINER} draws no guided gradients")
        pictures = result[GRADIENTS][0].numpy()  # [k, h, w, 3]
        sheet = np.ascontiguousarray(np.concatenate(list(pictures), axis=1))
        document = {"columns": len(pictures), "rows": 1, "notes": notes}
        return document, {FILE_NAME: ("image/png", png(sheet))}


def _prepared(explanation: Explanation) -> Explanation:
    """Return an explanation of which guided gradients are drawn, whatever its sweep drew.

    Patches of single classes, which the page does not show, are left out.
    """
    explainer, result = explanation.explainer, explanation.result
    if not isinstance(explainer, DatasetExplainer) or not isinstance(result, Tiles):
        raise ConvvizError(explanation.missing or f"{EXPLAINER} is not available")
    if GRADIENTS in result.arrays:
        return explanation
    if "guided" in type(explainer).model_fields:
        explainer = explainer.model_copy(update={"guided": True})
    result = choose_units(result, ())
    arrays = {n: a for n, a in result.arrays.items() if not n.startswith(CLASS_PREFIX)}
    return replace(explanation, explainer=explainer, result=replace(result, arrays=arrays))

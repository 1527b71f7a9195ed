"""The model, the run and the photos that the process of a model keeps between jobs."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from ..errors import ConvvizError, ParameterError
from ..network.inputs import collate, prepare
from ..network.model import Model
from ..plugin import registry
from ..plugin.sources import load_model
from ..sweep.run import Run, open_run
from .guided_patches import GuidedGradients
from .worker_settings import WorkerSettings

if TYPE_CHECKING:
    from PIL.Image import Image as PILImage

    from ..explanation.explanation import Explanation
    from ..images.batch import Batch
    from .rectangle import RectangleScores

KEPT_PHOTOS = 4
KEPT_EXPLANATIONS = 32


@dataclass(eq=False)
class PreparedPhoto:
    """A photo with what the model has computed for it.

    Attributes:
        photo: the photo, with its name.
        batch: the model's input.
        scores: of the unchanged photo, `[1, classes]`.
        rectangle: scores with a rectangle covered; None until they are asked for.
    """

    photo: PILImage
    batch: Batch
    scores: Tensor
    rectangle: RectangleScores | None = None


class LoadedModel:
    """What the process of a model keeps between jobs.

    Attributes:
        settings: of the process.
    """

    def __init__(self, settings: WorkerSettings) -> None:
        self.settings = settings
        for pattern in settings.disabled:
            registry.current().disable(pattern)
        self._photos: OrderedDict[str, PreparedPhoto] = OrderedDict()
        self._explanations: OrderedDict[str, Explanation] = OrderedDict()

    @cached_property
    def run(self) -> Run | None:
        """The run, if one was opened."""
        return None if self.settings.run is None else open_run(self.settings.run)

    @cached_property
    def model(self) -> Model:
        """The model; the first access loads it."""
        if self.settings.source is not None:
            return load_model(self.settings.source, device=self.settings.device)
        if self.run is None:
            raise ConvvizError("no model was named: restart with -m MODEL")
        try:
            return self.run.load_model(self.settings.device)
        except ConvvizError as error:
            raise ConvvizError(f"{error}; restart with -m MODEL") from error

    @cached_property
    def guided_gradients(self) -> GuidedGradients:
        """The guided gradients of the units of the run.

        Raises:
            ConvvizError: no run was opened, or the model is not available or not that of the run.
        """
        if self.run is None:
            raise ParameterError("no run was opened")
        return GuidedGradients(self.run, self.model, self.settings.photos)

    def photo(self, reference: Mapping[str, Any]) -> PreparedPhoto:
        """Return a prepared photo.

        Args:
            reference: its id, the path of its array file, and its name.
        """
        key = reference["id"]
        if key not in self._photos:
            pixels = np.load(Path(reference["path"]), allow_pickle=False)
            self._photos[key] = self._prepare(pixels, reference["name"])
        self._photos.move_to_end(key)
        while len(self._photos) > KEPT_PHOTOS:
            self._photos.popitem(last=False)
        return self._photos[key]

    def keep(self, explanation: Explanation) -> str:
        """Keep an explanation, to draw it again; returns its key."""
        key = secrets.token_hex(8)
        self._explanations[key] = explanation
        while len(self._explanations) > KEPT_EXPLANATIONS:
            self._explanations.popitem(last=False)
        return key

    def explanation(self, key: str) -> Explanation:
        """Return an explanation that is kept."""
        if key not in self._explanations:
            raise ConvvizError("this result is no longer kept: run it again")
        return self._explanations[key]

    def _prepare(self, pixels: np.ndarray, name: str) -> PreparedPhoto:
        from PIL import Image

        photo = Image.fromarray(pixels)
        photo.filename = name  # type: ignore[attr-defined]  # the name of images in memory
        batch = collate([prepare(pixels, self.model, name)], [name], self.model)
        return PreparedPhoto(photo, batch, self.model.forward(batch.images).output)

"""The images of a run as chunks: names, labels, predictions and thumbnails."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from ..sweep.run import Run
from .photo_pass import CRISP_SIDE, Atlas, PhotoPass, thumbnail
from .predictions import predictions_of

BLOCK = 512
"""Images per chunk."""

THUMB = 64
"""Side of a thumbnail in pixels."""

MAX_PREVIEW = 640
"""Largest shorter side of a saved photo."""

ALL_PREVIEWS = 5000
"""Runs up to this number of images have a preview of every image; larger ones of those in use."""


class SiteItems:
    """The images of a run, as pages refer to them.

    Attributes:
        records: the images.
        count: number of images.
        ids: their names, in the order of the run.
        labels: their classes, positions in `Run.classes`, or None.
        sizes: height and width of the photos.
        predictions: what is known of the predictions, see `predictions_of`.
    """

    def __init__(self, run: Run, pictures: PhotoPass) -> None:
        self._pictures = pictures
        self._previews: dict[int, str] = {}
        self._atlases: list[Atlas] = []
        self.records = tuple(run.items)
        self.count = len(self.records)
        self.ids = [record.id for record in self.records]
        self.labels = [record.label for record in self.records]
        self.sizes = [record.size for record in self.records]
        self.predictions = predictions_of(run)

    def request_preview(self, row: int) -> str:
        """Return the address of the saved photo of a row, which is drawn with the others.

        It has at least the resolution in which the model saw the photo.
        """
        if row not in self._previews:
            height, width = self.sizes[row]
            affine = self.records[row].affine
            scale = min(abs(affine[0]), abs(affine[4])) or 1.0
            least = min(MAX_PREVIEW, max(256.0, min(height, width) / scale))
            suffix = "png" if self.is_small(row) else "jpg"
            path = f"media/photos/{row // BLOCK:03d}/{row:06d}.{suffix}"
            self._previews[row] = path
            self._pictures.save_photo(row, path, least)
        return self._previews[row]

    @property
    def has_labels(self) -> bool:
        """Whether an image has a label."""
        return any(label is not None for label in self.labels)

    def is_small(self, row: int) -> bool:
        """Return whether the photo of a row is so small that its pixels are shown as squares."""
        return max(self.sizes[row]) <= CRISP_SIDE

    def request_pictures(self) -> None:
        """Request thumbnails of all images, and previews if there are not too many."""
        for start in range(0, self.count, BLOCK):
            size = min(BLOCK, self.count - start)
            atlas = self._pictures.atlas(f"media/thumbs/{start // BLOCK:03d}.jpg", size, THUMB)
            self._atlases.append(atlas)
            for index in range(size):
                self._pictures.draw(start + index, partial(_draw_thumbnail, atlas, index))
        if self.count <= ALL_PREVIEWS:
            for row in range(self.count):
                self.request_preview(row)

    def chunks(
        self, second: Mapping[str, list[Any]] | None = None
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield name and value of each chunk of images; the photos have been read before.

        Args:
            second: predictions of a second run for the same images.
        """
        of_second = {f"second_{name}": values for name, values in (second or {}).items()}
        predictions = {**self.predictions, **of_second}
        for block, start in enumerate(range(0, self.count, BLOCK)):
            span = slice(start, start + BLOCK)
            rows = range(start, min(start + BLOCK, self.count))
            yield (
                f"items-{block:03d}",
                {
                    "start": start,
                    "names": self.ids[span],
                    "labels": self.labels[span],
                    "sizes": self.sizes[span],
                    "thumbs": self._atlases[block].record(),
                    "previews": [self.preview(row) for row in rows],
                    **{name: values[span] for name, values in predictions.items()},
                },
            )

    def preview(self, row: int) -> str | None:
        """Return the address of the saved photo of a row, if it was requested and could be read."""
        return None if row in self._pictures.missing else self._previews.get(row)


def _draw_thumbnail(atlas: Atlas, index: int, photo: np.ndarray) -> None:
    atlas.put(index, thumbnail(photo, atlas.tile))

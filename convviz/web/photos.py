"""Photos that the app works on: uploaded ones, and those of the run by their row."""

from __future__ import annotations

import io
import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.dataset import PathDataset
from ..data.fingerprint import Content, photo_of
from ..errors import ConvvizError, ImageError, ParameterError, printable
from ..images.decode import decode_image
from ..plugin.sources import place_of_dataset
from ..storage.checksums import CHECKSUMS
from ..storage.untrusted_files import check_inside
from ..sweep.photos import open_dataset_of
from ..sweep.store.file_names import ITEMS
from ..sweep.store.tables import content_types, read_rows

if TYPE_CHECKING:
    from ..data.dataset import Dataset
    from ..sweep.run import Run

MAX_UPLOAD_PIXELS = 50_000_000
MAX_STORED_BYTES = 2 << 30
"""Size of the decoded photos that are kept on disk; the oldest are removed beyond it."""

MAX_NAME_LENGTH = 200
PREVIEW_SIDE = 1024
JPEG_QUALITY = 88

NEEDS_PHOTOS = "restart with --photos DATASET, the data set with the photos of the run"


class UnknownPhotoError(ConvvizError):
    """There is no photo of this id, or it has been removed to make room."""


@dataclass(frozen=True)
class StoredPhoto:
    """A decoded photo in a file.

    Attributes:
        id: a random word.
        name: the name of its file, for people.
        path: an array file, uint8 `[h, w, 3]`.
        height, width: its size in pixels.
        row: the row of the run that it is, or None.
    """

    id: str
    name: str
    path: Path
    height: int
    width: int
    row: int | None = None

    def pixels(self) -> np.ndarray:
        """Return the photo, uint8 `[h, w, 3]`."""
        return np.asarray(np.load(self.path, allow_pickle=False))

    def preview(self) -> bytes:
        """Return the photo as a JPEG file of at most 1024 pixels."""
        from PIL import Image

        image = Image.fromarray(self.pixels())
        image.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=JPEG_QUALITY)
        return buffer.getvalue()

    def to_json(self) -> dict[str, Any]:
        """Return what a page shows of it."""
        return {
            "id": self.id,
            "name": self.name,
            "height": self.height,
            "width": self.width,
            "row": self.row,
        }


class PhotoStore:
    """Photos in a folder, found by random ids.

    Args:
        folder: an empty folder that only this process uses.
        max_bytes: size of the files that are kept.
    """

    def __init__(self, folder: Path, max_bytes: int = MAX_STORED_BYTES) -> None:
        self._folder, self._max_bytes = folder, max_bytes
        self._photos: OrderedDict[str, StoredPhoto] = OrderedDict()
        self._lock = threading.Lock()

    def __getitem__(self, key: str) -> StoredPhoto:
        with self._lock:
            if key not in self._photos:
                raise UnknownPhotoError("this photo is no longer here: open it again")
            self._photos.move_to_end(key)
            return self._photos[key]

    def add_upload(self, data: bytes, name: str) -> StoredPhoto:
        """Store an uploaded file.

        Raises:
            ImageError: it is not a readable image, or too large.
        """
        shown = printable(name)[:MAX_NAME_LENGTH] or "photo"
        return self._add(decode_image(data, repr(shown), max_pixels=MAX_UPLOAD_PIXELS), shown)

    def add_row(self, photos: RunPhotos, row: int) -> StoredPhoto:
        """Store a photo of the run."""
        with self._lock:
            stored = [photo for photo in self._photos.values() if photo.row == row]
        return stored[0] if stored else self._add(*photos.load(row), row)

    def _add(self, pixels: np.ndarray, name: str, row: int | None = None) -> StoredPhoto:
        key = secrets.token_urlsafe(12)
        height, width = pixels.shape[:2]
        photo = StoredPhoto(key, name, self._folder / f"{key}.npy", height, width, row)
        np.save(photo.path, pixels)
        with self._lock:
            self._photos[key] = photo
            self._make_room()
        return photo

    def _make_room(self) -> None:
        """Remove the photos that were used longest ago, but never the last one."""
        sizes = [photo.height * photo.width * 3 for photo in self._photos.values()]
        excess = sum(sizes) - self._max_bytes
        while excess > 0 and len(self._photos) > 1:
            _, oldest = self._photos.popitem(last=False)
            oldest.path.unlink(missing_ok=True)
            excess -= oldest.height * oldest.width * 3


class RunPhotos:
    """The photos of a run.

    Anybody may have written the run folder, and it names the place of its photos. Without
    `photos`, a photo is therefore shown only if it has the content whose hash the run records:
    the author of the run had this very file.

    Args:
        run: the run; None if there is none.
        photos: the data set that the user named on the command line; None for the recorded one.
    """

    def __init__(self, run: Run | None, photos: str | None = None) -> None:
        self._run, self._photos = run, photos
        self._lock = threading.Lock()
        self._opened: tuple[Dataset, dict[str, int]] | None = None

    def load(self, row: int) -> tuple[np.ndarray, str]:
        """Return the photo of a row, uint8 `[h, w, 3]`, and its name.

        Raises:
            ParameterError: there is no such row.
            ImageError: the photo is not available, or is another one than that of the run.
        """
        if self._run is None:
            raise ParameterError("no run was opened")
        if not 0 <= row < len(self._run.items):
            raise ParameterError(f"row {row}: the run has rows 0 to {len(self._run.items) - 1}")
        item = self._run.items[row]
        dataset, places = self._dataset()
        if item.id not in places:
            raise ImageError(f"the data set has no photo {item.id!r}; {NEEDS_PHOTOS}")
        photo, content = photo_of(dataset, places[item.id])
        if self._photos is None:
            self._check(dataset, places[item.id], row, content)
        return photo, item.id

    def _dataset(self) -> tuple[Dataset, dict[str, int]]:
        """Return the data set and the places of its items; it is opened once."""
        assert self._run is not None
        with self._lock:
            if self._opened is None:
                try:
                    dataset = open_dataset_of(self._run, self._photos)
                except ConvvizError as error:
                    raise ImageError(f"{error}; {NEEDS_PHOTOS}") from error
                self._opened = dataset, {name: i for i, name in enumerate(dataset.ids)}
            return self._opened

    def _check(self, dataset: Dataset, place: int, row: int, content: Content) -> None:
        """Raise ImageError unless a photo of the recorded data set is the one of the run."""
        if content != self._contents[row]:
            raise ImageError(f"its file is another one than that of the run; {NEEDS_PHOTOS}")
        root = place_of_dataset(dataset).get("path", "")
        if root and isinstance(dataset, PathDataset):
            folder = Path(root) if Path(root).is_dir() else Path(root).parent
            check_inside(folder, dataset.paths[place])

    @cached_property
    def _contents(self) -> list[Content]:
        """Size and hash of every photo, as the run records them."""
        assert self._run is not None
        checksum = self._run.plan[CHECKSUMS][ITEMS]
        rows = read_rows(self._run.folder / ITEMS, content_types(), checksum)
        return [Content(row["bytes"], row["sha256"]) for row in rows]


class CheckedPhotos:
    """The photos of a run as a data set whose `load` makes the checks of RunPhotos.

    Attributes:
        name, ids, labels, classes: as in `Dataset`.
    """

    def __init__(self, run: Run, photos: RunPhotos) -> None:
        self.name = str(run.plan["dataset"]["name"])
        self.ids = run.items.ids
        self.labels = tuple(run.items.column("label"))
        self.classes = run.classes
        self._photos = photos

    def load(self, index: int) -> np.ndarray:
        """Return a photo, uint8 `[h, w, 3]`; raises ImageError."""
        return self._photos.load(index)[0]

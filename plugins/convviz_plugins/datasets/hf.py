"""Folders that the `datasets` library of Hugging Face wrote with `save_to_disk`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from convviz import ParameterError
from convviz.authoring import Dataset, as_labels, hookimpl, readable

from ._encoded import Encoded, unique_ids
from .parquet import OPTIONS
from .patterns import check_options

ONE, SEVERAL = ("dataset_info.json", "state.json"), "dataset_dict.json"


@hookimpl
def convviz_open_dataset(source: str, options: Mapping[str, Any]) -> Dataset | None:
    """Open a saved data set, or one split of several."""
    folder = Path(source).expanduser()
    one = all((folder / name).is_file() for name in ONE)
    if not one and not (folder / SEVERAL).is_file():
        return None
    check_options("hf", options, (*OPTIONS, "split"))
    return open_saved(folder if one else _split(folder, options.get("split")), options)


def open_saved(folder: Path, options: Mapping[str, str] | None = None) -> SavedDataset:
    """Open the folder of one data set; raises where `datasets` is not installed.

    Args:
        folder: what `save_to_disk` wrote.
        options: the columns image, label and id by name. Not given, they are: the only column
            of images; "label"; "id", or the file names kept with the images.
    """
    options = options or {}
    library = _library()
    try:
        saved = library.load_from_disk(str(folder))
    except Exception as error:  # whatever its readers raise on damaged files
        reason = " ".join(str(error).split())
        raise ParameterError(f"{str(folder)!r} cannot be read by datasets: {reason}") from error
    features = saved.features
    image = _image_column(folder, library, features, options.get("image"))
    label = _column(folder, features, "label", options.get("label"))
    named = _column(folder, features, "id", options.get("id"))
    labels = saved.with_format(None).select_columns([label])[label][:] if label else None
    classes = getattr(features[label], "names", None) if label else None
    notes: list[str] = []
    known, names = as_labels(labels, len(saved), tuple(classes or ()), notes)
    ids = _ids(saved, library, image, named)
    return SavedDataset(
        name=readable(folder.name),
        folder=folder,
        column=image,
        ids=unique_ids(ids, len(saved), strict="id" in options),
        labels=known,
        classes=names,
        notes=tuple(notes),
    )


@dataclass(frozen=True, eq=False)
class SavedDataset(Encoded):
    """Photos in a folder of the `datasets` library, whose files are mapped.

    Attributes:
        folder: where they are.
        column: the column of photos.
    """

    folder: Path
    column: str

    def read(self, index: int) -> bytes:
        """Read the bytes of one photo."""
        return self.bytes_in(self._rows[index][self.column], index)

    @cached_property
    def _rows(self) -> Any:
        library = _library()
        return _encoded(library.load_from_disk(str(self.folder)), library, self.column)

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k != "_rows"}


def _library() -> Any:
    try:
        import datasets
    except ImportError as error:
        raise ParameterError(
            "a data set saved by Hugging Face's library needs it: pip install 'convviz[hf]'"
        ) from error
    return datasets


def _split(folder: Path, asked: str | None) -> Path:
    splits = sorted(p.name for p in folder.iterdir() if (p / ONE[0]).is_file())
    wanted = asked or (splits[0] if len(splits) == 1 else "")
    if wanted not in splits:
        said = f"has no split {asked!r}" if asked else "has several splits"
        raise ParameterError(f"{str(folder)!r} {said}: ?split= one of {', '.join(splits)}")
    return folder / wanted


def _image_column(folder: Path, library: Any, features: Any, asked: str | None) -> str:
    fitting = [name for name, kind in features.items() if _holds_photos(library, kind)]
    wanted = asked or ("image" if "image" in fitting or len(fitting) != 1 else fitting[0])
    if wanted not in fitting:
        found = ", ".join(f"{name} ({_said(kind)})" for name, kind in features.items())
        raise ParameterError(
            f"{str(folder)!r} has no column {wanted!r} of images or bytes; it has {found}. "
            "?image=COLUMN takes another"
        )
    return wanted


def _holds_photos(library: Any, kind: Any) -> bool:
    if isinstance(kind, library.Image):
        return True
    return isinstance(kind, library.Value) and kind.dtype in ("binary", "large_binary")


def _said(kind: Any) -> str:
    return str(getattr(kind, "dtype", None) or type(kind).__name__)


def _column(folder: Path, features: Any, name: str, asked: str | None) -> str | None:
    if asked and asked not in features:
        raise ParameterError(
            f"{str(folder)!r} has no column {asked!r}; it has {', '.join(features)}"
        )
    return asked or (name if name in features else None)


def _encoded(saved: Any, library: Any, column: str) -> Any:
    """Return the rows with the bytes of their photos, which are not decoded."""
    rows = saved.with_format(None).select_columns([column])
    is_image = isinstance(saved.features[column], library.Image)
    return rows.cast_column(column, library.Image(decode=False)) if is_image else rows


def _ids(saved: Any, library: Any, image: str, named: str | None) -> list[Any]:
    if named:
        return list(saved.with_format(None).select_columns([named])[named][:])
    if not isinstance(saved.features[image], library.Image):
        return []
    path = f"{image}.path"
    rows = _encoded(saved, library, image).flatten().select_columns([path])
    return list(rows[path][:])

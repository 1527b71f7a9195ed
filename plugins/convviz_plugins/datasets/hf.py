"""Folders written by `save_to_disk` of the Hugging Face library `datasets`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from convviz import ParameterError
from convviz.authoring import Dataset, as_labels, hookimpl, readable

from ._encoded import EncodedDataset, unique_ids
from ._patterns import check_options
from .parquet import OPTIONS

DATASET_FILES, SPLITS_FILE = ("dataset_info.json", "state.json"), "dataset_dict.json"


@hookimpl
def convviz_open_dataset(source: str, options: Mapping[str, Any]) -> Dataset | None:
    """Open a saved data set, or one split of several."""
    folder = Path(source).expanduser()
    is_single = all((folder / name).is_file() for name in DATASET_FILES)
    if not is_single and not (folder / SPLITS_FILE).is_file():
        return None
    check_options("hf", options, (*OPTIONS, "split"))
    return open_saved(folder if is_single else _split(folder, options.get("split")), options)


def open_saved(folder: Path, options: Mapping[str, str] | None = None) -> SavedDataset:
    """Open the folder of one data set; raises if `datasets` is not installed.

    Args:
        folder: the folder.
        options: names of the columns `image`, `label` and `id`. Defaults: the only column of
            images; "label"; "id", or the file names stored with the images.
    """
    options = options or {}
    library = _library()
    try:
        saved = library.load_from_disk(str(folder))
    except Exception as error:  # its readers raise various errors for damaged files
        reason = " ".join(str(error).split())
        raise ParameterError(f"{str(folder)!r} cannot be read by datasets: {reason}") from error
    features = saved.features
    image = _image_column(folder, library, features, options.get("image"))
    label = _column(folder, features, "label", options.get("label"))
    id_column = _column(folder, features, "id", options.get("id"))
    labels = saved.with_format(None).select_columns([label])[label][:] if label else None
    classes = getattr(features[label], "names", None) if label else None
    notes: list[str] = []
    class_indices, names = as_labels(labels, len(saved), tuple(classes or ()), notes)
    ids = _ids(saved, library, image, id_column)
    return SavedDataset(
        name=readable(folder.name),
        folder=folder,
        column=image,
        ids=unique_ids(ids, len(saved), strict="id" in options),
        labels=class_indices,
        classes=names,
        notes=tuple(notes),
    )


@dataclass(frozen=True, eq=False)
class SavedDataset(EncodedDataset):
    """Photos in a folder of the `datasets` library, whose files are memory-mapped.

    Attributes:
        folder: the folder.
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
        return _undecoded_rows(library.load_from_disk(str(self.folder)), library, self.column)

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k != "_rows"}


def _library() -> Any:
    try:
        import datasets
    except ImportError as error:
        raise ParameterError(
            "a data set of the Hugging Face library needs it: pip install 'convviz[hf]'"
        ) from error
    return datasets


def _split(folder: Path, asked: str | None) -> Path:
    splits = sorted(p.name for p in folder.iterdir() if (p / DATASET_FILES[0]).is_file())
    split = asked or (splits[0] if len(splits) == 1 else "")
    if split not in splits:
        problem = f"has no split {asked!r}" if asked else "has several splits"
        raise ParameterError(f"{str(folder)!r} {problem}: ?split= one of {', '.join(splits)}")
    return folder / split


def _image_column(folder: Path, library: Any, features: Any, asked: str | None) -> str:
    fitting = [name for name, kind in features.items() if _holds_photos(library, kind)]
    column = asked or ("image" if "image" in fitting or len(fitting) != 1 else fitting[0])
    if column not in fitting:
        columns = ", ".join(f"{name} ({_type_name(kind)})" for name, kind in features.items())
        raise ParameterError(
            f"{str(folder)!r} has no column {column!r} of images or bytes; it has {columns}. "
            "?image=COLUMN selects another"
        )
    return column


def _holds_photos(library: Any, kind: Any) -> bool:
    if isinstance(kind, library.Image):
        return True
    return isinstance(kind, library.Value) and kind.dtype in ("binary", "large_binary")


def _type_name(kind: Any) -> str:
    return str(getattr(kind, "dtype", None) or type(kind).__name__)


def _column(folder: Path, features: Any, name: str, asked: str | None) -> str | None:
    if asked and asked not in features:
        raise ParameterError(
            f"{str(folder)!r} has no column {asked!r}; it has {', '.join(features)}"
        )
    return asked or (name if name in features else None)


def _undecoded_rows(saved: Any, library: Any, column: str) -> Any:
    """Return the rows with the encoded bytes of their photos."""
    rows = saved.with_format(None).select_columns([column])
    is_image = isinstance(saved.features[column], library.Image)
    return rows.cast_column(column, library.Image(decode=False)) if is_image else rows


def _ids(saved: Any, library: Any, image: str, id_column: str | None) -> list[Any]:
    if id_column:
        return list(saved.with_format(None).select_columns([id_column])[id_column][:])
    if not isinstance(saved.features[image], library.Image):
        return []
    path = f"{image}.path"
    rows = _undecoded_rows(saved, library, image).flatten().select_columns([path])
    return list(rows[path][:])

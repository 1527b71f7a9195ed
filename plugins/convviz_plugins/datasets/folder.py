"""Folders of images: sub-folders become classes, as in torchvision's ImageFolder."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from convviz import Dataset, ParameterError, PathDataset, hookimpl, readable

SUFFIXES = (
    *(".avif", ".bmp", ".dib", ".gif", ".heic", ".heif", ".jfif", ".jp2", ".jpe", ".jpeg"),
    *(".jpg", ".jxl", ".pbm", ".pgm", ".png", ".ppm", ".tga", ".tif", ".tiff", ".webp"),
)
"""What looks like an image. One that cannot be read becomes a row in the list of bad files."""

RUN_MARK = ("run.json", "items.parquet")


@hookimpl(trylast=True)  # others know folders of a certain kind
def convviz_open_dataset(source: str, options: Mapping[str, Any]) -> Dataset | None:
    """Open a folder; None where there is no such folder."""
    folder = Path(source).expanduser()
    if not folder.is_dir():
        return None
    if options:
        raise ParameterError(f"a folder takes no options, not {', '.join(sorted(options))}")
    return open_folder(folder)


def open_folder(folder: Path) -> PathDataset:
    """List the images of a folder and its sub-folders, in the order of their relative paths.

    Where every image lies in a sub-folder, the first level of sub-folders are the classes.
    Hidden files and finished runs are left out.
    """
    found = sorted(_images(folder), key=lambda path: path.relative_to(folder).parts)
    if not found:
        raise ParameterError(f"folder {str(folder)!r} holds no images ({' '.join(SUFFIXES)})")
    parts = [path.relative_to(folder).parts for path in found]
    labelled = all(len(p) > 1 for p in parts)
    classes = sorted({p[0] for p in parts}) if labelled else []
    index = {name: i for i, name in enumerate(classes)}
    return PathDataset(
        name=readable(folder.resolve().name),
        paths=tuple(found),
        ids=tuple(readable("/".join(p)) for p in parts),
        labels=tuple(index[p[0]] if labelled else None for p in parts),
        classes=tuple(readable(name) for name in classes),
    )


def _images(folder: Path) -> Iterator[Path]:
    seen = {folder.resolve()}
    for where, folders, files in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if _open(Path(where, name), seen)]
        for name in files:
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES:
                yield Path(where, name)


def _open(folder: Path, seen: set[Path]) -> bool:
    """Say whether a sub-folder is looked into: not a hidden one, not a run, not one seen before."""
    real = folder.resolve()
    if folder.name.startswith(".") or real in seen or all((folder / m).exists() for m in RUN_MARK):
        return False
    seen.add(real)  # links can lead in a circle
    return True

"""The image files that a path, a folder or a glob pattern stands for."""

from __future__ import annotations

import os
from glob import glob, has_magic

from ..errors import ImageError, ParameterError
from ..storage.path_names import natural

IMAGE_SUFFIXES = (
    *(".avif", ".bmp", ".dib", ".gif", ".heic", ".heif", ".jfif", ".jp2", ".jpe", ".jpeg"),
    *(".jpg", ".jxl", ".pbm", ".pgm", ".png", ".ppm", ".tga", ".tif", ".tiff", ".webp"),
)
"""Suffixes of image files, whether convviz can decode them or not."""


def image_files(source: str | os.PathLike[str]) -> list[str]:
    """Return the files of a path, folder or pattern in natural order ("2.png", "10.png").

    Args:
        source: a file; a folder, which stands for the image files directly in it, hidden ones
            left out; or a glob pattern (`*`, `?`, `[…]`, `**` for folders at any depth). An
            existing path is never read as a pattern. A path without a file is returned as it
            is: reading it gives the error.

    Raises:
        ParameterError: the folder holds no image, or no file matches the pattern.
        ImageError: the folder cannot be read.
    """
    path = os.fsdecode(source)
    if os.path.isdir(path):
        return [os.path.join(path, name) for name in _names_of_images(path)]
    if not has_magic(path) or os.path.lexists(path) or "\0" in path:
        return [path]
    files = sorted(filter(os.path.isfile, glob(path, recursive=True)), key=natural)
    if not files:
        raise ParameterError(f"no file matches the pattern {path!r}")
    return files


def _names_of_images(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            names = sorted((entry.name for entry in entries if _is_image(entry)), key=natural)
    except OSError as error:
        raise ImageError(f"folder {folder!r} cannot be read: {error.strerror}") from error
    if not names:
        raise ParameterError(f"folder {folder!r} holds no images ({' '.join(IMAGE_SUFFIXES)})")
    return names


def _is_image(entry: os.DirEntry[str]) -> bool:
    suffix = os.path.splitext(entry.name)[1].lower()
    return suffix in IMAGE_SUFFIXES and entry.name[0] != "." and entry.is_file()

"""Folders of images: sub-folders become classes, as in torchvision's ImageFolder."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from convviz import ParameterError
from convviz.authoring import IMAGE_SUFFIXES, Dataset, PathDataset, hookimpl, readable

SPLITS = frozenset(
    {"train", "training", "val", "valid", "validation", "dev", "test", "testing", "eval"}
)
"""Names of folders that are splits of a data set, not classes."""

MAX_NAMES = 4
"""Maximum number of names that a note lists."""

RUN_MARK = ("run.json", "items.parquet")


@hookimpl(trylast=True)  # other plugins recognize folders with certain files
def convviz_open_dataset(source: str, options: Mapping[str, Any]) -> Dataset | None:
    """Open a folder; None if there is no such folder."""
    folder = Path(source).expanduser()
    if not folder.is_dir():
        return None
    if options:
        raise ParameterError(f"a folder takes no options, not {', '.join(sorted(options))}")
    return open_folder(folder)


def open_folder(folder: Path) -> PathDataset:
    """Return the images of a folder and its sub-folders, sorted by their relative paths.

    If most images are in sub-folders, the first level of sub-folders are the classes, as in
    torchvision's ImageFolder, and images outside of them have no label. If the first level has the
    names of splits ("train", "val"), the second level are the classes. Hidden files and finished
    runs are left out.
    """
    skipped: Counter[str] = Counter()
    paths = sorted(_images(folder, skipped), key=lambda path: path.relative_to(folder).parts)
    if not paths:
        raise ParameterError(
            f"folder {str(folder)!r} contains no images ({' '.join(IMAGE_SUFFIXES)})"
        )
    parts = [path.relative_to(folder).parts for path in paths]
    level, notes = _class_level(parts)
    names = [p[level] if level is not None and len(p) > level + 1 else None for p in parts]
    classes = sorted({name for name in names if name is not None})
    index = {name: i for i, name in enumerate(classes)}
    if level is not None:
        notes += _unlabelled_notes(folder, parts, names, level)
    if skipped:
        kinds = ", ".join(f"{count} {readable(kind)!r}" for kind, count in skipped.most_common(8))
        notes.append(f"{skipped.total()} files without an image suffix are ignored: {kinds}")
    return PathDataset(
        name=readable(folder.resolve().name),
        paths=tuple(paths),
        ids=tuple(readable("/".join(p)) for p in parts),
        labels=tuple(None if name is None else index[name] for name in names),
        classes=tuple(readable(name) for name in classes),
        notes=tuple(notes),
    )


def _class_level(parts: Sequence[tuple[str, ...]]) -> tuple[int | None, list[str]]:
    """Return the level of the folders that are the classes, or None, and notes on the choice."""
    inside = [p for p in parts if len(p) > 1]
    firsts = {p[0] for p in inside}
    if not inside:
        return None, []
    if 2 * len(inside) <= len(parts):
        return None, [
            f"{len(parts) - len(inside)} of {len(parts)} photos are outside of the sub-folders "
            f"({some_names(sorted(firsts))}), so these are not used as classes"
        ]
    if all(name.lower() in SPLITS for name in firsts):
        if all(len(p) > 2 for p in inside):
            return 1, [
                f"the sub-folders {some_names(sorted(firsts))} are splits; their sub-folders are "
                "the classes"
            ]
        return None, [f"{some_names(sorted(firsts))} are splits, not classes"]
    if len(firsts) == 1 and all(len(p) > 2 for p in inside):
        return 0, [
            f"{min(firsts)!r} is the only class; open that folder to use its sub-folders as classes"
        ]
    return 0, []


def _unlabelled_notes(
    folder: Path, parts: Sequence[tuple[str, ...]], names: Sequence[str | None], level: int
) -> list[str]:
    stray = ["/".join(p) for p, name in zip(parts, names, strict=True) if name is None]
    notes = []
    if stray:
        notes.append(
            f"{len(stray)} of {len(parts)} photos are in no class folder and have no label: "
            f"{some_names(stray)}"
        )
    if level == 0:
        folders = (p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
        if empty := sorted(set(folders) - {p[0] for p in parts}):
            notes.append(f"sub-folders without photos are not classes: {some_names(empty)}")
    return notes


def some_names(names: Sequence[str]) -> str:
    """Return the first of several names, quoted."""
    ellipsis = ", …" if len(names) > MAX_NAMES else ""
    return ", ".join(repr(readable(name)) for name in names[:MAX_NAMES]) + ellipsis


def _images(folder: Path, skipped: Counter[str]) -> Iterator[Path]:
    """Yield image files; counts the suffixes of other files that are not hidden."""
    seen = {folder.resolve()}
    for where, folders, files in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if _is_searched(Path(where, name), seen)]
        for name in files:
            if name.startswith("."):
                continue
            suffix = Path(name).suffix.lower()
            if suffix in IMAGE_SUFFIXES:
                yield Path(where, name)
            else:
                skipped[suffix] += 1


def _is_searched(folder: Path, seen: set[Path]) -> bool:
    """Return whether to search a sub-folder: not if hidden, a run, or already searched."""
    real = folder.resolve()
    if folder.name.startswith(".") or real in seen or all((folder / m).exists() for m in RUN_MARK):
        return False
    seen.add(real)  # links may be circular
    return True

"""WebDataset: tar files in which the files of one sample share a key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from os.path import commonpath
from pathlib import Path
from typing import Any

import numpy as np

from convviz import ImageError, ParameterError
from convviz.authoring import Dataset, as_labels, hookimpl, readable, values_of_text

from ._encoded import EncodedDataset
from ._patterns import check_options, is_pattern, named_files
from ._tar import Member, is_tar, read_members
from .folder import some_names

IMAGES = ("jpg", "jpeg", "png", "webp", "bmp", "tif", "tiff", "gif", "img", "image")
LABELS = ("cls", "label", "txt.cls", "json")
OPTIONS = ("image", "label", "key")
FIRST, LAST = "first", "last"
"""The dot of its last part at which a name is split into key and suffix."""

MAX_PHOTOS_PER_SAMPLE = 8
"""With more kinds of photos per sample, names are split at their last dot instead."""


@hookimpl
def convviz_open_dataset(source: str, options: Mapping[str, Any]) -> Dataset | None:
    """Open a tar file, or the tar files of a pattern."""
    path = Path(source).expanduser()
    if path.is_file():
        if not is_tar(path):
            return None
    elif not (is_pattern(source) and source.endswith((".tar", ".tar.gz", ".tgz"))):
        return None
    check_options("webdataset", options, OPTIONS)
    files = named_files(source)
    for file in files:
        is_tar(file)  # raises for compressed files
    return open_tars(files, readable(path.name), options)


def open_tars(
    files: Sequence[Path], name: str, options: Mapping[str, str] | None = None
) -> TarDataset:
    """Index tar files by their headers and open them as one data set.

    A sample consists of the files of one tar file whose names are equal up to the first dot of
    their last part, the key. Its photo is the first file with the suffix of an image; its label is
    in `.cls`, or under "label", "cls" or "class" of its `.json`. Keys are the ids, prefixed by the
    names of the tar files if two of these share a key.

    Args:
        files: the tar files.
        name: name for display.
        options: image: the suffix of the photos ("left.jpg"); label: the suffix of the labels
            ("txt"), or a key in `.json`; key: "first" or "last", the dot at which names are split,
            by default the last one if the first would merge many photos into one sample.
    """
    options = options or {}
    if options.get("key", FIRST) not in (FIRST, LAST):
        raise ParameterError(f"key must be {FIRST} or {LAST}, not {options['key']!r}")
    label = options.get("label")
    notes: list[str] = []
    members = [
        m for place, path in enumerate(files) for m in read_members(path, place, label, notes)
    ]
    cut = options.get("key") or _fitting_cut(members, notes)
    samples = _group_members(members, cut, label, notes)
    chosen = list(_choose_images(samples, options.get("image"), notes))
    if not chosen:
        suffixes = options.get("image") or ", ".join(IMAGES)
        raise ParameterError(f"{name!r} contains no photos: no file ends in {suffixes}")
    sample_labels = [samples[key].label(label) for key, _ in chosen]
    labels, classes = as_labels(_values(sample_labels), len(sample_labels), (), notes)
    return TarDataset(
        name=name,
        files=tuple(files),
        places=np.array([(m.place, m.offset, m.size) for _, m in chosen], np.int64),
        problems={i: m.problem for i, (_, m) in enumerate(chosen) if m.problem},
        ids=tuple(map(readable, _ids(files, [key for key, _ in chosen]))),
        labels=labels,
        classes=tuple(map(readable, classes)),
        notes=tuple(notes),
    )


@dataclass(frozen=True, eq=False)
class TarDataset(EncodedDataset):
    """Photos inside tar files, read without unpacking.

    Attributes:
        files: the tar files.
        places: file, first byte and number of bytes of each photo, `[n, 3]`.
        problems: by index, the reason why the bytes of a photo are not available.
    """

    files: tuple[Path, ...]
    places: np.ndarray
    problems: Mapping[int, str]

    def read(self, index: int) -> bytes:
        """Read the bytes of one photo."""
        if index in self.problems:
            raise ImageError(f"image {self.ids[index]!r}: {self.problems[index]}")
        place, offset, size = self.places[index].tolist()
        with self.files[place].open("rb") as file:
            file.seek(offset)
            data = file.read(size)
        if len(data) < size:
            raise ImageError(f"image {self.ids[index]!r}: {self.files[place].name} is truncated")
        return data


Key = tuple[int, str]
"""Index of a tar file, and the common part of the names of a sample."""


@dataclass
class _Sample:
    """The files of one key, by suffix."""

    photos: dict[str, Member] = field(default_factory=dict)
    labels: dict[str, Member] = field(default_factory=dict)

    def label(self, asked: str | None) -> Any:
        suffixes = (*([asked] if asked else ()), *(("json",) if asked else LABELS))
        return next((self.labels[s].label for s in suffixes if s in self.labels), None)


def _is_photo(suffix: str) -> bool:
    return suffix.rpartition(".")[2] in IMAGES


def _split(name: str, cut: str = FIRST) -> tuple[str, str]:
    """Return key and lower-case suffix of a member's name; two empty texts for hidden files."""
    folder, slash, file = name.removeprefix("./").rpartition("/")
    stem, _, suffix = file.partition(".") if cut == FIRST else file.rpartition(".")
    return (f"{folder}{slash}{stem}", suffix.lower()) if stem and file[0] != "." else ("", "")


def _fitting_cut(members: Sequence[Member], notes: list[str]) -> str:
    """Return the dot at which names are split; adds a note if it is the last."""
    split = [(m.place, *_split(m.name)) for m in members]
    photos = [(place, key, suffix) for place, key, suffix in split if _is_photo(suffix)]
    longer = {suffix for *_, suffix in photos if "." in suffix}
    numbered = {s for s in longer if any(c.isdigit() for c in s.rpartition(".")[0])}
    keys = {(place, key) for place, key, _ in photos}
    if len(numbered) <= len(keys) and len(longer) <= max(MAX_PHOTOS_PER_SAMPLE, len(keys)):
        return FIRST
    notes.append(
        f"names are split at their last dot: at the first, {len(photos)} photos would share "
        f"{len(keys)} keys, such as {min(keys)[1]!r} (?key=first splits there)"
    )
    return LAST


def _group_members(
    members: Sequence[Member], cut: str, label: str | None, notes: list[str]
) -> dict[Key, _Sample]:
    """Return the files of each sample, wherever they are in their tar file."""
    samples: dict[Key, _Sample] = {}
    replaced = []
    for member in members:
        key, suffix = _split(member.name, cut)
        is_label = suffix in LABELS or (label is not None and suffix == label)
        if not suffix or not (_is_photo(suffix) or is_label):
            continue
        sample = samples.setdefault((member.place, key), _Sample())
        files = sample.labels if is_label else sample.photos
        if suffix in files:
            replaced.append(member.name)
        files[suffix] = member
    if replaced:
        notes.append(
            f"{len(replaced)} names occur twice; the later file is used: {some_names(replaced)}"
        )
    return samples


def _choose_images(
    samples: Mapping[Key, _Sample], asked: str | None, notes: list[str]
) -> Iterator[tuple[Key, Member]]:
    """Yield each sample with a photo, and the photo; adds notes on those left out."""
    others: Counter[str] = Counter()
    without = []
    for key, sample in samples.items():
        suffix = asked.lower() if asked else next(iter(sample.photos), "")
        others.update(s for s in sample.photos if s != suffix)
        if suffix in sample.photos:
            yield key, sample.photos[suffix]
        else:
            without.append(key[1])
    if others:
        kinds = ", ".join(f"{count} {suffix!r}" for suffix, count in others.most_common(8))
        notes.append(
            f"{others.total()} photos are not read, because a sample has one photo: {kinds} "
            "(?image=SUFFIX selects others, ?key=last makes each of them a sample)"
        )
    if without:
        notes.append(f"{len(without)} samples have no photo: {some_names(without)}")


def _values(labels: Sequence[Any]) -> Any:
    """Return labels for `as_labels`; texts become numbers if all of them are numbers."""
    kinds = {type(v) for v in labels}
    simple = kinds <= {type(None), str, int, float}
    if not simple:
        return labels
    return values_of_text([None if v is None else str(v) for v in labels])


def _ids(files: Sequence[Path], keys: Sequence[Key]) -> list[str]:
    """Return keys as ids, with the name of the tar file if keys repeat."""
    names = [key for _, key in keys]
    if len(set(names)) == len(names):
        return names
    prefixes = [path.stem for path in files]
    if len(set(prefixes)) < len(prefixes):
        top = commonpath([path.resolve().parent for path in files])
        prefixes = [path.resolve().relative_to(top).with_suffix("").as_posix() for path in files]
    return [f"{prefixes[place]}/{key}" for place, key in keys]

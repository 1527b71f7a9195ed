"""WebDataset: tar files in which the files of one sample lie side by side under one key."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from convviz import Dataset, ImageError, ParameterError, as_labels, hookimpl, readable

from ._encoded import Encoded
from .list import label_values
from .patterns import check_options, is_pattern, named_files

IMAGES = ("jpg", "jpeg", "png", "webp", "bmp", "tif", "tiff", "gif", "img", "image")
LABELS = ("cls", "label", "txt.cls", "json")
IN_JSON = ("label", "cls", "class")
MAX_LABEL = 1 << 20
BLOCK = 512


@hookimpl
def convviz_open_dataset(source: str, options: Mapping[str, Any]) -> Dataset | None:
    """Open one tar file, or all that a pattern names."""
    path = Path(source).expanduser()
    if path.is_file():
        if not _is_tar(path):
            return None
    elif not (is_pattern(source) and source.endswith(".tar")):
        return None
    check_options("webdataset", options, ())
    return open_tars(named_files(source), readable(path.name))


def open_tars(files: Sequence[Path], name: str) -> TarDataset:
    """Index tar files by one look at their headers, and open them as one data set.

    A sample's photo is its first file with the suffix of an image; its label is in `.cls`, or
    under "label", "cls" or "class" of its `.json`. Keys are the ids; where two tar files share
    one, the file's name stands before all of them.
    """
    samples = [sample for place, path in enumerate(files) for sample in _samples(path, place)]
    if not samples:
        raise ParameterError(f"{name!r} holds no photos: no file ends in {', '.join(IMAGES)}")
    keys = [sample.key for sample in samples]
    if len(set(keys)) < len(keys):
        keys = [f"{files[s.file].stem}/{s.key}" for s in samples]
    labels, classes = as_labels(label_values([s.label for s in samples]), len(samples))
    return TarDataset(
        name=name,
        files=tuple(files),
        places=np.array([(s.file, s.offset, s.size) for s in samples], np.int64),
        ids=tuple(map(readable, keys)),
        labels=labels,
        classes=tuple(map(readable, classes)),
    )


@dataclass(frozen=True, eq=False)
class TarDataset(Encoded):
    """Photos inside tar files, read where they lie.

    Attributes:
        files: the tar files.
        places: file, first byte and number of bytes of each photo, `[n, 3]`.
    """

    files: tuple[Path, ...]
    places: np.ndarray

    def read(self, index: int) -> bytes:
        """Read the bytes of one photo."""
        place, offset, size = self.places[index].tolist()
        with self.files[place].open("rb") as file:
            file.seek(offset)
            data = file.read(size)
        if len(data) < size:
            raise ImageError(f"image {self.ids[index]!r}: {self.files[place].name} is cut short")
        return data


@dataclass
class _Sample:
    """The files of one key."""

    key: str
    file: int
    offset: int = -1
    size: int = 0
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str | None:
        return next((self.labels[name] for name in LABELS if name in self.labels), None)


def _is_tar(path: Path) -> bool:
    """Whether a file is a tar; a compressed one is refused, which has no places to go to."""
    if path.name.endswith((".tar.gz", ".tgz", ".tar.xz", ".tar.zst", ".tar.bz2")):
        raise ParameterError(
            f"{str(path)!r} is compressed, so that no photo in it can be reached: unpack it to "
            "a plain .tar (photos do not get smaller anyway)"
        )
    with path.open("rb") as file:
        head = file.read(BLOCK)
    return head[257:262] == b"ustar" or path.suffix == ".tar"


def _samples(path: Path, place: int) -> Iterator[_Sample]:
    """Yield the samples of a tar file that have a photo."""
    sample: _Sample | None = None
    try:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                key, suffix = _split(member.name)
                if not member.isreg() or not suffix:
                    continue
                if sample is None or sample.key != key:
                    if sample is not None and sample.offset >= 0:
                        yield sample
                    sample = _Sample(key, place)
                _add(sample, archive, member, suffix)
    except (tarfile.TarError, OSError) as error:
        raise ParameterError(f"{str(path)!r} is not a readable tar file: {error}") from error
    if sample is not None and sample.offset >= 0:
        yield sample


def _add(sample: _Sample, archive: tarfile.TarFile, member: tarfile.TarInfo, suffix: str) -> None:
    if suffix.rpartition(".")[2] in IMAGES and sample.offset < 0 and not member.issparse():
        sample.offset, sample.size = member.offset_data, member.size
    elif suffix in LABELS and member.size <= MAX_LABEL:
        file = archive.extractfile(member)
        text = file.read().decode("utf-8", "replace").strip() if file else ""
        label = _in_json(text) if suffix == "json" else text
        if label:
            sample.labels[suffix] = label


def _split(name: str) -> tuple[str, str]:
    """Split a member's name at the first dot of its last part."""
    folder, slash, file = name.removeprefix("./").rpartition("/")
    stem, _, suffix = file.partition(".")
    return (f"{folder}{slash}{stem}", suffix.lower()) if stem else ("", "")


def _in_json(text: str) -> str:
    try:
        values = json.loads(text)
    except ValueError:
        return ""
    if not isinstance(values, dict):
        return str(values) if isinstance(values, int | str) else ""
    found = next((values[k] for k in IN_JSON if isinstance(values.get(k), int | str)), "")
    return str(found)

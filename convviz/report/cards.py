"""The content of the overview page, read from the JSON files of saved explanations."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..errors import ConvvizError
from ..explanation import result_folder
from ..explanation.display import in_words
from ..results.json_codec import decode
from ..storage.atomic_folder import current, current_name, plain
from ..storage.path_names import natural
from ..storage.untrusted_files import MissingFileError, open_regular
from .how_to_read import how_to_read

KINDS = {
    "heatmap": "a map over the image",
    "mask": "a segmentation",
    "tiles": "small pictures side by side",
    "matches": "neighbours of images",
    "points": "a map of points",
    "table": "a table of numbers",
}
WIDE_RATIO = 1.7
"""Width over height from which a picture takes a whole row."""


@dataclass(frozen=True)
class PictureFile:
    """One picture of a result folder.

    Attributes:
        href: address relative to the page.
        width, height: in pixels; 0 if the file is not a PNG.
        caption: description of the picture.
    """

    href: str
    width: int
    height: int
    caption: str

    @property
    def wide(self) -> bool:
        """Whether the picture takes a whole row."""
        return self.width > WIDE_RATIO * self.height


@dataclass(frozen=True)
class SavedResult:
    """One result folder on the page.

    Attributes:
        subject: names of the image files, or the number of images.
        layer, model, weights: names; `weights` is the beginning of the hash.
        targets: labels with scores.
        pictures: its pictures.
        parameters, measures: name -> value as text.
        notes: sentences that affect how the result is to be read.
        href, folder: address and path of the folder, relative to the page.
        undrawn: the reason if there are no pictures.
    """

    subject: str
    layer: str
    model: str
    weights: str
    targets: str
    pictures: tuple[PictureFile, ...]
    parameters: Mapping[str, str]
    measures: Mapping[str, str]
    notes: tuple[str, ...]
    href: str
    folder: str
    undrawn: str

    @property
    def has_captions(self) -> bool:
        """Whether captions are shown: they differ from picture to picture."""
        return len({picture.caption for picture in self.pictures}) > 1

    @property
    def beside_wide(self) -> bool:
        """Whether one of two pictures takes a whole row; then the other takes one too."""
        return len(self.pictures) == 2 and any(picture.wide for picture in self.pictures)

    @property
    def heading(self) -> str:
        """The heading, which distinguishes the result from others of its card."""
        return " · ".join(part for part in (self.subject, self.layer, self.targets) if part)


@dataclass(frozen=True)
class Card:
    """One explainer on the page.

    Attributes:
        name, distribution, version: of the explainer.
        summary: the first paragraph of its docstring.
        kind: what its result is, in words.
        reading: how to read its pictures.
        results: its result folders.
        versions: distribution -> version, as recorded.
    """

    name: str
    distribution: str
    version: str
    summary: str
    kind: str
    reading: str
    results: tuple[SavedResult, ...]
    versions: Mapping[str, str]

    @property
    def notes(self) -> tuple[str, ...]:
        """The notes that all its results share."""
        first, *rest = (result.notes for result in self.results)
        return tuple(note for note in first if all(note in notes for notes in rest))

    @property
    def small(self) -> bool:
        """Whether its results are shown side by side: several with one picture each."""
        return len(self.results) > 1 and all(len(result.pictures) < 2 for result in self.results)

    @property
    def parameters(self) -> Mapping[str, str]:
        """The parameters of its results if they are all equal, otherwise none."""
        first = self.results[0].parameters
        return first if all(result.parameters == first for result in self.results) else {}


@dataclass(frozen=True)
class Problem:
    """A result folder that could not be read, with the reason."""

    folder: str
    reason: str


def collect(root: Path, order: Sequence[str] = ()) -> tuple[list[Card], list[Problem]]:
    """Read all result folders below `root`; returns one card per explainer, and problems."""
    by_explainer: dict[str, list[tuple[dict[str, Any], SavedResult]]] = {}
    problems = []
    for folder in find_result_folders(root):
        try:
            document = result_folder.read_json(folder)
            result = _saved_result(root, folder, document)
            how_to_read(_plain_words(document["result"]), document["arrays"])
            by_explainer.setdefault(document["explainer"]["name"], []).append((document, result))
        except Exception as error:  # anybody may have written the folder: it must not break others
            reason = str(error) if isinstance(error, ConvvizError) else f"damaged: {error!r}"
            problems.append(Problem(str(folder.relative_to(root)), reason))
    rank = {name: place for place, name in enumerate(order)}
    names = sorted(by_explainer, key=lambda name: (rank.get(name, len(rank)), name))
    return [_card(name, by_explainer[name]) for name in names], problems


def find_result_folders(root: Path) -> Iterator[Path]:
    """Yield the result folders below `root` in natural order, without hidden ones."""
    for folder, inner, _files in os.walk(root):
        inner[:] = sorted((name for name in inner if not name.startswith(".")), key=natural)
        if os.path.lexists(current(Path(folder), result_folder.JSON_NAME)):
            yield Path(folder)


def _card(name: str, saved: Sequence[tuple[dict[str, Any], SavedResult]]) -> Card:
    document = saved[0][0]
    record = document["explainer"]
    versions: dict[str, str] = {}
    for other, _ in saved:
        versions.update(other["versions"])
    return Card(
        name=name,
        distribution=record["distribution"],
        version=record["version"],
        summary=record["summary"],
        kind=KINDS.get(document["result"]["kind"], ""),
        reading=how_to_read(_plain_words(document["result"]), document["arrays"]),
        results=tuple(result for _, result in saved),
        versions=versions,
    )


def _saved_result(root: Path, folder: Path, document: Mapping[str, Any]) -> SavedResult:
    result = {name: _plain_words(value) for name, value in document["result"].items()}
    model = document["model"]
    targets = [f"{t['label']} ({_score(t['score'])})" for t in document["target"]]
    return SavedResult(
        subject=_subject(document["items"]),
        layer=document["layer"],
        model=str(model.get("name", "")),
        weights=str(model.get("weights_hash", ""))[:12],
        targets=", ".join(targets[:4]) + (f" and {len(targets) - 4} more" * (len(targets) > 4)),
        pictures=tuple(_picture_files(root, folder, document["pictures"])),
        parameters=_in_words(document["explainer"]["parameters"]),
        measures=_in_words(_measures(document)),
        notes=tuple(result["notes"]),
        href=address(folder.relative_to(root)) + "/",
        folder=str(folder.relative_to(root)),
        undrawn=document.get("undrawn", ""),
    )


def _measures(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the measures, without the layer that the heading names."""
    measures = document["result"]["measures"]
    return {n: v for n, v in measures.items() if n != "layer" or v != document["layer"]}


def _picture_files(root: Path, folder: Path, pictures: Mapping[str, str]) -> Iterator[PictureFile]:
    for name, caption in pictures.items():
        file = current_name(folder, plain(name))
        width, height = _png_size(folder, file)
        yield PictureFile(address((folder / file).relative_to(root)), width, height, caption)


def address(path: Path) -> str:
    """Return a relative path as a URL with all special characters escaped."""
    return "/".join(quote(os.fsencode(part)) for part in path.parts)


def _png_size(folder: Path, name: str) -> tuple[int, int]:
    """Return the size in the header of a PNG file; raises ConvvizError if it is no regular file."""
    try:
        with open_regular(folder, name) as file:
            head = file.read(24)
    except MissingFileError:
        return 0, 0
    if len(head) < 24 or not head.startswith(b"\x89PNG"):
        return 0, 0
    width, height = struct.unpack(">II", head[16:24])
    return int(width), int(height)


def _subject(items: Sequence[Mapping[str, Any]] | Mapping[str, Any]) -> str:
    if isinstance(items, Mapping):  # the items of a run, which are in a table
        return f"{items['count']} images"
    if len(items) > 4:
        return f"{len(items)} images"
    return ", ".join(os.path.basename(str(item["source"])) for item in items)


def _in_words(values: Mapping[str, Any]) -> dict[str, str]:
    return {str(name): in_words(_plain_words(value)) for name, value in values.items()}


def _plain_words(value: Any) -> Any:
    """Decode a value; arrays, which are not read here, become the words "an array"."""

    class Unread(dict[str, Any]):
        def __missing__(self, name: str) -> str:
            return "an array"

    return decode(value, Unread())


def _score(score: Any) -> str:
    return f"{float(_plain_words(score)):.2f}"

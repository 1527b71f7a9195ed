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
from ..render.output import DPI, DPI_RANGE
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
ROWS_SHOWN = 50
"""Rows of a table on the page."""

CSS_DPI = 96
"""Pixels per inch of a page: pictures are shown in the size that they are drawn for."""

LARGEST_HEAD = 4096
"""Bytes at the beginning of a PNG file that contain its size and resolution."""


@dataclass(frozen=True)
class PictureFile:
    """One picture of a result folder.

    Attributes:
        name: the name of its file.
        href: address relative to the page.
        width, height: in pixels; 0 if the file is not a PNG.
        dpi: pixels per inch.
        caption: description of the picture.
    """

    name: str
    href: str
    width: int
    height: int
    dpi: float
    caption: str

    @property
    def is_image(self) -> bool:
        """True if a page can show the file."""
        return self.name.casefold().endswith((".png", ".svg"))

    @property
    def is_link(self) -> bool:
        """True if the page links to the file; an SVG that is opened may run scripts."""
        return self.name.casefold().endswith(".png")

    @property
    def shown_width(self) -> int:
        """The width on the page in CSS pixels; 0 if it is not known."""
        return round(self.width * CSS_DPI / self.dpi)

    @property
    def shown_height(self) -> int:
        """The height on the page in CSS pixels; 0 if it is not known."""
        return round(self.height * CSS_DPI / self.dpi)


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
        table: column -> cells as text, of a ranking or a table.
        rows: number of rows of the table, of which `table` holds the first ones.
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
    table: Mapping[str, tuple[str, ...]]
    rows: int

    @property
    def has_captions(self) -> bool:
        """Whether captions are shown: they differ from picture to picture."""
        return len({picture.caption for picture in self.pictures}) > 1

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
    def widest(self) -> int:
        """Width of the widest picture if results may be side by side; else 0."""
        if len(self.results) < 2 or any(len(result.pictures) > 1 for result in self.results):
            return 0
        return max((p.shown_width for result in self.results for p in result.pictures), default=0)

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
        table=_table(result),
        rows=document["arrays"]["values"]["shape"][0],
    )


def _table(result: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return the first rows of a table or of a ranking of photos, as text."""
    if result["kind"] != "table" and result.get("layout") != "photos":
        return {}
    columns = result.get("table") or {}
    return {
        name: tuple("–" if cell is None else in_words(cell) for cell in cells[:ROWS_SHOWN])
        for name, cells in columns.items()
        if cells
    }


def _measures(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the measures, without the layer that the heading names."""
    measures = document["result"]["measures"]
    return {n: v for n, v in measures.items() if n != "layer" or v != document["layer"]}


def _picture_files(root: Path, folder: Path, pictures: Mapping[str, str]) -> Iterator[PictureFile]:
    for name, caption in pictures.items():
        file = current_name(folder, plain(name))
        href = address((folder / file).relative_to(root))
        yield PictureFile(name, href, *_png_size(folder, file), caption)


def address(path: Path) -> str:
    """Return a relative path as a URL with all special characters escaped."""
    return "/".join(quote(os.fsencode(part)) for part in path.parts)


def _png_size(folder: Path, name: str) -> tuple[int, int, float]:
    """Return width, height and pixels per inch from a PNG file; raises ConvvizError for a link."""
    try:
        with open_regular(folder, name) as file:
            head = file.read(LARGEST_HEAD)
    except MissingFileError:
        return 0, 0, DPI
    if len(head) < 33 or not head.startswith(b"\x89PNG"):
        return 0, 0, DPI
    width, height = struct.unpack(">II", head[16:24])
    return int(width), int(height), _resolution(head)


def _resolution(head: bytes) -> float:
    """Return the pixels per inch of a PNG file, from the chunks before its pixels."""
    at = 33  # after the signature and the header
    while at + 8 <= len(head):
        (length,) = struct.unpack(">I", head[at : at + 4])
        kind, body = head[at + 4 : at + 8], head[at + 8 : at + 8 + length]
        if kind == b"pHYs" and len(body) == 9:
            per_unit, _, unit = struct.unpack(">IIB", body)
            per_inch = per_unit * 0.0254
            # Anybody may have written the file.
            return per_inch if unit == 1 and DPI_RANGE[0] <= per_inch <= DPI_RANGE[1] else DPI
        if kind == b"IDAT":
            break
        at += 12 + length
    return DPI


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

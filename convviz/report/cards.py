"""Saved explanations -> what the overview page says about them, read from their JSON alone."""

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
from ..storage.untrusted_files import MissingFileError, open_regular
from ..text import natural
from .reading import how_to_read

KINDS = {
    "heatmap": "a map over the image",
    "mask": "a segmentation",
    "tiles": "small pictures side by side",
    "matches": "neighbours of images",
    "points": "a map of points",
    "table": "a table of numbers",
}
_WIDE = 1.7


@dataclass(frozen=True)
class Shot:
    """One picture of a leaf folder.

    Attributes:
        href: relative address.
        width, height: in pixels; 0 where the file is no PNG.
        caption: what is to be seen.
    """

    href: str
    width: int
    height: int
    caption: str

    @property
    def wide(self) -> bool:
        """Whether the picture deserves a whole row."""
        return self.width > _WIDE * self.height


@dataclass(frozen=True)
class Shown:
    """One leaf folder on the page.

    Attributes:
        subject: what was explained: file names, or how many images.
        layer, model, weights: names; weights is the beginning of the hash.
        targets: with their scores.
        shots: its pictures.
        parameters, measures: name -> words.
        notes: sentences a reader must know.
        href, folder: address and path of the leaf folder, relative to the page.
        undrawn: why there are no pictures.
    """

    subject: str
    layer: str
    model: str
    weights: str
    targets: str
    shots: tuple[Shot, ...]
    parameters: Mapping[str, str]
    measures: Mapping[str, str]
    notes: tuple[str, ...]
    href: str
    folder: str
    undrawn: str

    @property
    def captioned(self) -> bool:
        """Whether its pictures need captions to be told apart."""
        return len({shot.caption for shot in self.shots}) > 1

    @property
    def beside_wide(self) -> bool:
        """Whether one of two pictures takes a whole row: the other would leave half of one."""
        return len(self.shots) == 2 and any(shot.wide for shot in self.shots)

    @property
    def heading(self) -> str:
        """What tells this leaf from the others of its card."""
        return " · ".join(part for part in (self.subject, self.layer, self.targets) if part)


@dataclass(frozen=True)
class Card:
    """One explainer on the page.

    Attributes:
        name, distribution, version: of the explainer.
        summary: the first paragraph of its docstring.
        kind: what its result is, in words.
        reading: how to read its pictures.
        shown: its leaf folders.
        versions: distribution -> version, as recorded.
    """

    name: str
    distribution: str
    version: str
    summary: str
    kind: str
    reading: str
    shown: tuple[Shown, ...]
    versions: Mapping[str, str]

    @property
    def notes(self) -> tuple[str, ...]:
        """The notes that all its leaf folders share."""
        first, *rest = (one.notes for one in self.shown)
        return tuple(note for note in first if all(note in notes for notes in rest))

    @property
    def small(self) -> bool:
        """Whether its leaf folders can stand side by side: several with one picture each."""
        return len(self.shown) > 1 and all(len(one.shots) < 2 for one in self.shown)

    @property
    def parameters(self) -> Mapping[str, str]:
        """The parameters that all its leaf folders share, or none."""
        first = self.shown[0].parameters
        return first if all(one.parameters == first for one in self.shown) else {}


@dataclass(frozen=True)
class Problem:
    """A leaf folder that could not be read, and why."""

    folder: str
    reason: str


def collect(root: Path, order: Sequence[str] = ()) -> tuple[list[Card], list[Problem]]:
    """Read all leaf folders below `root`, one card an explainer."""
    found: dict[str, list[tuple[dict[str, Any], Shown]]] = {}
    problems = []
    for folder in find_leaves(root):
        try:
            document = result_folder.read_json(folder)
            shown = _shown(root, folder, document)
            how_to_read(_plain_words(document["result"]), document["arrays"])
            found.setdefault(document["explainer"]["name"], []).append((document, shown))
        except Exception as error:  # a leaf folder may be anybody's, and shall cost only itself
            reason = str(error) if isinstance(error, ConvvizError) else f"damaged: {error!r}"
            problems.append(Problem(str(folder.relative_to(root)), reason))
    rank = {name: place for place, name in enumerate(order)}
    names = sorted(found, key=lambda name: (rank.get(name, len(rank)), name))
    return [_card(name, found[name]) for name in names], problems


def find_leaves(root: Path) -> Iterator[Path]:
    """Yield the leaf folders below `root` in the order of their paths; hidden ones are not."""
    for folder, inner, _files in os.walk(root):
        inner[:] = sorted((name for name in inner if not name.startswith(".")), key=natural)
        if os.path.lexists(current(Path(folder), result_folder.JSON_NAME)):
            yield Path(folder)


def _card(name: str, found: Sequence[tuple[dict[str, Any], Shown]]) -> Card:
    document = found[0][0]
    record = document["explainer"]
    versions: dict[str, str] = {}
    for one, _ in found:
        versions.update(one["versions"])
    return Card(
        name=name,
        distribution=record["distribution"],
        version=record["version"],
        summary=record["summary"],
        kind=KINDS.get(document["result"]["kind"], ""),
        reading=how_to_read(_plain_words(document["result"]), document["arrays"]),
        shown=tuple(shown for _, shown in found),
        versions=versions,
    )


def _shown(root: Path, folder: Path, document: Mapping[str, Any]) -> Shown:
    result = {name: _plain_words(value) for name, value in document["result"].items()}
    model = document["model"]
    return Shown(
        subject=_subject(document["items"]),
        layer=document["layer"],
        model=str(model.get("name", "")),
        weights=str(model.get("weights_hash", ""))[:12],
        targets=_some([f"{t['label']} ({_score(t['score'])})" for t in document["target"]]),
        shots=tuple(_shots(root, folder, document["pictures"])),
        parameters=_in_words(document["explainer"]["parameters"]),
        measures=_in_words(_worth_saying(document)),
        notes=tuple(result["notes"]),
        href=address(folder.relative_to(root)) + "/",
        folder=str(folder.relative_to(root)),
        undrawn=document.get("undrawn", ""),
    )


def _worth_saying(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the measures without the layer, which the heading names."""
    measures = document["result"]["measures"]
    return {n: v for n, v in measures.items() if n != "layer" or v != document["layer"]}


def _shots(root: Path, folder: Path, pictures: Mapping[str, str]) -> Iterator[Shot]:
    for name, caption in pictures.items():
        where = current_name(folder, plain(name))
        width, height = _png_size(folder, where)
        yield Shot(address((folder / where).relative_to(root)), width, height, caption)


def address(path: Path) -> str:
    """Write a relative path as an address that a browser resolves, whatever its characters."""
    return "/".join(quote(os.fsencode(part)) for part in path.parts)


def _png_size(folder: Path, name: str) -> tuple[int, int]:
    """Return the size that a PNG file claims; raises ConvvizError for what is no regular file."""
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
    if isinstance(items, Mapping):  # they are in a run's table
        return f"{items['count']} images"
    if len(items) > 4:
        return f"{len(items)} images"
    return ", ".join(os.path.basename(str(item["source"])) for item in items)


def _in_words(values: Mapping[str, Any]) -> dict[str, str]:
    return {str(name): in_words(_plain_words(value)) for name, value in values.items()}


def _plain_words(value: Any) -> Any:
    """Decode a value, with arrays (which are not read here) named in words."""

    class Unread(dict[str, Any]):
        def __missing__(self, name: str) -> str:
            return "an array"

    return decode(value, Unread())


def _score(score: Any) -> str:
    return f"{float(_plain_words(score)):.2f}"


def _some(words: Sequence[str]) -> str:
    return ", ".join(words[:4]) + (f" and {len(words) - 4} more" if len(words) > 4 else "")

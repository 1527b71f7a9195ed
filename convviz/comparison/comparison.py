"""compare: explanations side by side, images or targets in rows, explainers in columns."""

from __future__ import annotations

import base64
import csv
import html
import io
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from ..errors import ParameterError, printable
from ..explanation import display
from ..explanation.explanation import Explanation
from ..render import Picture
from ..render.comparison import MapScale, Panel, PanelRow, draw_comparison
from ..render.style import shortened_path
from ..storage import durable_file
from . import agreement, tables
from .agreement import Agreement

ROWS_PER_PICTURE = 8

_CSV_COLUMNS = (
    "image",
    "target",
    "second_target",
    "explainer",
    "second_explainer",
    "rank_correlation",
    "overlap",
    "overlap_of",
)


@dataclass(frozen=True, eq=False)
class _Map:
    """The map of one image in an explanation, at its place in the comparison.

    Attributes:
        explanation, index: the explanation, and the index of the image in it.
        image, target, column: keys of the image, its target, and the explainer.
    """

    explanation: Explanation
    index: int
    image: Any
    target: Any
    column: Any

    @property
    def image_name(self) -> str:
        """The name of the image."""
        items = self.explanation.items
        return items[self.index].source if items else f"image {self.index}"

    @property
    def target_name(self) -> str:
        """The label of the target."""
        targets = self.explanation.target
        return targets[self.index].label if targets else ""


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """Maps of several explainers for the same images and targets.

    Attributes:
        rows: (image, target) of each row.
        columns: the explainers, with the parameters in which those of one name differ.
        agreements: the rank correlation and overlap of every two maps in a row, and of every two
            targets of an image in a column.
        scale: "shared", "own" or "auto", as in `compare`.
    """

    rows: tuple[tuple[str, str], ...]
    columns: tuple[str, ...]
    agreements: tuple[Agreement, ...]
    scale: MapScale
    _grid: tuple[PanelRow, ...]
    _subtitle: str

    def pictures(self) -> list[Picture]:
        """Draw the comparison, eight rows in a picture."""
        return list(self._pictures)

    @cached_property
    def _pictures(self) -> list[Picture]:
        starts = range(0, len(self._grid), ROWS_PER_PICTURE)
        return [self._picture(start, len(starts)) for start in starts]

    def _picture(self, start: int, count: int) -> Picture:
        stop = start + ROWS_PER_PICTURE
        number = "" if count == 1 else f"-{start // ROWS_PER_PICTURE + 1}"
        images = {image for image, _ in self.rows[start:stop]}
        shown = [a for a in self.agreements if a.image in images]
        return draw_comparison(
            f"comparison{number}",
            self._grid[start:stop],
            self.columns,
            self.scale,
            self._subtitle,
            tables.as_matrices(shown, len({image for image, _ in self.rows}) > 1),
            tables.reading(shown),
        )

    def describe(self) -> str:
        """Return the agreements in plain text, a line for each."""
        lines = [repr(self)[1:-1]]
        for image, targets, explainers, correlation, overlap in tables.as_rows(self.agreements):
            place = ", ".join(part for part in (image, targets, explainers) if part)
            lines.append(f"  {place}: rank correlation {correlation}, overlap {overlap}")
        return "\n".join(map(printable, lines))

    def to_csv(self) -> str:
        """Return the agreements as CSV: images, targets, explainers, and both numbers."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(_CSV_COLUMNS)
        for a in self.agreements:
            numbers = (a.rank_correlation, a.overlap, a.overlap_of)
            writer.writerow((a.image, *a.targets, *a.explainers, *numbers))
        return buffer.getvalue()

    def save(self, folder: str | Path) -> Path:
        """Write `comparison.csv` and `comparison.png` (`-1`, `-2`, … if several) into a folder."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for picture in self.pictures():
            durable_file.write(folder / f"{picture.name}.png", picture.png)
        durable_file.write(folder / "comparison.csv", self.to_csv().encode("utf-8", "replace"))
        return folder

    def __repr__(self) -> str:
        names = ", ".join(self.columns)
        return f"<Comparison of {names} on {len(self.rows)} rows of images and targets>"

    def _repr_html_(self) -> str:
        images = "".join(
            f'<img style="max-width: 100%" alt="{html.escape(picture.caption)}" '
            f'src="data:image/png;base64,{base64.b64encode(picture.png).decode("ascii")}">'
            for picture in self.pictures()
        )
        return f"<div>{images}</div>"

    def _repr_png_(self) -> bytes:
        return self.pictures()[0].png


def compare(explanations: Iterable[Any], scale: MapScale = "auto") -> Comparison:
    """Compare maps of the same images and targets by several explainers.

    Images or targets are the rows, explainers the columns. The agreement of every two maps is
    Spearman's rank correlation over the pixels and the overlap of their strongest tenth. Two
    signed maps are compared by value; otherwise by magnitude.

    Args:
        explanations: Explanations with a map or a mask of each image, in lists nested at will, as
            `explain(model, images, ["saliency", "occlusion"], targets=["tabby", "lynx"])` returns.
        scale: "shared" draws all maps of an explainer on one colour scale, "own" each on its own,
            and "auto" shares it unless a map would look empty. The picture says which.

    Raises:
        ParameterError: an explanation is not a map, two are of the same explainer, image and
            target, or there are fewer than two maps.
    """
    if scale not in ("auto", "shared", "own"):
        raise ParameterError(f"scale={scale!r}: allowed are 'auto', 'shared' and 'own'")
    chosen = list(_flat(explanations))
    for explanation in chosen:
        if reason := agreement.refusal(explanation.result):
            raise ParameterError(f"{explanation.name} {reason}, and cannot be compared")
    maps = [single for explanation in chosen for single in _maps(explanation)]
    if len(maps) < 2:
        raise ParameterError(f"at least two maps are needed for a comparison, not {len(maps)}")
    cells: dict[Any, _Map] = {}
    for single in maps:
        key = (single.image, single.target, single.column)
        if key in cells:
            raise ParameterError(
                f"two explanations are of the same explainer ({single.explanation.name}), image "
                f"({single.image_name}) and target ({single.target_name or 'none'})"
            )
        cells[key] = single
    return _comparison(cells, scale)


def is_comparable(explanation: Explanation) -> bool:
    """Return whether `compare` accepts an explanation."""
    return not agreement.refusal(explanation.result)


def _comparison(cells: Mapping[Any, _Map], scale: MapScale) -> Comparison:
    images, targets, columns = (dict.fromkeys(key[i] for key in cells) for i in range(3))
    places = [
        (image, target)
        for image, target in itertools.product(images, targets)
        if any((image, target, column) in cells for column in columns)
    ]
    by_column = {c: next(m for m in cells.values() if m.column == c) for c in columns}
    names = dict(zip(columns, _column_names(list(by_column.values())), strict=True))
    rows = [[cells.get((*place, column)) for column in columns] for place in places]
    present = [next(cell for cell in row if cell is not None) for row in rows]
    models = dict.fromkeys(str(m.explanation.model.get("name", "")) for m in cells.values())
    image_names = dict.fromkeys(shortened_path(first.image_name) for first in present)
    subtitle = [name for name in models if name]
    if len(image_names) == 1:
        subtitle += image_names
    return Comparison(
        rows=tuple((first.image_name, first.target_name) for first in present),
        columns=tuple(names.values()),
        agreements=tuple(_agreements(list(cells.values()), names)),
        scale=scale,
        _grid=tuple(
            _panel_row(row, first, len(image_names) > 1)
            for row, first in zip(rows, present, strict=True)
        ),
        _subtitle="  ·  ".join(subtitle),
    )


def _panel_row(row: Sequence[_Map | None], first: _Map, with_image: bool) -> PanelRow:
    explanation = first.explanation
    title = [explanation.scene.targets[first.index]] if explanation.target else []
    if with_image or not title:
        title.insert(0, shortened_path(first.image_name))
    return PanelRow(
        "  ·  ".join(title),
        explanation.scene.photo(first.index),
        tuple(None if m is None else Panel(m.explanation.result, m.index) for m in row),
    )


def _agreements(maps: Sequence[_Map], names: Mapping[Any, str]) -> Iterator[Agreement]:
    """Yield the agreements of explainers for each image and target, then those of targets."""
    values = {id(m): agreement.image_map(m.explanation.result, m.index) for m in maps}
    by_row = sorted(
        itertools.combinations(maps, 2), key=lambda pair: pair[0].target != pair[1].target
    )
    for a, b in by_row:
        is_same_target, is_same_column = a.target == b.target, a.column == b.column
        if a.image != b.image or is_same_target == is_same_column:
            continue
        first, second = values[id(a)], values[id(b)]
        share, share_of = agreement.overlap(first, second)
        yield Agreement(
            a.image_name,
            (a.target_name, b.target_name),
            (names[a.column], names[b.column]),
            agreement.rank_correlation(first, second),
            share,
            share_of,
        )


def _flat(explanations: Any) -> Iterator[Explanation]:
    """Yield the Explanations in nested lists."""
    if isinstance(explanations, Explanation):
        yield explanations
        return
    if isinstance(explanations, str) or not isinstance(explanations, Iterable):
        raise ParameterError(f"compare takes Explanations, not {explanations!r}")
    for explanation in explanations:
        yield from _flat(explanation)


def _maps(explanation: Explanation) -> Iterator[_Map]:
    """Yield the map of each image, with keys that are equal for the same image, target, column."""
    record, model = explanation.record, explanation.model
    column = (
        *(record["name"], explanation.layer, _key(record["parameters"])),
        *(model.get("name", ""), model.get("weights_hash", "")),
    )
    for index in range(len(explanation.values)):
        source = explanation.items[index].id if explanation.items else index
        photo = None if explanation.pixels is None else _key(explanation.pixels[index])
        target = repr(explanation.target[index].specification) if explanation.target else ""
        yield _Map(explanation, index, (source, photo), target, column)


def _key(value: Any) -> Any:
    """Return a hashable key of a parameter, equal for equal values."""
    if isinstance(value, Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray):
        return (value.shape, str(value.dtype), value.tobytes())
    if isinstance(value, Mapping):
        return tuple((name, _key(part)) for name, part in value.items())
    if isinstance(value, list | tuple):
        return tuple(map(_key, value))
    return value if isinstance(value, str | int | float | None) else repr(value)


def _column_names(columns: Sequence[_Map]) -> list[str]:
    """Return the names of explainers, with what differs between those of the same name."""
    models = {m.explanation.model.get("name", "") for m in columns}
    names = []
    for column in columns:
        explanation = column.explanation
        parts = [explanation.name, explanation.layer]
        same = [m.explanation for m in columns if m.explanation.name == explanation.name]
        for field, value in explanation.parameters.items():
            if len({_key(other.parameters.get(field)) for other in same}) > 1:
                parts.append(f"{field}={display.in_words(value)}")
        if len(models) > 1:
            parts.append(str(explanation.model.get("name", "")))
        names.append(" ".join(part for part in parts if part))
    return names

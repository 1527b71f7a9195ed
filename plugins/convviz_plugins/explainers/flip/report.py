"""flip over a data set: the areas of each class, and the most fragile photos."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from convviz import Model, Preprocess, Result, Table, Tiles
from convviz.authoring import Items, Partial

from ...shared.listing import first_rows, to_parquet
from ...shared.photo_tiles import MAX_RANKED, Boxes, ranking
from .rectangles import rectangles_by_area, to_pixels, touch_border

ALL = "all images"


@dataclass(frozen=True, eq=False)
class FlipReport:
    """Builds the results of a data set.

    Attributes:
        model: the model.
        rows: a partial of all images, as in `to_rows`.
        items: the images.
        grid: cells along each side.
        max_area: largest area covered, as a share of the image.
        drawn: photos drawn.
    """

    model: Model
    rows: Partial
    items: Items
    grid: int
    max_area: float
    drawn: int

    def results(self) -> dict[str, Result]:
        """Return the distribution of areas ("areas") and the ranking of photos ("fragile")."""
        return {"areas": self._areas(), "fragile": self._fragile()}

    @cached_property
    def area(self) -> Tensor:
        """Area of the smallest rectangles of each image, in cells, 0 without any, `[n]`."""
        return self.rows[""]["area"]

    @cached_property
    def has_scores(self) -> Tensor:
        """Mask of the images with finite scores, bool `[n]`."""
        return self.rows[""]["old"] >= 0

    @cached_property
    def groups(self) -> dict[str, Tensor]:
        """The images of each class: by label if any image has one, else by top class."""
        names = [*self._class_names()]
        groups = {ALL: self.has_scores.nonzero()[:, 0]}
        for name in sorted({name for name in names if name}):
            groups[name] = torch.tensor([i for i, other in enumerate(names) if other == name])
        return groups

    def _class_names(self) -> Iterator[str]:
        """Yield the class of each image; empty for one without a class or with bad scores."""
        labels, classes = self.items.labels, self.items.classes
        has_labels = any(label is not None for label in labels)
        for label, old in zip(labels, self.rows[""]["old"].tolist(), strict=True):
            if old < 0 or (has_labels and label is None):
                yield ""
            elif has_labels:
                yield classes[label] if label < len(classes) else f"class {label}"
            else:
                yield self.model.label(old)

    def _areas(self) -> Table:
        areas = [a for a in rectangles_by_area(self.grid) if a <= self.max_area * self.grid**2]
        counts = {
            name: [int((self.area[images] == area).sum()) for area in (*areas, 0)]
            for name, images in self.groups.items()
        }
        summaries = {name: self._summary(images) for name, images in self.groups.items()}
        classes = sorted(
            (name for name in counts if name != ALL),
            key=lambda name: (summaries[name]["mean rank"], name),
        )
        order = [ALL, *classes]
        listed_columns = ("images", "median area", "smallest area", "unchanged", "at the border")
        columns: dict[str, list[Any]] = {"class": order}
        columns |= {key: [summaries[name][key] for name in order] for key in listed_columns}
        return Table(
            torch.tensor([counts[name] for name in order]),
            unit="images",
            columns=(*(f"{a / self.grid**2:.1%}" for a in areas), "none"),
            rows=tuple(order),
            chart="distribution",
            axis="smallest area whose covering changes the class, in percent of the image",
            measures=self._measures(),
            notes=self._notes(),
            table=first_rows(columns, range(len(order))),
            files={"areas.parquet": to_parquet(columns)},
        )

    def _summary(self, images: Tensor) -> dict[str, Any]:
        """Return the numbers of a group of images; areas and shares in percent of the image."""
        area = self.area[images].double()
        # Images whose class never changes are above all areas.
        ranked = torch.where(area == 0, math.inf, area).sort().values
        middle = float(ranked[(len(ranked) - 1) // 2]) if len(ranked) else math.inf
        smallest = float(ranked[0]) if len(ranked) else math.inf
        rank = torch.where(area == 0, self.grid**2 + 1.0, area)
        border, _ = self._border_shares(images)
        return {
            "images": len(images),
            "median area": self._percent(middle),
            "smallest area": self._percent(smallest),
            "unchanged": int((area == 0).sum()),
            "at the border": f"{border:.0%}" if border == border else "",
            "mean rank": float(rank.mean()) if len(rank) else math.inf,
        }

    def _percent(self, area: float) -> str:
        return f"{area / self.grid**2:.1%}" if math.isfinite(area) else "none"

    def _border_shares(self, images: Tensor) -> tuple[float, float]:
        """Return the share of smallest rectangles at the border, measured and by chance.

        Both are means over images. Chance is the share among all rectangles of the image's area.
        """
        measured, chance = [], []
        by_area = rectangles_by_area(self.grid)
        for image in images.tolist():
            rectangles = self.rectangles[image]
            if len(rectangles):
                everywhere = by_area[int(self.area[image])]
                measured.append(float(touch_border(rectangles, self.grid).double().mean()))
                chance.append(float(touch_border(everywhere, self.grid).double().mean()))
        if not measured:
            return math.nan, math.nan
        return sum(measured) / len(measured), sum(chance) / len(chance)

    @cached_property
    def rectangles(self) -> tuple[Tensor, ...]:
        """The smallest rectangles of each image, in cells, `[F, 4]` each."""
        return torch.split(self.rows[""]["rectangles"], self.rows[""]["flips"].tolist())

    def _measures(self) -> dict[str, Any]:
        summary = self._summary(self.groups[ALL])
        border, chance = self._border_shares(self.groups[ALL])
        measures = {
            "images": summary["images"],
            "grid": f"{self.grid} x {self.grid} cells",
            "median area": summary["median area"],
        }
        if border == border:
            measures["at the border"] = f"{border:.0%} of the rectangles"
            measures["by chance"] = f"{chance:.0%}"
        return measures

    def _notes(self) -> tuple[str, ...]:
        notes = []
        if unchanged := int((self.area[self.has_scores] == 0).sum()):
            notes.append(
                f"No rectangle up to {self.max_area:.0%} of the image changes the class of "
                f"{unchanged} images."
            )
        if bad := int((~self.has_scores).sum()):
            notes.append(f"{bad} of {len(self.area)} images have scores that are not finite.")
        for name, what in _WARNINGS.items():
            if count := int(self.rows[""][name].sum()):
                notes.append(what.format(count))
        return tuple(notes)

    def _fragile(self) -> Tiles:
        """Return the photos in order of area, and within an area of the margin."""
        places = [i for i, area in enumerate(self.area.tolist()) if area]
        margins = torch.split(self.rows[""]["margin"], self.rows[""]["flips"].tolist())
        best = {i: int(margins[i].argmax()) for i in places}
        places.sort(key=lambda i: (int(self.area[i]), -float(margins[i].max()), i))
        total, places = len(places), places[:MAX_RANKED]
        listed = [self._row(i, best[i]) for i in places]
        columns = {name: [row[name] for row in listed] for name in _COLUMNS}
        captions = [
            f"{_stem(row['image'])}\n{row['class']} · {row['probability']:.0%}\n→ "
            f"{row['new class']} · {row['new probability']:.0%}\n{row['area']} of the image"
            for row in listed
        ]
        notes = [f"The class of {total} of {len(self.area)} images changes; smallest area first."]
        if total > MAX_RANKED:
            notes.append(f"The first {MAX_RANKED} are listed.")
        boxes = self._boxes(places[: self.drawn])
        if boxes:
            notes.append("Outlined: the smallest rectangles that change the class.")
        return ranking(
            "fragile photos", torch.tensor([[float(self.area[i])] for i in places]).reshape(-1, 1),
            torch.tensor(places, dtype=torch.int64), self.items, captions, columns, self.drawn,
            "cells", notes, boxes,
        )  # fmt: skip

    def _row(self, image: int, flip: int) -> dict[str, Any]:
        """Return the columns of an image, with one of its smallest rectangles."""
        rows = self.rows[""]
        at = int(rows["flips"][:image].sum()) + flip
        return {
            "image": self.items.ids[image],
            "class": self.model.label(int(rows["old"][image])),
            "probability": float(rows["old_probability"][image]),
            "new class": self.model.label(int(rows["new"][at])),
            "new probability": float(rows["new_probability"][at]),
            "margin": float(rows["margin"][at]),
            "area": self._percent(float(rows["area"][image])),
            "rectangles": int(rows["flips"][image]),
        }

    def _boxes(self, images: Sequence[int]) -> Boxes:
        """Return the rectangles of images in pixels; none if the crop is not known."""
        if not isinstance(self.model.preprocess, Preprocess):
            return {}
        size = self.model.input_size
        return {i: to_pixels(self.rectangles[i], self.grid, size).tolist() for i in images}


_COLUMNS = (
    *("image", "class", "probability", "new class", "new probability", "margin", "area"),
    "rectangles",
)

_WARNINGS: Mapping[str, str] = {
    "undecided": "The network cannot be run in float64: for {} rectangles rounding errors may "
    "decide.",
    "nonfinite": "With {} rectangles covered the scores are not finite; they count as no change.",
}


def _stem(name: str) -> str:
    return name.replace("\\", "/").rsplit("/", 1)[-1]

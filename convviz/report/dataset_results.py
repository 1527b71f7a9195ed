"""Results of predictions in the form of the data-set page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from markupsafe import Markup

from ..errors import ConvvizError
from ..results.types import Result, Table, Tiles
from ..sweep.run import Run
from .calibration_chart import calibration_chart
from .confusion_chart import confusion_chart
from .links import images_address

PREDICTIONS = "predictions"

SHOWN = 24
"""Images of a ranking on the page; the list of images has all of them."""

PAIRS_SHOWN = 50
EXAMPLES = 4
"""Images beside a confused pair."""

CLASSES_DRAWN = 20
"""Classes of the matrix with counts; the matrix of all classes is drawn in the browser."""

SKIPPED_SHOWN = 500

ResultT = TypeVar("ResultT", bound=Result)


@dataclass(frozen=True)
class RankedImage:
    """An image of a ranking.

    Attributes:
        row: of the image in the run.
        name: its id.
        label, predicted: names of classes; "" if not known.
        probability, label_probability: of these classes; None if not known.
        remark: a further sentence.
    """

    row: int
    name: str
    label: str = ""
    predicted: str = ""
    probability: float | None = None
    label_probability: float | None = None
    remark: str = ""


@dataclass(frozen=True)
class Ranking:
    """A list of images or of pairs of images, with the notes of its result.

    Attributes:
        total: entries of the result, of which `entries` are the first.
        entries: one tuple of images each.
        notes: sentences on the result.
    """

    total: int = 0
    entries: tuple[tuple[RankedImage, ...], ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Confusion:
    """Images of one class that are predicted as another.

    Attributes:
        label, predicted: names of the classes.
        images, of_label: images of the pair, and all images with the label.
        examples: rows of the first images.
        address: of the list of these images.
    """

    label: str
    predicted: str
    images: int
    of_label: int
    examples: tuple[int, ...]
    address: str


@dataclass(frozen=True)
class ClassRow:
    """Numbers of a class; None where they are not defined."""

    name: str
    images: int
    predicted: int
    right: int
    precision: float | None
    recall: float | None
    f1: float | None
    address: str


@dataclass(frozen=True)
class DatasetResults:
    """The results of predictions in the form of the data-set page.

    Attributes:
        run: the run.
        problems: results that could not be read, with the reason.
    """

    run: Run
    problems: list[str] = field(default_factory=list)

    def _result(self, name: str, kind: type[ResultT]) -> ResultT | None:
        """Return a result of predictions; None if the run does not have it."""
        if PREDICTIONS not in self.run or name not in self.run[PREDICTIONS]:
            return None
        try:
            result = self.run[PREDICTIONS][name].result
        except ConvvizError as error:
            self.problems.append(str(error))
            return None
        return result if isinstance(result, kind) else None

    def rows(self) -> set[int]:
        """Return the images whose photos are shown."""
        rankings = [self.errors, self.suspects, self.duplicates]
        if not self.measures:
            rankings.append(self.uncertain)
        entries = [entry for ranking in rankings for entry in ranking.entries]
        examples = [row for confusion in self.confusions for row in confusion.examples]
        return {image.row for entry in entries for image in entry} | set(examples)

    def _measure(self, prefix: str) -> float | None:
        """Return the first measure whose name begins so, if it is a number."""
        result = self._result("accuracy", Table)
        measures = {} if result is None else result.measures
        numbers = (value for name, value in measures.items() if name.startswith(prefix))
        value = next(numbers, None)
        return value if isinstance(value, float) else None

    @property
    def mean_confidence(self) -> float | None:
        """The mean probability of the predicted classes."""
        return self._measure("mean confidence")

    @property
    def calibration_error(self) -> float | None:
        """The expected calibration error."""
        return self._measure("ECE")

    @cached_property
    def measures(self) -> dict[str, str]:
        """Measures of all images, as text."""
        result = self._result("accuracy", Table)
        return {} if result is None else {n: _in_words(v) for n, v in result.measures.items()}

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """Notes on the data set, and on how labels became classes of the model."""
        images, accuracy = self._result("images", Table), self._result("accuracy", Table)
        notes = () if images is None else images.notes
        shared = notes if accuracy is None else [note for note in notes if note in accuracy.notes]
        return tuple(dict.fromkeys((*self.run.notes, *shared)))

    @cached_property
    def calibration(self) -> Markup | None:
        """The reliability diagram."""
        result = self._result("accuracy", Table)
        bins = None if result is None else _columns(result)
        names = ("from", "to", "images", "confidence", "accuracy", "low", "high")
        if not bins or any(name not in bins for name in names):
            return None
        return calibration_chart({name: bins[name] for name in names})

    @cached_property
    def calibration_rows(self) -> list[dict[str, float]]:
        """The bins with images, for the table under the diagram."""
        result = self._result("accuracy", Table)
        columns = {} if result is None else _columns(result)
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        return [row for row in rows if row.get("images")]

    @cached_property
    def errors(self) -> Ranking:
        """The most confident errors."""
        return self._ranking("errors")

    @cached_property
    def suspects(self) -> Ranking:
        """Images whose label looks wrong."""
        return self._ranking("suspects")

    @cached_property
    def duplicates(self) -> Ranking:
        """Pairs of near-duplicates."""
        return self._ranking("duplicates")

    def _ranking(self, name: str) -> Ranking:
        result = self._result(name, Tiles)
        if result is None or "items" not in result.arrays:
            return Ranking()
        places = result["items"]
        items = (places if places.ndim == 2 else places[:, None]).tolist()
        rows = list(_rows(result.table, len(items)))
        count = len(self.run.items)
        entries = [
            tuple(_ranked_image(self.run, row, values, i) for i, row in enumerate(group))
            for group, values in zip(items[:SHOWN], rows[:SHOWN], strict=True)
            if all(0 <= row < count for row in group)
        ]
        return Ranking(len(items), tuple(entries), result.notes)

    @cached_property
    def uncertain(self) -> Ranking:
        """The images with the smallest margin between the two best classes."""
        result = self._result("images", Table)
        if result is None:
            return Ranking()
        columns = _columns(result)
        best = result.table.get("predicted", ())
        entries = []
        for place, row in enumerate(result.show[:SHOWN]):
            if 0 <= row < len(self.run.items):
                predicted = str(best[place] or "") if place < len(best) else ""
                probability = columns.get("probability", [None] * (row + 1))[row]
                name = self.run.items.ids[row]
                entries.append((RankedImage(row, name, "", predicted, probability),))
        return Ranking(len(result.values), tuple(entries))

    @cached_property
    def classes(self) -> list[ClassRow]:
        """The classes that occur as a label or as a prediction, with the most errors first."""
        result = self._result("classes", Table)
        if result is None:
            return []
        columns = _columns(result)
        names = ("images", "predicted", "right", "precision", "recall", "F1")
        if any(name not in columns for name in names):
            return []
        rows = [
            _class_row(name, numbers)
            for name, *numbers in zip(result.rows, *(columns[name] for name in names), strict=True)
        ]
        rows.sort(key=lambda row: (2 * row.right - row.images - row.predicted, row.name))
        return rows

    @cached_property
    def _matrix(self) -> tuple[list[str], np.ndarray, list[int]] | None:
        """Names, counts `[r, r]` and outputs `[r]` of the confusion matrix."""
        result = self._result("confusion", Table)
        if result is None or "outputs" not in result.arrays:
            return None
        counts, names = result.values.long().numpy(), list(result.rows)
        if counts.shape != (len(names), len(names)):
            return None
        return names, counts, result["outputs"].tolist()

    @cached_property
    def confusions(self) -> list[Confusion]:
        """The most frequent confusions."""
        if self._matrix is None:
            return []
        names, counts, outputs = self._matrix
        label, predicted = _confused_pairs(counts)
        examples = self._examples()
        images_of = {row.name: row.images for row in self.classes}
        return [
            Confusion(
                names[i],
                names[j],
                int(counts[i, j]),
                images_of.get(names[i], int(counts[i].sum())),
                tuple(examples.get((outputs[i], outputs[j]), ())),
                images_address(**{"class": names[i], "predicted": names[j]}),
            )
            for i, j in zip(label[:PAIRS_SHOWN], predicted[:PAIRS_SHOWN], strict=True)
        ]

    @property
    def confused_pairs(self) -> int:
        """Number of pairs of classes that are confused."""
        return 0 if self._matrix is None else len(_confused_pairs(self._matrix[1])[0])

    def _examples(self) -> dict[tuple[int, int], list[int]]:
        """Return the first images of each pair of a label and a different prediction."""
        result = self._result("images", Table)
        examples: dict[tuple[int, int], list[int]] = {}
        if result is None or not {"label", "top"} <= set(result.arrays):
            return examples
        labels, best = result["label"].tolist(), result["top"][:, 0].tolist()
        for row, pair in enumerate(zip(labels, best, strict=True)):
            if pair[0] >= 0 and pair[0] != pair[1]:
                rows = examples.setdefault(pair, [])
                if len(rows) < EXAMPLES:
                    rows.append(row)
        return examples

    @cached_property
    def matrix(self) -> Markup | None:
        """The matrix of all classes if they are few, otherwise of the most confused ones."""
        if self._matrix is None:
            return None
        names, counts, _ = self._matrix
        chosen: Sequence[int] = range(len(names))
        if len(names) > CLASSES_DRAWN:
            label, predicted = _confused_pairs(counts)
            both = np.stack([label, predicted], 1).ravel().tolist()
            # In the order of the confusions, so that confused classes are close.
            chosen = list(dict.fromkeys(both))[:CLASSES_DRAWN]
        part = counts[np.ix_(chosen, chosen)].tolist() if len(chosen) else []
        return confusion_chart(
            [names[i] for i in chosen],
            part,
            lambda label, predicted: images_address(**{"class": label, "predicted": predicted}),
        )

    @property
    def matrix_classes(self) -> int:
        """Number of classes of the whole matrix."""
        return 0 if self._matrix is None else len(self._matrix[0])

    def confusion_chunk(self) -> dict[str, Any] | None:
        """Return names and nonzero cells of a matrix of many classes; None for few classes."""
        if self._matrix is None or len(self._matrix[0]) <= CLASSES_DRAWN:
            return None
        names, counts, _ = self._matrix
        label, predicted = counts.nonzero()
        cells = np.stack([label, predicted, counts[label, predicted]], 1)
        return {"names": names, "cells": cells.tolist()}

    @cached_property
    def skipped_items(self) -> list[tuple[str, str]]:
        """Id and reason of the first items that could not be used."""
        return [(item.id, item.reason) for item in self.run.skipped[:SKIPPED_SHOWN]]


def _confused_pairs(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return label and predicted class of the confused pairs, the most frequent ones first."""
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    label, predicted = wrong.nonzero()
    order = np.argsort(-wrong[label, predicted], kind="stable")
    return label[order], predicted[order]


def _ranked_image(run: Run, row: int, values: dict[str, Any], place: int) -> RankedImage:
    """Return an image of a ranking from a row of its table; `place` is that in a pair."""
    name = run.items.ids[row]
    if "distance" in values:
        label = values.get("other class" if place else "class") or ""
        distance = values["distance"]
        remark = f"distance {distance:.3g}" if isinstance(distance, float) else ""
        return RankedImage(row, name, label=str(label), remark=remark)
    return RankedImage(
        row,
        name,
        label=str(values.get("label") or ""),
        predicted=str(values.get("predicted") or ""),
        probability=values.get("probability"),
        label_probability=values.get("probability of the label"),
        remark=_about_neighbours(values),
    )


def _about_neighbours(values: dict[str, Any]) -> str:
    """Return what the nearest images say about a label; "" if they were not asked."""
    if "with the label" not in values:
        return ""
    return (
        f"nearest images: {values.get('with the prediction', 0)} with the predicted class, "
        f"{values['with the label']} with the label"
    )


def _columns(table: Table) -> dict[str, list[float]]:
    """Return the columns of a table of numbers by name."""
    return dict(zip(table.columns, table.values.double().T.tolist(), strict=False))


def _rows(columns: Any, count: int) -> Iterator[dict[str, Any]]:
    """Yield the rows of named columns; values that are missing are left out."""
    for i in range(count):
        yield {name: values[i] for name, values in columns.items() if i < len(values)}


def _class_row(name: str, numbers: Sequence[float]) -> ClassRow:
    """Return the row of a class from three counts and three shares, NaN where not defined."""
    images, predicted, right = map(int, numbers[:3])
    precision, recall, f1 = (None if share != share else share for share in numbers[3:])
    link = images_address(**{"class": name})
    return ClassRow(name, images, predicted, right, precision, recall, f1, link)


def _in_words(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)

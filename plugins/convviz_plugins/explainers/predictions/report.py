"""The results of a sweep: tables, charts and rankings, from the rows of all images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from convviz import Matches, Result, Table, Tiles
from convviz.authoring import Items

from ...shared.listing import first_rows, numbers, to_parquet
from ...shared.photo_tiles import MAX_RANKED, ranking
from . import accuracy
from .accuracy import ClassCounts, Judged
from .image_scores import Rows
from .suspects import find_duplicates, find_suspects

MAX_CLASSES_IN_MATRIX = 2000
"""Classes of a saved confusion matrix; the table of confusions holds all pairs."""

MAX_CLASSES_DRAWN = 20


@dataclass(frozen=True, eq=False)
class Report:
    """Builds the results.

    Attributes:
        rows: the numbers of all images, as `image_scores` lists them.
        width: number of outputs of the model.
        names: name of each output that occurs.
        items: the images.
        notes: notes for every result.
        bins: of the calibration.
        ratio: see `find_duplicates`.
        drawn: photos drawn per ranking.
        neighbors: the nearest images, if they were swept.
    """

    rows: Rows
    width: int
    names: Mapping[int, str]
    items: Items
    notes: tuple[str, ...]
    bins: int
    ratio: float
    drawn: int
    neighbors: Matches | None

    @cached_property
    def judged(self) -> Judged:
        """The images with a label."""
        return accuracy.judge(self.rows)

    @cached_property
    def _ids(self) -> tuple[str, ...]:
        return self.items.ids

    def results(self) -> dict[str, Result]:
        """Return the results by name; those about labels only if there are labels."""
        results: dict[str, Result] = {}
        if len(self.judged.items):
            counts = accuracy.count_classes(self.judged)
            results["accuracy"] = self._accuracy()
            results["classes"] = self._classes(counts)
            results["confusion"] = self._confusion(counts)
            results["errors"] = self._errors()
            results["suspects"] = self._suspects()
        if self.neighbors is not None:
            results["duplicates"] = self._duplicates(self.neighbors)
        results["images"] = self._images()
        return dict(sorted(results.items()))

    def _accuracy(self) -> Table:
        calibration = accuracy.calibrate(self.judged, self.bins)
        edges = torch.arange(self.bins + 1, dtype=torch.float64) / self.bins
        columns = {
            "from": edges[:-1],
            "to": edges[1:],
            "images": calibration.count,
            "confidence": calibration.confidence,
            "accuracy": calibration.accuracy,
            "low": calibration.low,
            "high": calibration.high,
        }
        measures = dict(accuracy.summary(self.judged, self.width))
        measures[f"ECE ({self.bins} bins)"] = calibration.error
        occupied = calibration.count.nonzero()[:, 0].tolist()
        lists = {name: numbers(column) for name, column in columns.items()}
        return Table(
            torch.stack([column.double() for column in columns.values()], 1),
            columns=tuple(columns),
            rows=tuple(f"{low:.3g} to {high:.3g}" for low, high in pairwise(edges.tolist())),
            unit="share of images",
            chart="calibration",
            measures=measures,
            table=first_rows(lists, occupied),
            files={"calibration.parquet": to_parquet(lists)},
            notes=(
                *self.notes,
                f"ECE, the expected calibration error, is the mean distance of accuracy and "
                f"confidence over {self.bins} bins of equal width, weighted by their images. "
                "Intervals are Wilson's, at 95 %.",
            ),
        )

    def _classes(self, counts: ClassCounts) -> Table:
        recall, precision = counts.recall(), counts.precision()
        columns = {
            "images": counts.images,
            "predicted": counts.predicted,
            "right": counts.hits,
            "precision": precision,
            "recall": recall,
            "F1": 2 * counts.hits / (counts.images + counts.predicted),
        }
        names = self._names_of(counts.outputs)
        # Classes with the most images that are wrongly left out or included come first.
        wrong = counts.images + counts.predicted - 2 * counts.hits
        order = (-wrong).argsort(stable=True).tolist()
        lists: dict[str, Any] = {"class": names}
        lists |= {name: numbers(column) for name, column in columns.items()}
        return Table(
            torch.stack([column.double() for column in columns.values()], 1),
            arrays={"outputs": counts.outputs},
            columns=tuple(columns),
            rows=tuple(names),
            show=tuple(order[:40]),
            table=first_rows(lists, order),
            files={"classes.parquet": to_parquet(lists)},
            notes=(
                *self.notes,
                "precision: share of the predictions of a class that are right; recall: share of "
                "its images that are predicted as it. Classes with the most errors come first.",
            ),
        )

    def _confusion(self, counts: ClassCounts) -> Table:
        confusions = counts.confusions()
        # Ranked by the most frequent confusion that a class takes part in.
        ranked = list(dict.fromkeys(confusions[:, :2].flatten().tolist()))
        others = [i for i in range(len(counts.outputs)) if i not in set(ranked)]
        in_matrix = torch.tensor([*ranked, *others][:MAX_CLASSES_IN_MATRIX]).sort().values
        place = {row: i for i, row in enumerate(in_matrix.tolist())}
        names = self._names_of(counts.outputs)
        lists = {
            "label": [names[i] for i in confusions[:, 0].tolist()],
            "predicted": [names[i] for i in confusions[:, 1].tolist()],
            "images": confusions[:, 2].tolist(),
            "of the label": counts.images[confusions[:, 0]].tolist(),
        }
        matrix_names = tuple(names[i] for i in in_matrix.tolist())
        drawn = sorted((ranked or others)[:MAX_CLASSES_DRAWN])
        return Table(
            counts.matrix(in_matrix),
            arrays={"outputs": counts.outputs[in_matrix]},
            columns=matrix_names,
            rows=matrix_names,
            unit="images",
            chart="matrix",
            show=tuple(place[i] for i in drawn),
            measures={"classes": len(names), "pairs of classes that are confused": len(confusions)},
            table=first_rows(lists, range(len(confusions))),
            files={"confusions.parquet": to_parquet(lists)},
            notes=(*self.notes, *_matrix_notes(len(names), len(in_matrix))),
        )

    def _errors(self) -> Tiles:
        judged = self.judged
        wrong = (~judged.correct).nonzero()[:, 0]
        places = wrong[(-judged.confidence[wrong]).argsort(stable=True)]
        text = (
            f"{len(places)} of {len(judged.items)} predictions are wrong; the most confident "
            "errors come first."
        )
        return self._ranking("confident errors", places, {}, text)

    def _suspects(self) -> Tiles:
        judged = self.judged
        near = None if self.neighbors is None else self.neighbors["indices"]
        suspects = find_suspects(judged, self.rows["label"], near)
        columns = {}
        if near is not None:
            agree = suspects.agree.tolist()
            columns = {
                "neighbours": ["against the label" if a else "not decisive" for a in agree],
                "with the label": suspects.for_label.tolist(),
                "with the prediction": suspects.for_prediction.tolist(),
            }
        how = (
            "the model predicts another class at least as confidently as it usually predicts that "
            "class for its own images"
        )
        if near is None:
            how += "; with neighbors in the sweep, the nearest images are considered as well"
        else:
            how += (
                f", and the {suspects.considered} nearest images do not support the label; images "
                "whose nearest images support the prediction come first"
            )
        text = f"{len(suspects.places)} of {len(judged.items)} labels look wrong: {how}."
        return self._ranking("label suspects", suspects.places, columns, text)

    def _ranking(
        self, name: str, places: Tensor, further: Mapping[str, list[Any]], *texts: str
    ) -> Tiles:
        """Return a ranking of judged images; `places` are indices into them."""
        judged, total = self.judged, len(places)
        places = places[:MAX_RANKED]
        items = judged.items[places]
        predicted = self._names_of(judged.predicted[places])
        labels = self._names_of(judged.label[places])
        confidence, for_label = judged.confidence[places], judged.label_probability[places]
        columns: dict[str, list[Any]] = {
            "image": [self._ids[i] for i in items.tolist()],
            "label": labels,
            "predicted": predicted,
            "probability": confidence.tolist(),
            "probability of the label": for_label.tolist(),
            **{key: column[:MAX_RANKED] for key, column in further.items()},
        }
        rows = zip(
            columns["image"],
            labels,
            predicted,
            confidence.tolist(),
            for_label.tolist(),
            strict=True,
        )
        captions = [
            f"{_stem(image)}\nlabel: {label} · {percent(q)}\nmodel: {guess} · {percent(p)}"
            for image, label, guess, p, q in rows
        ]
        if total > MAX_RANKED:
            texts = (*texts, f"The first {MAX_RANKED} are listed.")
        return ranking(
            name, torch.stack([confidence, for_label], 1), items, self.items, captions, columns,
            self.drawn, "probability", (*texts, *self.notes),
        )  # fmt: skip

    def _duplicates(self, neighbors: Matches) -> Tiles:
        duplicates = find_duplicates(neighbors.values, neighbors["indices"], self.ratio)
        pairs, distances = duplicates.pairs[:MAX_RANKED], duplicates.distances[:MAX_RANKED]
        classes = [self._class_of_item(i) for i in pairs.flatten().tolist()]
        first, second = classes[::2], classes[1::2]
        across = [a != b and "" not in (a, b) for a, b in zip(first, second, strict=True)]
        columns: dict[str, list[Any]] = {
            "image": [self._ids[i] for i in pairs[:, 0].tolist()],
            "other image": [self._ids[i] for i in pairs[:, 1].tolist()],
            "distance": distances.tolist(),
            "class": first,
            "other class": second,
            "across classes": across,
        }
        captions = [
            f"{_stem(columns['image'][i])} | {_stem(columns['other image'][i])}\n"
            f"{_classes_line(first[i], second[i])}\ndistance {distances[i]:.3g}"
            for i in range(len(pairs))
        ]
        count = f"{len(duplicates.pairs)} pairs of images are near-duplicates"
        count += f", {sum(across)} of them across classes" * any(across)
        text = (
            f"{count}: the distance of their features is at most {duplicates.threshold:.3g}, "
            f"{self.ratio:g} times the median distance of an image to its nearest one."
        )
        return ranking(
            "near duplicates", distances[:, None], pairs, self.items, captions, columns,
            self.drawn, neighbors.unit, (text,),
        )  # fmt: skip

    def _images(self) -> Table:
        rows = self.rows
        columns = {
            "probability": rows["probabilities"][:, 0],
            "margin": rows["margin"],
            "entropy": rows["entropy"],
        }
        if len(self.judged.items):
            columns |= {n.replace("_", " "): rows[n] for n in ("label_probability", "loss")}
        least_certain = rows["margin"].nan_to_num(torch.inf).argsort(stable=True)[:40].tolist()
        lists = self._lists_of_images()
        shown = {n: c for n, c in lists.items() if n not in ("top", "scores", "probabilities")}
        return Table(
            torch.stack(list(columns.values()), 1),
            arrays=dict(rows),
            columns=tuple(columns),
            rows=self._ids,
            show=tuple(least_certain),
            measures={
                "images": len(self.items),
                "mean probability": float(columns["probability"].nanmean()),
                "mean entropy": float(rows["entropy"].nanmean()),
            },
            table=first_rows(shown, least_certain),
            files={"predictions.parquet": to_parquet(lists)},
            notes=(*self.notes, "The images with the smallest margin come first."),
        )

    def _lists_of_images(self) -> dict[str, list[Any]]:
        """Return the columns of the table with one row per image."""
        rows = self.rows
        top = rows["top"].tolist()
        names = [[self.names[i] for i in best if i >= 0] for best in top]
        label = [self.names[i] if i >= 0 else None for i in rows["label"].tolist()]
        rank = rows["rank"].tolist()
        return {
            "image": list(self._ids),
            "label": label,
            "predicted": [best[0] if best else None for best in names],
            "correct": [None if r < 0 else r == 0 for r in rank],
            "rank": [None if r < 0 else r + 1 for r in rank],
            **{
                n.replace("_", " "): numbers(rows[n])
                for n in ("margin", "entropy", "loss", "label_probability")
            },
            "top": names,
            "scores": rows["scores"].tolist(),
            "probabilities": rows["probabilities"].tolist(),
        }

    def _names_of(self, outputs: Tensor) -> list[str]:
        return [self.names[i] for i in outputs.tolist()]

    def _class_of_item(self, index: int) -> str:
        output, label = int(self.rows["label"][index]), self.items.labels[index]
        if output >= 0:
            return self.names[output]
        return "" if label is None else self.items.classes[label]


def percent(probability: float) -> str:
    """Return a probability in words: "97 %", "0.4 %", "< 0.1 %"."""
    share = 100 * probability
    if 0 < share < 0.1:
        return "< 0.1 %"
    if 99.9 < share < 100:
        return "> 99.9 %"
    return f"{share:.1f} %" if share < 1 or share > 99 else f"{share:.0f} %"


def _stem(name: str) -> str:
    """Return the last part of an id, without folders."""
    return name.rsplit("/", 1)[-1]


def _classes_line(first: str, second: str) -> str:
    if first == second:
        return first or "no label"
    return f"{first or 'no label'} | {second or 'no label'}"


def _matrix_notes(classes: int, in_matrix: int) -> Iterator[str]:
    if in_matrix < classes:
        yield f"The matrix has {in_matrix} of {classes} classes; confusions.parquet has all pairs."

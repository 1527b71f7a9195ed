"""predictions: the top classes of every image, and what they say about the model and the labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from convviz import Matches, Model, ModelError, ParameterError, Result
from convviz.authoring import Batch, Dataset, DatasetExplainer, Forward, Items, Partial

from ..neighbors import Neighbors
from .class_matching import UNMATCHED, Matching, apply_mapping, match_classes, too_high
from .image_scores import Rows, measure, remove_labels
from .mapping_file import as_mapping
from .option_texts import CLASSES_HELP
from .report import Report

WIDTH = "outputs"
"""Entry of a partial: the number of outputs of the model, `[1]`."""


class Predictions(DatasetExplainer):
    """The model's predictions: accuracy, calibration, confident errors, label suspects.

    Every sweep runs it, on the scores of the forward pass that the sweep needs anyway. The labels
    of the data set are matched to the model's classes by name, as indices of its outputs if they
    are numbers, or by `classes`. Without a complete match there is no correctness. Label suspects
    and near-duplicates use the results of `neighbors`, if it is part of the sweep.
    """

    dataset_fields: ClassVar[tuple[str, ...]] = ("outputs",)
    aliases: ClassVar[Mapping[str, str]] = {
        "accuracy": "accuracy, calibration and errors are results of 'predictions'",
        "calibration": "accuracy, calibration and errors are results of 'predictions'",
        "confusion matrix": "the confusion matrix is a result of 'predictions'",
    }

    classes: dict[str, int | str] | str | None = Field(None, description=CLASSES_HELP)
    outputs: dict[str, int] | None = Field(
        None,
        description="Output of the model by class of the data set, as the sweep found it; -1 for "
        "none. Set by the sweep.",
    )
    bins: int = Field(15, ge=2, le=1000, description="Bins of the calibration.")
    duplicates: float = Field(
        0.5,
        gt=0,
        description="Largest distance of near-duplicates, relative to the median distance of an "
        "image to its nearest one.",
    )
    drawn: int = Field(12, ge=0, le=100, description="Photos drawn per ranking.")

    def default_layers(self, model: Model) -> tuple[str, ...]:
        """Return no layers: predictions read the scores."""
        return ()

    def optional_needs(self, others: tuple[DatasetExplainer, ...]) -> tuple[DatasetExplainer, ...]:
        """Return the neighbors of the sweep."""
        return tuple(other for other in others if isinstance(other, Neighbors))

    def for_dataset(self, model: Model, dataset: Dataset) -> Predictions:
        """Return the explainer with the output of every class of the data set in `outputs`."""
        if self.layers:
            raise ParameterError("predictions reads the scores of the model: leave out layers")
        outputs = self._match(model, dataset.classes, dataset.labels).outputs
        mapping = None if self.classes is None else as_mapping(self.classes)
        if mapping is not None:
            used = used_classes(dataset.classes, dataset.labels)
            outputs = apply_mapping(mapping, dataset.classes, used, model.labels)
        return self.model_copy(update={"classes": mapping, "outputs": outputs})

    def _match(
        self, model: Model, classes: tuple[str, ...], labels: tuple[int | None, ...]
    ) -> Matching:
        """Return how classes are matched without a given mapping."""
        return match_classes(classes, used_classes(classes, labels), model.labels)

    def reduce(self, model: Model, batch: Batch, forward: Forward) -> Partial:
        """Return one row per image under the layer "", as `image_scores` lists them."""
        width = forward.output.shape[1]
        if width < 2:
            return {}
        outputs = self._outputs_by_index()
        labels = [UNMATCHED if i.label is None else outputs.get(i.label, -1) for i in batch.items]
        rows = measure(model, forward.output, torch.tensor(labels))
        return {"": {WIDTH: torch.tensor([width]), **rows}}

    def _outputs_by_index(self) -> dict[int, int]:
        """Return the output of each class of the data set, by index."""
        return dict(enumerate((self.outputs or {}).values()))

    def merge(self, a: Partial, b: Partial) -> Partial:
        """Return the rows of `a` and then those of `b`."""
        return join_rows([a, b])

    def finish(
        self,
        model: Model,
        partials: Iterator[Partial],
        items: Items,
        needs: tuple[Mapping[str, Result], ...],
    ) -> dict[str, Result]:
        """Return the results by name: accuracy, classes, confusion, errors, suspects, duplicates
        and images, the table of all images.
        """
        rows: Rows = dict(join_rows(list(partials)).get("", {}))
        if not rows:
            raise ModelError("the model has one output per image, so it predicts no classes")
        width = int(rows.pop(WIDTH).max())
        is_probability = rows.pop("is_probability")
        names = self._names(model, width, items)
        notes = [*self._notes_on_labels(model, items, rows, width)]
        notes += _notes_on_scores(rows, is_probability)
        return Report(
            rows, width, names, items, tuple(notes), self.bins, self.duplicates, self.drawn,
            _neighbors_among(needs),
        ).results()  # fmt: skip

    def _names(self, model: Model, width: int, items: Items) -> dict[int, str]:
        """Return the names of all outputs: the model's, or those of the data set."""
        names = {i: str(i) for i in range(width)}
        by_class = zip(items.classes, self._outputs_by_index().values(), strict=False)
        names |= {output: name for name, output in by_class if 0 <= output < width}
        return names | dict(enumerate(model.labels[:width]))

    def _notes_on_labels(self, model: Model, items: Items, rows: Rows, width: int) -> Iterator[str]:
        """Yield how labels became outputs; removes the labels from the rows if they do not fit."""
        labelled = sum(label is not None for label in items.labels)
        if not labelled:
            yield "The images have no labels, so there is no correctness."
            return
        outputs = self._outputs_by_index()
        # `items` has names that may be those of the model instead of the numbers of the data set.
        matching = self._match(model, tuple(self.outputs or items.classes), items.labels)
        if not outputs:
            remove_labels(rows)  # in a part of a joined run, all classes may have matched
            yield matching.note or "No correctness: the classes of the data set are not matched."
            return
        highest = max(outputs.get(label, -1) for label in set(items.labels) if label is not None)
        if highest >= width:
            remove_labels(rows)
            yield too_high(highest, width)
            return
        if matching.outputs == self.outputs and matching.note:
            yield matching.note
        if missing := labelled - int((rows["label"] >= 0).sum()):
            yield (
                f"{missing} of {labelled} labelled images belong to a class without an output of "
                "the model, or have scores that are not finite. They are neither right nor wrong."
            )


def _notes_on_scores(rows: Rows, is_probability: Tensor) -> Iterator[str]:
    count = len(is_probability)
    if bad := int((rows["top"][:, 0] < 0).sum()):
        yield f"{bad} of {count} images have scores that are NaN or infinite."
    if is_probability.any():
        yield (
            f"The scores of {int(is_probability.sum())} of {count} images are probabilities "
            "already, and are used as such."
        )


def used_classes(classes: tuple[str, ...], labels: tuple[int | None, ...]) -> set[str]:
    """Return the classes that items have as their label."""
    return {classes[label] for label in set(labels) if label is not None}


def _neighbors_among(needs: tuple[Mapping[str, Result], ...]) -> Matches | None:
    """Return the neighbours at the last layer that has them; None without."""
    matches: list[Any] = [list(results.values())[-1] for results in needs if results]
    return matches[0] if matches else None


def join_rows(partials: list[Partial]) -> Partial:
    """Return the rows of several partials, in order."""
    layers = [partial[""] for partial in partials if partial]
    if not layers:
        return {}
    joined = {name: torch.cat([rows[name] for rows in layers]) for name in layers[0]}
    joined[WIDTH] = joined[WIDTH].max()[None]
    return {"": joined}

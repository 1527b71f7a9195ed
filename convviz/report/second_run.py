"""The second run of a report, such as another checkpoint, indexed by the images of the first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..sweep.run import Run
from .predictions import output_names, prediction_table, predictions_of


class SecondRun:
    """A second run, which is shown beside that of the report.

    Images of both runs are the same if they have the same name and size.

    Attributes:
        run: the run.
        name: how pages name it.
        rows_in_second: int `[N]`, its row for each image of the first run; -1 where it lacks one.
        rows_in_first: int `[M]`, the row in the first run of each of its images, or -1.
        predictions: what `predictions_of` returns, for each image of the first run. `correct`
            compares with the label in the first run, if that is known.
        is_comparable: whether both models have names of outputs in common.
    """

    def __init__(self, run: Run, name: str, first: Run) -> None:
        self.run, self.name = run, name
        own = {(item.id, tuple(item.size)): row for row, item in enumerate(run.items)}
        rows = [own.get((item.id, tuple(item.size)), -1) for item in first.items]
        self.rows_in_second = np.array(rows, np.int64)
        self.rows_in_first = np.full(len(run.items), -1, np.int64)
        in_both = self.rows_in_second >= 0
        self.rows_in_first[self.rows_in_second[in_both]] = np.flatnonzero(in_both)
        self.outputs, self._first_outputs = output_names(run), output_names(first)
        shared_names = {*self.outputs} & {*self._first_outputs}
        self.is_comparable = self.outputs == self._first_outputs or bool(shared_names)
        self.predictions = self._predictions(first)

    def row_of(self, item: int) -> int | None:
        """Return the row in the first run of one of its images, or None."""
        row = int(self.rows_in_first[item]) if 0 <= item < len(self.rows_in_first) else -1
        return None if row < 0 else row

    def _predictions(self, first: Run) -> dict[str, list[Any]]:
        predictions = {
            name: [values[row] if row >= 0 else None for row in self.rows_in_second.tolist()]
            for name, values in predictions_of(self.run).items()
        }
        table = prediction_table(first)
        if predictions and self.is_comparable and table is not None and "label" in table.arrays:
            for row, label in enumerate(table["label"].tolist()):
                predicted = predictions["predicted"][row]
                if label >= 0 and predicted is not None and predicted >= 0:
                    predictions["correct"][row] = self._is_same(label, predicted)
        return predictions

    def _is_same(self, first: int, second: int) -> bool:
        """Return whether outputs of both models are the same class."""
        if self.outputs == self._first_outputs:  # names may repeat
            return first == second
        return _name(self._first_outputs, first) == _name(self.outputs, second)

    def same_predictions(self, predicted: Sequence[int]) -> tuple[int, int] | None:
        """Return how many common images both runs give the same class, and how many both predict.

        Args:
            predicted: output of each image of the first run, -1 for none.

        Returns:
            None if one of the runs has no predictions, or if no output has the same name in both.
        """
        if not self.predictions or not predicted or not self.is_comparable:
            return None
        pairs = [
            (first, second)
            for first, second in zip(predicted, self.predictions["predicted"], strict=True)
            if first >= 0 and second is not None and second >= 0
        ]
        return sum(self._is_same(*pair) for pair in pairs), len(pairs)

    def record(self) -> dict[str, Any]:
        """Return what all pages need; names of outputs only if the first run has others."""
        return {
            "run": self.name,
            "model": self.run.plan["model"]["name"],
            "outputs": None if self.outputs == self._first_outputs else self.outputs,
            "comparable": self.is_comparable,
        }


def _name(outputs: Sequence[str], output: int) -> str:
    return outputs[output] if output < len(outputs) else str(output)

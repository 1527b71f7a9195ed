"""The second run of a report, such as another checkpoint, indexed by the images of the first."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from ..sweep.run import Run
from .predictions import output_names, predictions_of


class SecondRun:
    """A second run, which is shown beside that of the report.

    Attributes:
        run: the run.
        name: how pages name it.
        rows_in_second: int `[N]`, its row for each image of the first run; -1 where it lacks one.
        rows_in_first: int `[M]`, the row in the first run of each of its images, or -1.
    """

    def __init__(self, run: Run, name: str, ids: Sequence[str]) -> None:
        self.run, self.name = run, name
        row_by_id = {item.id: row for row, item in enumerate(run.items)}
        self.rows_in_second = np.array([row_by_id.get(image, -1) for image in ids], np.int64)
        self.rows_in_first = np.full(len(run.items), -1, np.int64)
        in_both = self.rows_in_second >= 0
        self.rows_in_first[self.rows_in_second[in_both]] = np.flatnonzero(in_both)

    def row_of(self, item: int) -> int | None:
        """Return the row in the first run of one of its images, or None."""
        row = int(self.rows_in_first[item]) if 0 <= item < len(self.rows_in_first) else -1
        return None if row < 0 else row

    @cached_property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs of its model."""
        return output_names(self.run)

    @cached_property
    def predictions(self) -> dict[str, list[Any]]:
        """What `predictions_of` returns, for each image of the first run."""
        return {
            name: [values[row] if row >= 0 else None for row in self.rows_in_second.tolist()]
            for name, values in predictions_of(self.run).items()
        }

    def same_predictions(
        self, predicted: Sequence[int], outputs: Sequence[str]
    ) -> tuple[int, int] | None:
        """Return how many common images both runs give the same class, and how many both predict.

        Args:
            predicted: output of each image of the first run, -1 for none.
            outputs: names of the outputs of the first run.
        """
        if not self.predictions or not predicted:
            return None
        is_same = tuple(outputs) == self.outputs  # names may repeat
        name = (lambda names, output: output) if is_same else _name
        pairs = [
            (name(outputs, first), name(self.outputs, second))
            for first, second in zip(predicted, self.predictions["predicted"], strict=True)
            if first >= 0 and second is not None and second >= 0
        ]
        return sum(first == second for first, second in pairs), len(pairs)

    def record(self, outputs: Sequence[str]) -> dict[str, Any]:
        """Return what all pages need; names of outputs only if the first run has others."""
        model = self.run.plan["model"]
        is_same = tuple(outputs) == self.outputs
        return {
            "run": self.name,
            "model": model["name"],
            "outputs": None if is_same else self.outputs,
        }


def _name(outputs: Sequence[str], output: int) -> str:
    return outputs[output] if output < len(outputs) else str(output)

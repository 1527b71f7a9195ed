"""`convviz explain --compare`: comparisons of the maps that the call computes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ParameterError, printable
from .tables import table

if TYPE_CHECKING:
    from ..explanation.explanation import Explanation


class Comparisons:
    """Saves comparisons: one per image if there are several targets, else one of all images.

    Images are compared in groups, so that any number of them takes the memory of one group.

    Args:
        out: the folder of the call, where `comparison/`, `comparison-2/`, … are written.
        per_image: write the comparison of each image into its own folder.
    """

    def __init__(self, out: Path, per_image: bool) -> None:
        self.out, self.per_image = out, per_image
        self._pending: list[Explanation] = []
        self._images = self._written = 0

    def add(self, explanations: Sequence[Explanation], folder: Path) -> None:
        """Add the explanations of one image, which are saved below its folder."""
        from ..comparison.comparison import ROWS_PER_PICTURE, is_comparable

        for explanation in explanations:
            if not is_comparable(explanation):
                name = printable(explanation.name)
                print(f"not compared, because it gives no map: {name}", file=sys.stderr)
        self._pending += [e for e in explanations if is_comparable(e)]
        self._images += 1
        if self.per_image:
            self._save(folder / "comparison")
        elif self._images % ROWS_PER_PICTURE == 0:
            self._save_group()

    def finish(self) -> None:
        """Save the comparison of the last images."""
        if self._pending:
            self._save_group()
        if not self._written:
            raise ParameterError(
                "--compare needs at least two maps: add an explainer, an image or a target"
            )

    def _save_group(self) -> None:
        number = "" if self._written == 0 else f"-{self._written + 1}"
        self._save(self.out / f"comparison{number}")

    def _save(self, folder: Path) -> None:
        from ..comparison.comparison import compare
        from ..comparison.tables import HEADER, as_rows

        explanations, self._pending = self._pending, []
        if sum(len(explanation.values) for explanation in explanations) < 2:
            return
        comparison = compare(explanations)
        comparison.save(folder)
        self._written += 1
        print(table(HEADER, as_rows(comparison.agreements), right=(3,)))
        print(printable(f"comparison → {folder}"))

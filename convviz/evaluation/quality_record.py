"""The outcome of a quality benchmark: scores and statistics, with tables and a page."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .report import PhotoLoader, write_report
from .score_table import score_tables
from .scores import Scores
from .statistics import Summary


@dataclass(eq=False)
class QualityRecord:
    """Scores of explainers and controls, and their statistics.

    Attributes:
        scores: the score of each image, explainer and metric, `scores.values`.
        summary: means with intervals, comparisons of explainers, agreement of metrics.
        facts: model, data set and number of images.
        photo: returns the photo of an image by its id.
        page: the page that `save` wrote last; None before.
    """

    scores: Scores
    summary: Summary
    facts: Mapping[str, str]
    photo: PhotoLoader | None = None
    page: Path | None = None

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write page, pictures, tables and scores to a folder, and return the path of the page."""
        self.page = write_report(
            self.summary, self.scores, Path(folder), facts=self.facts, photo=self.photo
        )
        return self.page

    def table(self, width: int = 120) -> Any:
        """Return the tables of all metrics, for `rich`.

        Args:
            width: characters of a line; metrics that do not fit follow in further tables.
        """
        return score_tables(self.summary, width)

    def __repr__(self) -> str:
        explainers, metrics = self.scores.explainers, self.scores.metric_names
        return (
            f"<QualityRecord of {len(explainers)} explainers and controls, {len(metrics)} metrics, "
            f"{len(self.scores.images)} images>"
        )

"""The data-set page: predictions against labels, and images that deserve a look."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .dataset_results import CLASSES_DRAWN, DatasetResults
from .site import Link, Site


class Section(NamedTuple):
    """A part of the page: its anchor, its title, and the number of its entries if it has any."""

    anchor: str
    text: str
    entries: int | None = None


def links(site: Site) -> list[Link]:
    """Return the entry of the navigation."""
    return [Link("dataset", "Data set", "dataset.html")]


def request_pictures(site: Site) -> None:
    """Request the photos of rankings and examples."""
    for row in DatasetResults(site.run).rows():
        site.items.request_preview(row)


def write(site: Site) -> None:
    """Write `dataset.html`, and the confusion matrix if it has many classes."""
    results = DatasetResults(site.run)
    matrix = results.confusion_chunk()
    if matrix is not None:
        site.write_chunk("dataset/confusion", matrix)
    site.write_page(
        "dataset.html",
        "dataset.html",
        "dataset",
        data=results,
        sections=list(_sections(results)),
        has_matrix=matrix is not None,
        classes_drawn=CLASSES_DRAWN,
    )


def _sections(results: DatasetResults) -> Iterator[Section]:
    """Yield the sections in their order; sections without content are left out."""
    if results.errors.entries:
        yield Section("errors", "Most confident errors", results.errors.total)
    if results.suspects.entries:
        yield Section("suspects", "Labels that may be wrong", results.suspects.total)
    if results.duplicates.entries or results.duplicates.notes:
        yield Section("duplicates", "Near-duplicates", results.duplicates.total)
    if results.confusions:
        yield Section("confusions", "Confusions", results.confused_pairs)
    if results.classes:
        yield Section("classes", "Classes", len(results.classes))
    if results.calibration:
        yield Section("calibration", "Calibration")
    if not results.measures and results.uncertain.entries:
        yield Section("uncertain", "Least certain", None)
    if results.skipped_items:
        yield Section("skipped", "Skipped files", len(results.run.skipped))

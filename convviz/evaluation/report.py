"""The report of a quality benchmark: a folder with a page, pictures and tables."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from ..gallery.page import fill_template
from ..render.output import Picture
from ..render.style import number, shortened_path
from ..storage import durable_file
from .pictures import best_first, direction, draw_pictures, picture_of
from .score_table import arrow, beats_baseline, footnotes, interval_text, mean_text, score_text
from .scores import CURVE_SEPARATOR, MetricInfo, Scores
from .statistics import Row, Summary
from .summary_files import write_files

PAGE_NAME = "index.html"
PICTURE_FOLDER = "pictures"
SHOWN_WIDTH = 0.8
"""Pixels of the page per pixel of a picture: 96 of 120 per inch."""

WORST_SHOWN = 6
THUMBNAIL_SIDE = 160

TITLE = "Quality of explanations"

PhotoLoader = Callable[[str], np.ndarray]
"""Returns the photo of an image by its name, uint8 `[h, w, 3]`."""


@dataclass(frozen=True)
class _Shown:
    """A picture in the page: its data as a URI, its width in pixels, and a text alternative."""

    uri: str
    width: int
    caption: str


@dataclass(frozen=True)
class _WorstImage:
    name: str
    score: str
    thumbnail: str


def write_report(
    summary: Summary,
    scores: Scores,
    folder: Path,
    *,
    title: str = TITLE,
    facts: Mapping[str, str] | None = None,
    photo: PhotoLoader | None = None,
) -> Path:
    """Write the report of a benchmark to a folder, and return the path of its page.

    The folder gets `index.html`, which holds its pictures and opens without a network, the
    pictures as PNG files, `summary.json`, `table.csv`, and the scores of all images in
    `scores.parquet` (with times and passes in `costs.parquet`).

    Args:
        summary, scores: the statistics, and the scores that they are of.
        folder: the folder, which is created if necessary; files of these names are replaced.
        title: heading of the page.
        facts: facts for the head of the page, such as the model and the data set.
        photo: returns the photo of an image, for the images with the worst scores.
    """
    pictures = draw_pictures(summary, scores)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PICTURE_FOLDER).mkdir(exist_ok=True)
    for picture in pictures.values():
        durable_file.write(folder / PICTURE_FOLDER / picture.file_name, picture.data)
    write_files(summary, scores, folder)
    page = folder / PAGE_NAME
    text = _page(summary, scores, pictures, title, facts or {}, photo)
    durable_file.write(page, text.encode("utf-8", "xmlcharrefreplace"))
    return page


def _page(
    summary: Summary,
    scores: Scores,
    pictures: Mapping[str, Picture],
    title: str,
    facts: Mapping[str, str],
    photo: PhotoLoader | None,
) -> str:
    shown = {name: _shown(picture) for name, picture in pictures.items()}
    notes = footnotes(summary)
    return fill_template(
        files(__package__).joinpath("page.html").read_text("utf-8"),
        title=title,
        facts=facts,
        summary=summary,
        compared=len(summary.comparisons),
        explainers=[name for name in scores.explainers if name not in scores.controls],
        controls=[name for name in scores.explainers if name in scores.controls],
        header=[f"{metric.title} {arrow(metric)}".strip() for metric in summary.metrics],
        body=[_table_row(summary, name, notes) for name in summary.explainers],
        footnotes=notes,
        sections=[_section(summary, scores, metric, shown, photo) for metric in summary.metrics],
        time=shown.get("time"),
        correlations=shown.get("correlations"),
        costs=_costs(scores),
    )


def _shown(picture: Picture) -> _Shown:
    from PIL import Image

    width = Image.open(io.BytesIO(picture.data)).width
    return _Shown(_uri(picture.data, "png"), round(width * SHOWN_WIDTH), picture.caption)


def _uri(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def _table_row(summary: Summary, explainer: str, notes: dict[str, str]) -> dict[str, Any]:
    """Return a row of the table of all metrics."""
    cells = []
    for metric in summary.metrics:
        row = summary.row(explainer, metric.name)
        beats = beats_baseline(row, metric)
        is_weak = beats is False and explainer != summary.baseline
        cells.append((mean_text(row, notes), interval_text(row.mean), is_weak))
    return {"name": explainer, "cells": cells}


def _section(
    summary: Summary,
    scores: Scores,
    metric: MetricInfo,
    shown: Mapping[str, _Shown],
    photo: PhotoLoader | None,
) -> dict[str, Any]:
    """Return the content of the section of a metric."""
    rows = best_first([row for row in summary.rows if row.metric == metric.name], metric)
    names = [name for name, _ in scores.curves]
    curves = [n for n in dict.fromkeys(names) if n.partition(CURVE_SEPARATOR)[0] == metric.name]
    return {
        "metric": metric,
        "direction": direction(metric),
        "intervals": shown[f"intervals-{picture_of(metric.name)}"],
        "curves": [shown[f"curve-{picture_of(name)}"] for name in curves],
        "rows": [_details(row) for row in rows],
        "comparisons": [
            (c.first, c.second, c.count, score_text(c.effect), _p_text(c.corrected), c.is_separated)
            for c in summary.comparisons
            if c.metric == metric.name
        ],
        "worst": _worst_images(scores, metric, photo),
    }


def _details(row: Row) -> list[str]:
    """Return the cells of an explainer in the detailed table of a metric."""
    return [
        row.explainer,
        score_text(row.mean.value),
        interval_text(row.mean),
        score_text(row.difference.value),
        interval_text(row.difference),
        "–" if np.isnan(row.win_rate) else f"{row.win_rate:.0%}",
        str(row.measured),
        str(row.undefined),
        "; ".join(row.marks),
    ]


def _p_text(p_value: float) -> str:
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"


def _worst_images(
    scores: Scores, metric: MetricInfo, photo: PhotoLoader | None
) -> list[_WorstImage]:
    """Return the images on which explainers without controls score worst on average."""
    plain = [i for i, name in enumerate(scores.explainers) if name not in scores.controls]
    values = scores.values[:, plain, scores.metric_names.index(metric.name)]
    complete = ~np.isnan(values).any(axis=1)
    if metric.higher_is_better is None or not plain or not complete.any():
        return []
    means = values.mean(axis=1)
    places = np.argsort(means if metric.higher_is_better else -means, kind="stable")
    worst = [(scores.images[i], float(means[i])) for i in places if complete[i]][:WORST_SHOWN]
    return [
        _WorstImage(shortened_path(name), score_text(mean), _thumbnail(photo, name))
        for name, mean in worst
    ]


def _thumbnail(photo: PhotoLoader | None, name: str) -> str:
    """Return a small JPEG of a photo as a URI; "" without photos."""
    from PIL import Image

    if photo is None:
        return ""
    image = Image.fromarray(photo(name))
    image.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    return _uri(buffer.getvalue(), "jpeg")


def _costs(scores: Scores) -> Sequence[tuple[str, str, str]]:
    """Return explainer, median seconds and median passes per image."""
    names = [name for name in scores.explainers if name in scores.seconds or name in scores.passes]
    return [(n, _median(scores.seconds.get(n)), _median(scores.passes.get(n))) for n in names]


def _median(values: np.ndarray | None) -> str:
    known = np.empty(0) if values is None else values[~np.isnan(values)]
    return number(float(np.median(known))) if len(known) else "–"

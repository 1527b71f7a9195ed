"""The benchmark page: how well explainers explain the model, from folders of `bench quality`."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..errors import ConvvizError
from ..storage.untrusted_files import JSON_LIMIT, read_bounded
from .benchmark_summary import BenchmarkSummary, Metric, Row, is_benchmark, read_summary
from .photo_pass import save_picture
from .site import Link, Site

PICTURES = "pictures"
MAX_PICTURES = 60
MAX_PIXELS = 1 << 25
DPI_OF_PICTURES = 120
CSS_DPI = 96


def links(site: Site) -> list[Link]:
    """Return the entry of the navigation, if a folder of a benchmark was given."""
    has_any = any(is_benchmark(folder) for folder in site.explained)
    return [Link("benchmark", "Benchmark", "benchmark.html")] if has_any else []


def request_pictures(site: Site) -> None:
    """Request nothing: the page shows pictures of the benchmark."""


def write(site: Site) -> None:
    """Write `benchmark.html` with all benchmarks that were given."""
    folders = [folder for folder in site.explained if is_benchmark(folder)]
    if not folders:
        return
    benchmarks = [_benchmark(site, number, folder) for number, folder in enumerate(folders)]
    site.write_page("benchmark.html", "benchmark.html", "benchmark", benchmarks=benchmarks)


def _benchmark(site: Site, number: int, folder: Path) -> dict[str, Any]:
    """Return what the template shows of a benchmark: an error, or table, notes and pictures."""
    name = folder.name or str(folder)
    try:
        summary = read_summary(folder)
    except ConvvizError as error:
        return {"name": name, "error": str(error)}
    marks = list(dict.fromkeys(mark for row in summary.rows for mark in row.marks))
    rows = {(row.explainer, row.metric): row for row in summary.rows}
    return {
        "name": name,
        "error": "",
        "summary": summary,
        "marks": marks,
        "table": [
            {
                "name": explainer,
                "is_control": any(
                    row.is_control for row in summary.rows if row.explainer == explainer
                ),
                "cells": [
                    _cell(summary, metric, rows.get((explainer, metric.name)), marks)
                    for metric in summary.metrics
                ],
            }
            for explainer in summary.explainers
        ],
        "pictures": list(_pictures(site, number, folder, summary)),
    }


def _cell(
    summary: BenchmarkSummary, metric: Metric, row: Row | None, marks: Sequence[str]
) -> dict[str, Any]:
    """Return a cell of the table: number, texts, footnotes, and whether it fails the baseline."""
    if row is None:
        return {
            "value": "",
            "text": "–",
            "interval": "",
            "group": "",
            "marks": [],
            "is_weak": False,
        }
    value, ends = row.mean.value, [row.mean.low, row.mean.high]
    no_value = "undefined" if row.measured else "–"
    return {
        "value": "" if value is None else value,
        "text": no_value if value is None else score_text(value),
        "interval": " … ".join(score_text(end) for end in ends if end is not None),
        "group": row.group,
        "marks": [marks.index(mark) + 1 for mark in row.marks],
        "is_weak": row.explainer != summary.baseline and _fails_baseline(metric, row),
    }


def _fails_baseline(metric: Metric, row: Row) -> bool:
    """Return whether the interval of the difference does not lie beyond the baseline."""
    low, high = row.difference.low, row.difference.high
    if metric.higher_is_better is None or low is None or high is None:
        return False
    return low <= 0 if metric.higher_is_better else high >= 0


def score_text(value: float) -> str:
    """Return a score with three decimals, or in scientific notation."""
    is_plain = value == 0 or 5e-4 <= abs(value) < 1000
    return f"{value:.3f}" if is_plain and math.isfinite(value) else f"{value:.2e}"


def _pictures(
    site: Site, number: int, folder: Path, summary: BenchmarkSummary
) -> Iterator[dict[str, Any]]:
    """Copy the pictures of a benchmark into the report, and yield how to show them."""
    titles = {metric.name: metric.title for metric in summary.metrics}
    for place, name in enumerate(_picture_names(folder)):
        picture = _read_picture(folder, name)
        if picture is None:
            continue
        path = f"media/benchmark/{number}-{place:02d}.png"
        save_picture(site.folder / path, picture)
        kind, _, rest = name.removesuffix(".png").partition("-")
        words = [titles.get(part, part) for part in rest.split("--") if part]
        yield {
            "path": path,
            "width": round(picture.shape[1] * CSS_DPI / DPI_OF_PICTURES),
            "height": round(picture.shape[0] * CSS_DPI / DPI_OF_PICTURES),
            "caption": f"{kind}: {', '.join(words).replace('-', ' ')}" if words else kind,
        }


def _picture_names(folder: Path) -> list[str]:
    """Return the names of the PNG files: intervals first, then curves and the others."""
    try:
        names = [name for name in os.listdir(folder / PICTURES) if name.endswith(".png")]
    except OSError:
        return []
    order = {"intervals": 0, "curve": 1}
    return sorted(names, key=lambda name: (order.get(name.partition("-")[0], 2), name))[
        :MAX_PICTURES
    ]


def _read_picture(folder: Path, name: str) -> Any:
    """Return a PNG file as uint8 `[h, w, 3]`; None if it is not a picture of bounded size."""
    import numpy as np
    from PIL import Image

    try:
        data = read_bounded(folder, f"{PICTURES}/{name}", JSON_LIMIT)
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            if image.width * image.height > MAX_PIXELS:
                return None
            return np.asarray(image.convert("RGB"))
    except (ConvvizError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None

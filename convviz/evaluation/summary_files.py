"""Files of a benchmark: scores of images, the table, and the summary."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from ..storage import durable_file
from ..storage.table_formats import TableFormat, arrow_table, write_table
from .scores import Scores
from .statistics import Summary


def write_files(summary: Summary, scores: Scores, folder: Path) -> None:
    """Write `scores.parquet`, `costs.parquet`, `table.csv` and `summary.json` to a folder."""
    _write_table(_score_columns(scores), folder / "scores.parquet", "parquet")
    _write_table(_cost_columns(scores), folder / "costs.parquet", "parquet")
    _write_table(_table_columns(summary), folder / "table.csv", "csv")
    text = json.dumps(as_json(summary), indent=1, allow_nan=False)
    durable_file.write(folder / "summary.json", f"{text}\n".encode())


def as_json(summary: Summary) -> dict[str, Any]:
    """Return a summary as JSON values; NaN and infinite values are null."""
    values = {"format": 1, **dataclasses.asdict(summary)}
    plain: dict[str, Any] = _plain(values)
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(item) for item in value]
    if isinstance(value, float):  # includes numpy's float64
        return float(value) if np.isfinite(value) else None
    return value


def _score_columns(scores: Scores) -> dict[str, Any]:
    """Return one row per image, explainer and metric that was computed."""
    shape = scores.values.shape
    measured = np.ones(shape, bool) if scores.measured is None else scores.measured
    places = np.argwhere(measured)
    names = (scores.images, scores.explainers, scores.metric_names)
    columns: dict[str, Any] = {
        title: [known[i] for i in places[:, axis]]
        for axis, (title, known) in enumerate(
            zip(("image", "explainer", "metric"), names, strict=True)
        )
    }
    return columns | {"value": scores.values[measured]}


def _cost_columns(scores: Scores) -> dict[str, Any]:
    """Return one row per image and explainer whose time or passes are known."""
    names = [e for e in scores.explainers if e in scores.seconds or e in scores.passes]
    unknown = np.full(len(scores.images), np.nan)
    return {
        "image": [image for _ in names for image in scores.images],
        "explainer": [name for name in names for _ in scores.images],
        "seconds": _joined([scores.seconds.get(name, unknown) for name in names]),
        "passes": _joined([scores.passes.get(name, unknown) for name in names]),
    }


def _joined(columns: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(columns).astype(float) if columns else np.empty(0)


def _table_columns(summary: Summary) -> dict[str, Any]:
    """Return one row per metric and explainer."""
    rows = summary.rows
    columns: dict[str, Any] = {
        "metric": [row.metric for row in rows],
        "explainer": [row.explainer for row in rows],
        "is_control": [row.is_control for row in rows],
    }
    for name in ("mean", "difference"):
        intervals = [getattr(row, name) for row in rows]
        columns[name] = np.array([interval.value for interval in intervals])
        columns[f"{name}_low"] = np.array([interval.low for interval in intervals])
        columns[f"{name}_high"] = np.array([interval.high for interval in intervals])
    return columns | {
        "win_rate": np.array([row.win_rate for row in rows]),
        "images": [row.count for row in rows],
        "undefined": [row.undefined for row in rows],
        "measured": [row.measured for row in rows],
        "group": [row.group for row in rows],
        "marks": ["; ".join(row.marks) for row in rows],
    }


def _write_table(columns: dict[str, Any], path: Path, kind: TableFormat) -> None:
    buffer = io.BytesIO()
    write_table(arrow_table(columns), buffer, kind)
    durable_file.write(path, buffer.getvalue())

"""The file `summary.json` of a benchmark of explainers, which others may have written."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from ..errors import ConvvizError
from ..storage.untrusted_files import JSON_LIMIT, MissingFileError, open_regular, read_bounded

SUMMARY = "summary.json"
FORMAT = 1
MAX_METRICS, MAX_EXPLAINERS, MAX_ROWS = 100, 1000, 5000


class Metric(BaseModel):
    """A metric: names and direction."""

    name: str
    title: str
    higher_is_better: bool | None
    description: str = ""


class Interval(BaseModel):
    """A mean with its 95 % interval; None where it is not defined."""

    value: float | None = None
    low: float | None = None
    high: float | None = None


class Row(BaseModel):
    """The score of an explainer by a metric."""

    explainer: str
    metric: str
    is_control: bool
    mean: Interval = Interval()
    difference: Interval = Interval()
    measured: int
    group: str = ""
    marks: list[str] = []


class BenchmarkSummary(BaseModel):
    """The statistics of a benchmark."""

    format: int
    metrics: list[Metric] = Field(max_length=MAX_METRICS)
    explainers: list[str] = Field(max_length=MAX_EXPLAINERS)
    baseline: str
    images: int
    rows: list[Row] = Field(max_length=MAX_ROWS)
    notes: list[str] = []


def is_benchmark(folder: Path) -> bool:
    """Return whether a folder is one that `convviz bench quality` has written."""
    try:
        open_regular(folder, SUMMARY).close()
    except MissingFileError:
        return False
    except ConvvizError:
        pass  # `read_summary` says what is wrong
    return True


def read_summary(folder: Path) -> BenchmarkSummary:
    """Return the statistics of a benchmark; raises ConvvizError if they are damaged."""
    data = read_bounded(folder, SUMMARY, JSON_LIMIT)
    try:
        summary = BenchmarkSummary.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise ConvvizError(f"{folder / SUMMARY}: {place}: {first['msg']}") from error
    if summary.format != FORMAT:
        raise ConvvizError(f"{folder / SUMMARY} has the format {summary.format}, not {FORMAT}")
    return summary

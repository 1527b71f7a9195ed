"""Functions that several checks use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import torch

from ..network.inputs import make_batch
from ..plugin.explainer import MapKind
from ..results.types import Heatmap, Mask, Result
from .bench import Bench
from .compare import changed_entries, raw


class CheckFailedError(Exception):
    """A check failed; the message is the reason."""


def none_of(problems: Iterator[str] | list[str], before: str = "") -> None:
    """Raise CheckFailedError with the first problems, if there are any."""
    reports = list(problems)
    if reports:
        others = f", and {len(reports) - 3} more" if len(reports) > 3 else ""
        raise CheckFailedError(before + "; ".join(reports[:3]) + others)


def shape_problems(result: Result, bench: Bench) -> Iterator[str]:
    """Yield the problems of the shapes and dtypes of a result for all photos."""
    size = make_batch(list(bench.photos), bench.model).images.shape[-2:]
    if isinstance(result, Mask | Heatmap) and result.values.shape[-2:] != size:
        yield f"a map has shape {list(result.values.shape)}, the model's input is {list(size)}"
    if isinstance(result, Mask) and result.values.dtype != torch.bool:
        yield f"the values of a Mask are {result.values.dtype}, not torch.bool"
    if isinstance(result, Heatmap) and result.values.dtype != bench.model.dtype:
        yield f"the values are {result.values.dtype}, the model is {bench.model.dtype}"


def kind_problems(kind: object, result: Result) -> Iterator[str]:
    """Yield the problems of what an explainer declares its map to be."""
    if kind is None:
        return
    allowed = get_args(MapKind)
    if kind not in allowed:
        yield f"kind is {kind!r}; allowed are None, {', '.join(map(repr, allowed))}"
    elif not isinstance(result, Mask | Heatmap):
        yield f"kind is {kind!r}, but the result is a {type(result).__name__}, not a map"
    elif kind != "rank" and not getattr(result, "signed", False):
        yield f"kind is {kind!r}, but the map is not signed"


def nothing_written(bench: Bench, target: Any = None) -> None:
    """Check that the explainer does not write to tensors that it shares with other explainers."""
    call = bench.call(target)
    before = {name: (raw(t), t.requires_grad) for name, t in call.tensors().items()}
    call.run()
    after = {name: (raw(t), t.requires_grad) for name, t in call.tensors().items()}
    none_of(changed_entries(before, after), "it writes to tensors that other explainers share: ")

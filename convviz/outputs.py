"""Picking the scores out of whatever a network returns."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from .errors import ConvvizWarning, ModelError, UnknownNameError

Pick = str | int | Callable[[Any], Tensor] | None

_HELP = (
    "Model(output=…) picks the scores [N, classes]: a key, an index, an attribute's name, or a "
    "function such as output=lambda out: out['out'].mean((2, 3))"
)


def scores_of(out: Any, pick: Pick, count: int) -> Tensor:
    """Return the scores `[N, classes]`; raises ModelError where that is not what comes.

    Args:
        out: what the network returned.
        pick: the model's `output`.
        count: N, the number of images.
    """
    scores = picked(out, pick)
    what = "the network returned" if pick is None else f"output={pick!r} picked"
    if not isinstance(scores, Tensor):
        raise ModelError(f"{what} {describe(scores)}, not scores [N, classes]; {_HELP}")
    fits = scores.ndim == 2 and scores.shape[0] == count and scores.shape[1] > 0
    if not fits or not scores.is_floating_point():
        raise ModelError(
            f"{what} {describe(scores)} for {count} images, not scores [N, classes]; {_HELP}"
        )
    return scores


def picked(out: Any, pick: Pick) -> Any:
    """Return the part of a network's output that `pick` names."""
    if pick is None:
        return out
    if callable(pick):
        return pick(out)
    if isinstance(pick, int):
        if not isinstance(out, tuple | list):
            raise ModelError(f"output={pick} needs a tuple; the network returned {describe(out)}")
        if not -len(out) <= pick < len(out):
            raise ModelError(f"output={pick} is outside what came: {describe(out)}")
        return out[pick]
    if isinstance(out, Mapping):
        if pick not in out:
            raise UnknownNameError("output", pick, [str(k) for k in out])
        return out[pick]
    if not hasattr(out, pick):
        raise ModelError(f"output={pick!r}: there is no such attribute in {describe(out)}")
    return getattr(out, pick)


def describe(out: Any) -> str:
    """Say in a few words what a network returned."""
    if isinstance(out, Tensor):
        return f"a {str(out.dtype).removeprefix('torch.')} tensor {list(out.shape)}"
    if isinstance(out, Mapping):
        return "{" + ", ".join(f"{k!r}: {describe(v)}" for k, v in out.items()) + "}"
    if isinstance(out, tuple | list):
        inner = ", ".join(describe(v) for v in out)
        return f"a {type(out).__name__} ({inner})"
    return f"a {type(out).__name__}"


def are_probabilities(scores: Tensor) -> bool:
    """Say whether every row lies in [0, 1] and sums to 1."""
    if scores.shape[0] == 0 or scores.shape[1] < 2:
        return False
    rows = scores.detach().double()
    inside = bool(((rows >= 0) & (rows <= 1)).all())
    return inside and bool(((rows.sum(1) - 1).abs() < 1e-3).all())


def warn_of_probabilities(name: str) -> None:
    """Warn that a model's outputs look like probabilities."""
    warnings.warn(
        f"the scores of {name} are probabilities already (rows in [0, 1] that sum to 1); "
        "explanations of a softmax mix the target with all other classes: give the network "
        "without its softmax, or pick its logits with Model(output=…)",
        ConvvizWarning,
        stacklevel=3,
    )

"""Sets of weights in a checkpoint, and the choice of the one that fits a network.

Training scripts nest a state dict under keys ("state_dict", "model"), add prefixes to its names
("module.", "backbone."), and keep several of them: an average beside the last weights, a teacher
and its student, a generator and a discriminator.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from convviz import ConvvizWarning, ModelError, UnknownNameError

State = dict[str, Tensor]
Shapes = Mapping[str, tuple[int, ...] | None]
"""Name in a network -> shape of the weight, or None for any shape."""

_DEPTH = 4
_NO_WEIGHTS = re.compile(
    r"(^|_)(optim|optimizers?|(lr_)?schedulers?|(grad_)?scaler|rng|callbacks|loops|args|config|"
    r"hparams|hyper_parameters)(_|$)",
    re.IGNORECASE,
)
"""Keys of other training state in checkpoints, which may contain tensors by name."""

_AVERAGES = re.compile(r"(^|[._])(ema|avg|averaged?|teacher|swa|shadow|polyak)([._]|$)", re.I)
"""Names of averaged weights, which are chosen only after the trained weights."""

_COUNTER = "num_batches_tracked"
"""Counters of batch norms, missing in checkpoints from before PyTorch 0.4.1."""


@dataclass(frozen=True, eq=False)
class WeightSet:
    """A state dict in a checkpoint.

    Attributes:
        name: its keys and prefix in the checkpoint, joined by dots; "" at the top level.
        state: name -> tensor.
        names: number of names that the network has too.
        shapes: number of these whose shapes match.
    """

    name: str
    state: State
    names: int = 0
    shapes: int = 0


def weight_sets(loaded: Any) -> list[WeightSet]:
    """Return the state dicts of a checkpoint, in its order."""
    return [WeightSet(".".join(path), state) for path, state in _walk(loaded, ())]


def choose(sets: Sequence[WeightSet], network: Shapes, key: str | None, what: str) -> WeightSet:
    """Return the set of weights that fits a network best, without its prefix.

    If several fit equally well, trained weights come before averaged ones, then the order in the
    file decides; a warning names the others.

    Args:
        sets: the sets of a checkpoint.
        network: names and shapes of the network's state dict.
        key: name of the set to use, or its beginning; None chooses the best.
        what: name of the checkpoint for messages.

    Raises:
        UnknownNameError: there is no set of that name.
        ModelError: no set has a name of the network.
    """
    fitting = sorted((f for s in sets for f in _fitting(s, network)), key=_order)
    if key is not None:
        named = [s for s in fitting if _is_called(s.name, key)] or [
            s for s in sets if _is_called(s.name, key)
        ]
        if not named:
            known = dict.fromkeys([*(s.name for s in fitting), *(s.name for s in sets)])
            raise UnknownNameError(f"set of weights of {what}", key, [n for n in known if n])
        return named[0]
    if not fitting:
        raise ModelError(f"{what}: none of the weights have the network's names; {describe(sets)}")
    best = fitting[0]
    fit = best.names, best.shapes
    others = [s for s in fitting[1:] if (s.names, s.shapes) == fit and not _same(s, best)]
    if others:
        warnings.warn(
            f"{what} has several sets of weights that fit: {best.name or 'the top level'!r} is "
            f"used; key= selects another: {', '.join(repr(s.name) for s in others)}",
            ConvvizWarning,
            stacklevel=2,
        )
    return best


def describe(sets: Sequence[WeightSet]) -> str:
    """Return a description of the sets of a checkpoint, with the first name of each."""
    descriptions = [f"{s.name or 'the top level'!r} ({next(iter(s.state))}, …)" for s in sets[:6]]
    return "the file contains " + (", ".join(descriptions) or "no weights by name (a state dict)")


def _walk(loaded: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], State]]:
    if isinstance(loaded, list | tuple):
        loaded = {str(i): item for i, item in enumerate(loaded[:8])}
    if not isinstance(loaded, Mapping):
        return
    state = {k: v for k, v in loaded.items() if isinstance(k, str) and isinstance(v, Tensor)}
    if state:
        yield path, state
    for key, value in loaded.items():
        skipped = not isinstance(key, str) or _NO_WEIGHTS.search(key)
        if not skipped and len(path) < _DEPTH and not isinstance(value, Tensor):
            yield from _walk(value, (*path, key))


def _fitting(weights: WeightSet, network: Shapes) -> Iterator[WeightSet]:
    """Yield a set for each prefix after which its names are those of the network."""
    prefixes = Counter[str]()
    for name in weights.state:
        at = 0
        while at >= 0:
            if name[at:] in network and not name.endswith(_COUNTER):
                prefixes[name[:at]] += 1
            at = name.find(".", at) + 1 or -1
    most = max(prefixes.values(), default=0)
    for prefix, count in prefixes.items():
        if 2 * count < most:
            continue
        state = {
            k.removeprefix(prefix): v for k, v in weights.state.items() if k.startswith(prefix)
        }
        shapes = sum(k in network and network[k] in (None, v.shape) for k, v in state.items())
        name = ".".join(part for part in (weights.name, prefix.rstrip(".")) if part)
        yield WeightSet(name, state, count, shapes)


def _order(weights: WeightSet) -> tuple[int, int, bool]:
    return -weights.names, -weights.shapes, bool(_AVERAGES.search(weights.name))


def _is_called(name: str, key: str) -> bool:
    return name == key or name.startswith(f"{key}.")


def _same(a: WeightSet, b: WeightSet) -> bool:
    """Return whether two sets are equal: a checkpoint may contain the same set twice."""
    return a.state.keys() == b.state.keys() and all(
        torch.equal(value, b.state[name]) for name, value in a.state.items()
    )

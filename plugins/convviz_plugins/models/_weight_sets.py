"""The sets of weights that a checkpoint holds, and which of them a network gets.

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
"""Name in a network -> the shape of the weight, None for any."""

_DEPTH = 4
_NO_WEIGHTS = re.compile(
    r"(^|_)(optim|optimizers?|(lr_)?schedulers?|(grad_)?scaler|rng|callbacks|loops|args|config|"
    r"hparams|hyper_parameters)(_|$)",
    re.IGNORECASE,
)
"""Keys of what training scripts keep beside weights, some of it tensors by name."""

_AVERAGES = re.compile(r"(^|[._])(ema|avg|averaged?|teacher|swa|shadow|polyak)([._]|$)", re.I)
"""Names of sets that are taken after the weights that were trained."""

_COUNTER = "num_batches_tracked"
"""Of batch norms; checkpoints from before PyTorch 0.4.1 lack them."""


@dataclass(frozen=True, eq=False)
class WeightSet:
    """A state dict in a checkpoint.

    Attributes:
        name: the keys and the prefix that lead to it, joined by dots; "" at the top.
        state: name -> tensor.
        names: how many of the network's names it has.
        shapes: how many of these have the network's shape.
    """

    name: str
    state: State
    names: int = 0
    shapes: int = 0


def weight_sets(loaded: Any) -> list[WeightSet]:
    """List the state dicts in what was read from a checkpoint, in its order."""
    return [WeightSet(".".join(path), state) for path, state in _walk(loaded, ())]


def choose(sets: Sequence[WeightSet], network: Shapes, key: str | None, what: str) -> WeightSet:
    """Return the set of weights that fits a network best, without its prefix.

    Of several that fit alike the trained weights come before averages of them, then the first
    in the file; a warning names the others.

    Args:
        sets: those of a checkpoint.
        network: the names in the network's state dict, with shapes.
        key: the name of the set to take, or the beginning of it; None chooses.
        what: what messages call the checkpoint.

    Raises:
        UnknownNameError: there is no set of that name.
        ModelError: no name of any set is one of the network's.
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
            f"{what} holds several sets of weights that fit: {best.name or 'the top level'!r} is "
            f"taken; key= takes another: {', '.join(repr(s.name) for s in others)}",
            ConvvizWarning,
            stacklevel=2,
        )
    return best


def describe(sets: Sequence[WeightSet]) -> str:
    """Name the sets of a checkpoint with the first name in each."""
    shown = [f"{s.name or 'the top level'!r} ({next(iter(s.state))}, …)" for s in sets[:6]]
    return "the file holds " + (", ".join(shown) or "no weights by name (a state dict)")


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


def _fitting(found: WeightSet, network: Shapes) -> Iterator[WeightSet]:
    """Yield a set once for each prefix behind which it has names of the network."""
    prefixes = Counter[str]()
    for name in found.state:
        at = 0
        while at >= 0:
            if name[at:] in network and not name.endswith(_COUNTER):
                prefixes[name[:at]] += 1
            at = name.find(".", at) + 1 or -1
    most = max(prefixes.values(), default=0)
    for prefix, count in prefixes.items():
        if 2 * count < most:
            continue
        state = {k.removeprefix(prefix): v for k, v in found.state.items() if k.startswith(prefix)}
        shapes = sum(k in network and network[k] in (None, v.shape) for k, v in state.items())
        name = ".".join(part for part in (found.name, prefix.rstrip(".")) if part)
        yield WeightSet(name, state, count, shapes)


def _order(found: WeightSet) -> tuple[int, int, bool]:
    return -found.names, -found.shapes, bool(_AVERAGES.search(found.name))


def _is_called(name: str, key: str) -> bool:
    return name == key or name.startswith(f"{key}.")


def _same(a: WeightSet, b: WeightSet) -> bool:
    """Return whether two sets hold the same numbers: one checkpoint may name one set twice."""
    return a.state.keys() == b.state.keys() and all(
        torch.equal(value, b.state[name]) for name, value in a.state.items()
    )

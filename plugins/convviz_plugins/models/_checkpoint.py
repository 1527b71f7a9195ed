"""Reads checkpoints safely and puts them into networks, saying exactly what does not fit."""

from __future__ import annotations

import difflib
import pickle
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from convviz import ModelError

from . import _formats
from ._weight_sets import State, WeightSet, weight_sets


def read(path: str | Path) -> State:
    """Read the first state dict of a checkpoint; errors as of `read_sets`."""
    return read_sets(path)[0].state


def read_sets(path: str | Path) -> list[WeightSet]:
    """Read a checkpoint: safetensors, or a PyTorch file that holds nothing but tensors.

    Raises ModelError where it is missing, damaged, of another kind, without weights by name, or
    would have to run code to be read.
    """
    path = Path(path)
    kind = _formats.kind_of(path)
    sets = weight_sets(_read_safetensors(path) if kind == "safetensors" else _read_pickle(path))
    if not sets:
        raise ModelError(f"{str(path)!r} holds no weights by name (a state dict)")
    return sets


def load_into(module: nn.Module, state: State, what: str) -> None:
    """Load weights into a network; raises ModelError for names and shapes that differ."""
    own = module.state_dict()
    shapes = _shapes(own, state)
    problems = _missing(own, state) + _not_in_network(own, state) + shapes
    if problems:
        shown = "\n  ".join(problems[:8])
        others = f"\n  and {len(problems) - 8} more" if len(problems) > 8 else ""
        outputs = _outputs(own, state) if len(shapes) == len(problems) else ""
        raise ModelError(f"{what}: the weights do not fit{outputs}\n  {shown}{others}")
    module.load_state_dict(state, strict=False)  # missing are counters of batch norm only


def _read_safetensors(path: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelError(f"{str(path)!r} is not a readable safetensors file: {error}") from error


def _read_pickle(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        reason = str(error).split("\n\t")[-1].strip().splitlines()[0]
        raise ModelError(
            f"{str(path)!r} holds more than tensors, which is refused because reading it could "
            "run code it contains; save model.state_dict() with safetensors.torch.save_file "
            f"instead ({reason})"
        ) from error
    except (RuntimeError, OSError, EOFError, ValueError, LookupError, TypeError) as error:
        first = (str(error) or type(error).__name__).splitlines()[0]
        raise ModelError(f"{str(path)!r} is not a readable checkpoint: {first}") from error


def _missing(own: State, state: State) -> list[str]:
    # Checkpoints from before PyTorch 0.4.1 have no such counters.
    gone = [k for k in own if k not in state and not k.endswith("num_batches_tracked")]
    return [f"{key} is missing{nearest(key, state.keys() - own.keys())}" for key in gone]


def _not_in_network(own: State, state: State) -> list[str]:
    extra = [k for k in state if k not in own]
    return [
        f"{key} is not in the network{nearest(key, own.keys() - state.keys())}" for key in extra
    ]


def _shapes(own: State, state: State) -> list[str]:
    return [
        f"{key} is {list(state[key].shape)} in the file, {list(value.shape)} in the network"
        for key, value in own.items()
        if key in state and state[key].shape != value.shape
    ]


def _outputs(own: State, state: State) -> str:
    """Return a note where only the number of outputs of one layer differs; else ""."""
    differing = [k for k, v in own.items() if state[k].shape != v.shape]
    layers = {k.rpartition(".")[0] for k in differing}
    if len(layers) > 1 or any(own[k].shape[1:] != state[k].shape[1:] for k in differing):
        return ""
    given, wanted = len(state[differing[0]]), len(own[differing[0]])
    return f": layer {layers.pop()!r} has {given} outputs in the file, {wanted} in the network"


def nearest(key: str, others: Iterable[str]) -> str:
    """Return the name that comes closest, in brackets; "" where none does."""
    near = difflib.get_close_matches(key, sorted(others), n=1, cutoff=0.6)
    return f" (closest: {near[0]})" if near else ""

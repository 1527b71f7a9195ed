"""Safe reading of checkpoints, and loading them into networks with precise errors."""

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
    """Return the first state dict of a checkpoint; raises like `read_sets`."""
    return read_sets(path)[0].state


def read_sets(path: str | Path) -> list[WeightSet]:
    """Return the state dicts of a checkpoint: safetensors, or a PyTorch file with tensors only.

    Raises:
        ModelError: the file is missing, damaged, of another kind, without a state dict, or reading
            it could run code.
    """
    path = Path(path)
    kind = _formats.kind_of(path)
    sets = weight_sets(_read_safetensors(path) if kind == "safetensors" else _read_pickle(path))
    if not sets:
        raise ModelError(f"{str(path)!r} contains no weights by name (a state dict)")
    return sets


def load_into(module: nn.Module, state: State, what: str) -> None:
    """Load weights into a network; raises ModelError if names or shapes differ."""
    network_state = module.state_dict()
    shapes = _shapes(network_state, state)
    problems = _missing(network_state, state) + _not_in_network(network_state, state) + shapes
    if problems:
        lines = "\n  ".join(problems[:8])
        others = f"\n  and {len(problems) - 8} more" if len(problems) > 8 else ""
        outputs = _outputs(network_state, state) if len(shapes) == len(problems) else ""
        raise ModelError(f"{what}: the weights do not fit{outputs}\n  {lines}{others}")
    module.load_state_dict(state, strict=False)  # only batch-norm counters may be missing


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
            f"{str(path)!r} contains more than tensors and is refused, because reading it could "
            "run code; save model.state_dict() with safetensors.torch.save_file "
            f"instead ({reason})"
        ) from error
    except (RuntimeError, OSError, EOFError, ValueError, LookupError, TypeError) as error:
        # The message of a KeyError is a number inside the pickle, which says nothing to a user.
        message = "" if isinstance(error, KeyError) else str(error)
        reason = message.splitlines()[0] if message else "it was not written by torch.save"
        raise ModelError(f"{str(path)!r} is not a readable checkpoint: {reason}") from error


def _missing(network_state: State, state: State) -> list[str]:
    # Checkpoints from before PyTorch 0.4.1 have no such counters.
    absent = [k for k in network_state if k not in state and not k.endswith("num_batches_tracked")]
    unused = state.keys() - network_state.keys()
    return [f"{key} is missing{nearest(key, unused)}" for key in absent]


def _not_in_network(network_state: State, state: State) -> list[str]:
    extra = [k for k in state if k not in network_state]
    absent = network_state.keys() - state.keys()
    return [f"{key} is not in the network{nearest(key, absent)}" for key in extra]


def _shapes(network_state: State, state: State) -> list[str]:
    return [
        f"{key} is {list(state[key].shape)} in the file, {list(value.shape)} in the network"
        for key, value in network_state.items()
        if key in state and state[key].shape != value.shape
    ]


def _outputs(network_state: State, state: State) -> str:
    """Return a note if only the number of outputs of one layer differs, otherwise ""."""
    differing = [k for k, v in network_state.items() if state[k].shape != v.shape]
    layers = {k.rpartition(".")[0] for k in differing}
    if len(layers) > 1 or any(network_state[k].shape[1:] != state[k].shape[1:] for k in differing):
        return ""
    in_file, in_network = len(state[differing[0]]), len(network_state[differing[0]])
    layer = layers.pop()
    return f": layer {layer!r} has {in_file} outputs in the file, {in_network} in the network"


def nearest(key: str, others: Iterable[str]) -> str:
    """Return a note with the closest name, or "" if none is close."""
    near = difflib.get_close_matches(key, sorted(others), n=1, cutoff=0.6)
    return f" (closest: {near[0]})" if near else ""

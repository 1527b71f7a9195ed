"""Reads checkpoints safely and puts them into networks, saying exactly what does not fit."""

from __future__ import annotations

import difflib
import pickle
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from convviz import ModelError

SUFFIXES = (".safetensors", ".pt", ".pth", ".bin", ".ckpt")

_WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "weights")
_PREFIXES = ("module.", "model.", "_orig_mod.")

State = dict[str, Tensor]


def read(path: str | Path) -> State:
    """Read a checkpoint: safetensors, or a PyTorch file that holds nothing but tensors.

    Raises ModelError where it is missing, damaged, or would have to run code to be read.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelError(f"there is no checkpoint {str(path)!r}")
    loaded = _read_safetensors(path) if path.suffix == ".safetensors" else _read_pickle(path)
    state = _unwrap(loaded)
    if not state:
        raise ModelError(f"{str(path)!r} holds no weights by name (a state dict)")
    return state


def load_into(module: nn.Module, state: State, what: str) -> None:
    """Put weights into a network; raises ModelError for the names and shapes that differ.

    Prefixes that training wrappers add (`module.`, `model.`) are taken off where the network
    has no such names.
    """
    own = module.state_dict()
    state = strip(state, own)
    problems = _missing(own, state) + _unexpected(own, state) + _shapes(own, state)
    if problems:
        shown = "\n  ".join(problems[:8])
        more = f"\n  and {len(problems) - 8} more" if len(problems) > 8 else ""
        raise ModelError(f"{what}: the weights do not fit\n  {shown}{more}")
    module.load_state_dict(state, strict=False)  # missing are counters of batch norm only


def strip(state: State, own: Mapping[str, Any]) -> State:
    """Take prefixes off for as long as that makes more names fit."""
    while True:
        prefix = next((p for p in _PREFIXES if all(k.startswith(p) for k in state)), None)
        if prefix is None:
            return state
        shorter = {key.removeprefix(prefix): value for key, value in state.items()}
        if len(own.keys() & state.keys()) >= max(1, len(own.keys() & shorter.keys())):
            return state
        state = shorter


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


def _unwrap(loaded: Any) -> State:
    """Find the state dict in what training scripts save."""
    if not isinstance(loaded, Mapping):
        return {}
    for key in _WRAPPERS:
        if isinstance(loaded.get(key), Mapping):
            return _unwrap(loaded[key])
    if all(isinstance(value, Tensor) for value in loaded.values()):
        return dict(loaded)
    return {}


def _missing(own: State, state: State) -> list[str]:
    # Checkpoints from before PyTorch 0.4.1 have no such counters.
    gone = [k for k in own if k not in state and not k.endswith("num_batches_tracked")]
    return [f"{key} is missing{nearest(key, state.keys() - own.keys())}" for key in gone]


def _unexpected(own: State, state: State) -> list[str]:
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


def nearest(key: str, others: Iterable[str]) -> str:
    """Say which of some names comes closest, in brackets; "" where none does."""
    near = difflib.get_close_matches(key, sorted(others), n=1, cutoff=0.6)
    return f" (closest: {near[0]})" if near else ""

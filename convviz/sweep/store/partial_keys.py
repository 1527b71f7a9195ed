"""Keys of the tensors of partials in the file of a shard: `<step>/<layer>/<name>`.

Layer names may contain "/", so they are encoded like folder names: the first two slashes of a key
always separate its parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from torch import Tensor

from ...plugin.explainer import Partial
from ...storage.path_names import folder_name, layer_name


def flatten_partials(partials: Sequence[Partial]) -> dict[str, Tensor]:
    """Return the tensors of the partials, one partial per step of the plan, by key."""
    return {
        f"{step}/{folder_name(layer)}/{name}": tensor
        for step, partial in enumerate(partials)
        for layer, tensors in partial.items()
        for name, tensor in tensors.items()
    }


def keys_of_step(keys: Iterable[str], step: int) -> list[str]:
    """Return the keys of a step, sorted."""
    return sorted(key for key in keys if key.startswith(f"{step}/"))


def nest_tensors(tensors: Iterable[tuple[str, Tensor]]) -> Partial:
    """Return the partial of a step from pairs of key and tensor."""
    partial: Partial = {}
    for key, tensor in tensors:
        _, layer, name = key.split("/", 2)
        partial.setdefault(layer_name(layer), {})[name] = tensor
    return partial


def read_partial(path: Path, step: int) -> Partial:
    """Return the partial of a step from the file of a shard; its tensors are memory-mapped."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        keys = keys_of_step(file.keys(), step)
        return nest_tensors((key, file.get_tensor(key)) for key in keys)

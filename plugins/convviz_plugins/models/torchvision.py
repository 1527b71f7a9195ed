"""Networks of torchvision: "resnet50", "torchvision:resnet50@IMAGENET1K_V2", "?weights=none"."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from convviz import Model, Preprocess, UnknownNameError
from convviz.authoring import hookimpl, preprocess_from_torchvision

from . import _checkpoint, _options
from ._fetch import fetch

_lock = threading.Lock()


def _renew_lock() -> None:
    """Replace the lock in a forked child, where a thread that held it does not exist."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


@hookimpl(tryfirst=True)
def convviz_load_model(source: str, options: Mapping[str, Any]) -> Model | None:
    """Load a classification or segmentation network; `weights=` or `@` selects its weights.

    Further options: `weights` (a name, "DEFAULT" or "none"), `seed` of random weights.
    """
    name, _, tag = source.partition("@")
    if name not in names():
        raise UnknownNameError("torchvision model", source, names())
    _options.check(options, ("weights", "seed"))
    weights = find_weights(name, tag or options.get("weights", "DEFAULT"))
    module = build(name, weights=weights, seed=_options.integer("seed", options.get("seed", 0)))
    categories = weights.meta["categories"] if weights is not None else ()
    return _options.make_model(
        module,
        options,
        name=f"{name}@{weights.name}" if weights is not None else f"{name} (random weights)",
        preprocess=default_preprocess(name, weights),
        labels=categories,
        classes=len(categories) or None,
        output=output_of(name),
    )


@hookimpl
def convviz_vouches_for_source(source: str, options: Mapping[str, Any]) -> bool:
    """Return True: the weights of torchvision are read as tensors only."""
    return _options.are_harmless(options, ("weights", "seed"))


def names() -> list[str]:
    """Return the names of the networks for classification and segmentation."""
    import torchvision

    return [*torchvision.models.list_models(module=torchvision.models), *_segmentation()]


def check_name(name: str) -> str:
    """Return the name of a network; raises UnknownNameError."""
    known = names()
    if name not in known:
        raise UnknownNameError("torchvision model", name, known)
    return name


def output_of(name: str) -> Callable[[Any], Tensor] | None:
    """Return the function that extracts the scores from the output of the network, if needed."""
    return mean_of_maps if name in _segmentation() else None


def mean_of_maps(output: Mapping[str, Tensor]) -> Tensor:
    """Return the mean of the map of each class, `{"out": [N, classes, H, W]}` -> `[N, classes]`."""
    return output["out"].mean((2, 3))


def find_weights(name: str, tag: Any) -> Any:
    """Return the entry of torchvision's enum of weights, or None for random weights."""
    from torchvision.models import get_model_weights

    if _options.is_none(tag):
        return None
    known = get_model_weights(name)
    if tag in ("DEFAULT", "default", True):
        return known.DEFAULT if known.__members__ else None
    plain = str(tag).rpartition(".")[2]
    if plain not in known.__members__:
        raise UnknownNameError(f"weights of {name}", plain, [*known.__members__, "none"])
    return known[plain]


def default_preprocess(name: str, weights: Any = None) -> Preprocess:
    """Return the preprocessing of the weights, by default of the default weights."""
    weights = find_weights(name, "DEFAULT") if weights is None else weights
    return Preprocess() if weights is None else preprocess_from_torchvision(weights)


def build(
    name: str, *, weights: Any = None, classes: int | None = None, seed: int = 0
) -> nn.Module:
    """Return a network; random weights depend on the seed only, the caller's generator is kept."""
    import torch
    from torchvision.models import get_model

    arguments: dict[str, Any] = {} if classes is None else {"num_classes": classes}
    if name in (
        "googlenet",
        "inception_v3",
    ):  # without auxiliary heads, which are for training only
        arguments["aux_logits"] = False
        if weights is None:
            arguments["init_weights"] = True
    if name in _segmentation():
        arguments["weights_backbone"] = None
    with torch.random.fork_rng(devices=[]), _read_safely(name, weights):
        torch.default_generator.manual_seed(seed)  # not the GPUs'
        module: nn.Module = get_model(name, weights=weights, **arguments)
    return module


def _segmentation() -> list[str]:
    import torchvision

    return list(torchvision.models.list_models(module=torchvision.models.segmentation))


@contextmanager
def _read_safely(name: str, weights: Any) -> Iterator[None]:
    """Context in which torchvision's builder loads weights as tensors only.

    Its own loader unpickles arbitrary objects. Inside the block, the entry of the enum has a
    `get_state_dict` that returns the state dict read safely.
    """
    if weights is None:
        yield
        return
    state = _checkpoint.read(fetch(weights.url, name))
    with _lock:
        weights.get_state_dict = lambda *_args, **_kwargs: state
        try:
            yield
        finally:
            del weights.get_state_dict

"""Networks of timm: "timm:convnext_tiny", "timm:resnet18.a1_in1k?weights=none"."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from torch import nn

from convviz import Model, ModelError, ParameterError, UnknownNameError
from convviz.authoring import hookimpl, preprocess_from_timm

from . import _options
from ._fetch import cache_path

_SAFE = "model.safetensors"


@hookimpl(trylast=True)
def convviz_load_model(source: str, options: Mapping[str, Any]) -> Model | None:
    """Load a network of timm with its preprocessing.

    Further options: `weights` ("none", or a tag, the part of timm's names after the dot), and the
    `seed` of random weights.
    """
    check_name(source)
    _options.check(options, ("weights", "seed"))
    weights = options.get("weights", "DEFAULT")
    random = _options.is_none(weights)
    name = source
    if not random and str(weights).upper() != "DEFAULT" and weights is not True:
        name = check_name(f"{source.partition('.')[0]}.{weights}")
    seed = _options.integer("seed", options.get("seed", 0))
    module = build(name, seed=seed) if random else _load_pretrained(name)
    return _options.make_model(
        module,
        options,
        name=f"{name} (random weights)" if random else f"timm {_name_with_tag(module, name)}",
        preprocess=default_preprocess(module),
        labels=() if random else _labels(module),
        classes=getattr(module, "num_classes", None) or None,
    )


@hookimpl
def convviz_vouches_for_source(source: str, options: Mapping[str, Any]) -> bool:
    """Return True: timm defines the networks and the locations of their weights."""
    return _options.are_harmless(options, ("weights", "seed"))


def check_name(name: str) -> str:
    """Return the name of a network; raises UnknownNameError, or ModelError without timm."""
    timm = _timm(name)
    plain = name.partition(".")[0]
    if not timm.is_model(plain):
        raise UnknownNameError("timm model", name, timm.list_models())
    tagged = timm.list_models(f"{plain}.*", pretrained=True)
    if plain != name and name not in tagged:
        raise UnknownNameError("timm model", name, [plain, *tagged])
    return name


def build(name: str, *, classes: int | None = None, seed: int = 0) -> nn.Module:
    """Return a network with random weights of a seed; the caller's generator is not changed."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # not the GPUs'
        arguments = {} if classes is None else {"num_classes": classes}
        module: nn.Module = _timm(name).create_model(name, pretrained=False, **arguments)
    return module


def default_preprocess(module: nn.Module) -> Any:
    """Return the preprocessing of timm, as a Preprocess if possible."""
    from timm.data import create_transform, resolve_model_data_config

    config = resolve_model_data_config(module)
    try:
        return preprocess_from_timm(config)
    except ParameterError:
        return create_transform(**config, is_training=False)


def _timm(name: str) -> Any:
    try:
        import timm
    except ImportError:
        error = UnknownNameError("timm model", name, ())
        error.args = (f"{name!r} needs timm: pip install 'convviz[timm]'",)
        raise error from None
    return timm


def _load_pretrained(name: str) -> nn.Module:
    import torch

    timm = _timm(name)
    config = timm.get_pretrained_cfg(name)
    if config is None or not config.has_weights:
        raise ModelError(f"timm has no weights for {name}; use random ones: '{name}?weights=none'")
    overlay = _overlay(config)
    try:
        if not overlay:
            _check_hub_reachable(config)
        with torch.random.fork_rng(devices=[]):
            module: nn.Module = timm.create_model(
                name, pretrained=True, pretrained_cfg_overlay=overlay
            )
    except Exception as error:  # the errors of the hub's client depend on its version
        raise ModelError(
            f"the weights of {name}, expected at {_expected_path(config)}, can be neither read nor "
            f"downloaded ({_first_line(error)}); put the file there, or use random weights: "
            f"'{name}?weights=none'"
        ) from error
    return module


def _overlay(config: Any) -> dict[str, Any]:
    """Return an overlay with the path of the weights if the cache of the hub has them.

    The client of the hub would access the network even then, and retry for half a minute offline.
    """
    if not config.hf_hub_id or config.custom_load:
        return {}
    from huggingface_hub import try_to_load_from_cache

    repository, _, revision = config.hf_hub_id.partition("@")
    for filename in (config.hf_hub_filename or _SAFE, "pytorch_model.bin"):
        path = try_to_load_from_cache(repository, filename, revision=revision or None)
        if isinstance(path, str):
            return {"file": path}
    return {}


def _check_hub_reachable(config: Any) -> None:
    """Raise immediately if the hub cannot be reached; its client would retry for a minute."""
    if not config.hf_hub_id:
        return
    from huggingface_hub.constants import ENDPOINT

    with suppress(urllib.error.HTTPError):  # any answer means that the hub is reachable
        urllib.request.urlopen(ENDPOINT, timeout=10).close()


def _expected_path(config: Any) -> Path:
    """Return the path in the cache where timm looks for the weights of a network."""
    if not config.hf_hub_id:
        return cache_path(config.url)
    from huggingface_hub.constants import HF_HUB_CACHE

    repository = "models--" + config.hf_hub_id.partition("@")[0].replace("/", "--")
    filename = config.hf_hub_filename or _SAFE
    return Path(HF_HUB_CACHE) / repository / "snapshots" / "<revision>" / filename


def _labels(module: nn.Module) -> tuple[str, ...]:
    """Return the class names of the weights, those of ImageNet for 1000 classes."""
    config = getattr(module, "pretrained_cfg", {}) or {}
    if config.get("label_names"):
        return tuple(config["label_names"])
    if getattr(module, "num_classes", 0) != 1000:
        return ()
    from torchvision.models import ResNet18_Weights

    return tuple(ResNet18_Weights.DEFAULT.meta["categories"])


def _name_with_tag(module: nn.Module, name: str) -> str:
    tag = (getattr(module, "pretrained_cfg", {}) or {}).get("tag")
    return f"{name.partition('.')[0]}.{tag}" if tag else name


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]

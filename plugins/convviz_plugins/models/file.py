"""Checkpoint files: "path/weights.safetensors?arch=resnet18"."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from convviz import Model, ModelError, ParameterError
from convviz.authoring import hookimpl

from . import _checkpoint, _formats, _options, python
from . import timm as timm_source
from . import torchvision as torchvision_source
from ._weight_sets import Shapes, State, WeightSet, choose, describe


@hookimpl
def convviz_load_model(source: str, options: Mapping[str, Any]) -> Model | None:
    """Load weights into an architecture.

    Further options: `arch`, a network of torchvision ("resnet18") or timm ("timm:resnet18"),
    a factory ("python:package.module:factory") or, from Python, an `nn.Module` or a function
    that returns one. The number of classes of a torchvision or timm network is read from the
    weights. `key` selects one of several sets of weights in a file ("state_dict_ema").
    """
    path = Path(source)
    if path.suffix not in _formats.SUFFIXES and not path.exists():
        return None
    _options.check(options, ("arch", "key"))
    _formats.kind_of(path)  # raises for files of other formats
    if not options.get("arch"):
        raise ParameterError(
            f"the weights {source!r} need an architecture: '{source}?arch=resnet18', "
            "'?arch=timm:NAME' or '?arch=python:MODULE:FACTORY'"
        )
    plan = _architecture_plan(options["arch"])
    weights, module, classes = _build(plan, source, options.get("key"))
    where = f" ({weights.name})" if weights.name else ""
    return _options.make_model(
        module,
        options,
        name=f"{plan.name} from {path.name}{where}",
        preprocess=plan.preprocess(module),
        classes=classes,
        output=plan.output,
    )


@hookimpl
def convviz_vouches_for_source(source: str, options: Mapping[str, Any]) -> bool:
    """Return True for local safetensors files with an architecture of torchvision or timm.

    PyTorch files are unpickled, and factories run code.
    """
    if Path(source).suffix != ".safetensors" or source.startswith(("//", "\\\\")):
        return False
    regular = Path(source).is_file()
    scheme, name = _architecture(options.get("arch", ""))
    builtin = scheme in ("torchvision", "timm") and ":" not in name
    return regular and builtin and _options.are_harmless(options, ("arch",))


@dataclass(frozen=True)
class _ArchitecturePlan:
    """An architecture; `build` takes the number of classes, or None for the default."""

    name: str
    build: Callable[[int | None], nn.Module]
    preprocess: Callable[[nn.Module], Any] = lambda _module: None
    output: Any = None
    sized: bool = True


def _architecture_plan(arch: Any) -> _ArchitecturePlan:
    if isinstance(arch, nn.Module):
        return _ArchitecturePlan(type(arch).__name__, lambda _classes: arch, sized=False)
    if callable(arch):
        name = getattr(arch, "__name__", "arch")
        return _ArchitecturePlan(name, lambda _classes: _network(arch(), name), sized=False)
    scheme, rest = _architecture(arch)
    if scheme == "timm":
        timm_source.check_name(rest)
        return _ArchitecturePlan(
            rest,
            lambda classes: timm_source.build(rest, classes=classes),
            timm_source.default_preprocess,
        )
    if scheme == "python":
        module_name, _, factory = rest.partition(":")
        return _ArchitecturePlan(
            factory,
            lambda _classes: _network(python.call(module_name, factory), factory),
            sized=False,
        )
    name = torchvision_source.check_name(rest)
    return _ArchitecturePlan(
        name,
        lambda classes: torchvision_source.build(name, classes=classes),
        lambda _module: torchvision_source.default_preprocess(name),
        torchvision_source.output_of(name),
    )


def _architecture(arch: Any) -> tuple[str, str]:
    """Return the scheme of an architecture and the name after it.

    Names without a known scheme are those of torchvision.
    """
    scheme, _, rest = str(arch).partition(":")
    if scheme in ("timm", "torchvision") or (scheme == "python" and ":" in rest):
        return scheme, rest
    return "torchvision", str(arch)


def _network(result: Any, name: str) -> nn.Module:
    if isinstance(result, Model):
        result = result.module
    if not isinstance(result, nn.Module):
        raise ModelError(f"arch {name} must return an nn.Module, not {type(result).__name__}")
    return result


def _build(
    plan: _ArchitecturePlan, source: str, key: str | None
) -> tuple[WeightSet, nn.Module, int | None]:
    """Return the set of weights, the network with these weights, and its number of classes."""
    what = f"{source} into {plan.name}"
    sets = _checkpoint.read_sets(source)
    if not plan.sized:
        module = plan.build(None)
        shapes: Shapes = {name: value.shape for name, value in module.state_dict().items()}
        weights, classes = choose(sets, shapes, key, what), None
    else:
        with torch.device("meta"):
            # Weights whose shapes depend on the number of classes differ between these two.
            few, many = plan.build(7).state_dict(), plan.build(11).state_dict()
        sized = [name for name, value in few.items() if value.shape != many[name].shape]
        shapes = {name: None if name in sized else value.shape for name, value in few.items()}
        weights = choose(sets, shapes, key, what)
        classes = _classes(sized, weights.state, f"{what}: the weights")
        module = plan.build(classes)
    try:
        _checkpoint.load_into(module, weights.state, what)
    except ModelError as error:
        if len(sets) > 1:
            error.args = (f"{error}\n{describe(sets)}; key= selects one of them",)
        raise
    return weights, module, classes


def _classes(sized: list[str], state: State, what: str) -> int:
    """Return the number of classes, read from the weights whose shape depends on it."""
    name = next((name for name in reversed(sized) if name in state and state[name].ndim), None)
    if name is None:
        last = sized[-1] if sized else "a classifier"
        raise ModelError(f"{what} lack {last}{_checkpoint.nearest(last, state.keys())}")
    return int(state[name].shape[0])

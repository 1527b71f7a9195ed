"""Who explains and with what: explainers by name, their versions, and faults laid at their door."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from ..device import is_out_of_memory
from ..errors import ConvvizError, ConvvizWarning, ParameterError, PluginError, message_of
from ..network.model import Model
from ..plugin.explainer import DatasetExplainer, Explainer
from ..results.types import RESULT_TYPES, Result
from ..state.process_state import preserve_state

CORE_DISTRIBUTIONS = ("convviz", "torch", "torchvision")

AXES: dict[str, tuple[int, ...]] = {
    "heatmap": (3, 4),
    "tiles": (2, 3, 4),
    "points": (2,),
    "matches": (2,),
    "mask": (3,),
    "table": (2,),
}
"""How many axes the main array of each result type may have."""


@dataclass(frozen=True, eq=False)
class Named:
    """An explainer under its registered name.

    Attributes:
        explainer: the explainer with its parameters.
        name: its registered name.
        distribution, version: of the package it comes from; empty where it is not installed.
    """

    explainer: Explainer | DatasetExplainer
    name: str
    distribution: str
    version: str

    def __str__(self) -> str:
        owner = " ".join((self.distribution, self.version)).strip()
        return f"{self.name!r} of {owner}" if owner else repr(self.name)


def named(what: Any, params: Mapping[str, Any]) -> tuple[Named, ...]:
    """Look up and validate explainers: names, instances, or a list of them."""
    wanted = list(what) if isinstance(what, list | tuple) else [what]
    if not wanted:
        raise ParameterError("no explainer was given; `convviz explainers` lists them")
    if params and not isinstance(what, str):
        given = ", ".join(sorted(params))
        raise ParameterError(
            f"parameters ({given}) go with the name of one explainer alone, given as a text; in a "
            'list, or as an instance, build each with its own: convviz.explainer("name", …)'
        )
    return tuple(_named(one, params) for one in wanted)


def _named(one: Any, params: Mapping[str, Any]) -> Named:
    from ..plugin import registry

    if isinstance(one, str):
        one = registry.explainer(one, **params)
    if not isinstance(one, Explainer | DatasetExplainer):
        raise ParameterError(f"an explainer is a name or an instance of one, not {one!r}")
    who = registry.identify(one)
    return Named(one, who.name, who.distribution, who.version)


def describe_model(model: Model) -> dict[str, Any]:
    """Return what an explanation keeps of its model."""
    described = {"name": model.name, "weights_hash": model.weights_hash}
    if model.source:
        described["source"] = model.source
    if model.activation is not None:
        described["activation"] = model.activation
    return {**described, "labels": list(model.labels)}


def versions(who: tuple[Named, ...]) -> dict[str, str]:
    """Return distribution -> version of the core and of the explainers' packages."""
    from importlib.metadata import PackageNotFoundError, version

    found = {one.distribution: one.version for one in who if one.distribution}
    for name in CORE_DISTRIBUTIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return dict(sorted(found.items()))


@contextmanager
def blamed_on(who: Named) -> Iterator[None]:
    """Attribute what happens in the block to an explainer.

    An unexpected exception, SystemExit and GeneratorExit included, becomes a PluginError that
    names it; errors that speak to the user, lack of memory and interrupts pass as they are. State
    of the process or thread that it leaves changed is put back, with a warning that names it.
    """
    with preserve_state() as changes:
        try:
            yield
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            if passes(error):
                raise
            reason = f"{type(error).__name__}: {message_of(error)}"
            raise PluginError(f"explainer {who} failed: {reason}") from error
    warn_of_changes(who, changes)


def passes(error: BaseException) -> bool:
    """Return whether an exception of a plugin speaks to the user as it is."""
    if not isinstance(error, ConvvizError):
        return isinstance(error, Exception) and is_out_of_memory(error)
    try:
        str(error)
    except Exception:
        return False
    return True


def warn_of_changes(who: Named, changes: Sequence[str]) -> None:
    """Warn of what an explainer left changed and what was put back."""
    if changes:
        what = f"explainer {who} left changed: {', '.join(changes)}"
        warnings.warn(f"{what}; it was put back", ConvvizWarning, stacklevel=4)


def check_result(who: Named, result: object, images: int | None) -> Result:
    """Return a result that keeps the contract; raises PluginError.

    Args:
        who: whose result it is.
        result: what it returned.
        images: the length that the first axis of one value an image must have, or None.
    """
    if not isinstance(result, Result) or result.kind not in RESULT_TYPES:
        kinds = ", ".join(cls.__name__ for cls in RESULT_TYPES.values())
        raise PluginError(f"explainer {who} returned {type(result).__name__}; allowed are {kinds}")
    for name, array in (("values", result.values), *result.arrays.items()):
        if not isinstance(array, torch.Tensor):
            raise PluginError(f"explainer {who}: {name!r} is {type(array).__name__}, not a tensor")
        if array.device.type != "cpu" or array.requires_grad:
            raise PluginError(
                f"explainer {who}: {name!r} must be a detached tensor on the CPU; it is on "
                f"{array.device}, requires_grad={array.requires_grad}"
            )
    _check_shape(who, result, images)
    return result


def _check_shape(who: Named, result: Result, images: int | None) -> None:
    shape = tuple(result.values.shape)
    axes = AXES[result.kind]
    if len(shape) not in axes:
        allowed = " or ".join(map(str, axes))
        raise PluginError(
            f"explainer {who}: values of a {type(result).__name__} have {allowed} axes, "
            f"these have shape {list(shape)}"
        )
    one_an_image = result.kind in ("heatmap", "mask", "matches")
    if images is not None and one_an_image and shape[0] != images:
        raise PluginError(
            f"explainer {who}: values have shape {list(shape)} for {images} image(s); "
            "the first axis counts the images"
        )


def read_layers(who: Named, model: Model) -> tuple[str, ...]:
    """Return the layers whose activations an explainer reads, checked against the model."""
    with blamed_on(who):
        if isinstance(who.explainer, DatasetExplainer):
            return who.explainer.resolve_layers(model)
        return tuple(model.check_layer(name) for name in who.explainer.layers(model))

"""Explainers with names and versions, checks of their results, and attribution of errors."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch

from ..errors import ConvvizError, ConvvizWarning, ParameterError, PluginError, message_of
from ..network.model import Model
from ..plugin.explainer import DatasetExplainer, Explainer
from ..results.types import RESULT_TYPES, Result
from ..state.device import is_out_of_memory
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
"""Allowed numbers of axes of the main array, by result type."""


@dataclass(frozen=True, eq=False)
class Named:
    """An explainer under its registered name.

    Attributes:
        explainer: the explainer with its parameters.
        name: its registered name.
        distribution, version: of its package; empty if no installed plugin provides it.
        is_default: it was not requested but is on by default; its failure is not an error.
    """

    explainer: Explainer | DatasetExplainer
    name: str
    distribution: str
    version: str
    is_default: bool = False

    def __str__(self) -> str:
        owner = " ".join((self.distribution, self.version)).strip()
        return f"{self.name!r} of {owner}" if owner else repr(self.name)


def named(what: Any, params: Mapping[str, Any]) -> tuple[Named, ...]:
    """Return validated explainers with their names.

    Args:
        what: a name, an instance, or a list of these.
        params: parameters of the explainer; only if `what` is a name.
    """
    specifications = list(what) if isinstance(what, list | tuple) else [what]
    if not specifications:
        raise ParameterError("no explainer was given; `convviz explainers` lists them")
    if params and not isinstance(what, str):
        names = ", ".join(sorted(params))
        raise ParameterError(
            f"parameters ({names}) are allowed only with the name of a single explainer; build "
            'instances and explainers of a list with their own: convviz.explainer("name", …)'
        )
    return tuple(_with_name(explainer, params) for explainer in specifications)


def _with_name(explainer: Any, params: Mapping[str, Any]) -> Named:
    from ..plugin import registry

    if isinstance(explainer, str):
        explainer = registry.explainer(explainer, **params)
    if not isinstance(explainer, Explainer | DatasetExplainer):
        raise ParameterError(f"an explainer is a name or an instance of one, not {explainer!r}")
    identity = registry.identify(explainer)
    return Named(explainer, identity.name, identity.distribution, identity.version)


def describe_model(model: Model) -> dict[str, Any]:
    """Return the record of a model in an explanation."""
    described = {"name": model.name, "weights_hash": model.weights_hash}
    if model.source:
        described["source"] = model.source
    if model.activation is not None:
        described["activation"] = model.activation
    return {**described, "labels": list(model.labels)}


def versions(explainers: tuple[Named, ...]) -> dict[str, str]:
    """Return distribution -> version of the core and of the explainers' packages."""
    by_name = {e.distribution: e.version for e in explainers if e.distribution}
    return dict(sorted((by_name | _core_versions()).items()))


@cache
def _core_versions() -> dict[str, str]:
    """Return the versions of the core's distributions; reading them takes 1 ms each."""
    from importlib.metadata import PackageNotFoundError, version

    by_name = {}
    for name in CORE_DISTRIBUTIONS:
        with suppress(PackageNotFoundError):
            by_name[name] = version(name)
    return by_name


@contextmanager
def attribute_errors(explainer: Named) -> Iterator[None]:
    """Attribute errors of the block to an explainer, and restore the state of the process.

    An unexpected exception, SystemExit and GeneratorExit included, becomes a PluginError that
    names the explainer. ConvvizErrors, lack of memory and interrupts are passed on unchanged. State
    of the process or thread that is left changed is restored, with a warning.
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
            raise PluginError(f"explainer {explainer} failed: {reason}") from error
    warn_of_changes(explainer, changes)


def passes(error: BaseException) -> bool:
    """Return whether an exception of a plugin is passed on to the user unchanged."""
    if not isinstance(error, ConvvizError):
        return isinstance(error, Exception) and is_out_of_memory(error)
    try:
        str(error)
    except Exception:
        return False
    return True


def warn_of_changes(explainer: Named, changes: Sequence[str]) -> None:
    """Warn of state that an explainer left changed, and that has been restored."""
    if changes:
        what = f"explainer {explainer} left changed: {', '.join(changes)}"
        warnings.warn(f"{what}; it was restored", ConvvizWarning, stacklevel=4)


def check_result(explainer: Named, result: object, images: int | None) -> Result:
    """Return a result if it has the form that its type requires; raises PluginError otherwise.

    Args:
        explainer: the explainer that returned it.
        result: its return value.
        images: the number of images, with which the first axis is compared; or None.
    """
    if not isinstance(result, Result) or result.kind not in RESULT_TYPES:
        kinds = ", ".join(cls.__name__ for cls in RESULT_TYPES.values())
        raise PluginError(
            f"explainer {explainer} returned {type(result).__name__}; allowed are {kinds}"
        )
    for name, array in (("values", result.values), *result.arrays.items()):
        if not isinstance(array, torch.Tensor):
            raise PluginError(
                f"explainer {explainer}: {name!r} is {type(array).__name__}, not a tensor"
            )
        if array.device.type != "cpu" or array.requires_grad:
            raise PluginError(
                f"explainer {explainer}: {name!r} must be a detached tensor on the CPU; it is on "
                f"{array.device}, requires_grad={array.requires_grad}"
            )
    _check_shape(explainer, result, images)
    return result


def _check_shape(explainer: Named, result: Result, images: int | None) -> None:
    shape = tuple(result.values.shape)
    axes = AXES[result.kind]
    if len(shape) not in axes:
        allowed = " or ".join(map(str, axes))
        raise PluginError(
            f"explainer {explainer}: values of a {type(result).__name__} have {allowed} axes, "
            f"these have shape {list(shape)}"
        )
    one_an_image = result.kind in ("heatmap", "mask", "matches")
    if images is not None and one_an_image and shape[0] != images:
        raise PluginError(
            f"explainer {explainer}: values have shape {list(shape)} for {images} image(s); "
            "the first axis counts the images"
        )


def reads_forward(explainer: Named) -> bool:
    """Return whether an explainer needs the shared forward pass."""
    if not isinstance(explainer.explainer, Explainer):
        return True
    with attribute_errors(explainer):
        return explainer.explainer.reads_forward()


def read_layers(explainer: Named, model: Model) -> tuple[str, ...]:
    """Return the layers whose activations an explainer reads, checked against the model."""
    with attribute_errors(explainer):
        if isinstance(explainer.explainer, DatasetExplainer):
            return explainer.explainer.resolve_layers(model)
        return tuple(model.check_layer(name) for name in explainer.explainer.layers(model))


def explained_layer(explainer: Named, model: Model, result: Result) -> str:
    """Return the layer that an explanation names, or the only one that its explainer read."""
    layer = result.measures.get("layer", getattr(explainer.explainer, "layer", None))
    if isinstance(layer, str):
        return layer
    layers = read_layers(explainer, model)
    return layers[0] if len(layers) == 1 else ""

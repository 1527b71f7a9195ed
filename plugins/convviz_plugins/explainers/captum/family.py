"""The classes of captum.*, generated from the signatures of Captum's classes."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal

from pydantic import Field, PositiveInt

from convviz.authoring import Explainer

from ...shared.bridges.signatures import (
    Fields,
    Translation,
    explainer_class,
    missing_library,
)
from ...shared.fills import FillField
from .explainer import CaptumExplainer
from .methods import ERRORS_OF_SUMS, EXCLUDED, KINDS, ON_MODULES, ON_RELUS, PROMISES, SUMMARIES

_FILL = (
    '"mean" (of the preprocessing), "image_mean", "blur", "noise", a colour as "#808080" or '
    "[128, 128, 128], or a number or tensor in model-input space."
)
_BATCH: Fields = {
    "batch_size": (PositiveInt, Field(16, description="Changed copies per pass of the network."))
}
_SIDE = PositiveInt | tuple[PositiveInt, PositiveInt] | None

_REPLACED: Mapping[str, Fields] = {
    "baselines": {
        "baseline": (FillField, Field("mean", description=f"Image to compare with: {_FILL}"))
    },
    "feature_mask": {
        "features": (
            Literal["grid", "slic"],
            Field(
                "grid",
                description="Parts of the image that are covered together: the cells of a grid, "
                "or superpixels (slic, requires scikit-image).",
            ),
        ),
        "feature_count": (PositiveInt, Field(49, description="Number of these parts, roughly.")),
    },
    "sliding_window_shapes": {
        "window": (
            _SIDE,
            Field(
                None,
                description="Side of the window in pixels, or height and width; by default a "
                "seventh of the shorter side of the image.",
            ),
        )
    },
    "strides": {
        "stride": (
            _SIDE,
            Field(
                None,
                description="Step of the window in pixels, or down and across; by default a "
                "quarter of the window.",
            ),
        )
    },
    "perturbations_per_eval": _BATCH,
    "internal_batch_size": _BATCH,
    "nt_samples_batch_size": _BATCH,
    "layer": {
        "layer": (
            str | None,
            Field(None, description="Layer that is read; default: the output of the last stage."),
        )
    },
    "neuron_selector": {
        "neuron": (
            str | None,
            Field(
                None,
                description='Unit that is explained, as "layer:channel" or "layer:channel@y,x"; '
                "without it, the target must be a unit.",
            ),
        )
    },
}

_DISTRIBUTION: Fields = {
    "baselines": (
        tuple[FillField, ...],
        Field(("mean", "blur"), description=f"Images to compare with, at least two, each {_FILL}"),
    )
}
"""Fields of a method that needs a distribution of baselines."""

_INJECTED = frozenset(
    (
        "self",
        "forward_func",
        "model",
        "inputs",
        "target",
        "additional_forward_args",
        "device_ids",
        "attribution_method",
        "return_convergence_delta",
        "custom_attribution_func",
        "grad_kwargs",
        "show_progress",
        "verbose",
        "perm_func",
        "interpretable_model",
        "similarity_func",
        "perturb_func",
        "return_input_shape",
        "layer_mask",
        "layer_baselines",
        "memory_efficient",
        "attribute_to_layer_input",
        "attribute_to_neuron_input",
        "draw_baseline_from_distrib",
        "attr_dim_summation",
        "relu_attributions",
    )
)

_CHOICES: Mapping[str, tuple[str, ...]] = {
    "method": (
        "gausslegendre",
        "riemann_trapezoid",
        "riemann_middle",
        "riemann_left",
        "riemann_right",
    ),
    "nt_type": ("smoothgrad", "smoothgrad_sq", "vargrad"),
    "interpolate_mode": ("nearest", "bilinear", "bicubic"),
}

_DESCRIPTIONS: Mapping[str, str] = {
    "abs": "Drop the sign of the gradient.",
    "eps": "Difference of inputs below which the gradient takes the place of the quotient.",
    "interpolate_mode": "Interpolation of the map of the layer.",
    "method": "Rule of numerical integration.",
    "multiply_by_inputs": "Multiply by input minus baseline, which gives contributions.",
    "n_samples": "Random samples.",
    "n_steps": "Points of the numerical integration, each a backward pass.",
    "nt_samples": "Noisy copies of the image.",
    "nt_type": "Mean of the maps of noisy copies, mean of their squares, or their variance.",
    "stdevs": "Standard deviation of the noise, in units of the model's input.",
}

_TRANSLATION = Translation(_REPLACED, _INJECTED, _CHOICES, _DESCRIPTIONS)

INNER_METHODS = (
    "saliency",
    "input_x_gradient",
    "integrated_gradients",
    "guided_backprop",
    "deconvolution",
    "deep_lift",
)
"""Methods that NoiseTunnel repeats, with their defaults."""

_OWN_FIELDS: Mapping[str, Fields] = {
    "NoiseTunnel": {
        "inner": (
            Literal[INNER_METHODS],
            Field("saliency", description="Method whose maps are combined, with its defaults."),
        )
    },
    "ShapleyValues": {
        "feature_count": (
            PositiveInt,
            Field(4, le=7, description="Number of these parts; K parts take K · K! passes."),
        )
    },
}
"""Fields of a method that its signature does not show, or with another default."""


@cache
def classes() -> dict[str, type[Explainer]]:
    """Return the generated classes by name.

    Raises:
        MissingLibraryError: Captum is not installed.
    """
    try:
        import captum.attr as library
    except ModuleNotFoundError as error:
        raise missing_library(error, "Captum", "captum") from error
    classes_by_name = {
        name: _class(name, getattr(library, name)) for name in _method_names(library)
    }
    return {name: cls for name, cls in classes_by_name.items() if cls is not None}


def _method_names(library: Any) -> list[str]:
    """Return the names of Captum's methods for single images."""
    return [
        name
        for name in library.__all__
        if name not in EXCLUDED
        and inspect.isclass(getattr(library, name))
        and issubclass(getattr(library, name), library.Attribution)
        and "attribute" in dir(getattr(library, name))
    ]


def _class(name: str, method: Any) -> type[Explainer] | None:
    fields = _TRANSLATION.fields(method.__init__, method.attribute)
    if fields is None:
        return None
    arguments = inspect.signature(method.attribute).parameters
    if "baselines" in arguments and arguments["baselines"].default is inspect.Parameter.empty:
        fields = {n: f for n, f in fields.items() if n != "baseline"} | _DISTRIBUTION
    if "neuron" in fields:
        fields.pop("layer", None)
    return explainer_class(
        name,
        CaptumExplainer,
        fields | _OWN_FIELDS.get(name, {}),
        SUMMARIES.get(name) or _first_line(method),
        library_class=name,
        declared_kind=KINDS.get(name, "rank"),
        works_on_modules=name in ON_MODULES,
        changes_relus=name in ON_RELUS,
        promise=PROMISES.get(name, ""),
        error_of_sums=ERRORS_OF_SUMS.get(name, ""),
        unit=_unit(name),
    )


def _unit(name: str) -> str:
    if name == "LayerActivation":
        return "sum of the activations at each position"
    kinds = {"contribution": "contribution to the score", "gradient": "modified gradient"}
    kind = kinds.get(KINDS.get(name) or "", "attribution")
    return f"{kind}, summed over the channels of the layer" if name.startswith("Layer") else kind


def _first_line(method: Any) -> str:
    """Return the first sentence of Captum's own description, for a method unknown here."""
    text = " ".join((inspect.getdoc(method) or method.__name__).split())
    return f"{text.partition('. ')[0]}. (Captum)"

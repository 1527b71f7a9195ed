"""The classes of pytorch_grad_cam.*, generated from the signatures of the library's classes."""

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
from .explainer import BASE_METHODS, CamExplainer

EXCLUDED: Mapping[str, str] = {
    "ActivationsAndGradients": "is a helper of the library",
    "AblationLayer": "is a helper of the library",
    "AblationLayerFasterRCNN": "is a helper of the library",
    "AblationLayerVit": "is a helper of the library",
    "DeepFeatureFactorization": "returns several concepts with scores instead of one map",
    "GuidedBackpropReLUModel": "is guided backpropagation: use guided_backprop",
}
"""Class of the library -> why it is not an explainer."""

_LAYER: Fields = {
    "layer": (
        str | None,
        Field(
            None,
            description="Layer with rows and columns that is read; default: the output of the "
            "last stage, or the first norm of the last block of a transformer with a class token.",
        ),
    )
}

_REPLACED: Mapping[str, Fields] = {
    "target_layers": _LAYER,
    "base_method": {
        "base": (
            Literal[tuple(BASE_METHODS)],
            Field("grad_cam", description="Method whose maps are combined."),
        )
    },
    "batch_size": {
        "batch_size": (PositiveInt, Field(16, description="Changed copies per forward pass."))
    },
}

_INJECTED = frozenset(
    (
        "self",
        "model",
        "input_tensor",
        "targets",
        "reshape_transform",
        "ablation_layer",
        "gamma",
        "scales",
        "window_size",
        "step_size",
        "comparison_categories",
        "target_idx",
    )
)

_CHOICES: Mapping[str, tuple[str, ...]] = {
    "kernel": ("sigmoid", "linear", "poly", "rbf", "cosine"),
    "pool": ("mean", "max"),
}

_DESCRIPTIONS: Mapping[str, str] = {
    "alpha": "Weight of the similar classes, whose scores are subtracted.",
    "aug_smooth": "Mean over mirrored and brighter or darker copies of the image.",
    "eigen_smooth": "Keep only the first principal component of the weighted activations.",
    "k": "Standard deviations above the mean from which an activation counts.",
    "kernel": "Kernel of the principal component analysis.",
    "num_scales": "Sizes to which the image is enlarged.",
    "pool": "Combine the maps of the parts by their weighted mean or their maximum.",
    "pre_filter_ratio": "Share of the parts with the lowest scores that are left out.",
    "ratio_channels_to_ablate": "Share of the channels that are set to zero, the strongest first.",
    "scale_step_ratio": "Step between the sizes, as a share of the image.",
    "smooth": "Blur the combined map.",
    "theta": "Value below which a part does not count.",
    "use_softmax_scores": "Weight the parts by probabilities instead of scores.",
}

_TRANSLATION = Translation(_REPLACED, _INJECTED, _CHOICES, _DESCRIPTIONS)

_ARXIV = "https://arxiv.org/abs/"

SUMMARIES: Mapping[str, str] = {
    "GradCAM": f"Channels of a layer weighted by their mean gradients ({_ARXIV}1610.02391).",
    "FinerCAM": f"Grad-CAM of the score minus those of similar classes ({_ARXIV}2501.11309).",
    "ShapleyCAM": "Channels weighted by gradients and their change along the activations "
    f"({_ARXIV}2501.06261).",
    "FEM": "Channels weighted by the share of unusually strong positions, whatever the class "
    "(https://hal.science/hal-02963298).",
    "HiResCAM": f"Activations times gradients at each position ({_ARXIV}2011.08891).",
    "GradCAMElementWise": "Positive activations times gradients at each position "
    "(https://github.com/jacobgil/pytorch-grad-cam).",
    "AblationCAM": "Channels weighted by the drop of the score without them "
    "(https://doi.org/10.1109/WACV45572.2020.9093360).",
    "XGradCAM": "Channels weighted by gradients, relative to their activations "
    f"({_ARXIV}2008.02312).",
    "GradCAMPlusPlus": "Channels weighted by their positive gradients and higher derivatives "
    f"({_ARXIV}1710.11063).",
    "ScoreCAM": "Channels weighted by the score of the image under their map "
    f"({_ARXIV}1910.01279).",
    "LayerCAM": "Activations times positive gradients at each position "
    "(https://doi.org/10.1109/TIP.2021.3089943).",
    "EigenCAM": "First principal component of the activations, whatever the class "
    f"({_ARXIV}2008.00299).",
    "EigenGradCAM": "First principal component of activations times gradients "
    "(https://github.com/jacobgil/pytorch-grad-cam).",
    "KPCA_CAM": "First kernel principal component of the activations, whatever the class "
    f"({_ARXIV}2410.00267).",
    "RandomCAM": "Channels with random weights: a control, which no method should resemble "
    "(https://github.com/jacobgil/pytorch-grad-cam).",
    "FullGrad": f"Input times gradient and biases times gradients ({_ARXIV}1905.00780).",
    "SegEigenCAM": "First principal component of activations times absolute gradients, with a "
    "corrected sign (https://doi.org/10.3390/app15137562).",
    "RefineCAM": f"Product of the maps of several stages ({_ARXIV}2605.14641).",
    "SESS": f"Maps of enlarged parts of the image, combined ({_ARXIV}2207.01769).",
}
"""Class of the library -> one sentence, with the publication or page that defines it."""


@cache
def classes() -> dict[str, type[Explainer]]:
    """Return the generated classes by name.

    Raises:
        MissingLibraryError: pytorch-grad-cam is not installed.
    """
    try:
        import pytorch_grad_cam as library
    except ModuleNotFoundError as error:
        raise missing_library(error, "pytorch-grad-cam", "grad-cam") from error
    classes_by_name: dict[str, type[Explainer]] = {}
    for name, method in vars(library).items():
        if inspect.isclass(method) and name not in EXCLUDED and hasattr(method, "forward"):
            cls = _class(name, method)
            if cls is not None:
                classes_by_name[name] = cls
    return classes_by_name


def _class(name: str, method: Any) -> type[Explainer] | None:
    fields = _TRANSLATION.fields(method.__init__, method.__call__, method.forward)
    if fields is None:
        return None
    if name == "FullGrad":
        fields.pop("layer")
    if name == "RefineCAM":
        fields.pop("layer")
    doc = SUMMARIES.get(name, f"{name} of pytorch-grad-cam.")
    return explainer_class(name, CamExplainer, fields, doc, library_class=name)

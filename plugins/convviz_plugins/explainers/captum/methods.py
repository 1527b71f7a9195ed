"""Facts on Captum's methods that their signatures do not show."""

from __future__ import annotations

from collections.abc import Mapping

from convviz.authoring import MapKind

EXCLUDED: Mapping[str, str] = {
    "DataLoaderAttribution": "explains a data set",
    "FeaturePermutation": "exchanges features between images, so that one image is unchanged",
    "LayerFeaturePermutation": "exchanges features between images, so that one image is unchanged",
    "LimeBase": "has functions of the caller for arguments; use lime",
    "LLMAttribution": "explains texts",
    "LLMGradientAttribution": "explains texts",
    "RemoteLLMAttribution": "explains texts",
}
"""Method -> why it is not an explainer of images."""

KINDS: Mapping[str, MapKind | None] = {
    **dict.fromkeys(
        (
            "DeepLift",
            "DeepLiftShap",
            "FeatureAblation",
            "GradientShap",
            "InputXGradient",
            "IntegratedGradients",
            "KernelShap",
            "LRP",
            "Lime",
            "NeuronConductance",
            "NeuronDeepLift",
            "NeuronDeepLiftShap",
            "NeuronFeatureAblation",
            "NeuronGradientShap",
            "NeuronIntegratedGradients",
            "Occlusion",
            "ShapleyValueSampling",
            "ShapleyValues",
        ),
        "contribution",
    ),
    **dict.fromkeys(
        (
            "Deconvolution",
            "GuidedBackprop",
            "NeuronDeconvolution",
            "NeuronGradient",
            "NeuronGuidedBackprop",
        ),
        "gradient",
    ),
    "LayerActivation": None,
}
"""Method -> the kind of its map; the others are ranks."""

ON_RELUS = frozenset(
    (
        "Deconvolution",
        "GuidedBackprop",
        "GuidedGradCam",
        "NeuronDeconvolution",
        "NeuronGuidedBackprop",
    )
)
"""Gradients with another rule for ReLUs."""

ON_MODULES = ON_RELUS | {
    "DeepLift",
    "DeepLiftShap",
    "LRP",
    "LayerDeepLift",
    "LayerDeepLiftShap",
    "LayerLRP",
    "NeuronDeepLift",
    "NeuronDeepLiftShap",
}
"""Methods that change the backward pass of activation modules."""

PROMISES: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "DeepLift",
            "DeepLiftShap",
            "GradientShap",
            "IntegratedGradients",
            "KernelShap",
            "LayerConductance",
            "LayerDeepLift",
            "LayerDeepLiftShap",
            "LayerGradientShap",
            "LayerIntegratedGradients",
            "NeuronDeepLift",
            "NeuronDeepLiftShap",
            "NeuronGradientShap",
            "NeuronIntegratedGradients",
            "ShapleyValueSampling",
            "ShapleyValues",
        ),
        "difference",
    ),
    "LRP": "score",
    "LayerLRP": "score",
}
"""Method -> what its attributions sum to: the score, or its difference from the baselines'."""

ERRORS_OF_SUMS: Mapping[str, str] = {
    **dict.fromkeys(
        ("GradientShap", "KernelShap", "LayerGradientShap", "NeuronGradientShap"),
        "the sampling error, which falls with n_samples",
    ),
    **dict.fromkeys(
        (
            "IntegratedGradients",
            "LayerConductance",
            "LayerIntegratedGradients",
            "NeuronIntegratedGradients",
        ),
        "the error of the numerical integration, which falls with n_steps",
    ),
}
"""Method -> the error that the sum of its attributions contains.

ShapleyValueSampling is not listed: the contributions of each random order add up to the difference.
"""

_ARXIV = "https://arxiv.org/abs/"
_IG, _DEEP_LIFT, _SHAP = _ARXIV + "1703.01365", _ARXIV + "1704.02685", _ARXIV + "1705.07874"
_LRP = "https://doi.org/10.1371/journal.pone.0130140"
_CONDUCTANCE, _CAM = _ARXIV + "1805.12233", _ARXIV + "1610.02391"
_GUIDED, _DECONV = _ARXIV + "1412.6806", _ARXIV + "1311.2901"
_SAMPLING = "https://doi.org/10.1016/j.cor.2008.04.004"

SUMMARIES: Mapping[str, str] = {
    "IntegratedGradients": f"Gradients on the way from a baseline, times the difference ({_IG}).",
    "DeepLift": f"Differences from a baseline, passed back through each activation ({_DEEP_LIFT}).",
    "DeepLiftShap": f"Mean of DeepLIFT over several baselines ({_SHAP}).",
    "GradientShap": f"Gradients at random points between image and random baselines ({_SHAP}).",
    "InputXGradient": f"Input times gradient ({_ARXIV}1605.01713).",
    "Saliency": f"Gradient of the score, without its sign by default ({_ARXIV}1312.6034).",
    "GuidedBackprop": f"Gradient of which each ReLU passes on the positive part ({_GUIDED}).",
    "Deconvolution": f"Gradient whose ReLUs act on the gradient only ({_DECONV}).",
    "GuidedGradCam": f"Guided backpropagation times the map of Grad-CAM ({_CAM}).",
    "FeatureAblation": "Drop of the score when a part of the image is covered, part by part "
    "(https://captum.ai/api/feature_ablation.html).",
    "Occlusion": f"Drop of the score under a sliding window ({_DECONV}).",
    "ShapleyValueSampling": f"Shapley values of parts, from random orders ({_SAMPLING}).",
    "ShapleyValues": f"Shapley values of a few parts, from all orders ({_SAMPLING}).",
    "Lime": "Coefficients of a sparse linear model fitted to the scores of images with random "
    f"parts covered (LIME, {_ARXIV}1602.04938).",
    "KernelShap": f"Shapley values of parts, from a weighted linear fit ({_SHAP}).",
    "LRP": f"Layer-wise relevance propagation with the epsilon rule ({_LRP}).",
    "NoiseTunnel": f"Mean or variance of the maps of noisy copies ({_ARXIV}1706.03825).",
    "LayerConductance": f"Flow of integrated gradients through a layer ({_CONDUCTANCE}).",
    "LayerGradientXActivation": "Activations of a layer times their gradients "
    "(https://captum.ai/api/layer.html).",
    "LayerActivation": "Activations of a layer (https://captum.ai/api/layer.html).",
    "LayerFeatureAblation": "Drop of the score when values of a layer are set to zero, one by one "
    "(https://captum.ai/api/layer.html).",
    "InternalInfluence": f"Gradients at a layer on the way from a baseline ({_ARXIV}1802.03788).",
    "LayerGradCam": f"Channels of a layer weighted by their mean gradients ({_CAM}).",
    "LayerDeepLift": f"DeepLIFT at a layer ({_DEEP_LIFT}).",
    "LayerDeepLiftShap": f"Mean of DeepLIFT at a layer over several baselines ({_SHAP}).",
    "LayerGradientShap": f"GradientSHAP at a layer ({_SHAP}).",
    "LayerIntegratedGradients": f"Integrated gradients at a layer ({_IG}).",
    "LayerLRP": f"Layer-wise relevance propagation up to a layer ({_LRP}).",
    "NeuronConductance": f"Flow of integrated gradients of a class through one unit "
    f"({_CONDUCTANCE}).",
    "NeuronFeatureAblation": "Drop of a unit when a part of the image is covered "
    "(https://captum.ai/api/neuron.html).",
    "NeuronGradient": f"Gradient of a unit ({_ARXIV}1312.6034).",
    "NeuronIntegratedGradients": f"Integrated gradients of a unit ({_IG}).",
    "NeuronDeepLift": f"DeepLIFT of a unit ({_DEEP_LIFT}).",
    "NeuronDeepLiftShap": f"Mean of DeepLIFT of a unit over several baselines ({_SHAP}).",
    "NeuronGradientShap": f"GradientSHAP of a unit ({_SHAP}).",
    "NeuronDeconvolution": f"Deconvolution of a unit ({_DECONV}).",
    "NeuronGuidedBackprop": f"Guided backpropagation of a unit ({_GUIDED}).",
}
"""Method -> one sentence, with the publication or page that defines it."""

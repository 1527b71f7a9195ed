"""Targets of detectors, segmenters, regression heads, and heads with several labels.

These are the examples of docs/explainers.md, on torchvision's models with small random backbones.
"""

from __future__ import annotations

from collections import OrderedDict

import pytest
import torch
from torch import nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.segmentation.deeplabv3 import DeepLabHead, DeepLabV3
from torchvision.models.segmentation.fcn import FCN, FCNHead
from torchvision.ops import MultiScaleRoIAlign, box_iou

import convviz
from convviz.occlusion import occluded_scores

SIDE = 48


class Backbone(nn.Sequential):
    """A small convolutional backbone with stride 4."""

    out_channels = 16

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 3, 2, 1), nn.ReLU(inplace=True)
        )


class Maps(Backbone):
    """The backbone of a segmenter returns a dict."""

    def forward(self, x):
        return OrderedDict(out=super().forward(x))


def detector():
    torch.manual_seed(0)
    return FasterRCNN(
        Backbone(),
        num_classes=3,
        rpn_anchor_generator=AnchorGenerator(((16, 24),), ((1.0,),)),
        box_roi_pool=MultiScaleRoIAlign(["0"], 4, 2),
        min_size=SIDE,
        max_size=SIDE,
        box_score_thresh=0.0,
        box_detections_per_img=16,
        rpn_post_nms_top_n_test=16,
    ).eval()


class BoxScore:
    """The score of the detection that overlaps a box best; 0 if none does."""

    def __init__(self, box: torch.Tensor, label: int) -> None:
        self.box, self.label = box[None], label

    def __call__(self, detections):
        return [self._of_image(d) for d in detections]

    def _of_image(self, found):
        overlap = box_iou(found["boxes"].detach(), self.box)[:, 0]
        overlap = torch.where(found["labels"] == self.label, overlap, 0.0)
        if not len(overlap) or overlap.max() < 0.5:
            return found["scores"].sum() * 0
        return found["scores"][overlap.argmax()]


def class_in_mask(out):
    """The sum of the score of class 1 over the upper left quarter of the image."""
    return out["out"][:, 1, : SIDE // 2, : SIDE // 2].sum((1, 2))


def images(count=1):
    return torch.rand(count, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


def covered_values(net, x, boxes, function):
    """Return the function's value of the first image under each box, one pass per box."""
    values = []
    for x0, y0, x1, y1 in boxes.tolist():
        copy = x[:1].clone()
        copy[..., y0:y1, x0:x1] = 0
        with torch.no_grad():
            values.append(function(net(copy))[0])
    return torch.stack(values)


def check_against_network(net, function):
    """Compare gradient and occlusion with the network's own passes; run the other explainers."""
    model, x = convviz.Model(net), images(2)
    grid = convviz.explainer("occlusion", window=16, stride=16, fill=0)
    saliency, guided, occlusion = convviz.explain(
        model, x, ["saliency", "guided_backprop", grid], function
    )
    cut = convviz.explain(model, x[:1], "grabcut", function)
    inputs = x[:1].clone().requires_grad_()
    score = function(net(inputs))[0]
    (gradient,) = torch.autograd.grad(score, inputs)
    value = score.item()
    scale = gradient.abs().max()
    assert scale > 0
    assert (saliency["gradient"][:1] - gradient).abs().max() <= 1e-4 * scale
    assert saliency.target[0].score == pytest.approx(value, rel=1e-4)
    assert guided.values.abs().max() > 0
    assert (guided.values[:1] - gradient).abs().max() > 1e-3 * scale
    drop = value - covered_values(net, x, occlusion["boxes"], function)
    assert drop.abs().max() > 0
    assert torch.allclose(occlusion["grid"][0].flatten(), drop, rtol=0, atol=1e-4 * abs(value))
    assert occlusion.result.unit == "value drop"
    assert cut.values.shape == (1, SIDE, SIDE)


def test_a_box_of_a_detector():
    net = detector()
    found = net(images())[0]
    score = BoxScore(found["boxes"][0].detach(), int(found["labels"][0]))
    check_against_network(net, score)


def test_a_detector_falls_back_to_full_passes_and_says_so(monkeypatch):
    monkeypatch.setattr(occluded_scores, "MIN_PIXELS_FOR_EXPORT", 0)
    net = detector()
    result = convviz.explain(
        convviz.Model(net),
        images(),
        "occlusion",
        lambda out: [d["scores"].sum() for d in out],
        window=24,
        stride=24,
        fill=0,
    )
    assert "one full forward pass per window, because" in result.result.measures["computed"]


def test_a_class_of_a_segmenter():
    torch.manual_seed(0)
    net = DeepLabV3(Maps(), DeepLabHead(16, 3, (2, 4, 6))).eval()
    check_against_network(net, class_in_mask)


def test_a_mask_is_occluded_incrementally_and_exactly(monkeypatch):
    monkeypatch.setattr(occluded_scores, "MIN_PIXELS_FOR_EXPORT", 0)
    torch.manual_seed(0)
    net = FCN(Maps(), FCNHead(16, 3)).eval().double()
    x = images().double()
    targets = [class_in_mask, lambda out: out["out"].softmax(1)[:, 2].mean((1, 2))]
    model = convviz.Model(net)
    how = {"window": 8, "stride": 8, "fill": 0.0}
    fast = convviz.explain(model, x, "occlusion", targets=targets, **how)
    dense = convviz.explain(model, x, "occlusion", targets=targets, engine="dense", **how)
    assert fast[0].result.measures["computed"].startswith("only what each window changes")
    for a, b, function in zip(fast, dense, targets, strict=True):
        expected = float(a["baseline"]) - covered_values(net, x, a["boxes"], function)
        scale = float(expected.abs().max())
        assert torch.allclose(a["grid"].flatten(), expected, rtol=0, atol=1e-9 * scale)
        assert torch.allclose(b["grid"].flatten(), expected, rtol=0, atol=1e-9 * scale)


def linear(outputs: int) -> nn.Module:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 10 * 10, outputs)
    )
    return net.double().eval()


def test_a_value_of_a_regression_head():
    class Head(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = linear(2)

        def forward(self, x):
            age, height = self.body(x).unbind(1)
            return {"age": age, "height": height.exp()}

    x = torch.rand(2, 3, 12, 12).double()
    saliency, occlusion = convviz.explain(
        convviz.Model(Head()),
        x,
        ["saliency", convviz.explainer("occlusion", window=6, stride=6, fill=0)],
        lambda out: out["height"],
    )
    inputs = x.clone().requires_grad_()
    height = Head().body(inputs)[:, 1].exp()
    (gradient,) = torch.autograd.grad(height.sum(), inputs)
    assert torch.allclose(saliency["gradient"], gradient)
    assert torch.allclose(occlusion["baseline"], height.detach())


def test_labels_that_do_not_exclude_each_other():
    net = linear(3)
    labels = ["cat", "indoor", "blurred"]
    model = convviz.Model(net, labels=labels, activation="sigmoid")
    x = torch.rand(1, 3, 12, 12).double()
    how = {"window": 6, "stride": 6, "fill": 0, "score": "prob"}
    cat, difference = convviz.explain(model, x, "occlusion", targets=["cat", "cat - indoor"], **how)
    with torch.no_grad():
        probability = net(x).sigmoid()[0]
    assert float(cat["baseline"]) == pytest.approx(float(probability[0]))
    assert float(difference["baseline"]) == pytest.approx(float(probability[0] - probability[1]))
    assert difference.result.unit == "probability difference drop"

"""ConvNets of torchvision with fewer blocks: a block of each kind, and narrow classifiers."""

from __future__ import annotations

from typing import Any

import torch
import torchvision
from torch import nn
from torchvision.models.convnext import CNBlock

SHORT = " shortened"
"""Ending of the names of the networks."""


def build_network(name: str, **options: Any) -> nn.Module:
    """Return a ConvNet of torchvision, with a part of its blocks if the name ends with SHORT.

    `torch.export`, which takes most of the time of a test, takes time for each block. A full
    `classifier` takes time to initialise.
    """
    if not name.endswith(SHORT):
        return torchvision.models.get_model(name, weights=None, **options)
    with torch.device("meta"):
        full = torchvision.models.get_model(name.removesuffix(SHORT), weights=None, **options)
    module = _shorten(full).to_empty(device="cpu")
    for part in module.modules():
        if hasattr(part, "reset_parameters"):
            part.reset_parameters()
        if isinstance(part, CNBlock):
            nn.init.constant_(part.layer_scale, 0.3)
    return module


def _shorten(net: Any) -> nn.Module:
    if isinstance(net, torchvision.models.ResNet):
        for stage in ("layer1", "layer2", "layer3", "layer4"):
            setattr(net, stage, getattr(net, stage)[:1])
    elif isinstance(net, torchvision.models.MobileNetV2):
        block_indices = (0, 1, 2, 3, 4, 7, 11, 14, 17, 18)
        net.features = nn.Sequential(*(net.features[index] for index in block_indices))
    elif isinstance(net, torchvision.models.ConvNeXt):
        for stage, blocks in {1: 3, 3: 1, 5: 2, 7: 1}.items():
            net.features[stage] = net.features[stage][:blocks]
    elif isinstance(net, torchvision.models.GoogLeNet):
        net.inception4b = net.inception4c = net.inception5a = nn.Identity()
    else:
        inputs = next(part for part in net.classifier if isinstance(part, nn.Linear)).in_features
        layers = nn.Linear(inputs, 64), nn.ReLU(inplace=True), nn.Dropout(), nn.Linear(64, 1000)
        net.classifier = nn.Sequential(*layers)
    return net

"""The networks that benchmarks run, with weights whose scores mean something, and a photo."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlparse

import torch
import torchvision
from skimage import data
from torch import Tensor, nn
from torch.nn import functional as F

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CALIBRATION_CROPS = 16


def network(name: str, size: int) -> tuple[nn.Module, str]:
    """Return a torchvision network in eval mode, and a sentence about its weights.

    Trained weights where they lie in torch's cache. Otherwise random ones that carry the image
    through: the batch norms have the statistics of photos, and networks without any norm have
    weights of the scale that ReLUs need. With torchvision's own, scores shrink or grow by orders
    of magnitude from layer to layer, and a deviation between two ways means nothing. Neither
    changes how much there is to compute.

    Args:
        name: as `torchvision.models.list_models` has it.
        size: height and width of the images that the statistics are taken from.
    """
    for weights in torchvision.models.get_model_weights(name):
        file = Path(torch.hub.get_dir(), "checkpoints", Path(urlparse(weights.url).path).name)
        if file.exists():
            module = torchvision.models.get_model(name, weights=weights)
            return module.eval(), f"trained, {weights}"
    torch.manual_seed(0)
    quick = {"init_weights": True} if name in ("googlenet", "inception_v3") else {}
    module = torchvision.models.get_model(name, weights=None, **quick)
    for parameter_name, parameter in module.named_parameters():
        if parameter_name.endswith("layer_scale"):  # 1e-6 would leave the blocks without effect
            nn.init.constant_(parameter, 0.1)
    if any(isinstance(m, nn.BatchNorm2d | nn.LayerNorm) for m in module.modules()):
        return calibrated(module, size), "random, seed 0; batch norm calibrated on photos"
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
            nn.init.zeros_(part.bias)
    return module.eval(), "random, seed 0, scaled after He et al. 2015"


def calibrated(module: nn.Module, size: int) -> nn.Module:
    """Set the statistics of batch norms from one pass over crops of photos; return it in eval mode.

    Only they are in train mode, so dropout and auxiliary heads stay out of it.
    """
    norms = [m for m in module.eval().modules() if isinstance(m, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.train()
        norm.momentum = None  # a plain mean: of the one batch
        norm.reset_running_stats()
    if norms:
        with torch.no_grad():
            module(crops(size))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    return module.eval()


def crops(size: int) -> Tensor:
    """Return normalised random crops of photos, `[N, 3, size, size]`."""
    generator = torch.Generator().manual_seed(1)
    photos = [_normalised(photo) for photo in (data.astronaut(), data.chelsea(), data.coffee())]
    found = []
    for i in range(CALIBRATION_CROPS):
        photo = photos[i % len(photos)]
        side = 200 + int(torch.randint(100, (), generator=generator))
        y, x = (int(torch.randint(n - side + 1, (), generator=generator)) for n in photo.shape[1:])
        found.append(_resized(photo[:, y : y + side, x : x + side], size))
    return torch.cat(found)


def photo(size: int) -> Tensor:
    """Return the middle of one normalised photo, `[1, 3, size, size]`."""
    cat = _normalised(data.chelsea())
    side = min(cat.shape[1:])
    y, x = ((n - side) // 2 for n in cat.shape[1:])
    return _resized(cat[:, y : y + side, x : x + side], size)


def _normalised(pixels: object) -> Tensor:
    image = torch.as_tensor(pixels).permute(2, 0, 1) / 255
    return (image - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]


def _resized(image: Tensor, size: int) -> Tensor:
    return F.interpolate(image[None], (size, size), mode="bilinear", antialias=True)

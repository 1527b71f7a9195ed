"""Training of the network "demo-digits": under two minutes on one core.

    python -m convviz_plugins.models.train_demo_digits demo_digits.safetensors

The same seed gives the same network on the same machine and version of PyTorch.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from convviz import Preprocess

from ..datasets import demo_digits as digits
from .demo_digits import PREPROCESS, DigitNet, split

BATCH = 64
LEAST = 0.98
"""Smallest test accuracy for which the weights are written."""


def load() -> tuple[Tensor, Tensor]:
    """Return all digits, preprocessed `[1797, 1, 32, 32]`, and their classes."""
    dataset = digits.convviz_open_dataset("", {})
    preprocess = Preprocess.from_dict(PREPROCESS)
    images = torch.stack([preprocess(dataset.load(i)) for i in range(len(dataset.ids))])
    return images, torch.tensor(dataset.labels)


def augment(images: Tensor) -> Tensor:
    """Return the images with small random rotations, shears, scales and shifts."""
    n = len(images)
    empty = images.min()
    angle = (torch.rand(n) - 0.5) * 2 * math.radians(12)
    shear = (torch.rand(n) - 0.5) * 0.3
    scale = 1 + (torch.rand(n, 2) - 0.5) * 0.25
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0] = angle.cos() * scale[:, 0]
    theta[:, 0, 1] = -angle.sin() + shear
    theta[:, 1, 0] = angle.sin()
    theta[:, 1, 1] = angle.cos() * scale[:, 1]
    theta[:, :, 2] = (torch.rand(n, 2) - 0.5) * 0.3
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images - empty, grid, align_corners=False) + empty


def start_smooth(kernels: Tensor, sigma: float = 1.3, size: float = 0.02) -> None:
    """Fill `[out, 1, k, k]` in place with small blurred noise.

    Enlarged digits have no high frequencies, so the gradients never remove those of a kernel: white
    noise at the start would remain visible after training.
    """
    side = kernels.shape[-1]
    steps = torch.arange(side) - side // 2
    bell = torch.exp(-(steps**2) / (2 * sigma**2))
    blur = torch.outer(bell, bell) / bell.sum() ** 2
    noise = torch.randn(len(kernels), 1, 2 * side - 1, 2 * side - 1)
    with torch.no_grad():
        kernels.copy_(size * F.conv2d(noise, blur[None, None]))


def train(epochs: int, seed: int) -> tuple[DigitNet, float, float]:
    """Train a network; return it with its accuracies on the two halves of the split."""
    torch.manual_seed(seed)
    images, labels = load()
    known, unseen = (torch.from_numpy(part) for part in split())
    net = DigitNet()
    start_smooth(net.first_kernels)
    steps = epochs * math.ceil(len(known) / BATCH)
    optimizer = torch.optim.SGD(_groups(net), lr=0.1, momentum=0.9, nesterov=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=steps)
    for epoch in range(epochs):
        net.train()
        total = 0.0
        for part in known[torch.randperm(len(known))].split(BATCH):
            scores = net(augment(images[part]))
            loss = F.cross_entropy(scores, labels[part], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += float(loss.detach()) * len(part)
        print(f"epoch {epoch + 1:3d}  loss {total / len(known):.4f}", flush=True)
    accuracies = [accuracy(net, images[part], labels[part]) for part in (known, unseen)]
    return net, accuracies[0], accuracies[1]


def accuracy(net: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Return the share of images whose highest score is that of their class."""
    net.eval()
    with torch.no_grad():
        return float((net(images).argmax(1) == labels).double().mean())


def _groups(net: DigitNet) -> list[dict[str, object]]:
    """Return parameter groups: weight decay for kernels only, stronger for the first ones."""
    first = net.first_kernels
    kernels = [p for p in net.parameters() if p.ndim > 1 and p is not first]
    rest = [p for p in net.parameters() if p.ndim == 1]
    return [
        {"params": [first], "weight_decay": 4e-3},
        {"params": kernels, "weight_decay": 5e-4},
        {"params": rest, "weight_decay": 0.0},
    ]


def main() -> None:
    """Train the network, print its accuracies, and write the weights."""
    from safetensors.torch import save_file

    parser = argparse.ArgumentParser(description="Train the network of convviz's demo-digits.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    net, seen, unseen = train(args.epochs, args.seed)
    print(f"accuracy: {seen:.4f} on the training digits, {unseen:.4f} on the test digits")
    if unseen < LEAST:
        raise SystemExit(f"below {LEAST}: nothing was written")
    facts = {
        "data": "scikit-learn digits, 1437 to train on, 360 to test; demo_digits.split()",
        "train_accuracy": round(seen, 4),
        "test_accuracy": round(unseen, 4),
        "epochs": args.epochs,
        "seed": args.seed,
    }
    # A single entry: safetensors writes several in random order, and equal runs give equal files.
    save_file(net.state_dict(), args.out, {"convviz": json.dumps(facts)})


if __name__ == "__main__":
    main()

"""Trains a small ResNet on Fashion-MNIST and looks at 10 000 images it never saw, in one sweep.

    python examples/fashion_mnist.py DATA --out fashion

DATA is a folder with the four IDX files of Fashion-MNIST, as they come or unpacked (on Debian:
`apt install dataset-fashion-mnist`, `/usr/share/datasets/fashion-mnist`); MNIST's own and any other
data set of that form do as well. Training takes some minutes on one core. A trained network is
kept in the folder, and the same command again goes on behind what is there.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import convviz
import convviz.authoring

FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
CLASSES = (
    "T-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)
PREPROCESS = convviz.Preprocess(resize=None, crop=28, mean=(0.286,), std=(0.353,), channels=1)
BATCH = 128
VOTES = 5


class Block(nn.Module):
    """Two convolutions and a way around them (He et al. 2016)."""

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(out)
        self.relu1, self.relu2 = nn.ReLU(), nn.ReLU()
        self.around = nn.Identity()
        if stride > 1:
            self.around = nn.Sequential(
                nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out)
            )

    def forward(self, x: Tensor) -> Tensor:
        """`[N, C, H, W]` -> `[N, out, H / stride, W / stride]`."""
        y = self.relu1(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        return self.relu2(y + self.around(x))


class SmallResNet(nn.Module):
    """Four stages, the last of 64 channels: `[N, 1, 28, 28]` -> `[N, classes]`."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()
        )
        self.stage1 = Block(16, 16, 1)
        self.stage2 = Block(16, 32, 2)
        self.stage3 = Block(32, 64, 2)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classify = nn.Linear(64, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Score the classes."""
        x = self.stage3(self.stage2(self.stage1(self.stem(x))))
        scores: Tensor = self.classify(self.pool(x).flatten(1))
        return scores


def read_idx(path: Path) -> np.ndarray:
    """Read an IDX file of bytes, packed by gzip or not."""
    packed = path.with_name(path.name + ".gz")
    if not path.exists() and not packed.exists():
        raise SystemExit(f"neither {path} nor {packed.name} beside it: where is the data set?")
    data = path.read_bytes() if path.exists() else gzip.decompress(packed.read_bytes())
    if data[:3] != b"\0\0\x08":
        raise SystemExit(f"{path} is no IDX file of bytes")
    shape = np.frombuffer(data, ">i4", count=data[3], offset=4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(shape)


def split(data: Path, which: str, count: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Return images `[n, 28, 28]` and labels `[n]`, uint8."""
    images, labels = (read_idx(data / name)[:count] for name in FILES[which])
    return images, labels


def as_input(images: np.ndarray) -> Tensor:
    """Bring images to the form the network sees, `[n, 1, 28, 28]`."""
    x = torch.from_numpy(images.copy())[:, None].float() / 255
    return (x - PREPROCESS.mean[0]) / PREPROCESS.std[0]


def augment(x: Tensor) -> Tensor:
    """Mirror half of a batch, and shift all of it by up to two pixels."""
    x = torch.where((torch.rand(len(x)) < 0.5)[:, None, None, None], x.flip(3), x)
    side = x.shape[-1]
    y, left = torch.randint(0, 5, (2,)).tolist()
    low = (0 - PREPROCESS.mean[0]) / PREPROCESS.std[0]
    return F.pad(x, (2, 2, 2, 2), value=low)[:, :, y : y + side, left : left + side]


def train(images: np.ndarray, labels: np.ndarray, classes: int, epochs: int) -> SmallResNet:
    """Train from scratch by SGD with one cycle of the learning rate (Smith 2018)."""
    torch.manual_seed(0)
    x, y = as_input(images), torch.from_numpy(labels.astype(np.int64))
    net = SmallResNet(classes).to(memory_format=torch.channels_last)
    optimiser = torch.optim.SGD(net.parameters(), 0.2, 0.9, weight_decay=5e-4, nesterov=True)
    steps = epochs * math.ceil(len(x) / BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 0.2, total_steps=steps)
    for epoch in range(epochs):
        net.train()
        total = 0.0
        for part in torch.randperm(len(x)).split(BATCH):
            batch = augment(x[part]).contiguous(memory_format=torch.channels_last)
            loss = F.cross_entropy(net(batch), y[part], label_smoothing=0.05)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += float(loss.detach()) * len(part)
        print(f"epoch {epoch + 1} of {epochs}, loss {total / len(x):.4f}", flush=True)
    return net.to(memory_format=torch.contiguous_format)


def accuracy(net: nn.Module, images: np.ndarray, labels: np.ndarray) -> float:
    """Return the share of images whose highest score is that of their class."""
    net.eval()
    with torch.inference_mode():
        found = [net(part).argmax(1) for part in as_input(images).split(1000)]
    return float((torch.cat(found).numpy() == labels).mean())


def trained(data: Path, weights: Path, classes: int, epochs: int, count: int | None) -> nn.Module:
    """Load the network from `weights`, or train it and keep it there."""
    from safetensors.torch import load_file, save_file

    if not weights.exists():
        net = train(*split(data, "train", count), classes, epochs)
        weights.parent.mkdir(parents=True, exist_ok=True)
        save_file(net.state_dict(), weights)
    net = SmallResNet(classes)
    net.load_state_dict(load_file(weights))
    return net.eval()


def explainers() -> list[convviz.authoring.DatasetExplainer]:
    """Name what the one sweep is for."""
    made: list[Any] = [
        convviz.explainer("patches", layers=["stem.2", "stage1", "stage2", "stage3"]),
        convviz.explainer("neighbors"),
        convviz.explainer("embedding"),
        convviz.explainer("statistics", layers=["stage1", "stage2", "stage3"]),
    ]
    return made


def measures_of(run: convviz.Run) -> dict[str, float]:
    """Collect what the run says about its features and its map."""
    wanted = ("trustworthiness", "accuracy", "precision", "KL", "perplexity")
    matches = run["neighbors"].result
    found = {**matches.measures, **run["embedding"].result.measures}
    nearest = matches["pixel_indices"][:, :VOTES].numpy()
    found[f"{VOTES}-NN accuracy of pixels"] = voted(nearest, matches["labels"].numpy())
    return {name: found[name] for name in found if any(word in name for word in wanted)}


def voted(nearest: np.ndarray, labels: np.ndarray) -> float:
    """Return how often the nearest images `[n, k]` vote for the right class; ties: the lowest."""
    votes = (labels[nearest][:, :, None] == np.unique(labels)).sum(axis=1)
    return float((np.unique(labels)[votes.argmax(axis=1)] == labels).mean())


def main(given: list[str] | None = None) -> None:
    """Train or load, sweep, and say where the page is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of the four IDX files")
    parser.add_argument("--out", type=Path, default=Path("fashion"))
    parser.add_argument("--classes", default=",".join(CLASSES), help="their names, by commas")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--images", type=int, help="only the first so many of either part")
    args = parser.parse_args(given)
    classes = tuple(args.classes.split(","))
    images, labels = split(args.data, "test", args.images)
    weights = args.out / "network.safetensors"
    net = trained(args.data, weights, len(classes), args.epochs, args.images)
    measures = {"images": len(images), "test accuracy": accuracy(net, images, labels)}
    model = convviz.Model(net, preprocess=PREPROCESS, labels=classes, name="small ResNet")
    names = [classes[label] for label in labels]
    run = convviz.analyze(model, (images, names), explainers(), args.out / "run", pictures=True)
    measures |= measures_of(run)
    convviz.write_report(args.out / "run")
    (args.out / "measures.json").write_text(json.dumps(measures, indent=1) + "\n")
    print("\n".join(f"{name}: {round(value, 4)}" for name, value in measures.items()))
    print(args.out / "run" / "index.html")


if __name__ == "__main__":
    main()

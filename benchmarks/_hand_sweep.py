"""A sweep written by hand: a DataLoader, forward hooks, and no picture.

It stands for the script that a user writes without convviz: for every channel of four layers of
ResNet18 the nine best patches with their positions and map means, and mean, variance, range and
firing rates over a folder of photos. It has no histograms, receptive fields or pictures, keeps no
progress, and skips no damaged file. `public_calls.py` runs it as a command of its own.

    python benchmarks/_hand_sweep.py PHOTOS OUT.pt --workers 1 --batch 32 --threads 2
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import models, transforms

LAYERS = ("layer1.1", "layer2.1", "layer3.1", "layer4.1")
BEST = 9
PREPROCESS = transforms.Compose(
    [
        transforms.Resize(256),
        transforms.CenterCrop(224),
        transforms.ToTensor(),
        transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ]
)


class Photos(Dataset[Tensor]):
    """The photos of a folder, preprocessed."""

    def __init__(self, folder: Path) -> None:
        self.files = sorted(folder.glob("*.jpg"))

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Tensor:
        image: Tensor = PREPROCESS(Image.open(self.files[index]).convert("RGB"))
        return image


class LayerNumbers:
    """The numbers of one layer, updated with every batch."""

    def __init__(self) -> None:
        self.best: dict[str, Tensor] = {}
        self.count = 0
        self.sums: dict[str, Tensor] = {}

    def update(self, maps: Tensor, first_item: int) -> None:
        """Add the maps of a batch `[N, C, h, w]`."""
        self._update_best(maps, first_item)
        self._update_sums(maps)

    def _update_best(self, maps: Tensor, first_item: int) -> None:
        # Units at the border read padding, so their positions are left out, as convviz does.
        inner = maps[:, :, 1:-1, 1:-1]
        values, places = inner.flatten(2).max(2)
        items = torch.arange(first_item, first_item + len(maps)).expand(maps.shape[1], -1)
        width = inner.shape[3]
        new = {
            "values": values.T,
            "means": inner.mean((2, 3)).T,
            "items": items,
            "rows": places.T // width + 1,
            "columns": places.T % width + 1,
        }
        joined = {n: torch.cat([self.best[n], t], 1) if self.best else t for n, t in new.items()}
        order = joined["values"].topk(min(BEST, joined["values"].shape[1]), 1).indices
        self.best = {name: t.gather(1, order) for name, t in joined.items()}

    def _update_sums(self, maps: Tensor) -> None:
        variance, mean = torch.var_mean(maps, (0, 2, 3), correction=0)
        count = maps.numel() // maps.shape[1]
        new = {
            "squares": variance.double() * count,
            "min": maps.amin((0, 2, 3)),
            "max": maps.amax((0, 2, 3)),
            "active": (maps > 0).sum((0, 2, 3)),
            "fires": (maps.amax((2, 3)) > 0).sum(0),
        }
        mean = mean.double()
        if self.count:
            total = self.count + count
            gap = mean - self.sums["mean"]
            new["squares"] += self.sums["squares"] + gap.square() * (self.count * count / total)
            mean = self.sums["mean"] + gap * (count / total)
            new["min"] = torch.minimum(new["min"], self.sums["min"])
            new["max"] = torch.maximum(new["max"], self.sums["max"])
            new["active"] += self.sums["active"]
            new["fires"] += self.sums["fires"]
        self.count += count
        self.sums = {**new, "mean": mean}

    def result(self, images: int) -> dict[str, Tensor]:
        """Return the best patches and the statistics."""
        sums = self.sums
        return {
            **self.best,
            "mean": sums["mean"],
            "variance": sums["squares"] / self.count,
            "min": sums["min"],
            "max": sums["max"],
            "active": sums["active"] / self.count,
            "fires": sums["fires"] / images,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--channels-last", action="store_true")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    layout = torch.channels_last if args.channels_last else torch.contiguous_format
    torch.manual_seed(0)
    network = models.resnet18().eval().to(memory_format=layout)
    numbers = {name: LayerNumbers() for name in LAYERS}
    done = 0

    def hook_of(name: str) -> Any:
        return lambda module, inputs, output: numbers[name].update(output, done)

    for name in LAYERS:
        network.get_submodule(name).register_forward_hook(hook_of(name))
    loader = DataLoader(Photos(args.photos), args.batch, num_workers=args.workers)
    with torch.inference_mode():
        for batch in loader:
            network(batch.to(memory_format=layout))
            done += len(batch)
    torch.save({name: layer.result(done) for name, layer in numbers.items()}, args.out)


if __name__ == "__main__":
    main()

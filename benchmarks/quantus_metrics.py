"""Quality metrics by `convviz.benchmark` and by Quantus, side by side, with the same values.

Both score the same maps of the same photos with the same perturbations. The maps are computed
beforehand, except for max-sensitivity, which explains changed images with `convviz.explain` on both
sides. Quantus runs in the memory format and the batch size (of images) that are fastest for it,
tried on one map; convviz chooses its batch size itself, which is part of its time. Requires
`pip install quantus`.

    python benchmarks/quantus_metrics.py PHOTOS --out benchmarks/results/quantus_metrics.json
    python benchmarks/quantus_metrics.py --table --out …  # the table of a record, into README.md
"""

from __future__ import annotations

import argparse
import copy
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from _captum import FORMATS
from _common import (
    Record,
    fill_in_table,
    interleaved,
    load,
    machine,
    medians,
    read,
    table,
    timed,
    today,
    versions,
    write,
)
from torch import Tensor

import convviz
from convviz.authoring import Batch, Explainer, Forward, MapKind, Target, make_batch
from convviz.evaluation.maps import attribution_maps
from convviz.plugin.explained_image import seeded_rng

MAPS = 8
SQUARES = 64
"""Squares per image: the blocks of 28 x 28 pixels that Quantus visits in an image of 224 x 224."""

STEPS, SAMPLES = 24, 10
SENSITIVE = ("saliency", "input_x_gradient", "guided_backprop")
"""Explainers of max-sensitivity."""

KEPT: dict[str, tuple[Tensor, Tensor]] = {}
"""Name -> images and their maps `[N, C, H, W]`, for `KeptMap`."""

BATCHES = (1, 2, 4, 8, 16)
TITLES = {
    "infidelity": "infidelity, {maps} maps, {squares} squares",
    "deletion": "pixel flipping, {maps} maps, {steps} steps",
    "max_sensitivity": "max-sensitivity, 3 explainers, {samples} samples",
}


class KeptMap(Explainer):
    """A map that was computed beforehand."""

    map_kind: ClassVar[MapKind | None] = "gradient"

    of: str

    def explain(
        self, model: convviz.Model, batch: Batch, target: tuple[Target, ...], forward: Forward
    ) -> convviz.Heatmap:
        """Return the maps of the images of a batch."""
        images, maps = KEPT[self.of]
        places = [(images == image).flatten(1).all(1).nonzero()[0, 0] for image in batch.images]
        return convviz.Heatmap(maps[torch.stack(places)], signed=True, summed=True)


class Comparison:
    """The photos, the maps, and the calls of both libraries.

    Args:
        model: the model.
        photos: files.
    """

    def __init__(self, model: convviz.Model, photos: list[Path]) -> None:
        self.model, self.photos = model, photos
        batch = make_batch(photos, model)
        self.images = batch.images
        self.ids = [item.id for item in batch.items]
        target = convviz.explain(model, photos, "saliency").target
        self.classes = np.array([single.index for single in target])
        generator = torch.Generator().manual_seed(0)
        gradient = model.gradient(self.images, target)
        for place in range(MAPS):  # different maps of a realistic scale
            noise = torch.randn(gradient.shape, generator=generator) * gradient.std()
            KEPT[f"map {place}"] = (self.images, gradient + place / 4 * noise)
        self.maps = {name: maps for name, (_, maps) in KEPT.items()}
        self.networks = {
            name: copy.deepcopy(model.module).eval().to(memory_format=memory)
            for name, memory in FORMATS.items()
        }

    def benchmark(self, metric: str, **parameters: Any) -> convviz.QualityRecord:
        """Return the record of `convviz.benchmark`."""
        chosen = SENSITIVE if metric == "max_sensitivity" else [KeptMap(of=m) for m in self.maps]
        explainers = dict(zip(self.names(metric), chosen, strict=True))
        metrics = convviz.metric(metric, **parameters)
        count = len(self.photos)
        return convviz.benchmark(
            self.model, self.photos, explainers, metrics, repeat_images=count, controls=False
        )

    def names(self, metric: str) -> tuple[str, ...]:
        """Return the names of the maps that a metric scores."""
        return SENSITIVE if metric == "max_sensitivity" else tuple(self.maps)

    def quantus(self, metric: str, name: str, layout: str, batch_size: int) -> np.ndarray:
        """Return Quantus' values of one map or explainer for all photos."""
        score = {
            "infidelity": self._infidelity,
            "deletion": self._pixel_flipping,
            "max_sensitivity": self._max_sensitivity,
        }[metric]
        return np.asarray(score(name, batch_size, self.networks[layout]))

    def _call(
        self, metric: Any, network: Any, maps: Tensor, batch_size: int, **more: Any
    ) -> np.ndarray:
        values = metric(
            model=network,
            x_batch=self.images.numpy(),
            y_batch=self.classes,
            a_batch=maps.numpy(),
            batch_size=batch_size,
            channel_first=True,
            device="cpu",
            **more,
        )
        return np.asarray(values)

    def _infidelity(self, name: str, batch_size: int, network: Any) -> np.ndarray:
        import quantus

        metric = quantus.Infidelity(
            perturb_patch_sizes=[round(self.images.shape[-1] / SQUARES**0.5)],
            n_perturb_samples=1,
            perturb_func=_Squares(self, batch_size),
            disable_warnings=True,
        )
        return self._call(metric, network, self.maps[name], batch_size, softmax=False)

    def _pixel_flipping(self, name: str, batch_size: int, network: Any) -> np.ndarray:
        import quantus

        metric = quantus.PixelFlipping(
            features_in_step=self.images[0].numel() // STEPS,
            normalise=False,
            perturb_func=_RemovedPixels(self, batch_size, name),
            disable_warnings=True,
        )
        maps = self.maps[name].sum(1, keepdim=True)
        return self._call(metric, network, maps, batch_size, softmax=True)

    def _max_sensitivity(self, name: str, batch_size: int, network: Any) -> np.ndarray:
        import quantus

        def as_map(model: Any, inputs: Any, targets: Any, **_: Any) -> np.ndarray:
            images, chosen = torch.as_tensor(inputs), [int(index) for index in targets]
            result = convviz.explain(self.model, images, name, chosen).result
            maps = attribution_maps(name, None, result)
            return np.stack([single.values for single in maps])[:, None]

        metric = quantus.MaxSensitivity(
            nr_samples=SAMPLES,
            perturb_func=_Noise(self, batch_size),
            norm_numerator=quantus.norm_func.fro_norm,
            norm_denominator=quantus.norm_func.fro_norm,
            return_nan_when_prediction_changes=False,
            disable_warnings=True,
        )
        maps = torch.from_numpy(as_map(network, self.images, self.classes))
        return self._call(metric, network, maps, batch_size, softmax=False, explain_func=as_map)


class _Batches(ABC):
    """Perturbations of convviz in the order in which Quantus asks for them: batch by batch."""

    def __init__(self, comparison: Comparison, batch_size: int, steps: int) -> None:
        self.pixels = comparison.images.numpy()
        self.batch_size, self.steps, self.calls = batch_size, steps, 0

    def __call__(self, arr: np.ndarray, indices: Any = None, **_: Any) -> np.ndarray:
        """Return the images of a batch with their next perturbation, `[N, features]`."""
        batch, step = divmod(self.calls, self.steps)
        self.calls += 1
        first = batch * self.batch_size
        rows = [self.perturbed(first + i, step).reshape(-1) for i in range(len(arr))]
        return np.stack(rows)

    @abstractmethod
    def perturbed(self, image: int, step: int) -> np.ndarray:
        """Return an image with a perturbation, `[C, H, W]` or `[C, H * W]`."""


class _Squares(_Batches):
    """Squares of 0, as of the metric infidelity."""

    def __init__(self, comparison: Comparison, batch_size: int) -> None:
        super().__init__(comparison, batch_size, SQUARES)
        self.boxes = [squares(self.pixels.shape[-1], name) for name in comparison.ids]

    def perturbed(self, image: int, step: int) -> np.ndarray:
        y0, y1, x0, x1 = self.boxes[image][step]
        covered = self.pixels[image].copy()
        covered[:, y0:y1, x0:x1] = 0
        return covered


class _RemovedPixels(_Batches):
    """The most important pixels set to 0, as of the metric deletion.

    Quantus counts values, not pixels, and refuses steps of whole pixels for images of 224 x 224.
    """

    def __init__(self, comparison: Comparison, batch_size: int, name: str) -> None:
        super().__init__(comparison, batch_size, STEPS)
        values = comparison.maps[name].double().sum(1).flatten(1).numpy()
        self.orders = np.argsort(-values, axis=1, kind="stable")
        self.counts = np.linspace(0, values.shape[1], STEPS + 1).round().astype(int)[1:]

    def perturbed(self, image: int, step: int) -> np.ndarray:
        removed = self.pixels[image].copy().reshape(len(self.pixels[image]), -1)
        removed[:, self.orders[image][: self.counts[step]]] = 0
        return removed


class _Noise(_Batches):
    """Uniform noise, as of the metric max_sensitivity."""

    def __init__(self, comparison: Comparison, batch_size: int) -> None:
        super().__init__(comparison, batch_size, SAMPLES)
        shape = (SAMPLES, *self.pixels.shape[1:])
        unit = 0.02 / np.array(comparison.model.preprocess.std)[:, None, None]
        self.noise = [
            seeded_rng(0, name, "max_sensitivity").uniform(-1, 1, shape) * unit
            for name in comparison.ids
        ]

    def perturbed(self, image: int, step: int) -> np.ndarray:
        return self.pixels[image] + self.noise[image][step].astype(np.float32)


def squares(side: int, image_id: str) -> np.ndarray:
    """Return the squares of the metric infidelity for a square image, `[SQUARES, 4]`."""
    rng = seeded_rng(0, image_id, "infidelity")
    sides = rng.integers(round(side / 8), round(side / 2) + 1, SQUARES)
    top, left = rng.integers(0, side - sides + 1), rng.integers(0, side - sides + 1)
    return np.stack([top, top + sides, left, left + sides], 1)


PARAMETERS: Mapping[str, Mapping[str, Any]] = {
    "infidelity": {"squares": SQUARES},
    "deletion": {"steps": STEPS},
    "max_sensitivity": {"samples": SAMPLES},
}


def measure(comparison: Comparison, metric: str, repeats: int) -> Record:
    """Time both libraries, and compare their values."""
    names = comparison.names(metric)
    trials = {
        (layout, size): timed(partial(comparison.quantus, metric, names[0], layout, size))[0]
        for layout in FORMATS
        for size in BATCHES
        if size <= len(comparison.photos)
    }
    layout, size = min(trials, key=trials.__getitem__)
    results: Record = {}

    def by_convviz() -> None:
        results["convviz"] = comparison.benchmark(metric, **PARAMETERS[metric])

    def by_quantus() -> None:
        values = [comparison.quantus(metric, name, layout, size) for name in names]
        results["quantus"] = np.stack(values)

    ways: dict[str, Callable[[], None]] = {"convviz": by_convviz, "quantus": by_quantus}
    seconds = interleaved(ways, repeats)
    median = medians(seconds)
    mine, others = values_of(results["convviz"], metric, names), results["quantus"]
    return {
        "call": TITLES[metric].format(maps=MAPS, squares=SQUARES, steps=STEPS, samples=SAMPLES),
        "photos": len(comparison.photos),
        "quantus": f"{layout}, batch {size}",
        "times_faster": median["quantus"] / median["convviz"],
        "largest_difference": float(np.abs(mine - others).max() / np.abs(others).max()),
        "median_s": median,
        "seconds": seconds,
    }


def values_of(record: convviz.QualityRecord, metric: str, names: tuple[str, ...]) -> np.ndarray:
    """Return the values that Quantus returns: the curve for pixel flipping, without its start."""
    scores = record.scores
    if metric == "deletion":
        return np.stack([scores.curves["deletion: probability", name].y[:, 1:] for name in names])
    measure = "infidelity.original" if metric == "infidelity" else metric
    return np.stack([scores.of(name, measure) for name in names])


def report(records: Record) -> str:
    """Lay out the records as a table."""
    head = ["metric", "photos", "convviz s", "Quantus s", "times faster", "largest difference"]
    rows = [
        [
            record["call"],
            str(record["photos"]),
            f"{record['median_s']['convviz']:.1f}",
            f"{record['median_s']['quantus']:.1f} ({record['quantus']})",
            f"{record['times_faster']:.1f}x",
            f"{record['largest_difference']:.0e}",
        ]
        for record in records["rows"]
    ]
    return table(head, rows)


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path, nargs="?", help="folder with the photos")
    parser.add_argument("--model", default="demo")
    parser.add_argument("--count", type=int, default=8, help="photos, evenly spaced")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, required=True, help="JSON file of the records")
    parser.add_argument("--table", action="store_true", help="measure nothing, write the table")
    args = parser.parse_args(given)
    if not args.table and args.photos is None:
        parser.error("PHOTOS is missing: a folder with photos")
    return args


def main(given: list[str] | None = None) -> None:
    args = arguments(given)
    if args.table:
        text = report(read(args.out))
        fill_in_table("quantus_metrics.py --table", text)
        print(text)
        return
    torch.set_num_threads(args.threads)
    warnings.simplefilter("ignore")
    files = sorted(p for p in args.photos.rglob("*") if p.suffix.lower() in (".jpeg", ".jpg"))
    if not files:
        raise SystemExit(f"{args.photos} has no JPEG files")
    count = min(args.count, len(files))
    photos = [files[i * len(files) // count] for i in range(count)]
    comparison = Comparison(convviz.load_model(args.model), photos)
    place = {"date": today(), "machine": machine(), "versions": versions("quantus")}
    record: Record = {"model": args.model, **place, "rows": []}
    for metric in TITLES:
        record["rows"].append(measure(comparison, metric, args.repeats))
        record["machine"]["load_after"] = load()
        write(args.out, record)
    print(report(record))


if __name__ == "__main__":
    main()

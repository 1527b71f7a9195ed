"""Sweeps of data sets: what the explainers cost beside a bare forward pass, and beside Captum.

Ways over the same images, decoded before the clock starts: a bare forward pass in inference mode
(in both memory formats), a sweep with one explainer, one with all four (by the network's graph, as
sweeps run, and by the network as it is), Captum's
`LayerActivation` layer by layer and for all layers at once. Then whole runs of a small network,
each in a process of its own, from 1 000 images up: seconds an image and peak memory.

    python benchmarks/sweep.py --out benchmarks/results/sweep.json
"""

from __future__ import annotations

import argparse
import copy
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from _captum import Captums
from _common import (
    Record,
    interleaved,
    load,
    machine,
    medians,
    read,
    resident,
    table,
    today,
    versions,
    write,
)
from _nets import MEAN, STD, network
from PIL import Image
from skimage import data

import convviz
from convviz.authoring import Partial
from convviz.explanation.provenance import named
from convviz.sweep import driver
from convviz.sweep.forward_pass import MIN_ITEMS_FOR_GRAPH, choose_forward
from convviz.sweep.input.loader import Loader
from convviz.sweep.plan import make_plan
from convviz.sweep.settings import SweepSettings
from convviz.sweep.store.partial_keys import keys_of_step, nest_tensors
from convviz.sweep.store.shard_files import LocalShardFiles
from convviz.sweep.store.shard_manifest import ShardManifest
from convviz.sweep.worker import Task, Worker

EXPLAINERS = ("patches", "neighbors", "embedding", "statistics")
NETS = {
    "resnet18": ("layer1.1", "layer2.1", "layer3.1", "layer4.1"),
    "demo-digits": ("stage1", "stage2", "stage3", "stage4"),
}
GROWTH = (1000, 2000, 5000, 10_000)


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nets", default=",".join(NETS), help="of " + ", ".join(NETS))
    parser.add_argument("--images", type=int, default=64, help="of a timed pass over resnet18")
    parser.add_argument("--size", type=int, default=224, help="of resnet18's images")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--growth", default=",".join(map(str, GROWTH)), help="images of the runs")
    parser.add_argument("--long", action="store_true", help="also a run of 50 000 images")
    parser.add_argument("--check", action="store_true", help="tiny and meaningless, but quick")
    parser.add_argument("--out", type=Path, required=True, help="JSON file of the records")
    parser.add_argument("--grow", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args(given)
    args.nets = [name for name in args.nets.split(",") if name]
    if unknown := set(args.nets) - set(NETS):
        parser.error(f"no network {', '.join(sorted(unknown))}; there are {', '.join(NETS)}")
    if args.check:
        args.images, args.size, args.batch, args.repeats, args.growth = 6, 64, 4, 1, "30,60"
    args.growth = [int(n) for n in args.growth.split(",") if n] + [50_000] * args.long
    return args


@dataclass(frozen=True, eq=False)
class Subject:
    """A network, what is asked of it, and images for it.

    Attributes:
        model, weights: the network, and a sentence about its weights.
        layers: those whose patches and statistics are wanted.
        images: the data set.
    """

    model: convviz.Model
    weights: str
    layers: tuple[str, ...]
    images: Any

    def explainers(self, which: tuple[str, ...]) -> list[Any]:
        layered = {"patches", "statistics"}
        given: dict[str, Any] = {
            name: {"layers": self.layers} if name in layered else {} for name in which
        }
        if "patches" in given:
            given["patches"] |= {"border": "include"}  # as the peers do
        return [convviz.explainer(name, **kw) for name, kw in given.items()]


def subject(name: str, args: argparse.Namespace, folder: Path) -> Subject:
    if name == "demo-digits":
        count = 4 * args.images
        return Subject(convviz.load_model(name), "trained, shipped", NETS[name], digits(count))
    module, weights = network(name, args.size)
    resize = args.size * 256 // 224
    preprocess = convviz.Preprocess(resize=resize, crop=args.size, mean=MEAN, std=STD)
    model = convviz.Model(module, preprocess=preprocess, name=name)
    return Subject(model, weights, NETS[name], photos(args.images, folder))


def digits(count: int) -> np.ndarray:
    """Return noisy digits, uint8 `[n, 8, 8]`, no two alike."""
    from sklearn.datasets import load_digits

    known = load_digits().images
    noise = np.random.default_rng(0).integers(-24, 25, (count, 8, 8))
    return np.clip(known[np.arange(count) % len(known)] * 15 + noise, 0, 255).astype(np.uint8)


def photos(count: int, folder: Path) -> list[Path]:
    """Write crops of photos as JPEG files of 500 x 375 pixels; returns the files."""
    originals = [Image.fromarray(p) for p in (data.astronaut(), data.chelsea(), data.coffee())]
    generator = np.random.default_rng(0)
    files = []
    for i in range(count):
        original = originals[i % len(originals)]
        w, h = 240, 180
        x, y = (
            int(generator.integers(n - side)) for n, side in zip(original.size, (w, h), strict=True)
        )
        files.append(folder / f"{i:05d}.jpg")
        original.crop((x, y, x + w, y + h)).resize((500, 375)).save(files[-1], quality=90)
    return files


class Decoded:
    """A loader whose items are ready before the clock starts.

    Attributes:
        items: those of the data set.
        seconds: what it took to load and preprocess them, in one process.
    """

    def __init__(self, loader: Loader) -> None:
        self.dataset = loader.dataset
        began = time.perf_counter()
        self.items = list(loader.load(range(len(self.dataset.ids))))
        self.seconds = time.perf_counter() - began

    def load(self, indices: Sequence[int], then: Sequence[int] = ()) -> Iterator[Any]:
        return (self.items[index] for index in indices)


class Swept:
    """A sweep's first stage over decoded images: forward, reduce, merge, write the shard."""

    def __init__(
        self,
        about: Subject,
        which: tuple[str, ...],
        batch: int,
        decoded: Decoded,
        folder: Path,
        by_graph: bool = True,
    ) -> None:
        dataset = decoded.dataset
        count = len(dataset.ids)
        who = named(about.explainers(which), {})
        plan = make_plan(
            about.model, dataset, who, SweepSettings(batch_size=batch, shard_size=count)
        )
        folder.mkdir(exist_ok=True)
        forwards = None
        if by_graph:
            first, model = decoded.items[0].prepared.image[None], about.model
            # As many as a run has that is worth the export.
            with model.session():
                forwards = choose_forward(
                    model, plan.layers, first, max(MIN_ITEMS_FOR_GRAPH, count), batch
                )
            self.how = str(forwards.mode)
        manifest = ShardManifest(LocalShardFiles(folder))
        self._worker = Worker(
            about.model, dataset, plan, manifest, loader=decoded, forward=forwards
        )
        self._task = Task(0, range(count), batch)

    def __call__(self) -> None:
        with self._worker.model.session():
            self._worker(self._task)

    def partial(self, number: int) -> Partial:
        """Return the partial of an explainer, read from the file of the shard."""
        from safetensors.torch import load_file

        tensors = load_file(self._worker.folder / "000000.safetensors")
        return nest_tensors((key, tensors[key]) for key in keys_of_step(tensors, number))


def bare(
    module: torch.nn.Module, batches: list[torch.Tensor], form: torch.memory_format
) -> Callable[[], None]:
    """Return a bare forward pass over batches, network and images in a memory format."""
    formatted = copy.deepcopy(module).to(memory_format=form)
    images = [batch.contiguous(memory_format=form) for batch in batches]

    def run() -> None:
        with torch.inference_mode():
            for batch in images:
                formatted(batch)

    return run


def compared(name: str, args: argparse.Namespace) -> Record:
    """Time all ways over one network."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        about = subject(name, args, folder)
        dataset = convviz.plugin.sources.as_dataset(about.images)
        decoded = Decoded(Loader(dataset, about.model.preprocess, workers=0))
        everything = Swept(about, EXPLAINERS, args.batch, decoded, folder / "all")
        images = torch.stack([item.prepared.image for item in decoded.items])
        batches, module = list(images.split(args.batch)), about.model.module.eval()
        captums = Captums(module, about.layers, about.model.default_layers("features")[0], batches)
        ways: dict[str, Callable[[], Any]] = {
            "forward, contiguous": bare(module, batches, torch.contiguous_format),
            "forward, channels_last": bare(module, batches, torch.channels_last),
            "all four": everything,
            "all four, network as it is": Swept(
                about, EXPLAINERS, args.batch, decoded, folder / "hooked", by_graph=False
            ),
            "captum, layer by layer": captums.one_by_one,
            "captum, all layers at once": captums.at_once,
        }
        for one in EXPLAINERS:
            ways[one] = Swept(about, (one,), args.batch, decoded, folder / one)
        for way in ways.values():
            way()  # warm
        times = interleaved(ways, args.repeats)
        deviation = captums.deviation(everything.partial(0))
    count = sum(map(len, batches))
    return {
        "net": name,
        "weights": about.weights,
        "how": everything.how,
        "date": today(),
        "input": list(batches[0].shape[1:]),
        "images": count,
        "batch": args.batch,
        "layers": list(about.layers),
        "deviation_of_patches_from_captum": deviation,
        "seconds": times,
        "images_a_second": {way: count / s for way, s in medians(times).items()},
        "decoding_images_a_second": count / decoded.seconds,
        **ratios({way: count / s for way, s in medians(times).items()}),
    }


def ratios(rate: dict[str, float]) -> Record:
    """Return what the goals are about."""
    best = max(rate["forward, contiguous"], rate["forward, channels_last"])
    return {
        "of_forward": rate["all four"] / rate["forward, contiguous"],
        "of_best_forward": rate["all four"] / best,
        "over_network_as_it_is": rate["all four"] / rate["all four, network as it is"],
        "cost_of_four_over_one": {one: rate[one] / rate["all four"] for one in EXPLAINERS},
        "over_captum": rate["all four"] / rate["captum, layer by layer"],
        "over_captum_at_once": rate["all four"] / rate["captum, all layers at once"],
    }


def grown(args: argparse.Namespace, count: int) -> Record:
    """Run the small network over so many images in a process of its own."""
    command = [sys.executable, __file__, "--grow", str(count), "--out", str(args.out)]
    command += ["--threads", str(args.threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def grow(count: int) -> Record:
    """Analyze so many images with all four explainers; returns seconds and peak memory."""
    about = Subject(convviz.load_model("demo-digits"), "", NETS["demo-digits"], digits(count))
    what = about.explainers(("patches", "neighbors", "statistics"))
    # t-SNE is not linear in the images, and has a benchmark of its own: embedding.py.
    what.append(convviz.explainer("embedding", method="pca"))
    swept, finish = [0.0, 0], driver.finish

    def between(*given: Any, **named: Any) -> Any:
        swept[:] = [time.perf_counter(), resident("VmHWM")]
        return finish(*given, **named)

    held = Held()
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.object(driver, "finish", between),
        held.watched(),
    ):
        began = time.perf_counter()
        convviz.analyze(about.model, about.images, what, Path(folder, "run"))
        ended = time.perf_counter()
    return {
        "images": count,
        "sweep_s": swept[0] - began,
        "finish_s": ended - swept[0],
        "peak_mib_after_sweep": swept[1],
        "peak_mib": resident("VmHWM"),  # pages of mapped files included
        "peak_mib_without_files": held.most,
    }


class Held:
    """Watches the memory that the system cannot take back: all but the pages of mapped files.

    Attributes:
        most: the most of it seen, in MiB; looked at every hundredth of a second.
    """

    def __init__(self) -> None:
        self.most = 0.0
        self._over = threading.Event()

    @contextmanager
    def watched(self) -> Iterator[None]:
        thread = threading.Thread(target=self._watch)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.01):
            self.most = max(self.most, resident("RssAnon"))


def report(record: Record) -> str:
    """Lay out a record as tables."""
    parts = []
    for name, net in record["nets"].items():
        best = max(v for k, v in net["images_a_second"].items() if k.startswith("forward"))
        rows = [[k, f"{v:.1f}", f"{v / best:.2f}"] for k, v in net["images_a_second"].items()]
        rows.append(["decoding, one process", f"{net['decoding_images_a_second']:.1f}", ""])
        parts.append(table([name, "images/s", "of the best forward"], rows))
    rows = [
        [
            f"{one['images']}",
            f"{1e3 * one['sweep_s'] / one['images']:.2f}",
            f"{1e3 * one['finish_s'] / one['images']:.2f}",
            f"{one['peak_mib_after_sweep']:.0f}",
            f"{one['peak_mib']:.0f}",
            f"{one['peak_mib_without_files']:.0f}",
        ]
        for one in record["growth"]
    ]
    head = ["images", "sweep, ms an image", "finish, ms an image"]
    head += ["peak MiB, sweep", "peak MiB", "without mapped files"]
    return "\n\n".join([*parts, table(head, rows)])


def main(given: list[str] | None = None) -> None:
    args = arguments(given)
    torch.set_num_threads(args.threads)
    if args.grow:
        print(json.dumps(grow(args.grow)))
        return
    record = {"nets": {}, "growth": [], **read(args.out)}
    for name in args.nets:
        record["nets"][name] = made_with(args) | compared(name, args) | {"load_after": load()}
        write(args.out, record)
    kept = [one for one in record["growth"] if one["images"] not in args.growth]
    for count in args.growth:
        kept.append(made_with(args) | grown(args, count))
        record["growth"] = sorted(kept, key=lambda one: one["images"])
        write(args.out, record)
    print(report(record))


def made_with(args: argparse.Namespace) -> Record:
    """Return what a measurement was made with."""
    made = {"machine": machine(), "versions": versions(), "date": today()}
    return made | {"repeats": args.repeats}


if __name__ == "__main__":
    main()

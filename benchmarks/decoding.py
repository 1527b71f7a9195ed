"""From JPEG files to a network's input: the ways of `--decode`, with and without workers.

    python benchmarks/decoding.py PHOTOS --out benchmarks/results/decoding.json

On a machine without a CUDA device the way "gpu" is left out, and TorchCodec on the CPU, through
the same code, is there in its place.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import torch
from _common import Record, interleaved, load, machine, medians, table, today, versions, write

import convviz
from convviz.sweep.decode_modes import EXACT, GPU, DecodeMode
from convviz.sweep.input.loader import Loader, cores


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", help="a folder of JPEG files, or another data set of convviz")
    parser.add_argument("--images", type=int, default=200, help="of a timed pass")
    parser.add_argument("--resize", type=int, default=256)
    parser.add_argument("--crop", type=int, default=224)
    parser.add_argument("--workers", type=int, default=cores() - 1, help="as in convviz analyze")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, required=True, help="JSON file of the records")
    return parser.parse_args(given)


def ways(args: argparse.Namespace, device: torch.device) -> dict[str, Loader]:
    """Return the loaders that are timed."""
    data = convviz.open_dataset(args.photos)
    preprocess = convviz.Preprocess(resize=args.resize, crop=args.crop)
    made = {}
    for how in get_args(DecodeMode):
        on = f"{how}, TorchCodec on the CPU" if how == GPU and device.type == "cpu" else how
        for workers in sorted({0, args.workers}):
            name = f"{on}, {workers} workers"
            made[name] = Loader(data, preprocess, workers, decode=how, device=device)
    return made


def passed(loader: Loader, count: int) -> list[Any]:
    return list(loader.load(range(count), range(count)))


def deviations(loaders: dict[str, Loader], count: int) -> Record:
    """Return by how many grey levels each way's pixels differ from exact ones: mean and most."""
    pixels = {}
    for name, loader in loaders.items():
        if name.endswith(", 0 workers"):
            found = loader.load(range(count))
            pixels[name] = torch.stack([torch.from_numpy(one.prepared.pixels) for one in found])
    exact = pixels[f"{EXACT}, 0 workers"].int()
    apart = {name: (one.int() - exact).abs().float() for name, one in pixels.items()}
    return {name: [float(one.mean()), float(one.max())] for name, one in apart.items()}


def measured(args: argparse.Namespace, device: torch.device) -> Record:
    loaders = ways(args, device)
    count = min(args.images, len(next(iter(loaders.values())).dataset.ids))
    timed: dict[str, Callable[[], Any]] = {
        name: lambda loader=loader: passed(loader, count) for name, loader in loaders.items()
    }
    try:
        for way in timed.values():
            way()  # processes start, libraries load
        seconds = interleaved(timed, args.repeats, device.type)
    finally:
        for loader in loaders.values():
            loader.close()
    rates = {name: count / s for name, s in medians(seconds).items()}
    return {
        "images": count,
        "resize": args.resize,
        "crop": args.crop,
        "device": device.type,
        "grey_levels_from_exact_mean_most": deviations(loaders, min(count, 50)),
        "seconds": seconds,
        "images_a_second": rates,
    }


def report(record: Record) -> str:
    plain = record["images_a_second"][f"{EXACT}, 0 workers"]
    rows = [
        [name, f"{rate:.0f}", f"{rate / plain:.2f}x"]
        for name, rate in record["images_a_second"].items()
    ]
    return table(["decode", "images/s", f"over {EXACT}, 0 workers"], rows)


def main(given: list[str] | None = None) -> None:
    args = arguments(given)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    record: Record = {"date": today(), "machine": machine(), "versions": versions("torchcodec")}
    record |= measured(args, device)
    record["machine"]["load_after"] = load()
    write(args.out, record)
    print(report(record))


if __name__ == "__main__":
    main()

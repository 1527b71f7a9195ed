"""Peaks and moments of channels: the operators beside torch's own reductions.

Maps of a batch as ResNet18's stages make them, channels_last. A way of torch is the fastest of
several: what looks for the place of a maximum, and what counts, has its own favourite layout.

    python benchmarks/channels.py --out benchmarks/results/channels.json
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from _common import Record, interleaved, load, machine, medians, table, today, versions, write
from torch import Tensor

import convviz
import convviz.authoring

STAGES = ((64, 56), (128, 28), (256, 14), (512, 7))
BINS = 128


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=11)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--check", action="store_true", help="tiny and meaningless, but quick")
    parser.add_argument("--out", type=Path, required=True, help="JSON file of the records")
    args = parser.parse_args(given)
    if args.check:
        args.batch, args.repeats = 2, 1
    return args


def counted(x: Tensor) -> Tensor:
    """Count the values of every channel by half octaves, with torch alone."""
    places = x.view(torch.int32) + ((1 << 22) - 1)
    places = places.bitwise_right_shift_(22)
    places += (torch.arange(x.shape[1], dtype=torch.int32) * 1024 + 512)[:, None]
    return torch.bincount(places.flatten(), minlength=x.shape[1] * 1024).view(-1, 1024)


def moments(x: Tensor) -> tuple[Tensor, ...]:
    """Measure and count with torch alone, images `[N, C, P]` in memory channel by channel."""
    variance, mean = torch.var_mean(x, 2, correction=0)
    return mean, variance * x.shape[2], *torch.aminmax(x, dim=2), counted(x)


def ways(x: Tensor) -> dict[str, Callable[[], Any]]:
    """Return what is timed; x is `[N, C, H, W]` in channels_last."""
    homes = torch.arange(1024) * BINS // 1024
    # Pieces of about the size of a processor's cache, and all at once.
    piece = max(1, (1 << 18) // x[0].numel())
    return {
        "channel_peaks": lambda: convviz.authoring.channel_peaks(x),
        "peaks: max": lambda: x.flatten(2).max(2),
        "peaks: max, contiguous": lambda: x.contiguous().flatten(2).max(2),
        "channel_moments": lambda: convviz.authoring.channel_moments(x, homes, BINS),
        "moments: all at once": lambda: moments(x.contiguous().flatten(2)),
        "moments: in pieces": lambda: [
            moments(part.contiguous().flatten(2)) for part in x.split(piece)
        ],
    }


def deviation(x: Tensor) -> float:
    """Return how far the operators' numbers are from torch's, as a share of the largest."""
    places = convviz.authoring.channel_peaks(x)[1]
    flat = x.flatten(2)
    wrong = (flat.gather(2, places[..., None])[..., 0] != flat.amax(2)).sum()
    mean, squares, *_, histogram = convviz.authoring.channel_moments(
        x, torch.arange(1024) % BINS, BINS
    )
    wanted = moments(x.contiguous().flatten(2))
    apart = [
        float((a - b).abs().max() / b.abs().max())
        for a, b in ((mean, wanted[0]), (squares, wanted[1]))
    ]
    folded = torch.zeros_like(histogram).index_add_(1, torch.arange(1024) % BINS, wanted[4])
    return max(*apart, float(wrong), float((folded != histogram).sum()))


def best(seconds: dict[str, float], kind: str) -> float:
    return min(s for name, s in seconds.items() if name.startswith(f"{kind}:"))


def measured(channels: int, size: int, args: argparse.Namespace) -> Record:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(args.batch, channels, size, size, generator=generator).relu()
    x = x.contiguous(memory_format=torch.channels_last)
    timed = ways(x)
    for way in timed.values():
        way()  # warm
    seconds = interleaved(timed, args.repeats)
    middle = medians(seconds)
    return {
        "shape": list(x.shape),
        "deviation": deviation(x),
        "seconds": seconds,
        "median_s": middle,
        "peaks_over_torch": best(middle, "peaks") / middle["channel_peaks"],
        "moments_over_torch": best(middle, "moments") / middle["channel_moments"],
    }


def report(record: Record) -> str:
    rows = []
    for stage in record["stages"]:
        ms = {name: f"{1e3 * s:.2f}" for name, s in stage["median_s"].items()}
        rows.append(
            [
                " x ".join(map(str, stage["shape"])),
                ms["channel_peaks"],
                f"{stage['peaks_over_torch']:.1f}x",
                ms["channel_moments"],
                f"{stage['moments_over_torch']:.1f}x",
            ]
        )
    head = ["maps", "channel_peaks, ms", "over torch", "channel_moments, ms", "over torch"]
    return table(head, rows)


def main(given: list[str] | None = None) -> None:
    args = arguments(given)
    torch.set_num_threads(args.threads)
    record: Record = {"date": today(), "machine": machine(), "versions": versions()}
    stages = [(8, 6)] if args.check else STAGES
    with torch.inference_mode():
        record["stages"] = [measured(*stage, args) for stage in stages]
    record["machine"]["load_after"] = load()
    write(args.out, record)
    print(report(record))


if __name__ == "__main__":
    main()

"""Occlusion: Captum, full forward passes of convviz, and its incremental engine, side by side.

Random weights, float32, one image. The rival gets the batch size and the memory format that are
fastest for it on 64 positions, eval mode and inference mode. Results are written after every
network; a network that is in the file with the same settings is not run again.

    python benchmarks/occlusion.py --nets resnet18,vgg16 --out benchmarks/results/FILE.json
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torchvision
from _common import (
    Record,
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
from captum.attr import Occlusion
from torch import Tensor, nn

from convviz.incremental import Plan, Prepared, Run, make_plan, prepare
from convviz.model import Model

TARGET = 0
TRIAL_BATCHES = (8, 16, 32, 64)
TRIAL_SIDE = 8  # 8 x 8 positions to choose the rival's settings on
FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


@dataclass(frozen=True, eq=False)
class Work:
    """One network and the windows to cover: what all ways compute.

    Attributes:
        module: the network, in eval mode, contiguous.
        image: `[1, 3, S, S]`.
        boxes: `[P, 4]`, x0, y0, x1, y1.
    """

    module: nn.Module
    image: Tensor
    boxes: Tensor


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nets", default="alexnet,resnet18,resnet50,vgg16,mobilenet_v2")
    parser.add_argument("--size", type=int, default=224, help="height and width of the image")
    parser.add_argument("--window", type=int, default=16)
    parser.add_argument("--stride", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, required=True, help="JSON file of the records")
    parser.add_argument("--skip-captum", action="store_true")
    parser.add_argument("--again", action="store_true", help="run what is in the file already")
    args = parser.parse_args(given)
    args.nets = args.nets.split(",")
    known = torchvision.models.list_models(module=torchvision.models)
    if unknown := [name for name in args.nets if name not in known]:
        parser.error(f"torchvision has no network {unknown[0]!r}; it has {', '.join(known)}")
    if args.window > args.size:
        parser.error(f"--window {args.window} is larger than the image, {args.size}")
    if not 0 < args.stride <= args.window:
        parser.error(f"--stride {args.stride} must be 1 to --window {args.window}, as in Captum")
    return args


def network(name: str) -> nn.Module:
    torch.manual_seed(0)
    quick = {"init_weights": True} if name in ("googlenet", "inception_v3") else {}
    return torchvision.models.get_model(name, weights=None, **quick).eval()


def slid(size: int, window: int, stride: int) -> Tensor:
    """Return the boxes of a sliding window, the last ones cut off at the border, as Captum's."""
    starts = range(0, size - window + stride, stride)
    return torch.tensor(
        [(x, y, min(x + window, size), min(y + window, size)) for y in starts for x in starts]
    )


def captum_way(
    work: Work, batch: int, layout: str, window: int, stride: int
) -> Callable[[], Tensor]:
    """Return a call of Captum; the module must have the layout's memory format already."""
    image = work.image.contiguous(memory_format=FORMATS[layout])

    def run() -> Tensor:
        return Occlusion(work.module).attribute(
            image,
            sliding_window_shapes=(3, window, window),
            strides=(3, stride, stride),
            baselines=0,
            target=TARGET,
            perturbations_per_eval=batch,
        )

    return run


def own_way(work: Work, prepared: Prepared, plan: Plan) -> Callable[[], Tensor]:
    """Return a call that gives the scores `[P]` of the target by a plan, clean pass included."""
    program, order = prepared.program, torch.from_numpy(prepared.order)
    fill = torch.zeros_like(work.image)

    def run() -> Tensor:
        scores = torch.zeros(len(order))
        outputs = Run(program, plan, work.image, fill)
        for chunk in torch.split(order, prepared.chunk):
            for piece, values in outputs.outputs(chunk.numpy()):
                scores[torch.from_numpy(piece)] = values[program.output][:, TARGET]
        return scores

    return run


def best_captum(work: Work) -> tuple[Record, dict[str, float]]:
    """Choose the rival's batch size and memory format; leave the module in that format."""
    size = work.image.shape[-1]
    side = -(-size // TRIAL_SIDE)  # edge to edge; Captum's time does not depend on the size
    seconds = {}
    for layout in FORMATS:
        work.module.to(memory_format=FORMATS[layout])
        captum_way(work, TRIAL_BATCHES[0], layout, side, side)()  # warm up
        for batch in TRIAL_BATCHES:
            way = captum_way(work, batch, layout, side, side)
            seconds[f"{layout} {batch}"] = timed(way)[0]
    layout, batch = min(seconds, key=seconds.__getitem__).split()
    work.module.to(memory_format=FORMATS[layout])
    return {"memory_format": layout, "perturbations_per_eval": int(batch)}, seconds


def attributed(work: Work, scores: Tensor, clean: float) -> Tensor:
    """Return what Captum gives for these scores: a pixel's mean drop under its windows."""
    total, count = torch.zeros(work.image.shape[2:]), torch.zeros(work.image.shape[2:])
    for (x0, y0, x1, y1), score in zip(work.boxes.tolist(), scores.tolist(), strict=True):
        total[y0:y1, x0:x1] += clean - score
        count[y0:y1, x0:x1] += 1
    return total / count.clamp(min=1)


def check(work: Work, results: dict[str, Tensor]) -> Record:
    """Return the largest deviations, each as a share of the largest score."""
    dense, found = results["dense"], results["incremental"]
    scale = float(dense.abs().max())
    record = {"from_dense": float((found - dense).abs().max()) / scale}
    if "captum" in results:
        clean = float(work.module(work.image)[0, TARGET])
        ours = attributed(work, found, clean)
        record["from_captum"] = float((ours - results["captum"][0, 0]).abs().max()) / scale
    return record


def measure(name: str, args: argparse.Namespace) -> Record:
    """Run one network every way."""
    image = torch.randn(1, 3, args.size, args.size, generator=torch.manual_seed(1))
    boxes = slid(args.size, args.window, args.stride)
    work = Work(network(name), image, boxes)
    record: Record = {"settings": settings(args), "machine": machine(), "versions": versions()}
    record |= {"date": today(), "positions": len(boxes)}
    with torch.inference_mode():
        seconds, prepared = timed(lambda: prepare(Model(work.module), image, boxes, ()))
        if isinstance(prepared, str):
            return record | {"not_incremental": prepared}
        whole = make_plan(prepared.program, boxes, whole=True)
        ways = {
            "dense": own_way(work, prepared, whole),
            "incremental": own_way(work, prepared, prepared.plan),
        }
        if not args.skip_captum:
            best, trials = best_captum(work)
            record |= {"captum": best, "captum_trials_s": trials}
            layout, batch = best["memory_format"], best["perturbations_per_eval"]
            ways["captum"] = captum_way(work, batch, layout, args.window, args.stride)
        record["deviation"] = check(work, {way: call() for way, call in ways.items()})
        times = interleaved(ways, args.repeats)
    plan = prepared.plan
    record["machine"]["load_after"] = load()
    record |= {"prepare_s": seconds, "seconds": times, "median_s": medians(times)}
    return record | {"mac_bound": plan.bound, "mac_saving": plan.saving, "dense_from": plan.reason}


def settings(args: argparse.Namespace) -> Record:
    """Return what must be equal for a record to answer the same question."""
    names = ("size", "window", "stride", "repeats", "threads", "skip_captum")
    return {name: getattr(args, name) for name in names} | {"dtype": "float32"}


def ratios(record: Record) -> Record:
    """Return how many times faster the incremental engine is, by the medians."""
    median = record["median_s"]
    dense = median["dense"] / median["incremental"]
    found = {"dense": dense, "share_of_bound": dense / record["mac_bound"]}
    if "captum" in median:
        found["captum"] = median["captum"] / median["incremental"]
    return found


def report(nets: Record) -> str:
    """Lay out the records as a table."""
    head = ["net", "windows", "Captum s", "dense s", "incremental s", "vs Captum", "vs dense"]
    head += ["MAC bound", "share", "deviation"]
    return table(head, [_row(name, record) for name, record in nets.items()])


def _row(name: str, record: Record) -> list[str]:
    if "not_incremental" in record:
        return [name, str(record["positions"]), *["-"] * 7, record["not_incremental"]]
    found, median = ratios(record), record["median_s"]
    captum = "captum" in median
    return [
        name,
        str(record["positions"]),
        f"{median['captum']:.2f}" if captum else "-",
        f"{median['dense']:.2f}",
        f"{median['incremental']:.2f}",
        f"{found['captum']:.2f}x" if captum else "-",
        f"{found['dense']:.2f}x",
        f"{record['mac_bound']:.2f}x",
        f"{found['share_of_bound']:.0%}",
        f"{record['deviation']['from_dense']:.1e}",
    ]


def main(given: list[str] | None = None) -> None:
    args = arguments(given)
    torch.set_num_threads(args.threads)
    nets = read(args.out)
    for name in args.nets:
        if not args.again and nets.get(name, {}).get("settings") == settings(args):
            print(f"{name}: in {args.out} already")
            continue
        print(f"{name}: running", flush=True)
        nets[name] = measure(name, args)
        write(args.out, nets)
    print(report({name: nets[name] for name in args.nets}))


if __name__ == "__main__":
    main()

"""CUDA: bandwidth of the operators, and the public calls beside Captum and a bare forward pass.

One section a call, so that a run that is cut short still counts:

    python benchmarks/gpu.py bandwidth --out benchmarks/results/gpu-bandwidth.json
    python benchmarks/gpu.py occlusion --precision bf16 --out benchmarks/results/gpu-occlusion.json

`--device cpu --check` runs a section in seconds without a GPU: its figures mean nothing.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _common import Record, interleaved, machine, medians, read, table, today, versions, write
from _nets import network
from torch import Tensor, nn

import convviz
from convviz.ops.gather_windows import gather_windows
from convviz.ops.guided_relu import guided_relu, guided_relu_backward
from convviz.ops.occlude import occlude

GIB = 1 << 30
NETS = "vgg16,resnet18,resnet50,mobilenet_v2,convnext_tiny"
BATCHES = (32, 128, 512)
"""Copies per forward pass that Captum and the dense engine may choose from."""


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("section", choices=SECTIONS)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--nets", default="", help="torchvision networks, separated by commas")
    parser.add_argument("--precision", choices=("float32", "bf16"), default="float32")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--check", action="store_true", help="tiny and meaningless, but quick")
    parser.add_argument("--out", type=Path, required=True, help="JSON file of the records")
    args = parser.parse_args(given)
    if args.check:
        args.size, args.repeats = 64, 1
    return args


def seconds_per_call(function: Callable[[], Any], args: argparse.Namespace, calls: int) -> float:
    """Return the median over repeats of the seconds a call takes, many calls between two waits."""
    calls = 1 if args.check else calls

    def run() -> None:
        for _ in range(calls):
            function()

    run()  # the first call allocates
    device = torch.device(args.device).type
    return medians(interleaved({"call": run}, args.repeats, device))["call"] / calls


# Bandwidth


def bandwidth(args: argparse.Namespace, save: Callable[[Record], None]) -> None:
    """Compare each operator with a device copy of the same size in the same run.

    The bytes counted are those that must move: every input read once, every output written once.
    """
    record: Record = {}
    for dtype in ("float32", "bfloat16"):
        for name, (call, moved) in operator_calls(args, getattr(torch, dtype)).items():
            source = torch.empty(max(1, moved // 2), dtype=torch.uint8, device=args.device)
            copy = torch.empty_like(source)
            copy_s = seconds_per_call(lambda a=copy, b=source: a.copy_(b), args, 20)
            call_s = seconds_per_call(call, args, 20)
            record[f"{name} {dtype}"] = {
                "bytes": moved,
                "seconds": call_s,
                "gib_per_s": moved / call_s / GIB,
                "copy_gib_per_s": 2 * source.numel() / copy_s / GIB,
                "share_of_copy": (moved / call_s) / (2 * source.numel() / copy_s),
            }
            save(record)
    print(
        table(
            ["operator", "GiB/s", "copy GiB/s", "share"],
            [
                [
                    n,
                    f"{r['gib_per_s']:.0f}",
                    f"{r['copy_gib_per_s']:.0f}",
                    f"{r['share_of_copy']:.0%}",
                ]
                for n, r in record.items()
            ],
        )
    )


def operator_calls(
    args: argparse.Namespace, dtype: torch.dtype
) -> dict[str, tuple[Callable[[], Any], int]]:
    """Return, by operator, a call and the bytes that it must move."""
    n, c, side = (2, 8, 14) if args.check else (64, 64, 112)
    x = torch.randn(n, c, side, side, device=args.device, dtype=dtype)
    last = x.contiguous(memory_format=torch.channels_last)
    grad = torch.randn_like(x)
    _, bits = guided_relu(x, "guided")
    size, kept = x.numel() * x.element_size(), bits.numel()
    image, positions = torch.randn(3, 224, 224, device=args.device, dtype=dtype), 16 * n
    corners = torch.arange(positions, device=args.device) % 208
    fill = torch.zeros(3, 1, 1, device=args.device, dtype=dtype)
    copies = positions * image.numel() * image.element_size()
    window = 14
    rows = [(-1, 0, 0, 0, (7 * i) % (side - 1), (3 * i) % (side - 1)) for i in range(positions)]
    gathered = positions * c * window * window * x.element_size()
    clean, chart = x[:1].contiguous(), torch.tensor(rows)
    bins = torch.arange(1024, device=args.device) // 8
    calls: dict[str, tuple[Callable[[], Any], int]] = {
        "guided_relu": (lambda: guided_relu(x, "guided"), 2 * size + kept),
        "guided_relu_backward": (
            lambda: guided_relu_backward(grad, bits, "guided", False),
            2 * size + kept,
        ),
        "occlude": (lambda: occlude(image, corners, corners, 16, 16, fill), copies),
        "gather_windows": (
            lambda: gather_windows(clean, [], chart, window, window, 0.0),
            2 * gathered,
        ),
        "channel_peaks": (lambda: convviz.authoring.channel_peaks(last), size),
        "channel_means": (lambda: convviz.authoring.channel_means(last), size),
    }
    if dtype == torch.float32:  # the operator takes float32 and float64
        moments = convviz.authoring.channel_moments
        calls["channel_moments"] = (lambda: moments(last, bins, 128), size)
    return calls


# Public calls


def occlusion(args: argparse.Namespace, save: Callable[[Record], None]) -> None:
    """Occlude a photo, window 16, stride 8: convviz, its dense engine, Captum at its best batch."""
    record: Record = {}
    for name in (args.nets or NETS).split(","):
        module, weights = network(name, args.size)
        record[name] = {"weights": weights, "precision": args.precision}
        record[name] |= occlusion_of(module.to(args.device), args)
        save(record)
    columns = ("auto", "dense", "captum")
    rows = [
        [name, *(f"{r['median_s'][way]:.3f}" for way in columns), f"{r['over_captum']:.2f}x",
         f"{r['over_dense']:.2f}x", f"{r['deviation']:.1e}"]
        for name, r in record.items()
    ]  # fmt: skip
    print(table(["net", *(f"{c} s" for c in columns), "/captum", "/dense", "deviation"], rows))


def occlusion_of(module: nn.Module, args: argparse.Namespace) -> Record:
    from captum.attr import Occlusion

    window, stride = (16, 8) if not args.check else (32, 16)
    starts = range(0, args.size - window + 1, stride)
    boxes = torch.tensor([(x, y, x + window, y + window) for y in starts for x in starts])
    image = torch.randn(1, 3, args.size, args.size, device=args.device)
    model, fill = convviz.Model(module), torch.zeros(1)
    with torch.inference_mode():
        target = int(module(image)[0].argmax())
    autocast = torch.autocast(
        torch.device(args.device).type, torch.bfloat16, enabled=args.precision == "bf16"
    )

    def ours(engine: str, batch: int | None = None) -> Tensor:
        scores: Tensor = convviz.authoring.occluded(
            model, image, boxes, fill, lambda forward, _: forward.output, engine=engine,
            batch_size=batch, precision="bf16" if args.precision == "bf16" else "model",
        ).scores  # fmt: skip
        return scores

    def captum(batch: int) -> Tensor:
        with autocast, torch.inference_mode():
            heat: Tensor = Occlusion(module).attribute(
                image,
                sliding_window_shapes=(3, window, window),
                strides=(3, stride, stride),
                baselines=0,
                target=target,
                perturbations_per_eval=batch,
            )
        return heat

    batches = BATCHES if not args.check else (8,)
    device = torch.device(args.device).type
    best = {
        "captum": fastest({str(b): (lambda b=b: captum(b)) for b in batches}, device),
        "dense": fastest({str(b): (lambda b=b: ours("dense", b)) for b in batches}, device),
    }
    ways = {
        "auto": lambda: ours("auto"),
        "dense": lambda: ours("dense", int(best["dense"])),
        "captum": lambda: captum(int(best["captum"])),
    }
    exact, scores = ways["dense"](), ways["auto"]()
    seconds = interleaved(ways, args.repeats, device)
    middle = medians(seconds)
    return {
        "positions": len(boxes),
        "batch": best,
        "seconds": seconds,
        "median_s": middle,
        "over_captum": middle["captum"] / middle["auto"],
        "over_dense": middle["dense"] / middle["auto"],
        "deviation": float((scores - exact).abs().max() / exact.abs().max()),
    }


def fastest(ways: dict[str, Callable[[], Any]], device: str) -> str:
    """Return the name of the fastest way; one that does not fit into memory is left out."""
    seconds: dict[str, float] = {}
    for name, way in ways.items():
        try:
            way()
            seconds[name] = interleaved({name: way}, 1, device)[name][0]
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
    return min(seconds, key=seconds.__getitem__)


def guided(args: argparse.Namespace, save: Callable[[Record], None]) -> None:
    """Compare `convviz.explain(…, "guided_backprop")` with Captum's GuidedBackprop."""
    from captum.attr import GuidedBackprop

    record: Record = {}
    batch = 2 if args.check else 32
    device = torch.device(args.device).type
    for name in (args.nets or "resnet18,resnet50").split(","):
        module, _ = network(name, args.size)
        module = module.to(args.device)
        model = convviz.Model(module)
        images = torch.randn(batch, 3, args.size, args.size, device=args.device)
        captum = GuidedBackprop(module)
        ways = {
            "convviz": lambda m=model, x=images: convviz.explain(m, x, "guided_backprop", target=5),
            "captum": lambda c=captum, x=images: c.attribute(x, target=5),
        }
        warnings.filterwarnings("ignore", module="captum")
        for way in ways.values():
            way()
        middle = medians(interleaved(ways, args.repeats, device))
        peaks = {name: peak_bytes(way) for name, way in ways.items()} if device == "cuda" else {}
        record[name] = {"batch": batch, "median_s": middle, "peak_bytes": peaks}
        record[name]["of_captum"] = middle["convviz"] / middle["captum"]
        save(record)
        print(f"{name}: {record[name]['of_captum']:.2f} of Captum's time; peak bytes {peaks}")


def peak_bytes(call: Callable[[], Any]) -> int:
    """Return the bytes that a call allocates on the device beyond those held before."""
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    call()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before


def sweep(args: argparse.Namespace, save: Callable[[Record], None]) -> None:
    """Analyze images in memory with four explainers, beside bare forward passes over them."""
    count, batch = (12, 4) if args.check else (2048, 128)
    module, _ = network("resnet18", args.size)
    module = module.to(args.device)
    preprocess = convviz.Preprocess(resize=args.size, crop=args.size)
    model = convviz.Model(module, preprocess=preprocess, name="resnet18")
    photos = np.random.default_rng(0).integers(0, 256, (count, args.size, args.size, 3), np.uint8)
    layers = ("layer4",) if args.check else ("layer1", "layer2", "layer3", "layer4")
    explainers = [
        convviz.explainer("patches", layers=layers),
        convviz.explainer("statistics", layers=layers),
        convviz.explainer("neighbors"),
        convviz.explainer("embedding", method="pca"),
    ]

    def forward() -> None:
        with torch.inference_mode():
            for part in np.array_split(photos, max(1, count // batch)):
                pixels = (
                    torch.from_numpy(part).pin_memory()
                    if args.device == "cuda"
                    else torch.from_numpy(part)
                )
                x = pixels.to(args.device, non_blocking=True).permute(0, 3, 1, 2).float() / 255
                module(x)

    def analyze() -> None:
        with tempfile.TemporaryDirectory() as folder:
            convviz.analyze(model, photos, explainers, Path(folder, "run"), batch_size=batch)

    forward()
    device = torch.device(args.device).type
    began = time.perf_counter()
    middle = medians(interleaved({"forward": forward, "analyze": analyze}, args.repeats, device))
    save(
        {
            "images": count,
            "batch": batch,
            "median_s": middle,
            "share_of_forward": middle["forward"] / middle["analyze"],
            "took_s": time.perf_counter() - began,
        }
    )
    print(f"analyze runs at {middle['forward'] / middle['analyze']:.2f} of bare forward passes")


SECTIONS: dict[str, Callable[[argparse.Namespace, Callable[[Record], None]], None]] = {
    "bandwidth": bandwidth,
    "occlusion": occlusion,
    "guided": guided,
    "sweep": sweep,
}


def main(given: Sequence[str] | None = None) -> None:
    args = arguments(given)
    if args.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("there is no CUDA device; --device cpu --check tries the script")
    # Networks in float32 compute in float32: convviz switches TF32 off, and so must its rivals.
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    key = args.section if args.precision == "float32" else f"{args.section} {args.precision}"
    records = read(args.out)

    def save(record: Record) -> None:
        records[key] = {
            "date": today(),
            "machine": machine(),
            "versions": versions(),
            "cuda": torch.version.cuda,
            "meaningless": args.check,
            "record": record,
        }
        write(args.out, records)

    SECTIONS[args.section](args, save)


if __name__ == "__main__":
    main()

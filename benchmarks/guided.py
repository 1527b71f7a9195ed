"""Guided backpropagation: the operator against its reference and a copy, the whole against hooks.

First `guided_relu` forward and backward on one activation, beside the Python reference, torch's
own ReLU and plain copies of the same bytes; then guided gradients of a network by the public call,
beside Captum's hooks and the plain gradient. On the CPU, and on CUDA where there is a device.

    python benchmarks/guided.py --out benchmarks/results/FILE.json
"""

from __future__ import annotations

import argparse
import copy
import json
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torchvision
from _common import (
    Record,
    interleaved,
    load,
    machine,
    medians,
    resident,
    table,
    timed,
    today,
    versions,
    write,
)
from captum.attr import GuidedBackprop
from torch import Tensor, nn

from convviz import Model, explain
from convviz.ops import kernels
from convviz.ops.guided_relu import guided_relu, guided_relu_backward

TARGET = 0
WAYS = ("plain", "captum", "convviz", "Model.gradient")
"""The public call is "convviz"; "Model.gradient" inside of it is a diagnosis."""
DTYPES = ("float32", "float64", "float16", "bfloat16")


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", default="16,64,112,112", help="of the activation, N,C,H,W")
    parser.add_argument("--dtype", default="float32", choices=DTYPES)
    parser.add_argument("--net", default="resnet18", help="a torchvision network with ReLUs")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, required=True, help="JSON file of the records")
    parser.add_argument("--peak", choices=WAYS, help=argparse.SUPPRESS)
    args = parser.parse_args(given)
    args.shape = [int(n) for n in args.shape.split(",")]
    return args


def operator(args: argparse.Namespace, device: str) -> Record:
    """Time the operator's two directions on one activation."""
    x = _noise(args, device)
    grad = _noise(args, device, seed=1)
    y, bits = guided_relu(x)
    target = torch.empty_like(x)
    # The body of a custom operator, which runs where there is no kernel.
    forward, backward = guided_relu._init_fn, guided_relu_backward._init_fn
    ways: dict[str, Callable[[], Any]] = {
        "copy": lambda: target.copy_(x),
        "copy, new memory": lambda: x.clone(),
        "relu": lambda: torch.relu(x),
        "guided_relu": lambda: guided_relu(x),
        "guided_relu_backward": lambda: guided_relu_backward(grad, bits, "guided", False),
        "reference forward": lambda: forward(x),
        "reference backward": lambda: backward(grad, bits, "guided", False),
    }
    for way in ways.values():
        way()
    _same("guided_relu", (y, bits), forward(x))
    _same("guided_relu_backward", [ways["guided_relu_backward"]()], [ways["reference backward"]()])
    times = interleaved(ways, args.repeats, device)
    return {
        "shape": args.shape,
        "dtype": args.dtype,
        "path": kernels.paths()["guided_relu"][device],
        "kept_bytes_an_element": {
            "guided_relu": bits.numel() / x.numel(),
            "relu": float(y.element_size()),
        },
        "seconds": times,
        "median_s": medians(times),
        "gb_a_second": bandwidths(x.numel(), x.element_size(), medians(times)),
    }


def bandwidths(numel: int, size: int, median: dict[str, float]) -> dict[str, float]:
    """Return the GB a second that each way moves: one tensor read and one written, and the bits."""
    plain, masked = 2 * size * numel, 2 * size * numel + numel / 8
    moved = {"copy": plain, "copy, new memory": plain, "relu": plain}
    return {name: moved.get(name, masked) / s / 1e9 for name, s in median.items()}


def whole(args: argparse.Namespace, device: str) -> Record:
    """Time guided gradients of a network's score, beside Captum's and the plain gradient."""
    module, model, ways = _ways(args, device)
    found = {name: way() for name, way in ways.items()}
    scale = float(found["captum"].abs().max())
    deviation = float((found["convviz"] - found["captum"]).abs().max()) / scale
    kept = {name: kept_bytes(module, model, way) for name, way in ways.items()}
    times = interleaved(ways, args.repeats, device)
    record = {"net": args.net, "batch": args.batch, "size": args.size, "deviation": deviation}
    record |= {"kept_mb": {name: number / 1e6 for name, number in kept.items()}}
    if device == "cuda":
        record["peak_mb"] = {name: _peak(way) / 1e6 for name, way in ways.items()}
    else:
        record["peak_mb"] = {name: _in_a_process(args, name) for name in WAYS}
    return record | {"seconds": times, "median_s": medians(times)}


def _ways(
    args: argparse.Namespace, device: str
) -> tuple[nn.Module, Model, dict[str, Callable[[], Tensor]]]:
    torch.manual_seed(0)
    module = torchvision.models.get_model(args.net, weights=None).eval().to(device)
    images = torch.randn(args.batch, 3, args.size, args.size, device=device)
    model = Model(copy.deepcopy(module))
    targets = model.resolve(TARGET, model.forward(images))
    ways = {
        "plain": lambda: _plain(module, images),
        "captum": lambda: _captum(module, images),
        "convviz": lambda: explain(model, images, "guided_backprop", target=TARGET).values,
        "Model.gradient": lambda: model.gradient(images, targets, "guided"),
    }
    return module, model, ways


def _in_a_process(args: argparse.Namespace, way: str) -> float:
    """Return the MB that one batch takes at its peak, in a process that does nothing else."""
    given = ["--peak", way, "--net", args.net, "--batch", str(args.batch), "--size", str(args.size)]
    given += ["--threads", str(args.threads), "--out", str(args.out)]
    done = subprocess.run([sys.executable, __file__, *given], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return float(json.loads(done.stdout.splitlines()[-1]))


def _peak_resident(args: argparse.Namespace) -> float:
    """Return by how many MB the resident set grows at its peak during one batch.

    A smaller batch before it loads what is loaded once.
    """
    small = argparse.Namespace(**{**vars(args), "batch": 1, "size": min(64, args.size)})
    _ways(small, "cpu")[2][args.peak]()
    way = _ways(args, "cpu")[2][args.peak]
    Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
    before = resident("VmRSS")
    way()
    return (resident("VmHWM") - before) * 2**20 / 1e6


def kept_bytes(module: nn.Module, model: Model, way: Callable[[], Tensor]) -> int:
    """Count the bytes autograd keeps for the backward pass, weights and buffers left out."""
    owned = {t.untyped_storage().data_ptr() for m in (module, model.module) for t in _state(m)}
    seen: dict[int, torch.UntypedStorage] = {}  # kept alive, so that no address comes twice

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in owned:
            seen[storage.data_ptr()] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        way()
    return sum(storage.nbytes() for storage in seen.values())


def _state(module: nn.Module) -> list[Tensor]:
    return [*module.parameters(), *module.buffers()]


def _plain(module: nn.Module, images: Tensor) -> Tensor:
    x = images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(module(x)[:, TARGET].sum(), x)
    return gradient


def _captum(module: nn.Module, images: Tensor) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it sets hooks, and wants gradients
        return GuidedBackprop(module).attribute(images.clone(), target=TARGET).detach()


def _peak(way: Callable[[], Any]) -> int:
    """Return the bytes a call takes on the CUDA device beyond what is taken before."""
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    timed(way, "cuda")
    return torch.cuda.max_memory_allocated() - before


def _noise(args: argparse.Namespace, device: str, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(args.shape, generator=generator)
    return noise.to(device, getattr(torch, args.dtype))


def _same(name: str, found: Any, wanted: Any) -> None:
    if not all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True)):
        raise SystemExit(f"{name} does not give what its reference gives; its time means nothing")


def report(device: str, record: Record) -> str:
    """Lay out one device's record as two tables."""
    one, all_ = record["operator"], record["network"]
    speed = one["gb_a_second"]
    rows = [
        [
            name,
            f"{1e3 * seconds:.2f}",
            f"{speed[name]:.1f}",
            f"{speed[name] / speed['copy']:.0%}",
            f"{speed[name] / speed['copy, new memory']:.0%}",
        ]
        for name, seconds in one["median_s"].items()
    ]
    head = ["operator", "ms", "GB/s", "of copy", "of copy to new memory"]
    first = table(head, rows)
    median, peak = all_["median_s"], all_["peak_mb"]
    rows = [
        [
            name,
            f"{s:.3f}",
            f"{s / median['plain']:.2f}",
            f"{s / median['captum']:.2f}",
            f"{all_['kept_mb'][name]:.1f}",
            f"{peak[name]:.0f}",
            # A small batch may fit into memory that the process has already.
            f"{peak[name] / peak['captum']:.2f}" if peak["captum"] else "-",
        ]
        for name, s in median.items()
    ]
    head = [all_["net"], "s a batch", "of plain gradient", "of Captum", "kept for backward, MB"]
    head += ["peak MB", "of Captum's"]
    kept = one["kept_bytes_an_element"]
    return (
        f"{device}, {one['dtype']} {one['shape']}, {one['path']}; kept an element: "
        f"{kept['guided_relu']:.3f} bytes, by torch's ReLU {kept['relu']:.0f}\n\n{first}\n\n"
        f"{table(head, rows)}\n"
    )


def main(given: list[str] | None = None) -> None:
    args = arguments(given)
    torch.set_num_threads(args.threads)
    if args.peak:
        print(json.dumps(_peak_resident(args)))
        return
    record: Record = {"machine": machine(), "versions": versions(), "date": today()}
    record["repeats"] = args.repeats
    for device in ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",):
        record[device] = {"operator": operator(args, device), "network": whole(args, device)}
        record["machine"]["load_after"] = load()
        write(args.out, record)
        print(report(device, record[device]))


if __name__ == "__main__":
    main()

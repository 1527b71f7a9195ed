"""Occlusion: Captum, the public call, and inside of it full passes and the incremental engine.

One photo, float32, all threads, the windows slid as Captum slides them. Both rivals get the
settings that are fastest for them on 64 positions. Every number is written as soon as it is
there: started again with the same settings, the script goes on where it stopped.

oneDNN keeps what it compiled for the last 1024 shapes. All ways together have more, which none has
alone: here, where they take turns in one process, it keeps 4096 for all of them.

    python benchmarks/occlusion.py --out benchmarks/results/occlusion.json
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torchvision
from _captum import FORMATS, occlusion_map
from _common import Record, load, machine, medians, read, timed, today, versions, write
from _nets import network, photo
from _occlusion_table import report
from torch import Tensor, nn

from convviz import Model, explain
from convviz.occlusion.executor import WindowExecutor
from convviz.occlusion.plan import WindowPlan, make_plan
from convviz.occlusion.prepare import PreparedOcclusion, prepare
from convviz.state.device import fast_bf16

os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "4096")  # read at its first use

NETS = "vgg16,resnet18,resnet50,alexnet,mobilenet_v2,densenet121,inception_v3,convnext_tiny"
BATCHES = (8, 16, 32, 64)
TRIAL_SIDE = 8  # 8 x 8 positions to choose settings on
SMOKE = {"nets": "squeezenet1_1,resnet18", "size": 32, "window": 8, "repeats": 1, "threads": 1}
TOLERANCE = 1e-4  # of float32, as a share of the largest score


@dataclass(frozen=True, eq=False)
class Work:
    """One network and the windows to cover: what all ways compute.

    Attributes:
        module: the network, in eval mode.
        image: `[1, 3, S, S]`.
        boxes: `[P, 4]`, x0, y0, x1, y1.
        target: the class whose score is followed: the top one of the image itself.
        clean: the scores of the image itself, `[classes]`.
    """

    module: nn.Module
    image: Tensor
    boxes: Tensor
    target: int
    clean: Tensor


class Dense(WindowExecutor):
    """A run with as many whole maps at a time as it is told."""

    batch = BATCHES[0]

    def _whole_map_batch(self) -> int:
        return self.batch


class Clock:
    """Says when the time given to this start of the script is spent."""

    def __init__(self, limit: float) -> None:
        self.limit, self.began = limit, time.monotonic()

    def check(self, about: float = 0.0) -> None:
        """Raise Spent where what comes next, of about so many seconds, would end too late."""
        if self.limit and time.monotonic() - self.began + about > self.limit:
            raise Spent


class Spent(Exception):  # noqa: N818
    """The time given is spent; what is done is written."""


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nets", default=NETS)
    parser.add_argument("--size", type=int, default=224, help="height and width of the image")
    parser.add_argument("--window", type=int, default=16)
    parser.add_argument("--stride", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--precision", choices=("float32", "bf16"), default="float32")
    parser.add_argument("--out", type=Path, required=True, help="JSON file of the records")
    parser.add_argument("--skip-captum", action="store_true")
    parser.add_argument("--again", action="store_true", help="run what is in the file already")
    parser.add_argument("--limit", type=float, default=0, help="seconds after which to stop")
    parser.add_argument("--check", action="store_true", help="small and quick: does it work?")
    if parser.parse_known_args(given)[0].check:
        parser.set_defaults(**SMOKE)
    args = parser.parse_args(given)
    args.nets = args.nets.split(",")
    known = torchvision.models.list_models(module=torchvision.models)
    if unknown := [name for name in args.nets if name not in known]:
        parser.error(f"torchvision has no network {unknown[0]!r}; it has {', '.join(known)}")
    if args.window > args.size:
        parser.error(f"--window {args.window} is larger than the image, {args.size}")
    if not 0 < args.stride <= args.window:
        parser.error(f"--stride {args.stride} must be 1 to --window {args.window}, as in Captum")
    if args.repeats < 1:
        parser.error(f"--repeats {args.repeats} must be 1 or more")
    return args


def slid(size: int, window: int, stride: int) -> Tensor:
    """Return the boxes of a sliding window, the last ones cut off at the border, as Captum's."""
    starts = range(0, size - window + stride, stride)
    return torch.tensor(
        [(x, y, min(x + window, size), min(y + window, size)) for y in starts for x in starts]
    )


def captum_way(work: Work, batch: int, layout: str, window: int, stride: int) -> Tensor:
    """Return Captum's map `[S, S]`; leaves the module in the layout's memory format."""
    # In inference mode, the weights would become inference tensors, which `Model` refuses.
    work.module.to(memory_format=FORMATS[layout])
    return occlusion_map(work.module, work.image, work.target, layout, batch, window, stride)


def public_way(work: Work, window: int, stride: int) -> Callable[[], Tensor]:
    """Return the public call, with Captum's settings; the first call exports the network."""
    model = Model(work.module)
    chosen = {"preset": "captum", "window": window, "stride": stride}

    def run() -> Tensor:
        return explain(model, work.image, "occlusion", target=work.target, **chosen).values[0]

    run()
    return run


@torch.inference_mode()
def incremental_way(work: Work, prepared: PreparedOcclusion) -> Tensor:
    """Return the scores `[P]` of the target, the clean pass included."""
    image = work.image.to(prepared.dtype)
    run = WindowExecutor(prepared.program, prepared.plan, image, torch.zeros_like(image))
    return _scores(work, run, prepared.order, prepared.chunk)


@torch.inference_mode()
def dense_way(work: Work, prepared: PreparedOcclusion, whole: WindowPlan, batch: int) -> Tensor:
    """Return the scores `[P]` from full forward passes, batch norm folded, channels_last.

    All of oneDNN's convolutions, or some by Winograd's algorithm: as the program says.
    """
    run = Dense(prepared.program, whole, work.image, torch.zeros_like(work.image))
    run.batch = batch
    return _scores(work, run, np.arange(len(whole.row)), batch)


def _scores(work: Work, run: WindowExecutor, order: np.ndarray, chunk: int) -> Tensor:
    scores = torch.zeros(len(order))
    for some in torch.split(torch.from_numpy(order), chunk):
        for positions, values in run.outputs(some.numpy()):
            if isinstance(run, Dense) and len(positions) != len(some):
                raise RuntimeError(f"{len(positions)} positions at a time, {len(some)} were given")
            scores[torch.from_numpy(positions)] = values[run.program.output][:, work.target].float()
    return scores


def attributed(work: Work, scores: Tensor) -> Tensor:
    """Return what Captum gives for these scores: a pixel's mean drop under its windows."""
    total, count = torch.zeros(work.image.shape[2:]), torch.zeros(work.image.shape[2:])
    clean = float(work.clean[work.target])
    for (x0, y0, x1, y1), score in zip(work.boxes.tolist(), scores.tolist(), strict=True):
        total[y0:y1, x0:x1] += clean - score
        count[y0:y1, x0:x1] += 1
    return total / count.clamp(min=1)


class Net:
    """Measures one network, step by step, into its record.

    Args:
        name: of the network.
        record: what an earlier start left, or nothing.
        args: of the command line.
        save: writes all records.
        clock: says when to stop.
    """

    def __init__(
        self,
        name: str,
        record: Record,
        args: argparse.Namespace,
        save: Callable[[], None],
        clock: Clock,
    ) -> None:
        self.record, self.args, self.save, self.clock = record, args, save, clock
        module, weights = network(name, args.size)
        image = photo(args.size)
        boxes = slid(args.size, args.window, args.stride)
        with torch.inference_mode():
            clean = module(image)[0]
        self.work = Work(module, image, boxes, int(clean.argmax()), clean)
        record |= {"settings": settings(args), "weights": weights, "positions": len(boxes)}
        record.setdefault("machine", machine())
        record |= {"versions": versions(), "date": today()}
        self.ways: dict[str, Callable[[], Tensor]] = {}

    def measure(self) -> None:
        """Do what the record still lacks."""
        record, work = self.record, self.work
        seconds, prepared = timed(lambda: prepare(Model(work.module), work.image, work.boxes, ()))
        if isinstance(prepared, str):
            record["not_incremental"] = prepared
            self.save()
            return
        record.setdefault("prepare_s", seconds)
        plan = prepared.plan
        record |= {"mac_bound": plan.bound, "mac_saving": plan.saving, "dense_from": plan.reason}
        self._dense(prepared)
        self.ways["incremental"] = lambda: incremental_way(work, prepared)
        self.ways["convviz"] = public_way(work, self.args.window, self.args.stride)
        if self.args.precision == "bf16":
            self._bf16()
        if not self.args.skip_captum:
            self._captum()
        self._repeat()
        record["machine"]["load_after"] = load()
        record.pop("scores", None)
        self.save()

    def _dense(self, prepared: PreparedOcclusion) -> None:
        """Choose how many whole maps the own dense path takes at a time."""
        work = self.work
        side = -(-self.args.size // TRIAL_SIDE)
        some = slid(self.args.size, side, side)
        steps = [replace(step, conv3x3=None) for step in prepared.program.steps]
        direct = replace(prepared, program=replace(prepared.program, steps=steps))
        whole = make_plan(direct.program, some, whole=True)
        trials = {
            str(batch): (lambda batch=batch: dense_way(work, direct, whole, batch))
            for batch in BATCHES
        }
        best = int(self._best("dense", trials))
        self.record["dense"] = {"batch": best}
        if "dense_winograd_trial_s" not in self.record:
            dense_way(work, prepared, whole, best)
            seconds, _ = timed(lambda: dense_way(work, prepared, whole, best))
            self.record["dense_winograd_trial_s"] = seconds
        everywhere = make_plan(direct.program, work.boxes, whole=True)
        self.ways["dense"] = lambda: dense_way(work, direct, everywhere, best)

    def _captum(self) -> None:
        """Choose the rival's batch size and memory format."""
        work, args = self.work, self.args
        side = -(-args.size // TRIAL_SIDE)  # edge to edge; its time does not depend on the size
        trials = {
            f"{layout} {batch}": (
                lambda layout=layout, batch=batch: captum_way(work, batch, layout, side, side)
            )
            for layout in FORMATS
            for batch in BATCHES
        }
        layout, given = self._best("captum", trials).split()
        batch = int(given)
        self.record["captum"] = {"memory_format": layout, "perturbations_per_eval": batch}
        self.ways["captum"] = lambda: captum_way(work, batch, layout, args.window, args.stride)

    def _bf16(self) -> None:
        """Add what `precision="bf16"` runs where the processor has it; say so where not."""
        work = self.work
        if not fast_bf16(work.image.device):
            self.record["bf16"] = "this processor does not multiply in bfloat16"
            return
        model = Model(work.module)
        prepared = prepare(model, work.image, work.boxes, (), dtype=torch.bfloat16)
        if isinstance(prepared, str):
            self.record["bf16"] = prepared
            return
        self.record["bf16"] = f"incremental, in {str(prepared.dtype).removeprefix('torch.')}"
        self.ways["bf16"] = lambda: incremental_way(work, prepared)

    def _best(self, way: str, trials: Mapping[str, Callable[[], Tensor]]) -> str:
        """Return the fastest of some settings, from the record where they are in it."""
        seconds = self.record.setdefault(f"{way}_trials_s", {})
        lacking = [name for name in trials if name not in seconds]
        if lacking:
            self.clock.check()
            trials[lacking[0]]()  # warm up
        for name in lacking:
            self.clock.check()
            seconds[name] = timed(trials[name])[0]
            self.save()
        return min(seconds, key=seconds.__getitem__)

    def _repeat(self) -> None:
        """Run all ways in turn, another one first in every round."""
        names = list(self.ways)
        seconds = self.record.setdefault("seconds", {})
        for name in names:
            seconds.setdefault(name, [])
        for turn in range(self.args.repeats):
            first = turn % len(names)
            for name in names[first:] + names[:first]:
                if len(seconds[name]) > turn:
                    continue
                self.clock.check(max(seconds[name], default=0.0))
                took, result = timed(self.ways[name])
                self._compare(name, result)
                seconds[name].append(took)
                self.record["median_s"] = medians({k: v for k, v in seconds.items() if v})
                self.save()

    def _compare(self, name: str, result: Tensor) -> None:
        """Note the largest deviation from the other ways, as a share of the largest score."""
        kept = self.record.setdefault("scores", {})
        deviation = self.record.setdefault("deviation", {})
        scale = float(self.work.clean.abs().max())
        if name not in ("captum", "convviz"):
            kept[name] = result.tolist()
            if name != "dense" and "dense" in kept:
                far = (result - torch.tensor(kept["dense"])).abs().max()
                deviation[f"{name}_from_dense"] = float(far) / scale
        elif "incremental" in kept:
            heat = attributed(self.work, torch.tensor(kept["incremental"]))
            deviation[f"incremental_from_{name}"] = float((heat - result).abs().max()) / scale


def settings(args: argparse.Namespace) -> Record:
    """Return what must be equal for a record to answer the same question."""
    names = ("size", "window", "stride", "threads", "precision", "skip_captum")
    return {name: getattr(args, name) for name in names}


def finished(record: Record, args: argparse.Namespace) -> bool:
    """Say whether a record of these settings lacks nothing."""
    if "not_incremental" in record:
        return True
    return "seconds" in record and "scores" not in record and _repeats(record) >= args.repeats


def _repeats(record: Record) -> int:
    return min(len(values) for values in record["seconds"].values())


def main(given: list[str] | None = None) -> None:
    args = arguments(given)
    torch.set_num_threads(args.threads)
    nets, clock = read(args.out), Clock(args.limit)
    try:
        for name in args.nets:
            _one(name, nets, args, clock)
    except Spent:
        print(f"{args.limit:.0f} s are spent; the same command goes on from here")
    done = {n: nets[n] for n in args.nets if n in nets and finished(nets[n], args)}
    print(report(done))
    if args.check:
        _judge(done)


def _judge(nets: Record) -> None:
    """End with an error where a network did not run every way, or the ways differ."""
    for name, record in nets.items():
        if "deviation" not in record:
            raise SystemExit(f"{name} does not run incrementally: {record['not_incremental']}")
        exact = [far for way, far in record["deviation"].items() if not way.startswith("bf16")]
        if max(exact) > TOLERANCE:
            raise SystemExit(f"{name}: the ways differ by {max(exact):.1e} of the largest score")


def _one(name: str, nets: Record, args: argparse.Namespace, clock: Clock) -> None:
    """Measure one network, or what an earlier start left of it."""
    if args.again or nets.get(name, {}).get("settings") != settings(args):
        nets[name] = {}
    if nets[name] and finished(nets[name], args):
        print(f"{name}: in {args.out} already")
        return
    print(f"{name}: running", flush=True)
    net = Net(name, nets[name], args, lambda: write(args.out, nets), clock)
    with torch.no_grad():
        net.measure()


if __name__ == "__main__":
    main()

"""What public calls cost: `convviz.explain` and the command line beside a rival, in one table.

Every row times one call of convviz and one call of a rival that gives the same output, in turn, on
the same machine, with the settings that are fastest for the rival. Networks have random weights
(seed 0), which do not affect the amount of computation. The records are written after every row,
and the table shows all of them, also those of earlier calls.

    python benchmarks/public_calls.py
    python benchmarks/public_calls.py --rows saliency-resnet50-1,occlusion-shell --repeats 7
    python benchmarks/public_calls.py --table     # the table of the records, into README.md as well
"""

from __future__ import annotations

import argparse
import copy
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "4096")  # read at its first use

import torch
import torchvision
from _captum import FORMATS, occlusion_map
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
from _shell_sweep import run, seconds_of_sweeps
from captum.attr import GuidedBackprop, Saliency
from PIL import Image
from skimage import data
from torch import Tensor, nn

import convviz

RESULTS = Path(__file__).with_name("results") / "public_calls.json"
CAPTUM = {"guided_backprop": GuidedBackprop, "saliency": Saliency}
CAPTUM_BATCHES = (8, 16, 32, 64)
SAMPLED_WINDOWS = 31
"""Windows of the large image whose full passes are timed, of 961."""

FEW_PHOTOS, LONG_REPEATS = 200, 3
"""Photos up to which a sweep is repeated as often as asked, and repeats of longer ones at most."""

Row = Callable[[argparse.Namespace], Record]


def gradients(args: argparse.Namespace, net: str, batch: int, name: str, goal: float) -> Record:
    """Time a gradient explainer beside Captum, in both memory formats of the network."""
    module, images = _network(net), torch.randn(batch, 3, args.size, args.size)
    model = convviz.Model(copy.deepcopy(module))
    ways: dict[str, Callable[[], Any]] = {
        "convviz": lambda: convviz.explain(model, images, name, target=0)
    }
    for layout, memory_format in FORMATS.items():
        rival = CAPTUM[name](copy.deepcopy(module).to(memory_format=memory_format))
        given = images.contiguous(memory_format=memory_format)
        ways[f"captum, {layout}"] = partial(_attribute, rival, given)
    for way in ways.values():
        way()
    fresh = convviz.Model(copy.deepcopy(module))
    first, _ = timed(lambda: convviz.explain(fresh, images, name, target=0))
    seconds = interleaved(ways, args.repeats)
    return _record(f"{name}, {net}, batch {batch}", seconds, goal) | {"first_call_s": first}


def _attribute(rival: Any, images: Tensor) -> Tensor:
    return rival.attribute(images.clone(), target=0)


def occlusion(args: argparse.Namespace, net: str, goal: float) -> Record:
    """Time occlusion beside Captum, whose batch size and memory format are chosen by trials."""
    module, image = _network(net), torch.randn(1, 3, args.size, args.size)
    model = convviz.Model(copy.deepcopy(module))
    window, stride = args.size // 14, args.size // 28
    chosen = {"window": window, "stride": stride, "preset": "captum"}
    trials: dict[tuple[str, int], float] = {}
    for layout in FORMATS:
        for batch in CAPTUM_BATCHES:
            side = -(-args.size // 8)
            trials[layout, batch] = timed(_captum_occlusion(module, image, layout, batch, side))[0]
    layout, batch = min(trials, key=trials.__getitem__)
    ways = {
        "convviz": lambda: convviz.explain(model, image, "occlusion", target=0, **chosen),
        "captum": _captum_occlusion(module, image, layout, batch, window, stride),
    }
    first, _ = timed(ways["convviz"])
    seconds = interleaved(ways, args.repeats)
    record = _record(f"occlusion, {net}, window {window}, stride {stride}", seconds, goal)
    return record | {"captum": f"{layout}, {batch} windows at a time", "first_call_s": first}


def _captum_occlusion(
    module: nn.Module, image: Tensor, layout: str, batch: int, window: int, stride: int = 0
) -> Callable[[], Tensor]:
    """Return Captum's occlusion; without a stride the windows lie edge to edge."""
    network = copy.deepcopy(module).to(memory_format=FORMATS[layout])
    return partial(occlusion_map, network, image, 0, layout, batch, window, stride or window)


def large_image(args: argparse.Namespace, goal: float) -> Record:
    """Time occlusion of a large image beside full passes, which are timed for some windows."""
    side = 1024 * args.size // 224
    module, image = _network("resnet18"), torch.randn(1, 3, side, side)
    model = convviz.Model(copy.deepcopy(module))
    window, stride = side // 16, side // 32
    chosen = {"window": window, "stride": stride, "preset": "captum"}
    explanation = convviz.explain(model, image, "occlusion", target=0, **chosen)
    count = int(explanation.result.measures["positions"])
    sampled = min(SAMPLED_WINDOWS, count)

    def full_passes() -> None:
        with torch.inference_mode():
            for _ in range(sampled):
                module(image)

    ways = {
        "convviz": lambda: convviz.explain(model, image, "occlusion", target=0, **chosen),
        "full passes": full_passes,
    }
    seconds = interleaved(ways, args.repeats)
    seconds["full passes"] = [s * count / sampled for s in seconds["full passes"]]
    name = (
        f"occlusion, resnet18, {side} x {side}, window {window}, stride {stride}, {count} windows"
    )
    return _record(name, seconds, goal) | {"full_passes_timed": sampled}


def occlusion_from_shell(args: argparse.Namespace, goal: float) -> Record:
    """Time `convviz explain PHOTO -e occlusion` beside a Captum script, from start to exit."""
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder, "photo.jpg")
        Image.fromarray(data.chelsea()).save(photo)
        chosen = ["-p", "occlusion.window=32", "-p", "occlusion.stride=8"]
        explain = ["explain", str(photo), "-m", "resnet18?weights=none", "-e", "occlusion"]
        script = Path(__file__).with_name("_captum_occlusion.py")
        commands = {
            "convviz": ["-m", "convviz", *explain, *chosen, "--out", str(Path(folder, "out"))],
            "captum": [str(script), str(photo), str(Path(folder, "captum.png"))],
        }
        ways = {
            name: partial(run, [sys.executable, *command], args.threads)
            for name, command in commands.items()
        }
        for way in ways.values():
            way()  # files that are read once are in the system's cache then
        seconds = interleaved(ways, args.repeats)
    name = "convviz explain PHOTO -e occlusion, resnet18, window 32, stride 8, from the shell"
    return _record(name, seconds, goal)


def sweep_from_shell(args: argparse.Namespace, photos: int, goal: float) -> Record:
    """Time `convviz analyze` beside a loop written by hand; both compute numbers only.

    For few photos, the time in which `convviz show` draws the pictures is recorded as well.
    """
    is_long = photos > FEW_PHOTOS
    repeats = min(args.repeats, LONG_REPEATS) if is_long else args.repeats
    count = args.photos or photos
    seconds, facts = seconds_of_sweeps(count, repeats, args.threads, with_pictures=not is_long)
    name = f"convviz analyze, {args.photos or photos} photos, resnet18, from the shell"
    return _record(name, seconds, goal) | facts


def _network(name: str) -> nn.Module:
    torch.manual_seed(0)
    return torchvision.models.get_model(name, weights=None).eval()


def _record(call: str, seconds: dict[str, list[float]], goal: float) -> Record:
    """Return the record of a row; the ratio is convviz' time over that of the fastest rival."""
    median = medians(seconds)
    rival = min((name for name in median if name != "convviz"), key=median.__getitem__)
    return {
        "call": call,
        "rival": rival,
        "ratio": median["convviz"] / median[rival],
        "goal": goal,
        "median_s": median,
        "seconds": seconds,
    }


ROWS: dict[str, Row] = {
    **{
        f"{name}-{net}-{batch}": partial(gradients, net=net, batch=batch, name=name, goal=goal)
        for net, batch, goals in (
            ("resnet18", 8, (0.75, 0.80)),
            ("resnet50", 1, (1.0, 1.0)),
            ("mobilenet_v2", 1, (1.0, 1.0)),
        )
        for name, goal in zip(("guided_backprop", "saliency"), goals, strict=True)
    },
    "analyze-1000": partial(sweep_from_shell, photos=1000, goal=1.0),
    "analyze-200": partial(sweep_from_shell, photos=200, goal=1.5),
    "occlusion-shell": partial(occlusion_from_shell, goal=0.4),
    **{
        f"occlusion-{net}": partial(occlusion, net=net, goal=1 / times)
        for net, times in (("alexnet", 4.7), ("resnet18", 5.2), ("resnet50", 5.0), ("vgg16", 10.9))
    },
    "occlusion-large": partial(large_image, goal=1 / 28),
}


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", default=",".join(ROWS), help=f"of {', '.join(ROWS)}")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--size", type=int, default=224, help="height and width of the images")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--photos", type=int, help="photos of the analyze rows, for a trial")
    parser.add_argument("--out", type=Path, default=RESULTS, help="JSON file of the records")
    parser.add_argument("--table", action="store_true", help="measure nothing, lay out the records")
    args = parser.parse_args(given)
    args.rows = args.rows.split(",")
    if unknown := [name for name in args.rows if name not in ROWS]:
        parser.error(f"there is no row {unknown[0]!r}; there are {', '.join(ROWS)}")
    if args.repeats < 1:
        parser.error(f"--repeats {args.repeats} must be 1 or more")
    return args


def report(records: Record) -> str:
    """Lay out the records as a table, in the order of `ROWS`."""
    rows = [
        [
            record["call"],
            f"{record['median_s']['convviz']:.3f}",
            f"{record['median_s'][record['rival']]:.3f} ({record['rival']})",
            f"{record['ratio']:.2f}x",
            f"{record['goal']:.2f}x",
            "reached" if record["ratio"] <= record["goal"] else "missed",
            f"{record['first_call_s']:.3f}" if "first_call_s" in record else "",
        ]
        for record in (records[name] for name in ROWS if name in records)
    ]
    return table(["call", "convviz s", "reference s", "ratio", "goal", "", "first call s"], rows)


def measure(name: str, args: argparse.Namespace) -> Record:
    """Return the record of a row, with the machine and the versions."""
    place = {"machine": machine(), "versions": versions(), "date": today()}
    record = ROWS[name](args) | place
    record["machine"]["load_after"] = load()
    return record


def main(given: list[str] | None = None) -> None:
    args = arguments(given)
    torch.set_num_threads(args.threads)
    warnings.simplefilter("ignore")  # Captum's, that it sets hooks and wants gradients
    records, failed = read(args.out), []
    rows = [] if args.table else args.rows
    for place, name in enumerate(rows, 1):
        began = time.monotonic()
        say(f"[{place}/{len(rows)}] {name} …")
        try:
            records[name] = measure(name, args)
        except (Exception, SystemExit) as error:  # the other rows are measured all the same
            failed.append(name)
            say(f"  failed: {type(error).__name__}: {error}")
            continue
        write(args.out, records)
        ratio, seconds = records[name]["ratio"], time.monotonic() - began
        say(f"  ratio {ratio:.2f} (goal {records[name]['goal']:.2f}), after {seconds:.0f} s")
    text = report(records)
    print(text)
    if args.table and args.out == RESULTS:
        fill_in_table("public_calls.py --table", text)
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()

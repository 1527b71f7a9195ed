"""`convviz analyze` from the shell against a sweep written by hand, timed as whole commands.

Both commands sweep the same photos with the same ResNet18 (random weights of one seed), in turn;
every run starts a new process. The script of `_hand_sweep` is first tuned on the photos: the best
of several numbers of workers, batch sizes, threads and memory formats counts. Its numbers are
compared with those of convviz before anything is timed. convviz runs with its defaults, and draws
pictures.

    python benchmarks/_shell_sweep.py --photos 200,1000 --repeats 5
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from _common import Record, interleaved, load, machine, medians, table, today, versions
from _hand_sweep import LAYERS
from sweep import photos

import convviz

MODEL = "torchvision:resnet18?weights=none&seed=0"
COUNTS = (200, 1000)
GOALS = {200: 1.5, 1000: 1.0}
SETTINGS = tuple(
    ("--workers", str(workers), "--batch", "32", "--threads", str(threads), *layout)
    for workers, threads in ((0, 2), (1, 1), (1, 2), (2, 2))
    for layout in ((), ("--channels-last",))
)
"""Settings of the script that are tried; two cores."""

TOLERANCE = 1e-4
"""Largest difference of the numbers, relative to the largest number of the layer."""


def convviz_command(folder: Path, out: Path) -> list[str]:
    explainers = ["-e", "patches", "-e", "statistics"]
    command = [sys.executable, "-m", "convviz", "analyze", str(folder), "-m", MODEL]
    return [*command, *explainers, "-o", str(out), "--overwrite"]


def hand_command(folder: Path, out: Path, settings: Sequence[str]) -> list[str]:
    script = Path(__file__).with_name("_hand_sweep.py")
    return [sys.executable, str(script), str(folder), str(out), *settings]


def run(command: Sequence[str]) -> None:
    subprocess.run(command, check=True, capture_output=True)


def best_settings(folder: Path, out: Path) -> tuple[str, ...]:
    """Return the settings with which the script takes least time."""

    def seconds(settings: tuple[str, ...]) -> float:
        began = time.perf_counter()
        run(hand_command(folder, out, settings))
        return time.perf_counter() - began

    return min(SETTINGS, key=seconds)


def deviation(run_folder: Path, hand_file: Path) -> float:
    """Return the largest difference of the numbers of both, relative to the largest of a layer."""
    by_hand = torch.load(hand_file)
    swept = convviz.open_run(run_folder)
    worst = 0.0
    for layer in LAYERS:
        patches, statistics = swept["patches"][layer], swept["statistics"][layer]
        pairs = [
            *((patches[name], by_hand[layer][name]) for name in ("values",)),
            *((statistics[n], by_hand[layer][n]) for n in ("mean", "variance", "min", "max")),
            *((statistics[n], by_hand[layer][n]) for n in ("active", "fires")),
        ]
        for ours, theirs in pairs:
            scale = float(theirs.abs().max()) or 1.0
            gap = float((ours.double() - theirs.double()).abs().max()) / scale
            worst = max(worst, gap)
        check_places(patches, by_hand[layer], layer)
    return worst


def check_places(
    patches: convviz.Explanation, by_hand: dict[str, torch.Tensor], layer: str
) -> None:
    """Raise SystemExit if patches whose value occurs once come from other places."""
    values = by_hand["values"]
    # The script breaks ties of equal values in any order.
    alone = torch.ones_like(values, dtype=torch.bool)
    gaps = (values[:, :-1] - values[:, 1:]) > TOLERANCE * values.abs().max()
    alone[:, 1:] &= gaps
    alone[:, :-1] &= gaps
    alone[:, -1] = False  # equal to one that is not among the best
    names = (("items", patches["items"]), ("rows", patches["positions"][..., 0]))
    for name, ours in (*names, ("columns", patches["positions"][..., 1])):
        if not torch.equal(ours[alone], by_hand[name][alone]):
            raise SystemExit(f"{layer}: the two sweeps differ in the {name} of the best patches")


def compare(count: int, repeats: int, settings: Sequence[str] = ()) -> Record:
    """Time both commands over so many photos.

    Args:
        count: photos of 500 x 375 pixels.
        repeats: runs of each command.
        settings: options of the script; empty tries `SETTINGS` first.
    """
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        folder, run_folder, hand_file = root / "photos", root / "run", root / "hand.pt"
        folder.mkdir()
        photos(count, folder)
        settings = tuple(settings) or best_settings(folder, hand_file)
        ours = convviz_command(folder, run_folder)
        theirs = hand_command(folder, hand_file, settings)
        run(ours)
        run(theirs)
        gap = deviation(run_folder, hand_file)
        if gap > TOLERANCE:
            raise SystemExit(f"the two sweeps give other numbers: they differ by {gap:.1e}")
        ways = {"convviz": lambda: run(ours), "by hand": lambda: run(theirs)}
        seconds = interleaved(ways, repeats)
    middle = medians(seconds)
    return {
        "photos": count,
        "net": MODEL,
        "date": today(),
        "machine": machine(),
        "versions": versions(),
        "settings_by_hand": list(settings),
        "deviation": gap,
        "seconds": seconds,
        "ratio": middle["convviz"] / middle["by hand"],
        "goal": GOALS.get(count),
        "load_after": load(),
    }


def row(count: int, repeats: int = 5) -> list[str]:
    """Return a row for a table of public calls: call, seconds of both, ratio, goal."""
    record = compare(count, repeats)
    middle = medians(record["seconds"])
    call = f"`convviz analyze`, {count} photos, ResNet18, against a loop written by hand"
    return [
        call,
        f"{middle['convviz']:.1f} s",
        f"{middle['by hand']:.1f} s",
        f"{record['ratio']:.2f}×",
        f"≤ {record['goal']}×" if record["goal"] else "",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", default=",".join(map(str, COUNTS)), help="numbers of photos")
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    rows = [row(int(count), args.repeats) for count in args.photos.split(",")]
    print(table(["call", "convviz", "by hand", "ratio", "goal"], rows))


if __name__ == "__main__":
    main()

"""`convviz analyze` from the shell against a sweep written by hand: the rows of `public_calls.py`.

Both commands sweep the same photos with the same ResNet18 (random weights of one seed), in turn;
every run starts a new process. The script of `_hand_sweep` is first tuned on 64 photos: the best
of several numbers of workers and threads and of two memory formats counts. Its numbers are compared
with those of convviz after the first pair of runs. convviz runs with its defaults, which include
predictions. It draws its pictures afterwards, which `seconds_of_pictures` times.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from _common import Record, interleaved, timed
from _hand_sweep import LAYERS
from sweep import photos

import convviz

MODEL = "torchvision:resnet18?weights=none&seed=0"
TUNED_ON = 64
"""Photos on which the settings of the script are tried."""

TOLERANCE = 1e-4
"""Largest difference of the numbers, relative to the largest number of the layer."""

SHARE_TOLERANCE = 0.02
"""The same for shares of positions and images: rounding can move a value across zero."""

PLACES_TOLERANCE = 0.01
"""Largest share of best patches in other places: rounding decides between equal positions."""


def settings_to_try(threads: int) -> list[tuple[str, ...]]:
    """Return the settings of the script that are tried, on a machine with so many threads."""
    workers_and_threads = {(0, threads), (1, threads), (threads, threads), (1, max(1, threads - 1))}
    return [
        ("--workers", str(workers), "--batch", "32", "--threads", str(used), *layout)
        for workers, used in sorted(workers_and_threads)
        for layout in ((), ("--channels-last",))
    ]


def convviz_command(folder: Path, out: Path) -> list[str]:
    explainers = ["-e", "patches", "-e", "statistics"]
    command = [sys.executable, "-m", "convviz", "analyze", str(folder), "-m", MODEL]
    return [*command, *explainers, "-o", str(out), "--overwrite"]


def hand_command(folder: Path, out: Path, settings: Sequence[str]) -> list[str]:
    script = Path(__file__).with_name("_hand_sweep.py")
    return [sys.executable, str(script), str(folder), str(out), *settings]


def run(command: Sequence[str], threads: int) -> None:
    """Run a command; raises SystemExit with its errors if it fails."""
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise SystemExit(done.stderr)


@functools.cache
def best_settings(threads: int, count: int = TUNED_ON) -> tuple[str, ...]:
    """Return the settings with which the script takes least time."""
    with tempfile.TemporaryDirectory() as temporary:
        folder, out = Path(temporary, "photos"), Path(temporary, "hand.pt")
        folder.mkdir()
        photos(count, folder)

        def seconds(settings: tuple[str, ...]) -> float:
            return timed(lambda: run(hand_command(folder, out, settings), threads))[0]

        return min(settings_to_try(threads), key=seconds)


def deviation(run_folder: Path, hand_file: Path) -> float:
    """Return the largest difference of the numbers of both, relative to the largest of a layer.

    Raises SystemExit if shares or the places of the best patches differ.
    """
    by_hand = torch.load(hand_file)
    swept = convviz.open_run(run_folder)
    worst = 0.0
    for layer in LAYERS:
        patches, statistics = swept["patches"][layer], swept["statistics"][layer]
        pairs = [
            *((patches[name], by_hand[layer][name]) for name in ("values",)),
            *((statistics[n], by_hand[layer][n]) for n in ("mean", "variance", "min", "max")),
        ]
        for ours, theirs in pairs:
            scale = float(theirs.abs().max()) or 1.0
            gap = float((ours.double() - theirs.double()).abs().max()) / scale
            worst = max(worst, gap)
        for name in ("active", "fires"):
            apart = (statistics[name].double() - by_hand[layer][name].double()).abs().max()
            if apart > SHARE_TOLERANCE:
                raise SystemExit(f"{layer}: {name} differs by {float(apart):.1e}")
        check_places(patches, by_hand[layer], layer)
    return worst


def check_places(
    patches: convviz.Explanation, by_hand: dict[str, torch.Tensor], layer: str
) -> None:
    """Raise SystemExit if many patches whose value occurs once come from other places."""
    values = by_hand["values"]
    # The script breaks ties of equal values in any order.
    alone = torch.ones_like(values, dtype=torch.bool)
    gaps = (values[:, :-1] - values[:, 1:]) > TOLERANCE * values.abs().max()
    alone[:, 1:] &= gaps
    alone[:, :-1] &= gaps
    alone[:, -1] = False  # equal to one that is not among the best
    names = (("items", patches["items"]), ("rows", patches["positions"][..., 0]))
    for name, ours in (*names, ("columns", patches["positions"][..., 1])):
        differing = float((ours[alone] != by_hand[name][alone]).double().mean())
        if differing > PLACES_TOLERANCE:
            raise SystemExit(f"{layer}: the two sweeps differ in the {name} of the best patches")


def seconds_of_sweeps(
    count: int, repeats: int, threads: int, with_pictures: bool = False
) -> tuple[dict[str, list[float]], Record]:
    """Time both commands over so many photos of 500 x 375 pixels.

    Returns:
        The seconds of "convviz" and "by hand", and facts for the record.
    """
    settings = best_settings(threads, min(count, TUNED_ON))
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        folder, run_folder, hand_file = root / "photos", root / "run", root / "hand.pt"
        folder.mkdir()
        photos(count, folder)
        ours = convviz_command(folder, run_folder)
        theirs = hand_command(folder, hand_file, settings)
        ways = {"convviz": lambda: run(ours, threads), "by hand": lambda: run(theirs, threads)}
        seconds = interleaved(ways, 1)  # the trials and the generation have filled the caches
        gap = deviation(run_folder, hand_file)
        if gap > TOLERANCE:
            raise SystemExit(f"the two sweeps give other numbers: they differ by {gap:.1e}")
        for name, further in interleaved(ways, repeats - 1).items():
            seconds[name] += further
        facts: Record = {"net": MODEL, "settings_by_hand": list(settings), "deviation": gap}
        if with_pictures:
            facts["pictures_s"] = seconds_of_pictures(run_folder, threads)
    return seconds, facts


def seconds_of_pictures(run_folder: Path, threads: int) -> float:
    """Return the seconds in which `convviz show` draws all pictures of a run, and keeps them."""
    show = [sys.executable, "-m", "convviz", "show", str(run_folder), "--no-open"]
    return timed(lambda: run(show, threads))[0]

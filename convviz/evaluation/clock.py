"""Times of calls that are compared: measured in turn, so that other load affects all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch


def timed(function: Callable[[], Any], device: str = "cpu") -> tuple[float, Any]:
    """Return the seconds that a call took, and its result; waits for the work of a GPU."""
    _wait(device)
    began = time.perf_counter()
    result = function()
    _wait(device)
    return time.perf_counter() - began, result


def interleaved(
    calls: Mapping[str, Callable[[], Any]], repeats: int, device: str = "cpu"
) -> dict[str, list[float]]:
    """Return the seconds of several calls, each timed once per round.

    Every round starts with another call, so that other load on the machine affects all alike.
    """
    names = list(calls)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(repeats):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            seconds[name].append(timed(calls[name], device)[0])
    return seconds


def medians(seconds: Mapping[str, list[float]]) -> dict[str, float]:
    """Return the median of each list of seconds."""
    return {name: statistics.median(values) for name, values in seconds.items()}


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)

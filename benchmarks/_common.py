"""What the benchmarks share: clocks, the machine they ran on, and the file of records."""

from __future__ import annotations

import datetime
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

Record = dict[str, Any]


def timed(function: Callable[[], Any], device: str = "cpu") -> tuple[float, Any]:
    """Return the seconds a call took, and its result."""
    _wait(device)
    began = time.perf_counter()
    result = function()
    _wait(device)
    return time.perf_counter() - began, result


def interleaved(
    ways: Mapping[str, Callable[[], Any]], repeats: int, device: str = "cpu"
) -> dict[str, list[float]]:
    """Time several ways in turn, each once a round, another one first in every round.

    What else the machine does then hits all of them alike.
    """
    names = list(ways)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(repeats):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            seconds[name].append(timed(ways[name], device)[0])
    return seconds


def medians(seconds: Mapping[str, list[float]]) -> dict[str, float]:
    return {name: statistics.median(values) for name, values in seconds.items()}


def machine() -> Record:
    """Describe the machine, and how busy others keep it now."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "load_before": load(),
    }


def load() -> list[float]:
    """Return the load average of the last 1, 5 and 15 minutes."""
    return [round(x, 2) for x in os.getloadavg()]


def resident(which: str) -> float:
    """Return a figure of this process's memory in MiB, by its name in /proc/self/status (Linux).

    Not `getrusage`, whose peak a process inherits from the one that started it.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(f"{which}:"))
    return int(line.split()[1]) / 1024


def versions(*more: str) -> Record:
    """Return the versions of Python, of what every benchmark runs on, and of more packages."""
    names = ("convviz", "torch", "torchvision", "captum", "numpy", *more)
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def today() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def read(path: Path) -> Record:
    """Return the records of a file, none where there is no file."""
    if not path.exists():
        return {}
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise SystemExit(f"{path} holds no records ({error}); move it away to begin anew") from None


def write(path: Path, records: Record) -> None:
    """Write the records so that an interruption leaves the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(records, indent=1) + "\n")
    part.replace(path)


def table(head: list[str], rows: list[list[str]]) -> str:
    """Lay out a Markdown table, the columns aligned."""
    lines = [head, ["---"] * len(head), *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    return "\n".join(
        "| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |"
        for line in lines
    )


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def _cpu() -> str:
    """Return the processor's name and its widest vector instructions."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()
    lines = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    fields = {key.strip(): value.strip() for key, value in lines.items()}
    capability = torch.backends.cpu.get_cpu_capability()
    return f"{fields.get('model name', platform.machine())} ({capability})"

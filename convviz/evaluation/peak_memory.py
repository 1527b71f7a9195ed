"""Peak memory of an explainer, in a process of its own.

The module is also the program of that process: it reads a request as JSON from standard input and
writes the figure as its last line.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from ..api import explain
from ..errors import ConvvizError
from ..network.inputs import make_batch
from ..network.model import Model
from ..plugin.sources import load_model
from .machine import resident
from .speed_inputs import load_photos, with_layout

TIMEOUT_S = 1800


def peak_memory(request: Mapping[str, Any]) -> float:
    """Return the MB that an explainer adds at its peak, measured in a new process.

    Args:
        request: "model" (a source), "device", "layout", "explainer" (name), "parameters" (JSON),
            "images" (a folder or ""), "batch" and "threads".

    Raises:
        ConvvizError: the process failed; the message is the last line of its error.
    """
    name = peak_memory.__module__
    done = subprocess.run(
        [sys.executable, "-m", name],
        input=json.dumps(dict(request)),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise ConvvizError(lines[-1])
    return float(json.loads(done.stdout.splitlines()[-1]))


def measure(request: Mapping[str, Any]) -> float:
    """Return the MB that an explainer adds to this process at its peak.

    The model, the images and one forward pass are loaded before. Then the explainer runs twice;
    its imports and the export of the network count.
    """
    from ..plugin.registry import explainer

    torch.set_num_threads(request["threads"])
    model = with_layout(load_model(request["model"], device=request["device"]), request["layout"])
    photos = load_photos(request["images"], request["batch"])
    method = explainer(request["explainer"], **request["parameters"])
    model.forward(make_batch(photos[:1], model).images)
    before = _reset_peak(model)
    for _ in range(2):
        explain(model, photos, method)
    return _peak(model) - before


def _reset_peak(model: Model) -> float:
    """Forget the peak so far; return the memory in use, in MB."""
    if model.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(model.device)
        return torch.cuda.memory_allocated(model.device) / 1e6
    with suppress(OSError):  # without permission, the peak of loading counts as well
        Path("/proc/self/clear_refs").write_text("5")
    return resident("VmRSS") * 2**20 / 1e6


def _peak(model: Model) -> float:
    if model.device.type == "cuda":
        return torch.cuda.max_memory_allocated(model.device) / 1e6
    return resident("VmHWM") * 2**20 / 1e6


if __name__ == "__main__":
    print(json.dumps(measure(json.load(sys.stdin))))

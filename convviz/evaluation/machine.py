"""The machine, versions and commit of a measurement."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any

import torch

PACKAGE = Path(__file__).resolve().parents[1]


def machine() -> dict[str, Any]:
    """Describe the machine and its load."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "load_before": load(),
    }


def load() -> list[float]:
    """Return the load average of the last 1, 5 and 15 minutes; empty where it is unknown."""
    return [round(x, 2) for x in os.getloadavg()] if hasattr(os, "getloadavg") else []


def resident(which: str) -> float:
    """Return a figure of this process's memory in MiB, by its name in /proc/self/status (Linux).

    Not `getrusage`, whose peak a process inherits from the one that started it.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(f"{which}:"))
    return int(line.split()[1]) / 1024


def commit() -> str:
    """Return the git commit of the package, with "+" if files differ; "" outside of a checkout."""
    if shutil.which("git") is None or _git("ls-files", "--error-unmatch", "__init__.py") is None:
        return ""
    changed = "+" if _git("status", "--porcelain", "--untracked-files=no", "--", ".") else ""
    return f"{_git('rev-parse', 'HEAD')}{changed}"


def _git(*arguments: str) -> str | None:
    """Return the output of a git command in the folder of the package; None if it fails."""
    command = ["git", "-C", str(PACKAGE), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


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

"""Versions, devices, operators and the folder of the package, for `convviz info`."""

from __future__ import annotations

import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

Facts = dict[str, dict[str, str]]


def facts() -> Facts:
    """Return all facts by section."""
    return {
        "convviz": _self(),
        "versions": _versions(),
        "devices": _devices(),
        "operators": _operators(),
    }


def installed_elsewhere() -> str:
    """Return the folder of the installed package if another one was imported, otherwise ""."""
    imported = Path(__file__).resolve().parents[1]
    for distribution in metadata.distributions(name="convviz"):
        installed = Path(str(distribution.locate_file("convviz"))).resolve()
        if (installed / "__init__.py").exists() and installed != imported:
            return str(installed)
    return ""


def _self() -> dict[str, str]:
    imported = Path(__file__).resolve().parents[1]
    rows = {"version": metadata.version("convviz"), "folder": str(imported)}
    if installed := installed_elsewhere():
        rows["warning"] = (
            f"this folder shadows the installed package in {installed}, because it comes first "
            "on Python's path; it has no compiled operators unless it was installed in editable "
            "mode. Run from another folder"
        )
    return rows


def _versions() -> dict[str, str]:
    rows = {"python": f"{platform.python_version()} ({sys.platform}, {platform.machine()})"}
    for requirement in metadata.requires("convviz") or ():
        if "extra ==" in requirement:
            continue
        name = _distribution(requirement)
        try:
            rows[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            rows[name] = "missing"
    return rows


def _distribution(requirement: str) -> str:
    end = next((i for i, c in enumerate(requirement) if not (c.isalnum() or c in "-_.")), None)
    return requirement[:end]


def _devices() -> dict[str, str]:
    import torch

    rows = {"cpu": f"{torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}"}
    for index in range(torch.cuda.device_count()):
        card = torch.cuda.get_device_properties(index)
        rows[f"cuda:{index}"] = f"{card.name}, {card.total_memory / 2**30:.0f} GiB"
    if torch.version.cuda and not torch.cuda.is_available():
        rows["cuda"] = f"torch finds no usable GPU (it is built for CUDA {torch.version.cuda})"
    return rows


def _operators() -> dict[str, str]:
    from ..ops import kernels

    paths: Any = kernels.paths()
    return {
        name: "; ".join(f"{device}: {path}" for device, path in by_device.items())
        for name, by_device in paths.items()
    }

"""Command lines and Python code that compute a run again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from ..sweep.run import Run

SETTINGS = ("decode", "precision", "compile", "deterministic")
DEFAULTS = {"decode": "exact", "precision": "model", "compile": False, "deterministic": False}


def data_set_of(run: Run) -> str:
    """Return the source of the data set as it was recorded."""
    record = run.plan["dataset"]
    place = record.get("place") or {}
    path, scheme = place.get("path"), place.get("scheme")
    if not path:
        return str(record["name"])
    options = "&".join(f"{k}={v}" for k, v in (place.get("options") or {}).items())
    source = f"{scheme}:{path}" if scheme else str(path)
    return f"{source}?{options}" if options else source


def model_of(run: Run) -> str:
    """Return the source of the model as it was recorded, or its name."""
    model = run.plan["model"]
    return str(model.get("source") or model["name"])


def shell_line(run: Run) -> str:
    """Return the `convviz analyze` command that computes the run."""
    words = ["convviz", "analyze", data_set_of(run), "-m", model_of(run)]
    explainers = explainers_of(run)
    for name in explainers:
        words += ["-e", name]
    for name, changed in explainers.items():
        for field, value in changed.items():
            text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
            words += ["-p", f"{name}.{field}={text}"]
    for name in SETTINGS:
        if (value := run.plan.get(name, DEFAULTS[name])) != DEFAULTS[name]:
            flag = f"--{name}"
            words += [flag] if value is True else [flag, str(value)]
    return shlex.join([*words, "--out", "RUN"])


PHOTO = "PHOTO"
"""Placeholder for the file of a photo in commands."""

MAPS_FOLDER = "maps"
MAP_EXPLAINERS = ("grad_cam", "occlusion")


def photo_file(run: Run, name: str) -> str:
    """Return the file of an item of a folder or list, or `PHOTO` for other data sets."""
    place = run.plan["dataset"].get("place") or {}
    path, scheme = place.get("path"), place.get("scheme")
    if not path or scheme not in ("folder", "list"):
        return PHOTO
    return str(PurePath(path if scheme == "folder" else PurePath(path).parent, name))


def map_commands(run: Run, second: Run | None = None) -> list[str]:
    """Return the commands that show maps of an image in a report.

    The first one computes them and contains `PHOTO`; the second writes the report with them; the
    third opens the run in the browser, where maps are computed on demand.
    """
    chosen = [word for name in MAP_EXPLAINERS for word in ("-e", name)]
    model = ["-m", model_of(run)]
    runs = [run.address] if second is None else [run.address, second.address]
    return [
        shlex.join(["convviz", "explain", PHOTO, *model, *chosen, "--out", MAPS_FOLDER]),
        shlex.join(["convviz", "report", *runs, MAPS_FOLDER]),
        shlex.join(["convviz", "serve", run.address]),
    ]


def explainers_of(run: Run) -> dict[str, dict[str, Any]]:
    """Return the explainers of the run with the parameters that differ from the defaults."""
    return {
        name: _other_than_default(name, record.get("parameters", {}))
        for name, record in run.plan["explainers"].items()
        if name != "predictions"
    }


def _other_than_default(name: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that differ from the defaults of an explainer that is known here."""
    from ..errors import ConvvizError
    from ..plugin import registry

    try:
        fields = registry.current().explainer_class(name).model_fields
    except ConvvizError:  # the plugin is not installed: all parameters are stated
        fields = {}
    changed = {}
    for field, value in parameters.items():
        default = fields[field].default if field in fields else None
        default = list(default) if isinstance(default, tuple) else default
        if isinstance(value, str | int | float | bool | list) and value != default:
            changed[field] = value
    return changed

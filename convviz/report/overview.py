"""The overview page: model, data set, layers, results, and how to compute them again."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ..errors import ConvvizError
from ..sweep.run import Run
from . import layer_page
from .formats import percent
from .reproduce import shell_line
from .site import LAYER_EXPLAINERS, Link, Site, SiteLayer, units_of_layers

MEASURES = ("top-1 accuracy", "top-5 accuracy", "mean confidence")
"""Measures of predictions that are shown in large type."""


MAX_PROBLEMS = 20
"""Maximum number of explanations of each kind that are listed as not shown."""


def links(site: Site) -> list[Link]:
    """Return the entry of the navigation."""
    return [Link("overview", "Overview", "index.html")]


def request_pictures(site: Site) -> None:
    """Request nothing: the page shows pictures of other pages."""


def write(site: Site) -> None:
    """Write `index.html`."""
    run = site.run
    site.write_page(
        "overview.html",
        "index.html",
        "overview",
        plan=run.plan,
        pages={link.page for link in site.links},
        numbers=_numbers(site),
        second=_second(site),
        layers=[_layer_row(site, layer) for layer in site.layers],
        skipped=run.skipped[:20],
        notes=run.notes,
        problems=site.maps.problems[:MAX_PROBLEMS],
        unmatched=sorted(site.maps.unmatched)[:MAX_PROBLEMS],
        more_problems=_count_beyond(site.maps.problems, site.maps.unmatched),
        results={name: list(run[name]) for name in run.explainers},
        command=shell_line(run),
        missing=len(site.pictures.missing),
        reason=next(iter(site.pictures.missing.values()), ""),
    )


def _second(site: Site) -> dict[str, Any] | None:
    """Return what is shown about the second run: its model, and how far both runs agree."""
    second = site.second
    if second is None:
        return None
    plan = second.run.plan
    names = {name for kind in LAYER_EXPLAINERS for name in units_of_layers(second.run, kind)}
    same = second.same_predictions(site.items.predictions.get("predicted", ()))
    return {
        "name": second.name,
        "plan": plan,
        "common_images": int((second.rows_in_second >= 0).sum()),
        "images": len(second.rows_in_first),
        "layers": [layer.name for layer in site.layers if layer.units and layer.name in names],
        "accuracy": _accuracy(second.run),
        "same": same,
        "share": percent(same[0] / same[1]) if same and same[1] else "",
        "is_comparable": second.is_comparable,
    }


def _count_beyond(*lists: Collection[str]) -> int:
    """Return how many entries of the lists are not shown."""
    return sum(max(0, len(entries) - MAX_PROBLEMS) for entries in lists)


def _numbers(site: Site) -> list[tuple[str, str, str]]:
    """Return the large numbers: name, value, and a remark."""
    run = site.run
    rows = [("images", _count(site.items.count), _skipped_words(len(run.skipped)))]
    if site.classes:
        present = len({label for label in site.items.labels if label is not None})
        rows.append(("classes with images", _count(present), f"of {_count(class_count(run.plan))}"))
    rows += _accuracy(site.run)
    if units := [layer.units for layer in site.layers if layer.units]:
        layers = "1 layer" if len(units) == 1 else f"{len(units)} layers"
        rows.append(("units", _count(sum(units)), f"in {layers}"))
    return rows


def class_count(plan: Mapping[str, Any]) -> int:
    """Return the number of classes: for labels that are numbers, that of the model's outputs.

    The classes of such a data set end with the highest label, which need not be the last output.
    """
    classes = plan["dataset"]["classes"]
    is_numbered = list(classes) == [str(number) for number in range(len(classes))]
    outputs = len(plan["model"].get("labels") or ())
    is_output = is_numbered and 2 * len(classes) > outputs
    return max(len(classes), outputs) if is_output else len(classes)


def _accuracy(run: Run) -> list[tuple[str, str, str]]:
    """Return the accuracy, which predictions state as "86.0 % (172 of 200)"."""
    try:
        measures = run["predictions"]["accuracy"].result.measures
    except (ConvvizError, LookupError):
        return []
    rows = []
    for name in MEASURES:
        if isinstance(value := measures.get(name), str):
            share, _, remark = value.partition(" (")
            rows.append((name, share, remark.rstrip(")")))
        elif isinstance(value, float):
            rows.append((name, f"{100 * value:.1f} %", ""))
    return rows


def _layer_row(site: Site, layer: SiteLayer) -> dict[str, Any]:
    """Return what the table of layers shows."""
    row: dict[str, Any] = {"layer": layer, "field": "", "dead": None}
    row["strip"] = layer_page.strip(site, layer)
    if "patches" in site.run and layer.name in site.run["patches"]:
        measures = site.run["patches"][layer.name].result.measures
        field = str(measures.get("receptive field", ""))
        row["field"] = field.removesuffix(" pixels of the model's input")
    if "statistics" in site.run and layer.name in site.run["statistics"]:
        row["dead"] = site.run["statistics"][layer.name].result.measures.get("dead channels")
    return row


def _count(value: int) -> str:
    return f"{value:,}".replace(",", "\u202f")


def _skipped_words(count: int) -> str:
    return f"{_count(count)} skipped" if count else ""

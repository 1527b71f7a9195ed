"""Run explainers offline on bundled models and images."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated, Any

import typer

from convviz.authoring import hookimpl

from ._photo_tiles import write_tiles

PHOTOS = {
    "chelsea": ("skimage", "data/chelsea.png"),
    "coffee": ("skimage", "data/coffee.png"),
    "china": ("sklearn", "datasets/images/china.jpg"),
}
"""Photos inside the packages of the `demo` extra: name -> (package, file)."""

DIGITS = "demo-digits"
RUNS = {"tiles": "photos", "digits": "handwritten digits"}
"""Run folder -> what its images are; `<run folder>-report` holds its pages."""

TILE_STEP = 120
TILE_LAYERS = ("blocks.1.1.bn1.act", "blocks.3.2.bn1.act", "blocks.4.2.bn1.act")
"""Layers of the demo's network that are analyzed: edges and textures, parts, objects."""

MAPS = (
    *("occlusion", "flip", "grad_cam", "integrated_gradients", "input_x_gradient", "saliency"),
    *("guided_backprop", "guided_grad_cam", "grabcut"),
)
ONE_IMAGE = (*MAPS, "activations", "ablation")
DATA_SET = ("predictions", "patches", "neighbors", "embedding", "statistics")
ORDER = ("filters", "activations", "ablation", *DATA_SET, *MAPS)
PARAMETERS: dict[str, dict[str, Any]] = {
    "occlusion": {"stride": 16},
    "flip": {"max_area": 0.34},
    "saliency": {"samples": 16},
    "integrated_gradients": {"steps": 16},
    "activations": {"layer": "bn1"},
}
"""Where the demo differs from the defaults: a coarser stride (occlusion), rectangles of at most a
third of the image (flip), less noise (saliency), fewer steps (integrated_gradients), and the maps
of the filters shown above them (activations: the default layer has 1280 channels, most of them
silent on a photo)."""

TITLE = "What two ConvNets see"
INTRO = (
    "EfficientNet-Lite0, trained on ImageNet, is explained on three photos, and a small network "
    "trained on handwritten digits on a data set of 1797 of them. "
    "The pages in tiles-report and digits-report show the units of both. "
    "Click a picture to see it in full size."
)


@dataclass(frozen=True)
class Step:
    """One piece of the demo: what it shows, and what does it."""

    what: str
    run: Callable[[Path], None] = field(repr=False)


@hookimpl
def convviz_commands(cli: typer.Typer) -> None:
    """Add `convviz demo`."""

    @cli.command()
    def demo(
        out: Annotated[
            Path, typer.Option(help="Folder to write; if it is in use, its name gets a number.")
        ] = Path("convviz-demo"),
    ) -> None:
        """Run explainers offline on bundled models and images."""
        folder = free_folder(out)
        if folder != out:
            typer.echo(f"{out} is in use, writing to {folder}")
        try:
            page = run_demo(folder)
        except KeyboardInterrupt:
            typer.echo(f"interrupted; the results so far are in {folder}", err=True)
            raise
        typer.echo(f"open {page.resolve()} in a browser")
        for run, images in RUNS.items():
            page = folder.resolve() / f"{run}-report" / "index.html"
            typer.echo(f"units, images and map of the {images}: {page}")
            command = shlex.join(["convviz", "serve", str(folder / run)])
            typer.echo(f"  the same with a workbench: {command}")


def run_demo(folder: Path) -> Path:
    """Run the demo and return its overview page; an interrupt leaves a page of what is done."""
    from convviz import show_progress, write_report
    from convviz.authoring import track

    folder.mkdir(parents=True, exist_ok=True)
    try:
        with show_progress():
            steps = list(demo_steps())
            for step in track(steps, "demo", total=len(steps)):
                typer.echo(step.what)
                step.run(folder)
    finally:
        page = write_report(folder, title=TITLE, intro=INTRO, order=ORDER)
    return page


def demo_steps() -> Iterator[Step]:
    """Yield the steps of the demo."""
    from convviz import load_model

    photos, digits = load_model("demo"), load_model("demo-digits")
    yield Step("filters of both networks", lambda out: _explain_filters(out, photos, digits))
    for name in PHOTOS:
        what = f"{', '.join(ONE_IMAGE)} of {name}"
        yield Step(what, lambda out, name=name: _explain_photo(out, photos, name))
    what = f"{', '.join(DATA_SET)} of the digits"
    yield Step(what, lambda out: _analyze_digits(out, digits))
    what = f"{', '.join(DATA_SET[1:])} of tiles of photos"
    yield Step(what, lambda out: _analyze_tiles(out, photos))
    yield Step("pages about the digits and the photos", _write_reports)


def free_folder(out: Path) -> Path:
    """Return the folder if it is new or empty, or else the first free `<name>-2`, `-3`, …"""
    candidate, number = out, 1
    while candidate.exists() and not (candidate.is_dir() and not any(candidate.iterdir())):
        number += 1
        candidate = out.with_name(f"{out.name}-{number}")
    return candidate


def _explain_filters(out: Path, *models: Any) -> None:
    from convviz import explain

    for model in models:
        explanation = explain(model, None, "filters")
        explanation.save(out / model.name / explanation.place)


def _explain_photo(out: Path, model: Any, name: str) -> None:
    from convviz import explain, explainer

    package, inside = PHOTOS[name]
    what = [explainer(key, **PARAMETERS.get(key, {})) for key in ONE_IMAGE]
    with as_file(files(package).joinpath(inside)) as path:
        for explanation in explain(model, path, what):
            explanation.save(out / name / explanation.place)


def _analyze_digits(out: Path, model: Any) -> None:
    from convviz import analyze

    analyze(model, DIGITS, list(DATA_SET), out / "digits", pictures=True)


def _analyze_tiles(out: Path, model: Any) -> None:
    """Analyze tiles of photos; their classes are the photos, not those of the model."""
    from convviz import analyze, explainer

    write_tiles(out / "tiles-photos", TILE_STEP)
    layers = list(TILE_LAYERS)
    what = [
        explainer("patches", layers=layers, draw=4, guided=False),
        explainer("statistics", layers=layers),
        "neighbors",
        "embedding",
    ]
    analyze(model, out / "tiles-photos", what, out / "tiles", predictions=False, pictures=True)


def _write_reports(out: Path) -> None:
    from convviz import write_run_report

    for run in RUNS:
        write_run_report(out / run, out / f"{run}-report")

"""`convviz bench quality`: scores of the maps of explainers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[
    str, typer.Argument(metavar="DATA", help="Data set: a folder of images, or a source.")
]
ModelSource = Annotated[
    str, typer.Option("-m", "--model", metavar="SOURCE", help="Model, as for convviz explain.")
]
ExplainerNames = Annotated[
    list[str],
    typer.Option(
        "-e",
        "--explainer",
        metavar="NAME",
        help="Explainer to measure, built-in or of another package. May be repeated.",
    ),
]
MetricNames = Annotated[
    list[str] | None,
    typer.Option(
        "--metric",
        metavar="NAME",
        help="Metric to compute. May be repeated. `convviz metrics` lists them. "
        "[default: all built-in ones]",
    ),
]
Parameters = Annotated[
    list[str] | None,
    typer.Option(
        "-p",
        "--parameter",
        metavar="NAME.FIELD=VALUE",
        help="Parameter of an explainer or metric. May be repeated.",
    ),
]
OutFolder = Annotated[
    Path, typer.Option("-o", "--out", metavar="DIR", help="Folder for the scores and tables.")
]
ImageCount = Annotated[
    int | None,
    typer.Option(min=1, help="Number of images, evenly spaced over the data set. [default: all]"),
]
RepeatedImageCount = Annotated[
    int,
    typer.Option(min=1, help="Images for metrics that repeat explanations, and for blurred maps."),
]
PassBudget = Annotated[
    int | None,
    typer.Option(
        min=0,
        metavar="PASSES",
        help="Skip a metric for an explainer if it needs more forward passes than this per image, "
        "not counting passes that all explainers share.",
    ),
]
TargetText = Annotated[
    str | None,
    typer.Option(
        "-t",
        "--target",
        help="Class or unit that is explained. [default: the top class of each image]",
    ),
]
MaskFolder = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Folder of masks of the objects: PNG files with the names of the images.",
    ),
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of metrics and controls.")]
BatchSize = Annotated[
    int | None, typer.Option(min=1, help="Images per forward pass. [default: the fastest]")
]
WithControls = Annotated[
    bool,
    typer.Option(
        "--controls/--no-controls",
        help="Add random maps, a centered Gaussian, edges, and each map blurred.",
    ),
]
EngineName = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="local, or ray: the processes of a Ray cluster score different images.",
    ),
]
ClusterAddress = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Ray cluster. [default: the one that runs, or a new one on this machine]",
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(min=1, help="Threads of each process. [default: 1 with ray, otherwise all]"),
]
Device = Annotated[str, typer.Option(help="Device: auto, cpu, cuda, cuda:1, …")]


def quality(
    data: Data,
    model: ModelSource,
    explainer: ExplainerNames,
    metric: MetricNames = None,
    parameter: Parameters = None,
    out: OutFolder = Path("convviz-bench"),
    images: ImageCount = None,
    repeat_images: RepeatedImageCount = 20,
    budget: PassBudget = None,
    target: TargetText = None,
    masks: MaskFolder = None,
    seed: Seed = 0,
    batch_size: BatchSize = None,
    controls: WithControls = True,
    engine: EngineName = "local",
    address: ClusterAddress = None,
    threads: Threads = None,
    device: Device = "auto",
) -> None:
    """Measure the quality of the maps of explainers on a data set.

    Prints an estimate of the work first. Ctrl-C stops and reports on the images that are done;
    the same command resumes.
    Writes all scores, tables, pictures and a page to DIR.
    """
    from rich.console import Console

    from convviz import benchmark, load_model, show_progress
    from convviz.authoring import build_explainers_and_metrics, default_metrics, parse_target

    names = metric or default_metrics(masks is not None)
    explainers, metrics = build_explainers_and_metrics(explainer, names, parameter or [])
    with show_progress():
        loaded = load_model(model, device=device)
        record = benchmark(
            loaded,
            data,
            explainers,
            metrics,
            out,
            images=images,
            repeat_images=repeat_images,
            budget=budget,
            target=None if target is None else parse_target(target, loaded.labels),
            masks=masks,
            seed=seed,
            batch_size=batch_size,
            controls=controls,
            engine=engine,
            address=address,
            threads=threads,
        )
    Console().print(record.table())
    typer.echo(f"report: {record.page}")

"""`convviz bench quality`: scores of the maps of explainers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def add_command(group: typer.Typer) -> None:
    """Add `quality` to the group of benchmarks."""

    @group.command()
    def quality(
        data: Annotated[
            str, typer.Argument(metavar="DATA", help="Data set: a folder of images, or a source.")
        ],
        model: Annotated[
            str,
            typer.Option("-m", "--model", metavar="SOURCE", help="Model, as for convviz explain."),
        ],
        explainer: Annotated[
            list[str],
            typer.Option(
                "-e",
                "--explainer",
                metavar="NAME",
                help="Explainer to measure, built-in or of another package. May be repeated.",
            ),
        ],
        metric: Annotated[
            list[str] | None,
            typer.Option(
                "--metric",
                metavar="NAME",
                help="Metric to compute. May be repeated. `convviz metrics` lists them. "
                "[default: all built-in ones]",
            ),
        ] = None,
        parameter: Annotated[
            list[str] | None,
            typer.Option(
                "-p",
                "--parameter",
                metavar="NAME.FIELD=VALUE",
                help="Parameter of an explainer or metric. May be repeated.",
            ),
        ] = None,
        out: Annotated[
            Path,
            typer.Option("-o", "--out", metavar="DIR", help="Folder for the scores and tables."),
        ] = Path("convviz-bench"),
        images: Annotated[
            int | None,
            typer.Option(
                min=1, help="Number of images, evenly spaced over the data set. [default: all]"
            ),
        ] = None,
        repeat_images: Annotated[
            int,
            typer.Option(
                min=1, help="Images for metrics that repeat explanations, and for blurred maps."
            ),
        ] = 20,
        budget: Annotated[
            int | None,
            typer.Option(
                min=0,
                metavar="PASSES",
                help="Skip metrics that take more forward passes than this for an explainer and "
                "image.",
            ),
        ] = None,
        target: Annotated[
            str | None,
            typer.Option(
                "-t",
                "--target",
                help="Class or unit that is explained. [default: the top class of each image]",
            ),
        ] = None,
        masks: Annotated[
            Path | None,
            typer.Option(
                metavar="DIR",
                help="Folder of masks of the objects: PNG files with the names of the images.",
            ),
        ] = None,
        seed: Annotated[int, typer.Option(min=0, help="Seed of metrics and controls.")] = 0,
        batch_size: Annotated[
            int | None,
            typer.Option(min=1, help="Images per forward pass. [default: the fastest]"),
        ] = None,
        controls: Annotated[
            bool,
            typer.Option(
                "--controls/--no-controls",
                help="Add random maps, a centered Gaussian, edges, and each map blurred.",
            ),
        ] = True,
        device: Annotated[str, typer.Option(help="Device: auto, cpu, cuda, cuda:1, …")] = "auto",
    ) -> None:
        """Measure the quality of the maps of explainers on a data set.

        Prints an estimate of the work first. Ctrl-C stops and reports on the images that are done;
        the same command resumes.
        Writes all scores, tables, pictures and a page to DIR.
        """
        from rich.console import Console

        from convviz import benchmark, load_model, show_progress
        from convviz.authoring import (
            build_explainers_and_metrics,
            default_metrics,
            parse_target,
        )

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
            )
        Console().print(record.table())
        typer.echo(f"report: {record.page}")

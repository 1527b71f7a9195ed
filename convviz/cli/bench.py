"""`convviz bench`: benchmarks of explainers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ParameterError
from ..progress import show_progress
from .app import app, with_shared_options
from .commands import MODEL_HELP, Device, Dtype, Explainers

if TYPE_CHECKING:
    from ..evaluation.scores import Scores

bench_app = typer.Typer(
    help="Measure explainers: the quality of their maps.",
    rich_markup_mode=None,
    no_args_is_help=True,
)
app.add_typer(bench_app, name="bench")


@bench_app.command()
@with_shared_options
def quality(
    data: Annotated[
        str, typer.Argument(metavar="DATA", help="Data set: a folder of images, or a source.")
    ],
    model: Annotated[str, typer.Option("-m", "--model", metavar="SOURCE", help=MODEL_HELP)],
    explainer: Explainers = None,
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
        Path, typer.Option("-o", "--out", metavar="DIR", help="Folder for scores and tables.")
    ] = Path("convviz-bench"),
    images: Annotated[
        int | None,
        typer.Option(
            min=1, help="Number of images, evenly spaced over the data set. [default: all]"
        ),
    ] = None,
    repeat_images: Annotated[
        int, typer.Option(min=1, help="Images for metrics that repeat the explanations.")
    ] = 20,
    budget: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="PASSES",
            help="Skip metrics that take more forward passes for an explainer and image.",
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            "-t",
            "--target",
            help="Class index or name that is explained. [default: the top class of each image]",
        ),
    ] = None,
    masks: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder of masks, PNG files with the names of the images."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of metrics and controls.")] = 0,
    batch_size: Annotated[int, typer.Option(min=1, help="Images per forward pass.")] = 32,
    controls: Annotated[
        bool,
        typer.Option(
            "--controls/--no-controls",
            help="Add random maps, a centered Gaussian, edges, and each map blurred.",
        ),
    ] = True,
    device: Device = "auto",
    dtype: Dtype = None,
) -> None:
    """Measure the quality of explainers on a data set.

    Prints an estimate of the work first. The same command resumes an interrupted benchmark.
    Writes scores.parquet (image, explainer, metric, value), the tables and a page to DIR.
    """
    from ..evaluation.benchmark import benchmark
    from ..plugin.sources import load_model
    from ..scores.targets import parse_target

    explainers, metrics = _explainers_and_metrics(
        explainer or (), metric or (), parameter or (), masks is not None
    )
    with show_progress():
        loaded = load_model(model, device=device, dtype=dtype)
        scores = benchmark(
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
    _print_scores(scores)
    print(f"scores: {out}")


def _explainers_and_metrics(
    explainers: Sequence[str],
    metrics: Sequence[str],
    assignments: Sequence[str],
    has_masks: bool,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return explainers and metrics by name, with their parameters."""
    from ..evaluation.benchmark import default_metrics
    from ..plugin import registry
    from .parameter_values import build_all

    if not explainers:
        known = ", ".join(registry.explainer_names())
        raise ParameterError(f"no explainer is given: add -e NAME, one of {known}")
    metrics = metrics or default_metrics(has_masks)
    names = [*explainers, *metrics]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ParameterError(f"{twice[0]!r} is given twice")
    classes: Mapping[str, Any] = {
        **{name: registry.current().explainer_class(name) for name in explainers},
        **{name: registry.current().metric_class(name) for name in metrics},
    }
    built = build_all(classes, assignments)
    return {name: built[name] for name in explainers}, {name: built[name] for name in metrics}


def _print_scores(scores: Scores) -> None:
    """Print the means of all explainers and metrics."""
    import warnings

    import numpy as np

    from ..errors import printable
    from .tables import table

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a column without any defined score
        means = np.nanmean(scores.values, axis=0)
    rows = [
        [name, *("-" if np.isnan(value) else f"{value:.3f}" for value in row)]
        for name, row in zip(scores.explainers, means, strict=True)
    ]
    header = ("explainer", *scores.metric_names)
    print(table(header, rows, right=range(1, len(header))))
    for note in scores.notes:
        print(printable(note))

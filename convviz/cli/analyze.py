"""Explain a data set: one sweep over all its photos, saved in a run folder.

The same command resumes a sweep that was interrupted, and opens a run that is finished.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

import typer
from annotated_types import Ge
from pydantic.fields import FieldInfo

from ..progress import show_progress
from ..sweep.settings import SweepSettings, make_settings
from .app import with_shared_options
from .commands import (
    MODEL_HELP,
    Device,
    Dtype,
    Explainers,
    Parameters,
    Verbose,
    chosen_explainers,
)

if TYPE_CHECKING:
    from ..sweep.run import Run

ModelSource = Annotated[str, typer.Option("-m", "--model", metavar="SOURCE", help=MODEL_HELP)]


def _with_settings(function: Callable[..., None]) -> Callable[..., None]:
    """Replace `**settings` in the signature of a function by one option for each setting."""
    signature = inspect.signature(function, eval_str=True)
    *fixed, _ = signature.parameters.values()
    options = [_option(name, field) for name, field in SweepSettings.model_fields.items()]
    function.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[*fixed, *options]
    )
    return function


def _option(name: str, field: FieldInfo) -> inspect.Parameter:
    """Return the parameter from which typer builds the option of a setting."""
    kind, metavar = _type_and_metavar(name, field.annotation)
    lowest = [limit.ge for limit in field.metadata if isinstance(limit, Ge)]
    option = typer.Option(
        f"--{name.replace('_', '-')}",
        help=field.description,
        min=lowest[0] if lowest else None,  # type: ignore[arg-type]
        metavar=metavar,
    )
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=field.default,
        annotation=Annotated[kind, option],
    )


def _type_and_metavar(name: str, annotation: Any) -> tuple[Any, str | None]:
    """Return the type that typer parses and the placeholder shown for the value."""
    if get_origin(annotation) is Literal:  # checked by the settings, which suggest a close name
        return str, "|".join(get_args(annotation))
    if annotation is bool:
        return bool, None
    return annotation, {"address": "ADDRESS", "timeout": "SECONDS", "part": "K/N"}.get(name, "N")


@_with_settings
def analyze(
    dataset: Annotated[
        str, typer.Argument(metavar="DATASET", help="A folder of photos, or another source.")
    ],
    explainer: Explainers = None,
    parameter: Parameters = None,
    model: ModelSource = "demo",
    out: Annotated[
        str,
        typer.Option(
            "-o", "--out", metavar="RUN", help="The run folder to write, or s3://BUCKET/RUN."
        ),
    ] = "convviz-run",
    device: Device = "auto",
    dtype: Dtype = None,
    verbose: Verbose = False,
    **settings: Any,
) -> None:
    """Run a sweep and print its results."""
    make_settings(settings)  # reports a mistake before anything is loaded
    explainers = chosen_explainers(explainer, parameter)
    with show_progress():
        from ..api import analyze as run_sweep
        from ..plugin.sources import load_model, open_dataset
        from ..sweep.forward_pass import ForwardMode
        from ..sweep.run import open_run
        from ..sweep.store.factory import is_finished, overview_of, place_of

        place = place_of(out)
        was_finished = not settings["overwrite"] and is_finished(place)
        before = open_run(out).plan if was_finished else {}
        items = open_dataset(dataset)
        network = load_model(model, device=device, dtype=dtype)
        try:
            run = run_sweep(network, items, list(explainers.values()), out, **settings)
        except KeyboardInterrupt as stop:
            print(stop, file=sys.stderr)
            raise
    if was_finished and run.plan == before:
        print(f"{out} already holds this run, finished: nothing was computed")
    elif "forward" in run.plan:
        print(ForwardMode.from_record(run.plan["forward"]))
    _print_items(run, out, verbose)
    print(f"overview: {overview_of(place)}")


def _print_items(run: Run, out: str, verbose: bool) -> None:
    from ..errors import printable

    for skipped in run.skipped:
        print(printable(f"left out {skipped.id}: {skipped.reason}"), file=sys.stderr)
    print(f"{len(run.items)} items in {out}")
    for name in run.explainers:
        for layer in run[name]:
            print(printable(f"  {name} {layer}".rstrip()))
            if verbose:
                print(run[name][layer].describe())


def command() -> Any:
    """Return the command `analyze` of the command line."""
    cli = typer.Typer(add_completion=False, rich_markup_mode=None)
    cli.command("analyze", help=__doc__)(with_shared_options(analyze))
    return typer.main.get_command(cli)

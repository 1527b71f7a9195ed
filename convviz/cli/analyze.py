"""Explain a data set: one sweep over all its photos, saved in a run folder.

The same command resumes a sweep that was interrupted, and opens a run that is finished.
"""

from __future__ import annotations

import functools
import inspect
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
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
    """Return a function with one option for each setting and default explainer."""

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> None:
        function(*args, **kwargs)

    signature = inspect.signature(function, eval_str=True)
    *fixed, _ = signature.parameters.values()
    options = [_option(name, field) for name, field in SweepSettings.model_fields.items()]
    options += _options_of_default_explainers()
    run.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[*fixed, *options]
    )
    return run


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
    return _keyword(name, field.default, kind, option)


def _options_of_default_explainers() -> Iterator[inspect.Parameter]:
    """Yield a switch for each explainer that is on by default, and its own options."""
    from ..plugin.default_explainers import default_names, options_of

    for name in default_names():
        word = name.replace("_", "-")
        switch = typer.Option(f"--{word}/--no-{word}", help=f"Also run {name}.")
        yield _keyword(_python_name(name), True, bool, switch)
        for field, (metavar, text) in options_of(name).items():
            option = typer.Option(f"--{field.replace('_', '-')}", metavar=metavar, help=text)
            yield _keyword(_python_name(name, field), None, str | None, option)


def _python_name(*parts: str) -> str:
    """Return the Python parameter of the option of an explainer or of one of its fields."""
    return "__".join(parts).replace(".", "__")


def _keyword(name: str, default: Any, kind: Any, option: Any) -> inspect.Parameter:
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[kind, option],
    )


def _type_and_metavar(name: str, annotation: Any) -> tuple[Any, str | None]:
    """Return the type that typer parses and the placeholder shown for the value."""
    if get_origin(annotation) is Literal:  # checked by the settings, which suggest a close name
        return str, "|".join(get_args(annotation))
    if annotation is bool:
        return bool, None
    return annotation, {"address": "ADDRESS", "timeout": "SECONDS", "part": "K/N"}.get(name, "N")


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
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Also write interactive pages to DIR, as `convviz report` does."
        ),
    ] = None,
    **settings: Any,
) -> None:
    """Run a sweep and print its results."""
    requested, defaults = _explainers(explainer or [], parameter or [], settings)
    make_settings(settings)  # reports a mistake before anything is loaded
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
            run = run_sweep(network, items, requested, out, **settings, **defaults)
        except KeyboardInterrupt as stop:
            print(stop, file=sys.stderr)
            raise
    if was_finished and run.plan == before:
        print(f"the run in {out} is already finished: nothing was computed")
    elif "forward" in run.plan:
        print(ForwardMode.from_record(run.plan["forward"]))
    _print_items(run, out, verbose)
    print(f"overview: {overview_of(place)}")
    if report is not None:
        print(f"report: {_write_report(run, report)}")
    _print_next_commands(run, out, model, report is not None)


def _write_report(run: Run, folder: Path) -> Path:
    from ..report import write_run_report

    with show_progress():
        return write_run_report(run, folder)


def _print_next_commands(run: Run, out: str, model: str, has_report: bool) -> None:
    """Print the commands that show the pictures of a run."""
    name = next((name for name in ("patches", *run.explainers) if name in run), "")
    folder = f"{out.rstrip('/').rpartition('/')[2]}-report"
    commands = {
        "pictures": ["show", out, *(["-e", name] if name else [])],
        "interactive pages": ["report", out, "--out", folder],
        "live pages": ["serve", out, "-m", model],
    }
    if has_report:
        del commands["interactive pages"]
    for what, words in commands.items():
        print(f"{what}: {shlex.join(['convviz', *words])}")


def _explainers(
    names: Sequence[str], assignments: Sequence[str], options: dict[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    """Return the requested explainers, and the arguments of `analyze` for the default ones.

    Removes the options of the default explainers from `options`.
    """
    from ..plugin.default_explainers import default_class, default_names, options_of

    assigned, switches = list(assignments), {}
    for name in default_names():
        switches[name] = options.pop(_python_name(name))
        for field in options_of(name):
            value = options.pop(_python_name(name, field))
            assigned += [f"{name}.{field}={value}"] if value is not None else []
    on = [name for name, is_on in switches.items() if is_on and name not in names]
    active = [name for name in on if default_class(name)]
    explainers = chosen_explainers([*names, *active], assigned)
    defaults = {name: explainers[name] if name in active else False for name in switches}
    return [explainers[name] for name in names], defaults


def _print_items(run: Run, out: str, verbose: bool) -> None:
    from ..errors import printable

    for skipped in run.skipped:
        print(printable(f"left out {skipped.id}: {skipped.reason}"), file=sys.stderr)
    count = len(run.items)
    print(f"{count} item{'' if count == 1 else 's'} in {out}")
    for name in run.explainers:
        for layer in run[name]:
            print(printable(f"  {name} {layer}".rstrip()))
            if verbose:
                print(run[name][layer].describe())


def command() -> Any:
    """Return the command `analyze` of the command line."""
    cli = typer.Typer(add_completion=False, rich_markup_mode=None)
    cli.command("analyze", help=__doc__)(with_shared_options(_with_settings(analyze)))
    return typer.main.get_command(cli)

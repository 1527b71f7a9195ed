"""The `convviz` application: its commands, what all of them share, and how errors end."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from ..errors import ParameterError, TargetError, UnknownNameError
from .group import LazyGroup

UsageError = typer.BadParameter.__mro__[1]
"""What the errors of a mistyped command line share (click's, or typer's copy of it)."""

USAGE_ERRORS = (UnknownNameError, ParameterError, TargetError)

app = typer.Typer(
    name="convviz",
    cls=LazyGroup,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class _State:
    """What the shared options set."""

    debug: bool = False


def _exclude(patterns: list[str] | None) -> list[str]:
    from ..plugin import registry

    for pattern in patterns or ():
        registry.current().disable(pattern)
    return patterns or []


def _debug(wanted: bool) -> bool:
    _State.debug = _State.debug or wanted
    return wanted


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print("convviz", version("convviz"))
        raise typer.Exit


Exclude = Annotated[
    list[str] | None,
    typer.Option(
        "-x",
        "--exclude",
        metavar="PLUGIN",
        callback=_exclude,
        help="Leave out a plugin: its name or distribution; may be repeated.",
    ),
]
Debug = Annotated[
    bool, typer.Option("--debug", callback=_debug, help="Show the traceback of an error.")
]


def shared(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options that all commands share."""

    def run(*args: Any, exclude: Exclude = None, debug: Debug = False, **kwargs: Any) -> None:
        function(*args, **kwargs)

    kind = inspect.Parameter.KEYWORD_ONLY
    own = inspect.signature(function, eval_str=True)
    every = [
        *own.parameters.values(),
        inspect.Parameter("exclude", kind, default=None, annotation=Exclude),
        inspect.Parameter("debug", kind, default=False, annotation=Debug),
    ]
    run.__name__, run.__doc__ = function.__name__, function.__doc__
    run.__signature__ = own.replace(parameters=every)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in every}
    return run


def command(function: Callable[..., None]) -> Callable[..., None]:
    """Register a function as a subcommand."""
    app.command()(shared(function))
    return function


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
    exclude: Exclude = None,
    debug: Debug = False,
) -> None:
    """Open up a ConvNet: what its filters look for, what its units see, which pixels decide."""

"""The `convviz` application and the options that all commands share."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from ..errors import ParameterError, TargetError, UnknownNameError
from .lazy_group import LazyGroup

UsageError = typer.BadParameter.__mro__[1]
"""Base class of the errors of a mistyped command line (of click, or of typer's copy of it)."""

USAGE_ERRORS = (UnknownNameError, ParameterError, TargetError)
"""Errors of convviz that are mistakes in the call: the exit code is 2."""

app = typer.Typer(
    name="convviz",
    cls=LazyGroup,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class _State:
    """Values of the options that all commands share."""

    debug: bool = False


def _exclude(patterns: list[str] | None) -> list[str]:
    from ..plugin import registry

    for pattern in patterns or ():
        registry.current().disable(pattern)
    return patterns or []


def _debug(enabled: bool) -> bool:
    _State.debug = _State.debug or enabled
    return enabled


def _version(enabled: bool) -> None:
    if enabled:
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
        help="Disable a plugin, given by name or distribution. May be repeated.",
    ),
]
Debug = Annotated[
    bool, typer.Option("--debug", callback=_debug, help="Print the traceback of an error.")
]


def with_shared_options(function: Callable[..., None]) -> Callable[..., None]:
    """Return a command function with the options that all commands share."""

    def run(*args: Any, exclude: Exclude = None, debug: Debug = False, **kwargs: Any) -> None:
        function(*args, **kwargs)

    kind = inspect.Parameter.KEYWORD_ONLY
    signature = inspect.signature(function, eval_str=True)
    parameters = [
        *signature.parameters.values(),
        inspect.Parameter("exclude", kind, default=None, annotation=Exclude),
        inspect.Parameter("debug", kind, default=False, annotation=Debug),
    ]
    run.__name__, run.__doc__ = function.__name__, function.__doc__
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    return run


def command(function: Callable[..., None]) -> Callable[..., None]:
    """Register a function as a subcommand."""
    app.command()(with_shared_options(function))
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
    """Explain convolutional networks: filters, units, predictions and whole data sets."""

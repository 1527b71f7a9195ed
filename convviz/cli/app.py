"""The `convviz` application: its commands, what all of them share, and how errors end."""

from __future__ import annotations

import inspect
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, NoReturn

import typer

from ..errors import ConvvizError, ParameterError, TargetError, UnknownNameError
from ..names import printable
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
    from .. import registry

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


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0, 2 for a mistake in the call, 130 on Ctrl-C, else 1."""
    # Windows have more shapes than oneDNN keeps what it compiled for; it reads this when it starts.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "4096")
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    from . import commands, explore, show  # noqa: F401  (they add themselves to the application)

    _State.debug = os.environ.get("CONVVIZ_DEBUG", "") not in ("", "0")
    try:
        with _plain_warnings():
            code = app(args=arguments, prog_name="convviz", standalone_mode=False)
        sys.stdout.flush()
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except BrokenPipeError:
        # Whoever read the output went away; keep the interpreter from flushing into the void.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        return _report(error)
    if code == 130:  # typer itself makes this of Ctrl-C
        print("interrupted", file=sys.stderr)
    return code if isinstance(code, int) else 0


@contextmanager
def _plain_warnings() -> Iterator[None]:
    """Show a warning as one line, without the source line that it came from but for --debug."""
    with warnings.catch_warnings():
        with_source = warnings.showwarning

        def show(message: Warning | str, *where: Any, **more: Any) -> None:
            if _State.debug:
                with_source(message, *where, **more)
            else:
                print("warning:", printable(" ".join(str(message).split())), file=sys.stderr)

        warnings.showwarning = show
        yield


def _report(error: Exception) -> int:
    """Print an error in one line, and return the exit code."""
    if _State.debug:
        traceback.print_exception(error)
    if isinstance(error, UsageError):
        text = f"{error.format_message()} (see {_help_of(error)})"  # type: ignore[attr-defined]
        code = 2
    elif _lacks_memory(error):
        notes = getattr(error, "__notes__", ["give fewer or smaller images, or a smaller batch"])
        text, code = f"not enough memory: {str(error).split('. ')[0]}; {notes[0]}", 1
    elif isinstance(error, ConvvizError):
        text, code = str(error), 2 if isinstance(error, USAGE_ERRORS) else 1
    else:
        text, code = f"{type(error).__name__}: {error} (--debug shows where)", 1
    print("error:", printable(" ".join(text.split())), file=sys.stderr)
    return code


def _lacks_memory(error: Exception) -> bool:
    if "torch" not in sys.modules:  # importing it would take seconds
        return isinstance(error, MemoryError)
    from ..shortage import is_out_of_memory

    return is_out_of_memory(error)


def _help_of(error: Any) -> str:
    context = getattr(error, "ctx", None)
    return f"{context.command_path if context else 'convviz'} --help"

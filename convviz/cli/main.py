"""The entry point of the command line: runs the application and reports errors."""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import typer

from ..errors import ConvvizError, printable
from . import (  # importing them registers their commands
    commands,  # noqa: F401
    explore,  # noqa: F401
    export,  # noqa: F401
    merge,  # noqa: F401
    report,  # noqa: F401
    serve,  # noqa: F401
    show,  # noqa: F401
    units,  # noqa: F401
)
from .app import USAGE_ERRORS, UsageError, _State, app


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit.

    The exit code is 0, 2 for a mistake in the call, 130 on Ctrl-C, and 1 for any other error.
    """
    # Windows of incremental occlusion have more shapes than oneDNN caches kernels for by default.
    # oneDNN reads the variable when it is loaded.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "4096")
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    _State.debug = os.environ.get("CONVVIZ_DEBUG", "") not in ("", "0")
    try:
        with _plain_warnings():
            code = app(args=arguments, prog_name="convviz", standalone_mode=False)
        sys.stdout.flush()
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except BrokenPipeError:
        # The reader of the pipe has exited: keep the interpreter from flushing to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        return _report(error)
    if code == 130:  # typer returns it for Ctrl-C
        print("interrupted", file=sys.stderr)
    return code if isinstance(code, int) else 0


@contextmanager
def _plain_warnings() -> Iterator[None]:
    """Print each warning as one line; with --debug also the source line that raised it."""
    with warnings.catch_warnings():
        show_with_source = warnings.showwarning

        def show(message: Warning | str, *args: Any, **kwargs: Any) -> None:
            if _State.debug:
                show_with_source(message, *args, **kwargs)
            else:
                print("warning:", printable(" ".join(str(message).split())), file=sys.stderr)

        warnings.showwarning = show
        yield


def _report(error: Exception) -> int:
    """Print an error as one line and return the exit code."""
    if _State.debug:
        traceback.print_exception(error)
    if isinstance(error, UsageError):
        text = f"{error.format_message()} (see {_help_of(error)})"  # type: ignore[attr-defined]
        code = 2
    elif _lacks_memory(error):
        notes = getattr(error, "__notes__", ["use fewer or smaller images, or a smaller batch"])
        text, code = f"not enough memory: {str(error).split('. ')[0]}; {notes[0]}", 1
    elif isinstance(error, ConvvizError):
        text, code = str(error), 2 if isinstance(error, USAGE_ERRORS) else 1
    else:
        text, code = f"{type(error).__name__}: {error} (--debug prints the traceback)", 1
    print("error:", printable(" ".join(text.split())), file=sys.stderr)
    return code


def _lacks_memory(error: Exception) -> bool:
    if "torch" not in sys.modules:  # importing it would take seconds
        return isinstance(error, MemoryError)
    from ..state.device import is_out_of_memory

    return is_out_of_memory(error)


def _help_of(error: Any) -> str:
    context = getattr(error, "ctx", None)
    return f"{context.command_path if context else 'convviz'} --help"

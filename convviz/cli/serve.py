"""`convviz serve`: a run in the browser, with explainers that run at once."""

from __future__ import annotations

from typing import Annotated

import typer

from ..errors import MissingLibraryError
from .app import command
from .commands import MODEL_HELP, Device


@command
def serve(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN]", help="Run folder, or s3://BUCKET/RUN. It may be left out with -m."
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "-m",
            "--model",
            metavar="SOURCE",
            help=f"{MODEL_HELP} May be repeated. [default: the model of the run]",
        ),
    ] = None,
    photos: Annotated[
        str | None,
        typer.Option(
            metavar="DATASET",
            help="Data set with the photos of the run, if they have moved or changed. [default: "
            "the recorded one; a photo is then opened only if it is the file of the sweep]",
        ),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 selects a free one.")] = 0,
    host: Annotated[
        str,
        typer.Option(
            help="Address to listen on. Other computers can reach the server only if this is "
            "changed."
        ),
    ] = "127.0.0.1",
    device: Device = "auto",
    open_it: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the browser if there is a screen.")
    ] = True,
) -> None:
    """Show a run in the browser, with a workbench that runs explainers on photos."""
    try:
        from ..web.server import serve as run_server
    except ImportError as error:
        raise MissingLibraryError(
            f"`convviz serve` requires {error.name}: pip install 'convviz[web]'"
        ) from error
    from ..web.services import ServeSettings

    settings = ServeSettings(run, tuple(model or ()), photos, device)
    run_server(settings, host, port, open_it)

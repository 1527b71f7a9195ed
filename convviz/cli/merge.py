"""`convviz merge`: joins runs over parts of a data set."""

from __future__ import annotations

from typing import Annotated

import typer

from ..progress import show_progress
from .app import command


@command
def merge(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="The runs, in order.")],
    out: Annotated[
        str, typer.Option("-o", "--out", metavar="RUN", help="The run folder to write.")
    ],
    model: Annotated[
        str | None,
        typer.Option(
            "-m", "--model", metavar="SOURCE", help="Model. [default: as recorded in the runs]"
        ),
    ] = None,
    photos: Annotated[
        str | None,
        typer.Option(
            metavar="DATASET",
            help="Data set with the photos of all runs, if they have moved.",
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run in RUN.")] = False,
) -> None:
    """Join runs over parts of a data set, such as the parts of analyze --part, into one."""
    from ..api import merge as merge_runs
    from ..errors import printable
    from ..sweep.store.factory import overview_of, place_of

    with show_progress():
        run = merge_runs(runs, out, model, photos, overwrite)
    print(f"{len(run.items)} items of {len(runs)} runs in {out}")
    for name in run.explainers:
        for layer in run[name]:
            print(printable(f"  {name} {layer}".rstrip()))
    print(f"overview: {overview_of(place_of(out))}")

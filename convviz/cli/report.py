"""`convviz report`: pages about a finished run that open from disk."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import ParameterError
from ..progress import show_progress
from ..sweep.store.file_names import RUN
from .app import command


@command
def report(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN... [FOLDER...]",
            help="A run, or two runs to compare; then folders of `convviz explain` or `convviz "
            "bench quality`, whose maps and scores are added.",
        ),
    ],
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="DIR", help="Folder for the pages.")
    ] = Path("convviz-report"),
    photos: Annotated[
        str | None,
        typer.Option(metavar="DATASET", help="Data set with the photos, if they have moved."),
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Open the first page.")] = False,
) -> None:
    """Write pages about a run: all units, images and maps, with search and filters.

    The pages open from disk without a network.
    """
    from ..report import write_run_report

    explained = [name for name in runs if is_other_folder(name)]
    runs = [name for name in runs if name not in explained]
    if not runs:
        raise ParameterError(f"{explained[0]} is not a run: give a run folder of `convviz analyze`")
    if len(runs) > 2:
        raise ParameterError(f"a report shows one run, or two side by side, not {len(runs)}")
    other = runs[1] if len(runs) == 2 else None
    with show_progress():
        page = write_run_report(runs[0], out, other=other, photos=photos, explained=explained)
    print(f"report: {page}")
    if show:
        typer.launch(str(page))


def is_other_folder(name: str) -> bool:
    """Return whether a name is a folder on this disk that holds no run."""
    return Path(name).is_dir() and not (Path(name) / RUN).exists()

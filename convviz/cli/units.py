"""`convviz units`: which units of a layer respond to some classes."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from ..errors import printable
from .app import command


@command
def units(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run folder.")],
    classes: Annotated[
        list[str],
        typer.Option(
            "-c",
            "--classes",
            metavar="CLASSES",
            help="Class name, pattern ('*terrier'), or range of outputs of the model (151-268, the "
            "dogs of ImageNet). May be repeated.",
        ),
    ],
    layer: Annotated[
        str, typer.Option("-l", "--layer", help="Layer of the results, a name in the run.")
    ],
    explainer: Annotated[
        str | None,
        typer.Option(
            "-e",
            "--explainer",
            metavar="NAME",
            help="Explainer whose results are used: patches or statistics. [default: patches if "
            "the run has them for the layer]",
        ),
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="Number of units to list.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """List the units of a layer that respond to some classes, by lift.

    A lift of 2 means that the classes are twice as frequent among the images that activate the
    unit most as among all images, or that the unit responds to them twice as strongly.
    """
    from ..sweep.run import open_run

    ranking = open_run(run).units(layer, classes, explainer)
    if as_json:
        print(json.dumps([asdict(unit) for unit in ranking[:top]], indent=1))
    else:
        print("\n".join(map(printable, ranking.text(top).split("\n"))))

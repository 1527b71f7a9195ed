"""`convviz export`: results of a run as tables."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Annotated

import typer

from ..errors import ParameterError
from .app import command


@command
def export(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Run folder, or s3://BUCKET/RUN.")],
    explainer: Annotated[
        str, typer.Option("-e", "--explainer", metavar="NAME", help="Explainer to export.")
    ],
    layer: Annotated[
        list[str] | None,
        typer.Option("-l", "--layer", help="Layer to export. May be repeated. [default: all]"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FILE", help="File to write. [default: print]"),
    ] = None,
    format: Annotated[
        str | None,
        typer.Option(
            "--format", help="csv, json or parquet. [default: by the suffix of FILE, or csv]"
        ),
    ] = None,
) -> None:
    """Write the numbers of a run as a table with a column for the layer.

    The rows are units and ranks for patches, channels for statistics, images and ranks for
    neighbors, images for embedding. In CSV, control characters are escaped, and a text that a
    spreadsheet might run as a formula gets an apostrophe before it.
    """
    from ..storage import durable_file
    from ..storage.table_formats import table_format, write_table
    from ..sweep.run import open_run

    kind = table_format(format, out)
    if out is None and kind == "parquet" and sys.stdout.isatty():
        raise ParameterError(
            "format='parquet' is binary: give a file with -o, or redirect the output"
        )
    table = open_run(run).to_arrow(explainer, layer or None)
    if out is None:
        sys.stdout.flush()
        write_table(table, sys.stdout.buffer, kind)
        sys.stdout.buffer.flush()
        return
    buffer = io.BytesIO()
    write_table(table, buffer, kind)
    durable_file.write(out, buffer.getvalue())
    print(f"{len(table)} rows", file=sys.stderr)

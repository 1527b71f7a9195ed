"""Benchmarks of explainers: how fast they are, and how good their maps are."""

from __future__ import annotations

import typer

from convviz.authoring import hookimpl

from . import quality, speed


@hookimpl
def convviz_commands(cli: typer.Typer) -> None:
    """Add `convviz bench`, a group of commands."""
    group = typer.Typer(
        help="Measure explainers.",
        no_args_is_help=True,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    group.callback()(lambda: None)  # a group stays one while it has a single command
    for command in (quality.quality, speed.speed):
        group.command()(command)
    cli.add_typer(group, name="bench")

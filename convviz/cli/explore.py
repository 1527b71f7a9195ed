"""The commands that tell what there is: `explainers`, `layers`, `plugins`, `info`."""

from __future__ import annotations

import inspect
import json
import textwrap
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from ..plugin.parameters import parameters
from .app import app, command, shared
from .tables import table

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

plugins_app = typer.Typer(
    help="List the plugins: where each comes from, its hooks, its state, why it is broken.",
    rich_markup_mode=None,
)
app.add_typer(plugins_app, name="plugins")


@command
def explainers(
    name: Annotated[
        str | None, typer.Argument(help="Show the parameters of this explainer.")
    ] = None,
) -> None:
    """List the explainers, or show one with its parameters."""
    from ..plugin import registry

    if name is None:
        registry.current().verify()
        entries = registry.current().entries("explainers")
        names = registry.current().names("explainers")
        rows = [(n, e.distribution, e.version) for n, e in zip(names, entries, strict=True)]
        print(table(("name", "distribution", "version"), rows))
        return
    print("\n\n".join(_describe(n, cls) for n, cls in _named(name).items()))


@command
def layers(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model source, as for -m.")],
    as_json: Json = False,
) -> None:
    """List a model's layers: kind, output shape, receptive field, parameters, default marks."""
    from ..plugin.sources import load_model

    rows = load_model(model).layers()
    if as_json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
    else:
        print(_layer_table(rows))


@plugins_app.callback(invoke_without_command=True)
@shared
def plugins(ctx: typer.Context, as_json: Json = False) -> None:
    """List the plugins: where each comes from, its hooks, its state, why it is broken."""
    if ctx.invoked_subcommand is not None:
        return
    from ..plugin import registry

    rows = registry.current().status()
    if as_json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
    else:
        print(_plugin_table(rows))
    registry.current().verify()


@plugins_app.command()
@shared
def check(
    name: Annotated[str, typer.Argument(help="An explainer's name, or a family's.")],
    parameter: Annotated[
        list[str] | None,
        typer.Option("-p", "--parameter", metavar="NAME.FIELD=VALUE", help="A parameter."),
    ] = None,
) -> None:
    """Run the conformance kit on an explainer: one line a check."""
    from ..testing import conformance
    from .values import build_explainers

    failed = 0
    for explainer in build_explainers(list(_named(name)), parameter or ()):
        print(explainer)
        for one in conformance(explainer):
            failed += not one.passed
            print(f"  {'pass' if one.passed else 'FAIL'}  {one.name}", end="")
            print(f": {one.detail}" if one.detail else "", flush=True)
    if failed:
        raise typer.Exit(1)


@command
def info(as_json: Json = False) -> None:
    """Show versions, devices, and which path each operator takes."""
    from .version_info import facts

    found = facts()
    if as_json:
        print(json.dumps(found, indent=1))
        return
    for title, rows in found.items():
        print(title)
        width = max((len(name) for name in rows), default=0)
        for name, value in rows.items():
            print(f"  {name:<{width}}  {value}")


def _named(name: str) -> dict[str, type[Any]]:
    """Return the class of a name, or those of a whole family."""
    from ..plugin import registry

    entry = registry.current().find("explainers", name)
    classes = registry.current().explainer_classes(entry)
    if name in (entry.name, entry.address):
        return {name: classes[entry.name]} if entry.name in classes else dict(classes)
    return {name: registry.current().explainer_class(name)}


def _describe(name: str, cls: type[Any]) -> str:
    from ..plugin import registry
    from ..plugin.explainer import DatasetExplainer

    who = registry.identify(cls)
    over = "a data set" if issubclass(cls, DatasetExplainer) else "images"
    owner = f"{who.distribution} {who.version}".strip()
    lines = [
        f"{name} (explains {over}; {owner})",
        "",
        inspect.getdoc(cls) or "",
    ]
    lines += ["", f"Parameters (-p {name}.FIELD=VALUE):"]
    for one in parameters(cls):
        lines.append(f"  {one.name} = {one.default}    [{one.allowed}]")
        lines += textwrap.wrap(
            one.description, 92, initial_indent=" " * 6, subsequent_indent=" " * 6
        )
    return "\n".join(lines)


def _plugin_table(rows: Any) -> str:
    header = ("distribution", "version", "group", "name", "state", "hooks or reason")
    cells = [
        (r.distribution, r.version, r.group, r.name, r.state, r.reason or ", ".join(r.hooks))
        for r in rows
    ]
    return table(header, cells)


def _layer_table(rows: Sequence[Any]) -> str:
    header = ("layer", "kind", "output", "receptive field", "parameters", "default for")
    cells = [
        (
            row.name,
            row.kind,
            "×".join(map(str, row.shape)),
            row.receptive_field,
            f"{row.parameters:,}" if row.parameters else "",
            ", ".join(row.default_for),
        )
        for row in rows
    ]
    return table(header, cells, right=[4])

"""The commands that list things: `explainers`, `layers`, `plugins` and `info`."""

from __future__ import annotations

import inspect
import json
import textwrap
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from ..plugin.parameters import parameters
from .app import app, command, with_shared_options
from .tables import table

Json = Annotated[bool, typer.Option("--json", help="Print as JSON.")]

plugins_app = typer.Typer(
    help="List the plugins with origin, hooks, state and errors.",
    rich_markup_mode=None,
)
app.add_typer(plugins_app, name="plugins")


@command
def explainers(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Explainer whose parameters are printed.")
    ] = None,
) -> None:
    """List the explainers, or the parameters of one."""
    from ..plugin import registry

    if name is None:
        registry.current().verify()
        entries = registry.current().entries("explainers")
        names = registry.current().names("explainers")
        rows = [(n, e.distribution, e.version) for n, e in zip(names, entries, strict=True)]
        print(table(("name", "distribution", "version"), rows))
        return
    print("\n\n".join(_describe(n, cls) for n, cls in _classes(name).items()))


@command
def metrics(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Metric whose parameters are printed.")
    ] = None,
) -> None:
    """List the metrics of explanations, or the parameters of one."""
    if name is not None:
        print("\n\n".join(_describe_metric(n, c) for n, c in _metric_classes_of(name).items()))
        return
    rows = [
        (column.name(metric), column.title, _direction(column.higher_is_better), distribution)
        for metric, cls, distribution in _metric_classes()
        for column in cls().measures()
    ]
    print(table(("name", "measure", "better", "distribution"), rows))


@command
def layers(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Model source, as for -m.")],
    as_json: Json = False,
) -> None:
    """List the layers of a model.

    Prints kind, output shape, receptive field, number of parameters and the explainers that use
    the layer by default.
    """
    from ..plugin.sources import load_model

    explainers = _explainers_by_kind()
    rows = [
        {
            **asdict(info),
            "default_for": [name for kind in info.default_for for name in explainers[kind]],
        }
        for info in load_model(model).layers()
    ]
    print(json.dumps(rows, indent=1) if as_json else _layer_table(rows))


@plugins_app.callback(invoke_without_command=True)
@with_shared_options
def plugins(ctx: typer.Context, as_json: Json = False) -> None:
    """List the plugins with origin, hooks, state and errors."""
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
@with_shared_options
def check(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Explainer or metric, or a family of them.")
    ],
    parameter: Annotated[
        list[str] | None,
        typer.Option("-p", "--parameter", metavar="NAME.FIELD=VALUE", help="Parameter."),
    ] = None,
) -> None:
    """Run the conformance tests on an explainer or metric; prints one line per test."""
    from ..plugin.parameter_values import build_all
    from ..testing import conformance

    failed = 0
    for explainer in build_all(_checked_classes(name), parameter or ()).values():
        print(explainer)
        for outcome in conformance(explainer):
            failed += not outcome.passed
            print(f"  {'pass' if outcome.passed else 'FAIL'}  {outcome.name}", end="")
            print(f": {outcome.detail}" if outcome.detail else "", flush=True)
    if failed:
        raise typer.Exit(1)


@command
def info(as_json: Json = False) -> None:
    """Print versions, devices and the implementation of each operator."""
    from .version_info import facts

    sections = facts()
    if as_json:
        print(json.dumps(sections, indent=1))
        return
    for title, rows in sections.items():
        print(title)
        width = max((len(name) for name in rows), default=0)
        for name, value in rows.items():
            print(f"  {name:<{width}}  {value}")


def _checked_classes(name: str) -> dict[str, type[Any]]:
    """Return the classes of an explainer, a metric, or a family of them."""
    from ..errors import UnknownNameError

    try:
        return _classes(name)
    except UnknownNameError:
        try:
            return _metric_classes_of(name)
        except UnknownNameError:
            pass
        raise  # the error of explainers, which suggests their names


def _metric_classes_of(name: str) -> dict[str, type[Any]]:
    """Return the classes of a metric or of a family, by name."""
    from ..plugin import registry

    entry = registry.current().find("metrics", name)
    if name in (entry.name, entry.address):
        return dict(registry.current().metric_classes(entry))
    return {name: registry.current().metric_class(name)}


def _classes(name: str) -> dict[str, type[Any]]:
    """Return the classes of an explainer or of a family, by name."""
    from ..plugin import registry

    entry = registry.current().find("explainers", name)
    classes = registry.current().explainer_classes(entry)
    if name in (entry.name, entry.address):
        return {name: classes[entry.name]} if entry.name in classes else dict(classes)
    return {name: registry.current().explainer_class(name)}


def _metric_classes() -> Iterator[tuple[str, type[Any], str]]:
    """Yield name, class and distribution of each metric."""
    from ..plugin import registry

    registry.current().verify()
    for entry in registry.current().in_order("metrics"):
        for name, cls in registry.current().metric_classes(entry).items():
            yield name, cls, f"{entry.distribution} {entry.version}".strip()


def _direction(higher_is_better: bool | None) -> str:
    return {True: "higher", False: "lower", None: "-"}[higher_is_better]


def _describe_metric(name: str, cls: type[Any]) -> str:
    from ..plugin import registry

    identity = registry.identify(cls)
    origin = f"{identity.distribution} {identity.version}".strip()
    lines = [f"{name} (a metric; {origin})", "", inspect.getdoc(cls) or "", "", "Measures:"]
    for measure in cls().measures():
        low, high = measure.range
        better = _direction(measure.higher_is_better)
        lines.append(f"  {measure.name(name)}: {measure.title}, {low:g} to {high:g}, {better}")
    if cls.needs:
        lines.append(f"Needs: {', '.join(sorted(cls.needs))}")
    return "\n".join([*lines, "", *_parameter_lines(name, cls)])


def _describe(name: str, cls: type[Any]) -> str:
    from ..plugin import registry
    from ..plugin.explainer import DatasetExplainer

    identity = registry.identify(cls)
    subject = "images"
    if issubclass(cls, DatasetExplainer):
        both = cls.explain is not DatasetExplainer.explain
        subject = "a data set and images" if both else "a data set"
    origin = f"{identity.distribution} {identity.version}".strip()
    lines = [f"{name} (explains {subject}; {origin})", "", inspect.getdoc(cls) or ""]
    return "\n".join([*lines, "", *_parameter_lines(name, cls)])


def _parameter_lines(name: str, cls: type[Any]) -> list[str]:
    lines = [f"Parameters (-p {name}.FIELD=VALUE):"]
    for parameter in parameters(cls):
        lines.append(f"  {parameter.name} = {parameter.default}    [{parameter.allowed}]")
        margin = " " * 6
        lines += textwrap.wrap(
            parameter.description, 92, initial_indent=margin, subsequent_indent=margin
        )
    return lines


def _plugin_table(rows: Any) -> str:
    header = ("distribution", "version", "group", "name", "state", "hooks or reason")
    cells = [
        (r.distribution, r.version, r.group, r.name, r.state, r.reason or ", ".join(r.hooks))
        for r in rows
    ]
    return table(header, cells)


def _explainers_by_kind() -> Mapping[str, list[str]]:
    """Return the names of the explainers that read each kind of default layers."""
    from ..plugin import registry

    names: dict[str, list[str]] = defaultdict(list)
    for name, cls in registry.current().all_explainer_classes():
        names[cls.default_layer_kind or ""].append(name)
    return names


def _layer_table(rows: Sequence[Mapping[str, Any]]) -> str:
    header = ("layer", "kind", "output", "receptive field", "parameters", "default for")
    cells = [
        (
            row["name"],
            row["kind"],
            "×".join(map(str, row["shape"])),
            row["receptive_field"],
            f"{row['parameters']:,}" if row["parameters"] else "",
            ", ".join(row["default_for"]),
        )
        for row in rows
    ]
    return table(header, cells, right=[4])

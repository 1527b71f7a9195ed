"""The plugin contract: all hooks that convviz calls.

A plugin is a module (or object) that an entry point refers to. The entry-point group determines the
hook, and the name of the entry is that of the explainer, scheme, metric or subcommand:

| group | hook | name of the entry |
|---|---|---|
| `convviz.explainers` | `convviz_explainers` | the explainer's name, or the prefix of a family |
| `convviz.models` | `convviz_load_model` | the scheme of a model source |
| `convviz.datasets` | `convviz_open_dataset` | the scheme of a data-set source |
| `convviz.metrics` | `convviz_metrics` | the metric's name, or the prefix of a family |
| `convviz.commands` | `convviz_commands` | the subcommand's name |
| `convviz.default_explainers` | `convviz_analyze_options` | an explainer that every sweep runs |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    import typer

    from ..data.dataset import Dataset
    from ..network.model import Model
    from .explainer import DatasetExplainer, Explainer
    from .metric import Metric

hookspec = pluggy.HookspecMarker("convviz")
hookimpl = pluggy.HookimplMarker("convviz")
"""Marks a function of a plugin as the implementation of the hook of that name."""


@hookspec
def convviz_explainers() -> Sequence[type[Explainer] | type[DatasetExplainer]]:  # type: ignore[empty-body]
    """Return the explainer classes of this plugin.

    A single class has the name of the entry point. Several are a family, with the names
    `<entry>.<class name in snake_case>`.
    """


@hookspec(firstresult=True)
def convviz_loads_on_demand() -> bool:  # type: ignore[empty-body]
    """Return whether `convviz_explainers` imports a slow library.

    If so, it is called only for names of this plugin: its explainers are not searched for aliases,
    default layers, or explainers that are on by default. Optional.
    """


@hookspec(firstresult=True)
def convviz_load_model(source: str, options: Mapping[str, Any]) -> Model | None:
    """Load a model from a source.

    A source without a scheme ("resnet50") is passed to all plugins in turn, in pluggy's order
    (`@hookimpl(tryfirst=True)`, `trylast=True`), until one returns a Model. Do not guess: if the
    name is unknown, return None or raise `UnknownNameError(kind, source, known)`, from which the
    user gets the closest names.

    Args:
        source: the source without scheme and query ("resnet50@IMAGENET1K_V2" of
            "torchvision:resnet50@IMAGENET1K_V2?progress=0"); "" for a bare scheme ("demo").
        options: the values of the query (strings) and the keyword arguments of `load_model`.
            It always holds "device" (a string or torch.device) and "dtype" (a torch.dtype or
            None): pass both to `convviz.Model`. Raise an error for unknown options.
    """


@hookspec(firstresult=True)
def convviz_vouches_for_source(source: str, options: Mapping[str, Any]) -> bool:  # type: ignore[empty-body]
    """Return whether this plugin opens a source safely even if an attacker wrote it.

    A run folder records the source of its model, and anybody may have written the folder. The
    source is loaded only if the plugin implements this hook and returns True. Loading must then
    run no code from the source or from files that it refers to (no factory by name, no pickle),
    and must not read files or network addresses of the source's choice that could do harm or
    never end. A plugin without this hook is never asked to load such a source.

    Args:
        source: as for `convviz_load_model`.
        options: the values of the query. Return False for unknown ones.
    """


@hookspec(firstresult=True)
def convviz_open_dataset(source: str, options: Mapping[str, Any]) -> Dataset | None:
    """Open a data set from a source.

    Sources, schemes, queries and unknown names are as for `convviz_load_model`. `options` holds
    only the values of the query and the keyword arguments of `open_dataset`.
    """


@hookspec
def convviz_metrics() -> Sequence[type[Metric]]:  # type: ignore[empty-body]
    """Return the metric classes of this plugin, which measure the quality of explanations.

    Their names are as for explainers: that of the entry point for a single class, otherwise
    `<entry>.<class name in snake_case>`.
    """


@hookspec
def convviz_analyze_options() -> Mapping[str, tuple[str, str]]:  # type: ignore[empty-body]
    """Return the options that an explainer adds to `convviz analyze`.

    The explainer is a data-set explainer with the name of the entry point. Every sweep runs it
    unless it is switched off (`analyze(…, NAME=False)`, `--no-NAME`). If it fails, the run has a
    note instead of its results.

    The hook is called for `convviz analyze --help`: its module should import neither the explainer
    nor torch. Each field of the explainer that the hook returns is an option, with a placeholder
    for the value and a description: `{"classes": ("FILE", "The classes of the data set.")}`.
    """


@hookspec
def convviz_commands(cli: typer.Typer) -> None:
    """Add the subcommand of the entry point to `cli`, an empty typer application.

    The hook is called when the subcommand is used, not when it is listed.
    """

"""The whole plugin contract: every hook convviz calls, one docstring a hook.

A plugin is a module (or object) that an entry point names. The entry-point group says which
hook is asked for, the entry's name what it is called:

| group | hook | the entry's name is |
|---|---|---|
| `convviz.explainers` | `convviz_explainers` | the explainer's name, or the prefix of a family |
| `convviz.models` | `convviz_load_model` | the scheme of a model source |
| `convviz.datasets` | `convviz_open_dataset` | the scheme of a data-set source |
| `convviz.metrics` | `convviz_metrics` | the metric's name, or the prefix of a family |
| `convviz.commands` | `convviz_commands` | the subcommand's name |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    import typer

    from ..data.dataset import Dataset
    from ..network.model import Model
    from .explainer import DatasetExplainer, Explainer

hookspec = pluggy.HookspecMarker("convviz")
hookimpl = pluggy.HookimplMarker("convviz")
"""Marks a function of a plugin as the implementation of the hook of that name."""


@hookspec
def convviz_explainers() -> Sequence[type[Explainer] | type[DatasetExplainer]]:  # type: ignore[empty-body]
    """Return the explainer classes of this plugin.

    One class takes the entry point's name. Several are a family: each is called
    `<entry>.<class name in snake_case>`.
    """


@hookspec(firstresult=True)
def convviz_load_model(source: str, options: Mapping[str, Any]) -> Model | None:
    """Load the model that a source names.

    A source without a scheme ("resnet50") is offered to one plugin after the other, in
    pluggy's order (`@hookimpl(tryfirst=True)`, `trylast=True`); the first Model wins. So do
    not guess: where the name is not known, return None or, better, raise
    `UnknownNameError(kind, source, known)`, from which the user learns the closest names.

    Args:
        source: what follows the scheme, without its query ("resnet50@IMAGENET1K_V2" of
            "torchvision:resnet50@IMAGENET1K_V2?progress=0"); "" where nothing does ("demo").
        options: the query's values (strings) and the keyword arguments given to
            `load_model`. It always holds "device" (a string or torch.device) and "dtype" (a
            torch.dtype or None): pass both to `convviz.Model`. Refuse what you do not know.
    """


@hookspec(firstresult=True)
def convviz_vouches_for_source(source: str, options: Mapping[str, Any]) -> bool:  # type: ignore[empty-body]
    """Return whether this plugin opens a source safely even if an attacker wrote it.

    A run folder says how its model was loaded, and anybody may have written the folder. Its
    source is loaded only where the plugin implements this hook and returns True: loading then
    must run no code that the source or a file it names brings (no factory by name, no pickle),
    and must read no file, and reach no network address, of the source's choice that could do
    harm or never end. A plugin without this hook is never asked to load such a source.

    Args:
        source: as for `convviz_load_model`.
        options: the values of the query. Say no to those you do not know.
    """


@hookspec(firstresult=True)
def convviz_open_dataset(source: str, options: Mapping[str, Any]) -> Dataset | None:
    """Open the data set that a source names.

    Sources, schemes, queries and unknown names are as for `convviz_load_model`; `options`
    holds the query's values and the keyword arguments given to `open_dataset`, no more.
    """


@hookspec
def convviz_metrics() -> Mapping[str, Callable[..., float]]:  # type: ignore[empty-body]
    """Return quality metrics of explanations by name.

    A name is the entry point's, or `<entry>.<something>` for a family.
    """


@hookspec
def convviz_commands(cli: typer.Typer) -> None:
    """Add the subcommand that the entry point names to `cli`, a fresh typer application.

    Called when the subcommand is used, not when it is listed.
    """

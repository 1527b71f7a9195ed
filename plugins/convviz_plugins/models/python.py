"""Networks returned by a function: "python:package.module:factory"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from convviz import Model, ModelError
from convviz.authoring import hookimpl, import_object

from . import _options


@hookimpl(trylast=True)
def convviz_load_model(source: str, options: Mapping[str, Any]) -> Model | None:
    """Call a factory, which returns an `nn.Module` or a `convviz.Model`.

    The module is imported, which runs its code. Only sources given by the user are loaded in this
    way, never those in run folders. The current folder is searched first.
    """
    module_name, colon, factory_name = source.partition(":")
    if not colon:
        return None
    _options.check(options)
    result = call(module_name, factory_name)
    if isinstance(result, nn.Module):
        return _options.make_model(result, options, name=source)
    if not isinstance(result, Model):
        raise ModelError(
            f"{source} must return an nn.Module or a convviz.Model, not {type(result).__name__}"
        )
    if _overrides(options):
        raise ModelError(
            f"{source} returns a convviz.Model, whose {', '.join(_overrides(options))} cannot be "
            "overridden; set it in the factory"
        )
    return result


def call(module_name: str, factory_name: str) -> Any:
    """Return the result of a factory in a module of the current folder or the Python path."""
    factory = import_object(module_name, factory_name, "factory", ModelError)
    try:
        return factory()
    except Exception as error:
        raise ModelError(
            f"{module_name}:{factory_name} failed: {type(error).__name__}: {error}"
        ) from error


def _overrides(options: Mapping[str, Any]) -> list[str]:
    """Return the names of the options with a value other than the default."""
    return [k for k, v in options.items() if v is not None and (k, str(v)) != ("device", "auto")]

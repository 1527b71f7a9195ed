"""Sources of models and data sets: `scheme:rest?query`, a path, or a bare name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from .contract import BrokenPluginError, is_a
from .discovery import Entry, normal
from .errors import ParameterError, UnknownNameError, closest
from .registry import Registry, current

if TYPE_CHECKING:
    import torch

    from .datasets import Dataset
    from .model import Model

_PATHS = {"models": "file"}
"""Group -> the scheme that takes paths; without one, each plugin looks whether it knows them."""
_KINDS = {"models": "model", "datasets": "data set"}


def load_model(
    source: str | os.PathLike[str],
    *,
    device: str | torch.device = "auto",
    dtype: str | torch.dtype | None = None,
    **options: Any,
) -> Model:
    """Load a model.

    Args:
        source: "resnet50", "torchvision:resnet50@IMAGENET1K_V2", "timm:convnext_tiny",
            "weights.safetensors?arch=resnet18", "demo", or any other scheme that a plugin adds.
        device: where the model shall run; "auto" lets convviz choose.
        dtype: "float32", "float64", … or a torch.dtype; None keeps the model's own.
        **options: for the plugin that loads the model, as in the query.

    Raises:
        UnknownNameError: nothing knows the source; it names the schemes and the closest names.
        ModelError: the model cannot be loaded.
    """
    basic = {"device": device, "dtype": _dtype(dtype)}
    model: Model = _open("models", source, {**basic, **options})
    model.source = "" if options else os.fspath(source)
    return model


def open_dataset(source: str | os.PathLike[str], **options: Any) -> Dataset:
    """Open a data set: a path, "demo-digits", or `scheme:…` of a plugin.

    Args:
        source: a folder, list, Parquet file or other path that a plugin knows, a name, or
            `scheme:rest?query`.
        **options: for the plugin that opens it, as in the query.
    """
    dataset: Dataset = _open("datasets", source, options)
    return dataset


def _open(group: str, source: str | os.PathLike[str], options: Mapping[str, Any]) -> Any:
    registry = current()
    registry.verify()
    text = os.fspath(source)
    if not isinstance(source, str):
        return _path(registry, group, text, options)
    entry, rest = _scheme(registry, group, text)
    if entry is None and Path(text).exists():  # a "?" in a file's own name begins no query
        return _path(registry, group, text, options)
    rest, query = _query(rest)
    options = {**query, **options}
    if entry is None and Path(rest).exists():
        return _path(registry, group, rest, options)
    if entry is None and ":" in rest:
        # Never guess behind what looks like a scheme: some ("python:") run code when asked to.
        raise _nothing(registry, group, rest, [])
    if entry is None:
        return _any(registry, group, rest, options)
    return _one(registry, entry, rest, options)


def _path(registry: Registry, group: str, path: str, options: Mapping[str, Any]) -> Any:
    if group in _PATHS:
        return _one(registry, registry.find(group, _PATHS[group]), path, options)
    return _any(registry, group, path, options)


def _scheme(registry: Registry, group: str, source: str) -> tuple[Entry | None, str]:
    """Split a source into the plugin that its scheme names, if any, and what follows."""
    entries = registry.entries(group, disabled=True)  # find() says that it is disabled
    head, colon, rest = source.partition(":")
    if colon and normal(head) in {normal(e.distribution) for e in entries}:
        scheme = _word(rest)
        return registry.find(group, f"{head}:{scheme}"), rest[len(scheme) :].removeprefix(":")
    names = {e.name for e in entries}
    if colon and head in names:
        return registry.find(group, head), rest
    if _word(source) in names:
        return registry.find(group, _word(source)), source[len(_word(source)) :]
    return None, source


def _word(source: str) -> str:
    """Return what comes before the first ":" or "?"."""
    return source.partition("?")[0].partition(":")[0]


def _query(text: str) -> tuple[str, dict[str, str]]:
    rest, _, query = text.partition("?")
    try:
        return rest, dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)))
    except ValueError:
        raise ParameterError(
            f"the query {query!r} of {text!r} is not of the form name=value&name=value"
        ) from None


def _one(registry: Registry, entry: Entry, source: str, options: Mapping[str, Any]) -> Any:
    found = _ask(registry, entry, source, options)
    if found is None:
        kind = f"{entry.name} {_KINDS[entry.group]}"
        error = UnknownNameError(kind, source, ())
        if entry.group == "datasets":
            why = "it is of another kind" if Path(source).exists() else "there is no such path"
            error.args = (f"{source!r} is no {kind}: {why}",)
        raise error
    return found


def _any(registry: Registry, group: str, source: str, options: Mapping[str, Any]) -> Any:
    """Offer a source without a scheme to one plugin after the other."""
    known: list[str] = []
    for entry in registry.in_order(group):
        try:
            found = _ask(registry, entry, source, options)
        except UnknownNameError as error:
            if error.given != source:
                raise  # it knows the source, but not a name inside of it
            known += error.known
            continue
        if found is not None:
            return found
    raise _nothing(registry, group, source, known)


def _ask(registry: Registry, entry: Entry, source: str, options: Mapping[str, Any]) -> Any:
    found = registry.call(entry, source=source, options=dict(options))
    if found is None:
        return None
    if entry.group == "models" and not is_a(type(found), "convviz.model.Model"):
        raise BrokenPluginError(entry, f"it returned a {type(found).__name__}, not a convviz.Model")
    lacks = [a for a in ("name", "ids", "labels", "classes", "load") if not hasattr(found, a)]
    if entry.group == "datasets" and lacks:
        reason = f"it returned a {type(found).__name__} without {', '.join(lacks)}"
        raise BrokenPluginError(entry, reason)
    return found


def _nothing(registry: Registry, group: str, source: str, known: list[str]) -> UnknownNameError:
    schemes = registry.names(group)
    head, colon, _ = source.partition(":")
    near = closest(head, schemes) if colon else closest(source, (*schemes, *known))
    error = UnknownNameError(_KINDS[group], source, (*schemes, *known))
    said = f"no {_KINDS[group]} is called {source!r}, and there is no such path"
    if Path(source).exists():
        said = f"{source!r} is no {_KINDS[group]} that a plugin knows"
    error.args = (f"{said}; {near}; schemes: {', '.join(schemes) or 'none'}",)
    return error


def _dtype(dtype: str | torch.dtype | None) -> torch.dtype | None:
    import torch

    if dtype is None or isinstance(dtype, torch.dtype):
        return dtype
    known = ("float32", "float64", "float16", "bfloat16")
    if dtype not in known:
        raise UnknownNameError("dtype", dtype, known)
    found: torch.dtype = getattr(torch, dtype)
    return found

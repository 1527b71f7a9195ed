"""Sources of models and data sets: `scheme:rest?query`, a path, or a name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from ..errors import ConvvizError, ParameterError, UnknownNameError, closest
from .entry_points import Entry, normal
from .registry import Registry, current
from .validation import BrokenPluginError

if TYPE_CHECKING:
    import torch

    from ..data.dataset import Dataset
    from ..network.model import Model

VOUCHES = "convviz_vouches_for_source"
"""The hook that tells whether a source is safe to load whoever wrote it."""

PLACE = "_convviz_place"
"""Attribute of a data set with the place where `open_dataset` found it."""

CORE = "convviz"
"""The distribution of the built-in plugins."""

NETWORK_PREFIXES = ("//", "\\\\")
"""Prefixes of network paths."""

_PATHS = {"models": "file"}
"""Group -> the scheme of paths, whichever plugin provides it; other groups ask each plugin."""
_KINDS = {"models": "model", "datasets": "data set"}


def load_model(
    source: str | os.PathLike[str],
    *,
    device: str | torch.device = "auto",
    dtype: str | torch.dtype | None = None,
    **options: Any,
) -> Model:
    """Load a model by name, from a file, or from a source that a plugin provides.

    Args:
        source: "resnet50", "torchvision:resnet50@IMAGENET1K_V2", "timm:convnext_tiny",
            "weights.safetensors?arch=resnet18", "demo", or any other scheme that a plugin adds.
        device: device of the model; "auto" lets convviz choose.
        dtype: "float32", "float64", … or a torch.dtype; None keeps that of the model.
        **options: options of the plugin that loads the model, as in the query.

    Raises:
        UnknownNameError: no plugin knows the source; the message names the closest names.
        ModelError: the model cannot be loaded.
    """
    basic = {"device": device, "dtype": _dtype(dtype)}
    model: Model = _open("models", source, {**basic, **options})
    model.source = "" if options else os.fspath(source)
    return model


def load_recorded_model(
    source: str, *, device: str | torch.device = "auto", dtype: str | torch.dtype | None = None
) -> Model | None:
    """Load a model from the source in a run folder, if that is safe.

    Anybody may have written the folder. Therefore only plugins that vouch for the source
    (`convviz_vouches_for_source`) are asked to load it.

    Returns:
        The model; None if no plugin vouches for the source.
    """
    options = {"device": device, "dtype": _dtype(dtype)}
    model: Model | None = _open_vouched("models", source, options)
    if model is not None:
        model.source = source
    return model


def open_dataset(source: str | os.PathLike[str], **options: Any) -> Dataset:
    """Open a data set: a path, "demo-digits", or `scheme:…` of a plugin.

    Args:
        source: a path that a plugin knows (a folder, list, Parquet file …), a name, or
            `scheme:rest?query`.
        **options: options of the plugin that opens it, as in the query.
    """
    dataset: Dataset = _open("datasets", source, options)
    if place := _place_of(source, options):
        with suppress(AttributeError):  # a class of a plugin may have slots
            object.__setattr__(dataset, PLACE, place)
    return dataset


def place_of_dataset(dataset: Dataset) -> Mapping[str, Any]:
    """Return where `open_dataset` found a data set: path, scheme and options; empty if nowhere."""
    place: Mapping[str, Any] = getattr(dataset, PLACE, {})
    return place


def _place_of(source: str | os.PathLike[str], options: Mapping[str, Any]) -> Mapping[str, Any]:
    resolved = _resolve(current(), "datasets", source, options)
    if not resolved.rest or any(not isinstance(v, str) for v in resolved.options.values()):
        return {}
    path = os.path.abspath(os.path.expanduser(resolved.rest))
    if not _exists(os.path.dirname(path)):
        return {}
    scheme = resolved.entry.name if resolved.entry else ""
    return {"path": path, "scheme": scheme, "options": dict(resolved.options)}


def open_place(path: str, scheme: str, options: Mapping[str, str]) -> Dataset | None:
    """Open a data set at a place that a run folder records; None if it is not there.

    Anybody may have written the folder. Therefore only local files are read, and only the plugins
    of convviz itself get a scheme or options.
    """
    if path.startswith(NETWORK_PREFIXES) or not _exists(os.path.dirname(path)):
        return None
    if _exists(path) and _is_special(path):
        return None
    registry = current()
    registry.verify()
    if not scheme and not options:
        return open_dataset(Path(path)) if _exists(path) else None
    entries = [e for e in registry.in_order("datasets") if e.distribution == CORE]
    for entry in entries:
        if scheme in ("", entry.name):
            opened: Dataset | None = _ask(registry, entry, path, options)
            if opened is not None:
                return opened
    return None


@dataclass(frozen=True)
class _Resolved:
    """A parsed source.

    Attributes:
        entry: the plugin of its scheme, or of paths; None if all plugins are to be asked.
        rest: the source without scheme and query.
        options: those of the query and of the call.
    """

    entry: Entry | None
    rest: str
    options: Mapping[str, Any]


def open_recorded_dataset(name: str) -> Dataset:
    """Open the data set of a run folder: a local path, or a source that is safe to open.

    Raises:
        ParameterError: it is neither.
    """
    is_local = bool(name) and not name.startswith(NETWORK_PREFIXES) and _exists(name)
    if is_local and not _is_special(name):
        return open_dataset(Path(name))
    dataset: Dataset | None = _open_vouched("datasets", name, {})
    if dataset is None:
        raise ParameterError(f"the data set of the run, {name!r}, is not a local path")
    return dataset


def _open_vouched(group: str, source: str, options: Mapping[str, Any]) -> Any:
    """Open a source by a plugin that vouches for it; None if there is none."""
    if not source or source.startswith(NETWORK_PREFIXES):
        return None
    registry = current()
    registry.verify()
    try:
        resolved = _resolve(registry, group, source, {})
    except ConvvizError:
        return None
    rest, query = resolved.rest, resolved.options
    for entry in [resolved.entry] if resolved.entry else registry.in_order(group):
        if registry.call(entry, VOUCHES, source=rest, options=query) is not True:
            continue
        try:
            opened = _ask(registry, entry, rest, {**options, **query})
        except UnknownNameError as error:
            if error.given != rest:
                raise
            continue
        if opened is not None:
            return opened
    return None


def _open(group: str, source: str | os.PathLike[str], options: Mapping[str, Any]) -> Any:
    registry = current()
    registry.verify()
    resolved = _resolve(registry, group, source, options)
    if resolved.entry is None:
        return _ask_all(registry, group, resolved.rest, resolved.options)
    return _ask_plugin(registry, resolved.entry, resolved.rest, resolved.options)


def _resolve(
    registry: Registry, group: str, source: str | os.PathLike[str], options: Mapping[str, Any]
) -> _Resolved:
    text = os.fspath(source)
    if not isinstance(source, str):
        return _Resolved(_of_paths(registry, group), text, options)
    entry, rest = _scheme(registry, group, text)
    if entry is None and _exists(text):  # a "?" in the name of an existing file starts no query
        return _Resolved(_of_paths(registry, group), text, options)
    rest, query = _query(rest)
    options = {**query, **options}
    if entry is None and _exists(rest):
        return _Resolved(_of_paths(registry, group), rest, options)
    if entry is None and ":" in rest:
        # An unknown scheme is an error. No plugin is asked, because some run code by request.
        raise _unknown_source(registry, group, rest, [])
    return _Resolved(entry, rest, options)


def _of_paths(registry: Registry, group: str) -> Entry | None:
    """Return the plugin of paths; None if all plugins are to be asked."""
    return registry.find(group, _PATHS[group]) if group in _PATHS else None


def _is_special(path: str) -> bool:
    """Return whether a path is neither folder nor regular file; reading a device may never end."""
    return not Path(path).is_dir() and not Path(path).is_file()


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):  # too long, or with characters that no path may have
        return False


def _scheme(registry: Registry, group: str, source: str) -> tuple[Entry | None, str]:
    """Return the plugin of the scheme of a source, if it has one, and the rest."""
    entries = registry.entries(group, disabled=True)  # so that `find` reports a disabled one
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
    """Return the text before the first ":" or "?"."""
    return source.partition("?")[0].partition(":")[0]


def _query(text: str) -> tuple[str, dict[str, str]]:
    rest, _, query = text.partition("?")
    try:
        return rest, dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)))
    except ValueError:
        raise ParameterError(
            f"the query {query!r} of {text!r} is not of the form name=value&name=value"
        ) from None


def _ask_plugin(registry: Registry, entry: Entry, source: str, options: Mapping[str, Any]) -> Any:
    opened = _ask(registry, entry, source, options)
    if opened is None:
        kind = f"{entry.name} {_KINDS[entry.group]}"
        error = UnknownNameError(kind, source, ())
        if entry.group == "datasets":
            why = "it is of another kind" if Path(source).exists() else "there is no such path"
            error.args = (f"{source!r} is no {kind}: {why}",)
        raise error
    return opened


def as_dataset(source: Any) -> Dataset:
    """Return a Dataset for any value that `analyze` accepts as one.

    Args:
        source: a source string or folder, a list of paths, a Dataset, a pair (images, labels)
            of arrays or lists, one array of images, or a torch data set of images.
    """
    from ..data.dataset import dataset_from

    return dataset_from(open_dataset(source) if isinstance(source, str | Path) else source)


def _ask_all(registry: Registry, group: str, source: str, options: Mapping[str, Any]) -> Any:
    """Ask all plugins in turn to open a source without a scheme."""
    known: list[str] = []
    for entry in registry.in_order(group):
        try:
            opened = _ask(registry, entry, source, options)
        except UnknownNameError as error:
            if error.given != source:
                raise  # the plugin knows the source, but not a name in it
            known += error.known
            continue
        if opened is not None:
            return opened
    raise _unknown_source(registry, group, source, known)


def _ask(registry: Registry, entry: Entry, source: str, options: Mapping[str, Any]) -> Any:
    opened = registry.call(entry, source=source, options=dict(options))
    if opened is None:
        return None
    if entry.group == "models" and not _is_model(opened):
        reason = f"it returned a {type(opened).__name__}, not a convviz.Model"
        raise BrokenPluginError(entry, reason)
    lacks = [a for a in ("name", "ids", "labels", "classes", "load") if not hasattr(opened, a)]
    if entry.group == "datasets" and lacks:
        reason = f"it returned a {type(opened).__name__} without {', '.join(lacks)}"
        raise BrokenPluginError(entry, reason)
    return opened


def _is_model(value: object) -> bool:
    from ..network.model import Model  # importing it imports torch

    return isinstance(value, Model)


def _unknown_source(
    registry: Registry, group: str, source: str, known: list[str]
) -> UnknownNameError:
    schemes = registry.names(group)
    head, colon, _ = source.partition(":")
    near = closest(head, schemes) if colon else closest(source, (*schemes, *known))
    error = UnknownNameError(_KINDS[group], source, (*schemes, *known))
    reason = f"no {_KINDS[group]} is called {source!r}, and there is no such path"
    if _exists(source):
        reason = f"{source!r} is not a {_KINDS[group]} that a plugin knows"
    if near.startswith("closest"):  # otherwise it lists the schemes already
        near = f"{near}; schemes: {', '.join(schemes) or 'none'}"
    error.args = (f"{reason}; {near}",)
    return error


def _dtype(dtype: str | torch.dtype | None) -> torch.dtype | None:
    import torch

    if dtype is None or isinstance(dtype, torch.dtype):
        return dtype
    known = ("float32", "float64", "float16", "bfloat16")
    if dtype not in known:
        raise UnknownNameError("dtype", dtype, known)
    resolved: torch.dtype = getattr(torch, dtype)
    return resolved

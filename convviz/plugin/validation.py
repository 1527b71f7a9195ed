"""Checks of the return values of hooks against their hookspecs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..errors import MissingLibraryError, PluginError
from .entry_points import GROUPS, Entry, one_line

if TYPE_CHECKING:
    from .explainer import DatasetExplainer, Explainer
    from .metric import Metric


class BrokenPluginError(PluginError):
    """A plugin that cannot be imported, or that breaks the contract of `hookspecs`."""

    def __init__(self, entry: Entry, reason: str | BaseException) -> None:
        self.reason = reason if isinstance(reason, str) else one_line(reason)
        where = f"{entry.distribution} {entry.version}".strip()
        super().__init__(f"plugin {entry.name!r} of {where} is broken: {self.reason}")


@contextmanager
def attribute_errors(entry: Entry, passing: type[Exception] = BrokenPluginError) -> Iterator[None]:
    """Convert exceptions of a plugin, SystemExit included, to an error that names the plugin."""
    try:
        yield
    except (KeyboardInterrupt, MemoryError, MissingLibraryError, passing):
        raise
    except BaseException as error:
        raise BrokenPluginError(entry, error) from error


def is_explainer(cls: object) -> bool:
    """Return whether a value is an explainer class."""
    from .explainer import DatasetExplainer, Explainer  # importing them imports torch

    return isinstance(cls, type) and issubclass(cls, Explainer | DatasetExplainer)


def is_metric(cls: object) -> bool:
    """Return whether a value is a metric class."""
    from .metric import Metric  # importing it imports torch

    return isinstance(cls, type) and issubclass(cls, Metric)


def snake_case(name: str) -> str:
    """Return a class name in snake case: "GuidedGradCam" -> "guided_grad_cam"."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def check_hook(plugin: object, implemented: set[str], entry: Entry) -> None:
    """Check that a plugin implements the hook of its entry-point group."""
    hook = GROUPS[entry.group]
    if hook in implemented:
        return
    if callable(getattr(plugin, hook, None)):
        raise BrokenPluginError(entry, f"its {hook} is not marked with @convviz.authoring.hookimpl")
    others = f"; it implements {', '.join(sorted(implemented))}" if implemented else ""
    raise BrokenPluginError(
        entry,
        f"{entry.value} does not implement {hook}, which convviz.{entry.group} requires{others}",
    )


def check_explainers(returned: Any, entry: Entry) -> dict[str, type[Explainer | DatasetExplainer]]:
    """Check the return value of `convviz_explainers`; returns the classes by name."""
    classes = _named_classes(returned, entry, "explainer", is_explainer)
    for cls in classes.values():
        if not _is_text_by_text(cls.aliases):
            reason = f"{cls.__name__}.aliases is {_kind(cls.aliases)}, not sentences by name"
            raise BrokenPluginError(entry, reason)
    return classes


def check_metrics(returned: Any, entry: Entry) -> dict[str, type[Metric]]:
    """Check the return value of `convviz_metrics`; returns the classes by name."""
    return _named_classes(returned, entry, "metric", is_metric)


def _named_classes(
    returned: Any, entry: Entry, kind: str, is_valid: Callable[[object], bool]
) -> dict[str, Any]:
    """Return the classes that a hook returned by name: one, or the members of a family."""
    hook = GROUPS[entry.group]
    if not isinstance(returned, list | tuple):
        reason = f"{hook} returned {_kind(returned)}, not a list of {kind} classes"
        raise BrokenPluginError(entry, reason)
    for cls in returned:
        if not is_valid(cls):
            reason = f"{hook} returned {_kind(cls)} among its {kind} classes"
            raise BrokenPluginError(entry, reason)
    if not returned:
        raise BrokenPluginError(entry, f"{hook} returned no class")
    if len(returned) == 1:
        return {entry.name: returned[0]}
    names = [f"{entry.name}.{snake_case(cls.__name__)}" for cls in returned]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BrokenPluginError(entry, f"two of its {kind}s are called {twice[0]!r}")
    return dict(zip(names, returned, strict=True))


def check_analyze_options(returned: Any, entry: Entry) -> dict[str, tuple[str, str]]:
    """Check the return value of `convviz_analyze_options`."""
    if not isinstance(returned, Mapping):
        reason = f"convviz_analyze_options returned {_kind(returned)}, not options by field"
        raise BrokenPluginError(entry, reason)
    for name, option in returned.items():
        texts = option if isinstance(option, tuple) else ()
        if len(texts) != 2 or not all(isinstance(text, str) for text in (name, *texts)):
            reason = f"its option {name!r} is {_kind(option)}, not (placeholder, description)"
            raise BrokenPluginError(entry, reason)
    return dict(returned)


def _is_text_by_text(value: object) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(text, str) for pair in value.items() for text in pair
    )


def _kind(value: object) -> str:
    if isinstance(value, type):
        return f"the class {value.__name__}"
    return "nothing" if value is None else f"a {type(value).__name__} ({value!r:.40})"

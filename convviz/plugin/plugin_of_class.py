"""Plugins that consist of a single class, for `register`."""

from __future__ import annotations

from ..errors import PluginError
from . import hookspecs
from .validation import is_explainer, is_metric


class _OneExplainer:
    """A plugin with a single explainer class."""

    def __init__(self, cls: type) -> None:
        self._cls = cls

    @hookspecs.hookimpl
    def convviz_explainers(self) -> list[type]:
        return [self._cls]


class _OneMetric:
    """A plugin with a single metric class."""

    def __init__(self, cls: type) -> None:
        self._cls = cls

    @hookspecs.hookimpl
    def convviz_metrics(self) -> list[type]:
        return [self._cls]


def plugin_of_class(cls: type) -> object:
    """Return a plugin that provides the class of an explainer or of a metric.

    Raises:
        PluginError: it is neither.
    """
    if is_explainer(cls):
        return _OneExplainer(cls)
    if is_metric(cls):
        return _OneMetric(cls)
    raise PluginError(
        f"{cls.__name__} is neither a convviz.authoring.Explainer nor a convviz.authoring.Metric"
    )

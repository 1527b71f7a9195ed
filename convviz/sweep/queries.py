"""Which explainer of a run looks up images, and in which layers."""

from __future__ import annotations

from ..errors import ConvvizError, ParameterError
from ..plugin import registry
from ..plugin.explainer import DatasetExplainer
from .run import Run


def query_explainer(run: Run, k: int, layer: str | None = None) -> DatasetExplainer:
    """Return the first explainer of a run that answers queries, with the settings of a query.

    Args:
        run: the run.
        k: number of items to return for each image.
        layer: the layer whose features are compared; None if the run has only one.

    Raises:
        ParameterError: no explainer of the run answers queries.
    """
    for name in run.explainers:
        explainer = _queried(run, name, k)
        if explainer is not None:
            return explainer if layer is None else explainer.model_copy(update={"layers": (layer,)})
    raise ParameterError(
        f"no explainer of the run in {run.address!r} answers queries (it has "
        f"{', '.join(run.explainers) or 'none'})"
    )


def query_layers(run: Run) -> tuple[str, ...]:
    """Return the layers of a run in which images can be looked up; empty if there is none."""
    for name in run.explainers:
        if _queried(run, name, 1) is not None:
            return tuple(run[name])
    return ()


def _queried(run: Run, name: str, k: int) -> DatasetExplainer | None:
    """Return an explainer of a run with the settings of a query; None if it answers none."""
    try:
        kind = registry.current().explainer_class(name)
    except ConvvizError:  # its plugin is not installed, but another explainer may answer
        return None
    return kind.for_query(run.address, k) if issubclass(kind, DatasetExplainer) else None

"""The maps of results in the form that metrics compare."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from ..comparison import agreement
from ..errors import ParameterError
from ..plugin.explained_image import AttributionMap
from ..plugin.explainer import MapKind
from ..results.types import Heatmap, Result


def attribution_maps(name: str, kind: MapKind | None, result: Result) -> tuple[AttributionMap, ...]:
    """Return the map of each image in a result.

    Args:
        name: name of the explainer.
        kind: what it declares its map to be.
        result: its result.

    Raises:
        ParameterError: the result has no map of each image.
    """
    if reason := agreement.refusal(result):
        raise ParameterError(f"{name} {reason}, and cannot be scored")
    return tuple(_map_of(name, kind, result, i) for i in range(len(result.values)))


def _map_of(name: str, kind: MapKind | None, result: Result, index: int) -> AttributionMap:
    single = agreement.image_map(result, index)
    values = single.values.astype(np.float64)
    missing = np.isnan(values)
    if missing.any() and not missing.all():  # pixels that no window covers
        values = np.where(missing, 0.0 if single.signed else values[~missing].min(), values)
    channels = _channels(result, index) if kind == "gradient" else None
    return AttributionMap(name, values, kind, single.signed, channels)


def _channels(result: Result, index: int) -> np.ndarray | None:
    """Return the gradient with respect to each colour channel, `[C, H, W]`."""
    values: Tensor | None = result.arrays.get("gradient")
    if values is None and isinstance(result, Heatmap) and result.values.ndim == 4:
        values = result.values
    return None if values is None else values[index].detach().cpu().double().numpy()

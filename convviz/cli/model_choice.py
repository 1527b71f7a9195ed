"""Choice of the model: the given one, that of a run among the parameters, or the demo model."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..network.model import Model

DEMO = "demo"


def chosen_model(
    source: str | None, explainers: Mapping[str, Any], device: str, dtype: str | None
) -> Model:
    """Load the given model, or that of a run which a parameter names, or the demo model.

    Args:
        source: the model source; None if none is given.
        explainers: name -> explainer.
        device, dtype: as for `convviz.load_model`.
    """
    from ..errors import printable
    from ..plugin.sources import load_model
    from ..sweep.run import open_run

    run = run_among(explainers) if source is None else None
    if run is None:
        return load_model(source or DEMO, device=device, dtype=dtype)
    field, folder = run
    model = open_run(folder).load_model(device, dtype)
    line = f"model: {model.source}, from the run {folder!r} ({field}); -m selects another"
    print(printable(line), file=sys.stderr)
    return model


def run_among(explainers: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the first parameter whose value is the address of a finished run, and the address."""
    from ..errors import ConvvizError
    from ..sweep.store.factory import is_finished, place_of

    for name, explainer in explainers.items():
        for field in type(explainer).model_fields:
            text = getattr(explainer, field)
            if not isinstance(text, str) or not text:
                continue
            try:
                if is_finished(place_of(text)):
                    return f"{name}.{field}", text
            except (ConvvizError, OSError, ValueError):  # the text is not an address
                continue
    return None

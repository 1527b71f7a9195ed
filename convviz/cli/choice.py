"""Which model explains: the one asked for, that of a run among the parameters, or the demo's."""

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
    """Load a model; where none is asked for, that of a run which a parameter names.

    Args:
        source: what was asked for.
        explainers: name -> explainer.
        device, dtype: as for `convviz.load_model`.
    """
    from ..plugin.sources import load_model
    from ..sweep.run import open_run
    from ..text import printable

    found = run_among(explainers) if source is None else None
    if found is None:
        return load_model(source or DEMO, device=device, dtype=dtype)
    field, folder = found
    model = open_run(folder).load_model(device, dtype)
    said = f"model: {model.source}, that of the run {folder!r} ({field}); -m takes another"
    print(printable(said), file=sys.stderr)
    return model


def run_among(explainers: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the first parameter whose text is the place of a finished run, and that place."""
    from ..errors import ConvvizError
    from ..sweep.store.object_store import place_of
    from ..sweep.store.remote import is_finished

    for name, explainer in explainers.items():
        for field in type(explainer).model_fields:
            text = getattr(explainer, field)
            if not isinstance(text, str) or not text:
                continue
            try:
                if is_finished(place_of(text)):
                    return f"{name}.{field}", text
            except (ConvvizError, OSError, ValueError):  # a text that means something else
                continue
    return None

"""The summary of a Model that notebooks show."""

from __future__ import annotations

from .. import notebook
from ..images.preprocess import Preprocess
from .interface import TracedNetwork


def html_summary(model: TracedNetwork) -> str:
    """Return the network, its size, classes, device and preprocessing as HTML."""
    parameters = sum(parameter.numel() for parameter in model.module.parameters())
    entries = {
        "network": type(model.module).__name__,
        "source": model.source,
        "parameters": f"{parameters:,}",
        "classes": str(len(model.labels) or ""),
        "device and dtype": f"{model.device}, {str(model.dtype).removeprefix('torch.')}",
        "preprocessing": str(model.preprocess) if isinstance(model.preprocess, Preprocess) else "",
    }
    return notebook.facts(f"Model {model.name}", entries)

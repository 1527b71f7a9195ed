"""Pictures of results: one module per result type; `style` and `colour` are shared."""

from __future__ import annotations

import importlib

from ..results.types import Result
from .style import Picture, Scene, look

__all__ = ["Picture", "Scene", "render"]


def render(result: Result, scene: Scene) -> list[Picture]:
    """Draw a result: one or more pictures, ready to write or to embed."""
    module = importlib.import_module(f".{result.kind}", __package__)
    with look():
        pictures: list[Picture] = module.draw(result, scene)
    return pictures

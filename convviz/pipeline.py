"""explain() and analyze(): the two things convviz does."""

from __future__ import annotations

from typing import Any

import torch

from .explanation import Explanation
from .images import Batch, Item, load_image
from .model import Model


def explain(model: Model, images: Any, what: Any, target: Any = None, **params: Any) -> Any:
    """Explain images: one Explanation, or a list of them for a list of explainers."""
    several = isinstance(what, list)
    explainers = what if several else [what]
    paths = images if isinstance(images, list) else [images]
    photos = [load_image(p) for p in paths]
    pixels = torch.stack([torch.from_numpy(model.preprocess.cut(p)) for p in photos])
    batch = Batch(
        torch.stack([model.preprocess(p) for p in photos]).to(model.device),
        pixels,
        tuple(Item(str(p), str(p), (1, 0, 0, 0, 1, 0), x.shape[:2]) for p, x in zip(paths, photos)),
    )
    layers = {layer for e in explainers for layer in e.layers(model)}
    forward = model.forward(batch.images, tuple(layers))
    targets = model.resolve(target, forward)
    done = [
        Explanation(
            result=e.explain(model, batch, targets, forward),
            explainer=e,
            name=type(e).__name__.lower(),
            model={"name": model.name},
            target=targets,
            items=batch.items,
            pixels=pixels,
        )
        for e in explainers
    ]
    return done if several else done[0]

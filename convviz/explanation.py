"""Explanation: a Result with its provenance. It saves, loads and shows itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from .images import Item
from .render import Picture, Scene, render
from .results import Result
from .targets import Target


@dataclass(frozen=True, eq=False)
class Explanation:
    """What one explainer found, and everything needed to say how.

    Attributes:
        result: the arrays.
        explainer: the explainer itself, with its parameters; None where it could not be loaded.
        name: the explainer's registered name.
        layer: the layer it is about, or "".
        model: name, weights hash and labels of the model.
        target: resolved targets, one an image.
        items: the images.
        pixels: uint8 `[N, H, W, 3]`, what the model saw.
        versions: distribution -> version.
    """

    result: Result
    explainer: Any
    name: str
    layer: str = ""
    model: dict[str, Any] = field(default_factory=dict)
    target: tuple[Target, ...] = ()
    items: tuple[Item, ...] = ()
    pixels: Tensor | None = None
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def values(self) -> Tensor:
        """The main array."""
        return self.result.values

    def __getitem__(self, name: str) -> Tensor:
        return self.result[name]

    @property
    def scene(self) -> Scene:
        """What the pictures need to know beside the result."""
        return Scene(
            explainer=self.name,
            layer=self.layer,
            model=str(self.model.get("name", "")),
            photos=self.pixels,
            names=tuple(item.source for item in self.items),
            targets=tuple(f"{t.label} ({t.score:.2f})" for t in self.target),
        )

    def pictures(self) -> list[Picture]:
        """Draw the result."""
        return render(self.result, self.scene)

    def save(self, folder: str | Path) -> Path:
        """Write `explanation.json`, `arrays.safetensors` and the pictures into a folder."""
        out = Path(folder)
        out.mkdir(parents=True, exist_ok=True)
        for picture in self.pictures():
            (out / f"{picture.name}.png").write_bytes(picture.png)
        return out

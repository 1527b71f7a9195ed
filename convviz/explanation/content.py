"""The content of an explanation: a result, its provenance and its pictures."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor

from ..errors import ConvvizError
from ..images.batch import Item
from ..plugin import registry
from ..render import Picture, Scene, render
from ..results.types import Result
from ..scores.targets import Target
from ..storage.path_names import folder_name


@dataclass(frozen=True, eq=False, repr=False)
class ExplanationContent:
    """The result of one explainer with its provenance.

    Attributes:
        result: the arrays.
        explainer: the explainer with its parameters; None if it could not be loaded.
        name: the explainer's registered name.
        layer: the explained layer, or "".
        model: name, weights hash and labels of the model.
        target: resolved targets, one per image.
        items: the images; an ItemTable if they are those of a run.
        pixels: uint8 `[N, H, W, 3]`, the displayable pixels of the model's input.
        versions: distribution -> version.
        saved: the record of the explainer in `explanation.json`, if it was loaded from there.
        missing: the reason if `explainer` is None after loading.
    """

    result: Result
    explainer: Any
    name: str
    layer: str = ""
    model: dict[str, Any] = field(default_factory=dict)
    target: tuple[Target, ...] = ()
    items: Sequence[Item] = ()
    pixels: Tensor | None = None
    versions: dict[str, str] = field(default_factory=dict)
    saved: Mapping[str, Any] | None = None
    missing: str = ""

    @property
    def values(self) -> Tensor:
        """The main array."""
        return self.result.values

    def __getitem__(self, name: str) -> Tensor:
        return self.result[name]

    @property
    def parameters(self) -> dict[str, Any]:
        """The explainer's parameters."""
        return dict(self.record["parameters"])

    @cached_property
    def record(self) -> dict[str, Any]:
        """The explainer as plain data: name, distribution, version, summary, parameters."""
        if self.saved is not None:
            return dict(self.saved)
        if self.explainer is None:
            unknown = {"distribution": "", "version": "", "summary": "", "parameters": {}}
            return {"name": self.name, **unknown}
        distribution, version = _origin(self.explainer)
        return {
            "name": self.name,
            "distribution": distribution,
            "version": version,
            "summary": _summary(type(self.explainer)),
            "parameters": self.explainer.model_dump(),
        }

    @property
    def place(self) -> Path:
        """The path below a folder of results: `<explainer>[/<layer>]`."""
        layer = (folder_name(self.layer),) if self.layer else ()
        return Path(folder_name(self.name), *layer)

    @property
    def scene(self) -> Scene:
        """The texts and photos that the pictures show beside the result."""
        return Scene(
            explainer=self.name,
            layer=self.layer,
            model=str(self.model.get("name", "")),
            photos=self.pixels,
            names=tuple(item.source for item in self.items),
            targets=tuple(f"{t.label} ({t.quantity} {t.score:.2f})" for t in self.target),
        )

    def pictures(self) -> list[Picture]:
        """Draw the result."""
        return list(self._pictures)

    @cached_property
    def _pictures(self) -> list[Picture]:
        try:
            return render(self.result, self.scene)
        except Exception as error:
            if self.saved is None or isinstance(error, ConvvizError):
                raise
            # Anybody may have written the loaded folder: its arrays need not fit together.
            reason = f"{type(error).__name__}: {error}"
            raise ConvvizError(f"the result of {self.name} cannot be drawn: {reason}") from error


def _origin(explainer: Any) -> tuple[str, str]:
    """Return distribution and version of an explainer, empty if no plugin provides it."""
    try:
        identity = registry.identify(explainer)
    except ConvvizError:
        return "", ""
    return identity.distribution or "", identity.version or ""


def _summary(cls: type) -> str:
    """Return the first paragraph of a docstring."""
    return " ".join((inspect.getdoc(cls) or "").split("\n\n")[0].split())

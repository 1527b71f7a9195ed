"""The results of one explainer in a finished run, loaded on access."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import ConvvizError, UnknownNameError, printable, suggest
from ..explanation.explanation import Explanation, load
from ..render.unit import has_pictures
from ..results.types import Result
from ..storage.path_names import folder_name, layer_name, natural
from ..storage.untrusted_files import check_inside
from .store.protocol import RunReader

PREDICTIONS, ACCURACY, IMAGES = "predictions", "accuracy", "images"


class _ArrayNameError(ConvvizError, LookupError):
    """Error for the name of an array where a layer is expected."""


class LayerResults:
    """The results of one explainer: layer -> Explanation, loaded on access.

    With a single layer, the attributes of its Explanation (`values`, `show()`, …) are available
    directly. Iterating yields the layers, `items()` the layers with their explanations, in the
    order of the sweep: that of the network, or the order requested.
    """

    def __init__(
        self,
        folder: Path,
        reader: RunReader,
        order: Sequence[str] = (),
        draw: Callable[[Explanation], Explanation] | None = None,
    ) -> None:
        self.folder = folder
        self._reader, self._draw = reader, draw
        names = sorted(names_in(folder), key=natural)
        first = [layer for layer in order if layer in names]
        self._names = tuple(dict.fromkeys([*first, *names]))
        self._loaded: dict[str, Explanation] = {}

    def __getitem__(self, layer: str) -> Explanation:
        if layer not in self._names:
            if len(self) == 1 and layer in self.only.result.arrays:
                raise _ArrayNameError(
                    f"{layer!r} is an array of {self.folder.name}, not a layer: "
                    f"[{self._names[0]!r}][{layer!r}], or .only[{layer!r}]"
                )
            raise self._unknown_layer(layer)
        if layer not in self._loaded:
            folder = self.folder / folder_name(layer)
            self._reader.fetch(folder)
            check_inside(self.folder, folder)
            explanation = load(folder)
            subject = explanation.name, explanation.layer
            if subject != (layer_name(self.folder.name), layer):
                raise ConvvizError(
                    f"{folder} is damaged: it holds the result of {' '.join(subject)}"
                )
            if not has_pictures(explanation.result):
                deferred = partial(self._draw_result, explanation)
                explanation = replace(explanation, deferred=deferred)
            self._loaded[layer] = explanation
        return self._loaded[layer]

    def _draw_result(self, explanation: Explanation) -> Result:
        """Return the result of an explanation with its pictures, which later accesses find."""
        if self._draw is None:
            return explanation.result
        drawn = self._loaded[explanation.layer] = self._draw(explanation)
        return drawn.result

    def _unknown_layer(self, layer: str) -> UnknownNameError:
        kind, names = f"layer of {self.folder.name}", self._names
        hint = suggest(kind, layer, names)
        if self.folder.name == PREDICTIONS and ACCURACY not in names and IMAGES in names:
            # Without correctness only some layers exist; the first note says why.
            hint = " ".join([f"{hint}.", *self[IMAGES].result.notes[:1]])
        return UnknownNameError(kind, layer, names, hint)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, layer: object) -> bool:
        return layer in self._names

    def keys(self) -> tuple[str, ...]:
        """Return the layers."""
        return self._names

    def items(self) -> Iterator[tuple[str, Explanation]]:
        """Yield each layer with its explanation, loaded one by one."""
        return ((layer, self[layer]) for layer in self._names)

    @property
    def only(self) -> Explanation:
        """The explanation of the single layer; raises ConvvizError if there are several."""
        if len(self) != 1:
            raise ConvvizError(
                f"{self.folder.name} has {len(self)} layers, choose one: {', '.join(self)}"
            )
        return self[self._names[0]]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if not hasattr(Explanation, name) and name not in Explanation.__dataclass_fields__:
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        return getattr(self.only, name)

    def __repr__(self) -> str:
        return printable(f"<{self.folder.name}: {', '.join(self)}>")


def names_in(folder: Path) -> list[str]:
    """Return the names of the layers or explainers that have a folder in `folder`."""
    try:
        return [layer_name(path.name) for path in folder.iterdir() if path.is_dir()]
    except OSError as error:
        raise ConvvizError(f"{folder} cannot be read: {error.strerror}") from error

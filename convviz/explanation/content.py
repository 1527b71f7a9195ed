"""The content of an explanation: a result, its provenance and its pictures."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from ..errors import ConvvizError
from ..images.batch import Item
from ..plugin import registry
from ..render import (
    DPI,
    FigureOptions,
    Picture,
    Scene,
    draw_figure,
    figure_options,
    file_type,
    render,
)
from ..results.types import Result
from ..scores.targets import Target
from ..storage.path_names import folder_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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
        deferred: computes the result with its pictures, for a result of a run without them.
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
    deferred: Callable[[], Result] | None = None

    @cached_property
    def drawn(self) -> Result:
        """The result with its pictures, which are computed at first access if a run lacks them."""
        return self.result if self.deferred is None else self.deferred()

    @property
    def values(self) -> Tensor:
        """The main array."""
        return self.result.values

    def __getitem__(self, key: Any) -> Tensor:
        """Return an array by its name, or a part of `values` by an index."""
        if not isinstance(key, str):
            return self.values[key]
        is_known = key == "values" or key in self.result.arrays
        return self.result[key] if is_known else self.drawn[key]

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[Tensor]:
        return iter(self.values)

    def __bool__(self) -> bool:
        return True  # also without values

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        array = self.numpy()
        if copy is False and dtype is not None and array.dtype != dtype:
            raise ValueError(f"the {array.dtype} values cannot be converted to {dtype} uncopied")
        return np.array(array, dtype) if copy else np.asarray(array, dtype)

    def numpy(self) -> np.ndarray:
        """Return `values` as a NumPy array that shares its memory."""
        return np.asarray(self.values.numpy())

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

    def pictures(self, format: str = "png", title: bool = True, dpi: float = DPI) -> list[Picture]:
        """Draw the result as PNG, SVG or PDF files.

        Args:
            format: "png", "svg" or "pdf".
            title: draw the title above the panels and the notes below them.
            dpi: pixels per inch; in vector formats, of the photos and maps inside.
        """
        if (format, title, dpi) == ("png", True, DPI):
            return list(self._pictures)
        with self._check_drawing():
            scene = replace(self.scene, options=FigureOptions(title=title))
            return render(self.drawn, scene, file_type(format, dpi))

    def narrow_pictures(self, width: float) -> list[Picture]:
        """Draw the result as PNG files of a width in inches, with type of the usual size."""
        with self._check_drawing():
            return render(self.drawn, replace(self.scene, options=FigureOptions(width=width)))

    @cached_property
    def _pictures(self) -> list[Picture]:
        with self._check_drawing():
            return render(self.drawn, self.scene)

    @contextmanager
    def _check_drawing(self) -> Iterator[None]:
        """Raise ConvvizError if the arrays of a loaded result do not fit together."""
        try:
            yield
        except Exception as error:
            if self.saved is None or isinstance(error, ConvvizError):
                raise
            # Anybody may have written the loaded folder.
            reason = f"{type(error).__name__}: {error}"
            raise ConvvizError(f"the result of {self.name} cannot be drawn: {reason}") from error

    def figure(
        self,
        picture: int | str = 0,
        *,
        cmap: str | None = None,
        title: bool = True,
        size: float | None = None,
        dpi: float | None = None,
        panels: Sequence[str] = (),
    ) -> Figure:
        """Draw one picture as a matplotlib Figure, which can be changed and saved.

        Args:
            picture: number of the picture, from 0, or its name ("classes", the stem of its file).
            cmap: name of a matplotlib colour map for the values.
            title: draw the title above the panels and the notes below them.
            size: width of the panels in inches; the height follows, the type size stays, and lists
                beside the panels are left out if they do not fit.
            dpi: pixels per inch.
            panels: names of the panels to draw, in this order ("photo", "overlay", "map"; for
                patches the titles of the columns); all if empty.

        Raises:
            ParameterError, UnknownNameError: an option does not apply to the picture; the message
                names the alternatives.
        """
        options = figure_options(cmap, title, size, panels)
        with self._check_drawing():
            figure = draw_figure(self.drawn, replace(self.scene, options=options), picture)
        figure.set_dpi(file_type("png", dpi).dpi)
        return figure


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

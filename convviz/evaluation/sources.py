"""Sources of the maps in a benchmark: explainers, controls, and blurred maps of explainers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import cv2
import numpy as np
from torch import Tensor

from ..api import explain
from ..errors import ConvvizError, ParameterError
from ..explanation.provenance import Named, named
from ..network.model import Model
from ..plugin.explained_image import AttributionMap
from ..plugin.explainer import Explainer, MapKind
from ..scores.targets import Target
from .maps import attribution_maps

BLUR_SHARE = 0.05
"""Standard deviation of the blur of a control, as a share of the shorter side of the image."""


class MapSource(Protocol):
    """Something that has a map for each image."""

    @property
    def name(self) -> str:
        """Name in the tables."""
        ...

    @property
    def is_control(self) -> bool:
        """True for a control, False for an explainer."""
        ...


@dataclass(frozen=True, eq=False)
class ExplainerSource:
    """An explainer.

    Attributes:
        name: name in the tables.
        explainer: the explainer.
    """

    name: str
    explainer: Explainer
    is_control: bool = False

    def maps(
        self, model: Model, images: Tensor, target: Target, other_seed: bool = False
    ) -> tuple[AttributionMap, ...]:
        """Return the maps of images `[K, C, H, W]`, all for the same target."""
        explainer = self.explainer
        if other_seed and "seed" in type(explainer).model_fields:
            seed = getattr(explainer, "seed") + 1  # noqa: B009
            explainer = explainer.model_copy(update={"seed": seed})
        explanation = explain(model, images, explainer, [target.specification] * len(images))
        return attribution_maps(self.name, explainer.map_kind, explanation.result)


@dataclass(frozen=True, eq=False)
class Control:
    """A map that does not depend on the model.

    Attributes:
        name: name in the tables.
        draw: returns the map `[H, W]` of an image `[C, H, W]`, with a random generator.
        kind: the meaning of the values.
    """

    name: str
    draw: Callable[[np.ndarray, np.random.Generator], np.ndarray]
    kind: MapKind
    is_control: bool = True

    def map(self, image: Tensor, rng: np.random.Generator) -> AttributionMap:
        """Return the map of an image `[C, H, W]`."""
        values = self.draw(image.double().cpu().numpy(), rng)
        return AttributionMap(self.name, values, self.kind, self.kind != "rank")


@dataclass(frozen=True, eq=False)
class BlurredSource:
    """The maps of an explainer, blurred.

    Attributes:
        of: the explainer.
    """

    of: ExplainerSource
    is_control: bool = True

    @property
    def name(self) -> str:
        """Name in the tables."""
        return f"blurred({self.of.name})"

    def map(self, sharp: AttributionMap) -> AttributionMap:
        """Return the blurred map."""
        channels = sharp.channels
        return replace(
            sharp,
            explainer=self.name,
            values=blur(sharp.values),
            channels=None if channels is None else np.stack([blur(c) for c in channels]),
        )


def blur(values: np.ndarray) -> np.ndarray:
    """Return a map `[H, W]` blurred by a Gaussian of a twentieth of the shorter side."""
    sigma = BLUR_SHARE * min(values.shape)
    return np.asarray(cv2.GaussianBlur(values, (0, 0), sigma, borderType=cv2.BORDER_REFLECT))


def _random(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal(image.shape[1:])


def _random_smooth(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return blur(_random(image, rng))


def _center(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a Gaussian in the middle, with a quarter of the sides as standard deviations."""
    y, x = (np.linspace(-2, 2, side) for side in image.shape[1:])
    return np.exp(-(y[:, None] ** 2 + x**2) / 2)


def _sobel(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    grey = image.mean(0)
    return np.asarray(np.hypot(*(cv2.Sobel(grey, cv2.CV_64F, dx, 1 - dx) for dx in (1, 0))))


CONTROLS = (
    Control("random", _random, "contribution"),
    Control("random_smooth", _random_smooth, "contribution"),
    Control("center", _center, "rank"),
    Control("sobel", _sobel, "rank"),
)
"""The controls of every benchmark. Random maps count as signed, as a control of signed maps."""


def explainer_sources(explainers: Any) -> tuple[ExplainerSource, ...]:
    """Return the explainers of a benchmark with unique names.

    Args:
        explainers: a name, an instance, or a list of these; or instances by name.

    Raises:
        ParameterError: an explainer explains data sets or needs no image, or a name is used twice.
    """
    if isinstance(explainers, dict):
        pairs = [(name, named(single, {})[0]) for name, single in explainers.items()]
    else:
        chosen = named(explainers, {})
        pairs = list(zip(_unique_names(chosen), chosen, strict=True))
    for name, single in pairs:
        explainer = single.explainer
        if not isinstance(explainer, Explainer) or not explainer.needs_image:
            raise ParameterError(f"{name} has no map of an image, and cannot be scored")
    names = [name for name, _ in pairs]
    reserved = {control.name for control in CONTROLS}
    if twice := sorted({name for name in names if names.count(name) > 1 or name in reserved}):
        raise ParameterError(
            f"the name {twice[0]!r} is used twice in the benchmark: pass a dict name -> explainer"
        )
    return tuple(ExplainerSource(name, single.explainer) for name, single in pairs)  # type: ignore[arg-type]


def _unique_names(chosen: Sequence[Named]) -> list[str]:
    """Return the registered names; explainers of the same name get their set parameters."""
    names = [single.name for single in chosen]
    return [
        name if names.count(name) == 1 else f"{name}({_set_parameters(single)})"
        for name, single in zip(names, chosen, strict=True)
    ]


def _set_parameters(single: Named) -> str:
    explainer = single.explainer
    fields = [f for f in type(explainer).model_fields if f in explainer.model_fields_set]
    return ",".join(f"{field}={getattr(explainer, field)!r}" for field in fields)


@dataclass(frozen=True, eq=False)
class MapSet:
    """The sources of a benchmark, and the maps of images by all of them.

    Attributes:
        explainers: the explainers.
        controls: whether the controls and the blurred maps are added.
    """

    explainers: tuple[ExplainerSource, ...]
    controls: bool = True

    @property
    def sources(self) -> tuple[MapSource, ...]:
        """All sources: explainers, their blurred maps, and controls."""
        if not self.controls:
            return self.explainers
        return (*self.explainers, *map(BlurredSource, self.explainers), *CONTROLS)

    def maps(
        self,
        model: Model,
        images: Tensor,
        target: Target,
        rng: Callable[[str], np.random.Generator],
        other_seed: bool = False,
        names: frozenset[str] | None = None,
    ) -> MapsOfImages:
        """Return the maps of images by all sources.

        Args:
            model: the model.
            images: `[K, C, H, W]`, variants of one image.
            target: the target of all of them.
            rng: returns the generator of a control by its name.
            other_seed: use another seed in explainers that have one.
            names: the sources to return; all if None.
        """
        requested = frozenset(s.name for s in self.sources) if names is None else names
        result = MapsOfImages({}, {}, {})
        for source in self.explainers:
            blurred = BlurredSource(source)
            if not requested & {source.name, blurred.name}:
                continue
            start = time.perf_counter()
            try:
                maps = source.maps(model, images, target, other_seed)
            except ConvvizError as error:
                result.failures[source.name] = " ".join(str(error).split())
                undefined = np.full(images.shape[-2:], np.nan)
                maps = (AttributionMap(source.name, undefined),) * len(images)
            result.seconds[source.name] = time.perf_counter() - start
            result.maps[source.name] = maps
            result.maps[blurred.name] = tuple(map(blurred.map, maps))
        seed = "other " if other_seed else ""
        for control in CONTROLS:
            result.maps[control.name] = tuple(
                control.map(image, rng(seed + control.name)) for image in images
            )
        return replace(
            result, maps={name: result.maps[name] for name in result.maps if name in requested}
        )


@dataclass(frozen=True, eq=False)
class MapsOfImages:
    """Maps of some images.

    Attributes:
        maps: source -> the map of each image.
        seconds: explainer -> seconds for all images.
        failures: explainer -> why it failed.
    """

    maps: dict[str, tuple[AttributionMap, ...]]
    seconds: dict[str, float]
    failures: dict[str, str]

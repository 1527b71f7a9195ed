"""grabcut: segmentation of an object from a saliency map of a classifier."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Annotated, Any, ClassVar, TypeVar

import numpy as np
import torch
from pydantic import (
    BeforeValidator,
    Field,
    NonNegativeFloat,
    PositiveInt,
    WithJsonSchema,
    model_validator,
)
from torch import Tensor

from convviz import ConvvizError, Heatmap, Mask, Model, ParameterError, explainer, load_image
from convviz.authoring import (
    Batch,
    Explainer,
    ExplainerField,
    Forward,
    Item,
    MapKind,
    Target,
    hookimpl,
    track,
)

BACKGROUND, FOREGROUND, PROBABLY_FOREGROUND = 0, 1, 3
"""Pixel labels of OpenCV's GrabCut."""

SAMPLES = 8
"""Noisy copies over which the default source, saliency, is averaged."""

MIN_SHARE_INSIDE = 0.6
"""A warning is given if a smaller share of the foreground seeds lies in the mask."""

_FLAT = 1e-9
"""Range of a map, relative to its largest magnitude, that can be due to rounding alone."""

T = TypeVar("T")


def _to_masks(masks: Any) -> Any:
    """Return one reference mask or several as a tuple; paths are not opened."""
    if masks is None:
        return ()
    if isinstance(masks, np.ndarray | Tensor):
        masks = list(masks) if masks.ndim == 3 else [masks]
    elif not isinstance(masks, list | tuple):
        masks = [masks]
    return tuple(torch.as_tensor(np.asarray(m)) if _is_array(m) else str(m) for m in masks)


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray | Tensor)


class GrabCut(Explainer):
    """Segmentation of the object in a photo by a saliency map (Simonyan et al. 2013, §3.2).

    The highest values of the smoothed map are foreground seeds, the lowest are background seeds.
    GrabCut (Rother et al. 2004) labels the other pixels by colour, and the largest connected
    component of the foreground is the mask. The model has not been trained on masks.
    """

    aliases: ClassVar[Mapping[str, str]] = {
        "segmentation": "the object is segmented by 'grabcut'",
    }

    map_kind: ClassVar[MapKind | None] = "rank"
    layer: ClassVar[str] = ""  # the result belongs to the image, also if its source reads layers

    source: ExplainerField = Field(
        default_factory=lambda: explainer("saliency", samples=SAMPLES),
        description="Explainer whose map defines the seeds: high values are foreground.",
        json_schema_extra={"default_meaning": f"saliency, samples={SAMPLES}"},
    )
    smoothing: NonNegativeFloat | None = Field(
        None,
        description="Sigma of the Gaussian that smooths the map, in pixels; 0 for none, by default "
        "a fortieth of the shorter side.",
    )
    foreground: float = Field(
        0.95, gt=0, lt=1, description="Pixels above this quantile of the map are foreground seeds."
    )
    background: float = Field(
        0.30, gt=0, lt=1, description="Pixels below this quantile of the map are background seeds."
    )
    iterations: PositiveInt = Field(5, description="Iterations of GrabCut.")
    seed: int = Field(0, ge=0, lt=2**31, description="Seed of OpenCV's colour clustering.")
    reference: Annotated[
        tuple[str | Tensor, ...],
        BeforeValidator(_to_masks),
        WithJsonSchema({"type": "array", "items": {"type": "string"}}),
    ] = Field(
        (),
        description="Ground-truth masks to compare with (IoU), one per image: files or arrays that "
        "are non-zero inside, of the size of the photo or of the model's input.",
    )

    @model_validator(mode="after")
    def _check_quantiles(self) -> GrabCut:
        if self.background >= self.foreground:
            raise ValueError(
                f"background={self.background} must be below foreground={self.foreground}"
            )
        return self

    def layers(self, model: Model) -> tuple[str, ...]:
        """Return the layers that the source reads."""
        return tuple(self.source.layers(model))

    def explain(
        self, model: Model, batch: Batch, target: tuple[Target, ...], forward: Forward
    ) -> Mask:
        """Return the mask of the object in each photo."""
        cv2 = _import_cv2()
        maps = _maps(self.source.explain(model, batch, target, forward), self.source)
        sigma = min(maps.shape[1:]) / 40 if self.smoothing is None else self.smoothing
        smooth = np.stack([_smooth_map(cv2, m, sigma) for m in maps])
        seeds = np.stack([self._seeds(m, i) for i, m in enumerate(smooth)])
        photos = [np.asarray(p) for p in batch.pixels]
        pairs = track(zip(photos, seeds, strict=True), "cutting out", len(photos))
        masks = np.stack(
            [_run_in_new_thread(lambda p=p, s=s: self._cut(cv2, p, s)) for p, s in pairs]
        )
        shares = [_share_inside(s == FOREGROUND, m) for s, m in zip(seeds, masks, strict=True)]
        arrays = {
            "boxes": torch.tensor([_box(m) for m in masks]),
            "seeds": torch.from_numpy(seeds),
            "map": torch.from_numpy(smooth).to(torch.float32),
            "gathered": torch.tensor(shares, dtype=torch.float64),
        }
        arrays["cut_score"], arrays["rest_score"] = _preservation_scores(
            model, batch.images, target, torch.from_numpy(masks)
        )
        margins = arrays["cut_score"] - arrays["rest_score"]
        least = "" if len(shares) == 1 else "smallest "
        measures = {
            f"{least}share of foreground seeds cut out": min(shares, default=1.0),
            f"{least}score of the cut less that of the rest": float(margins.amin()),
        }
        measures |= self._compare(masks, batch, arrays)
        return Mask(
            torch.from_numpy(masks),
            arrays=arrays,
            unit="foreground",
            measures=measures,
            notes=_warnings(masks, shares, arrays["cut_score"], arrays["rest_score"]),
        )

    def _seeds(self, values: np.ndarray, index: int) -> np.ndarray:
        """Return the initial label of each pixel, uint8 `[H, W]`.

        GrabCut keeps seeds of the foreground and the background as they are and labels all other
        pixels. They start as probable foreground, because most objects are larger than the few
        pixels on which a saliency map concentrates.
        """
        finite = values[np.isfinite(values)]
        if not len(finite) or np.ptp(finite) <= _FLAT * np.abs(finite).max():
            raise ConvvizError(
                f"grabcut: the map of image {index} is constant and gives no seeds; try another "
                "source or target, or less smoothing"
            )
        low, high = np.quantile(finite, (self.background, self.foreground))
        # Both are False for NaN. A set is empty if the quantile is the extreme value itself, as
        # in a map that is zero almost everywhere; then the pixels with that value are the seeds.
        inside, outside = values > high, values < low
        if not inside.any():
            inside = values >= high
        if not outside.any():
            outside = values <= low
        seeds = np.full(values.shape, PROBABLY_FOREGROUND)
        seeds[inside], seeds[outside] = FOREGROUND, BACKGROUND
        return seeds.astype(np.uint8)

    def _cut(self, cv2: ModuleType, photo: np.ndarray, seeds: np.ndarray) -> np.ndarray:
        """Return the largest connected component of GrabCut's foreground, bool `[H, W]`."""
        cv2.setRNGSeed(self.seed)
        labels = seeds.copy()
        models = np.zeros((1, 65)), np.zeros((1, 65))
        bgr = np.ascontiguousarray(photo[..., ::-1])
        cv2.grabCut(bgr, labels, None, *models, self.iterations, cv2.GC_INIT_WITH_MASK)
        foreground = ((labels == FOREGROUND) | (labels == PROBABLY_FOREGROUND)).astype(np.uint8)
        count, parts, stats, _ = cv2.connectedComponentsWithStats(foreground, connectivity=8)
        if count < 2:
            return foreground.astype(bool)
        return np.asarray(parts == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax()))

    def _compare(
        self, masks: np.ndarray, batch: Batch, arrays: dict[str, Tensor]
    ) -> dict[str, float]:
        """Return the mean IoU with the reference masks, if given; adds arrays for each image."""
        if not self.reference:
            return {}
        if len(self.reference) != len(batch):
            raise ParameterError(
                f"grabcut.reference: {len(self.reference)} masks for {len(batch)} images; "
                "give one per image"
            )
        shape = masks.shape[1:]
        pairs = zip(self.reference, batch.items, strict=True)
        true = np.stack([_reference(source, item, shape) for source, item in pairs])
        both, either = (masks & true).sum((1, 2)), (masks | true).sum((1, 2))
        iou = np.where(either > 0, both / np.maximum(either, 1), 1.0)
        arrays["reference"], arrays["iou"] = torch.from_numpy(true), torch.from_numpy(iou)
        return {"mean IoU with the reference": float(iou.mean())}


def _import_cv2() -> ModuleType:
    """Return the cv2 module, imported late because only grabcut needs it."""
    try:
        import cv2
    except ImportError as error:
        raise ConvvizError(
            f"grabcut needs OpenCV, which does not load here ({error}). Either install the system "
            "libraries that opencv-python needs (on Debian: apt install libgl1 libglib2.0-0), or "
            "replace it by the build without a window system: pip uninstall opencv-python, then "
            "pip install opencv-python-headless"
        ) from error
    return cv2  # type: ignore[no-any-return,unused-ignore]


def _maps(result: Any, source: Explainer) -> np.ndarray:
    """Return one map per image, float64 `[N, H, W]`, from the result of the source."""
    name = type(source).__name__
    if not isinstance(result, Heatmap) or result.classes:
        kind = "classes" if isinstance(result, Heatmap) else getattr(result, "kind", "nothing")
        raise ConvvizError(f"grabcut.source: {name} returns {kind}; a map of values is needed")
    values = torch.stack([result.of_image(i) for i in range(len(result.values))])
    if result.colour:
        values = values.abs().amax(1)
    elif values.ndim == 4:
        if values.shape[1] != 1:
            raise ConvvizError(
                f"grabcut.source: {name} returns {values.shape[1]} maps per image; one is needed"
            )
        values = values[:, 0]
    return np.asarray(values)


def _smooth_map(cv2: ModuleType, values: np.ndarray, sigma: float) -> np.ndarray:
    """Return a map smoothed by a Gaussian; pixels that are not finite stay NaN and are ignored."""
    known = np.isfinite(values)
    if sigma == 0 or not known.any():
        return np.where(known, values, np.nan)

    def blur(image: np.ndarray) -> np.ndarray:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE))

    # Normalised convolution: the mean over the finite neighbours, weighted by the Gaussian.
    weight = blur(known.astype(np.float64))
    total = blur(np.where(known, values, 0.0))
    return np.where(known, total / np.where(known, weight, 1.0), np.nan)


def _run_in_new_thread(function: Callable[[], T]) -> T:
    """Return the result of a function, called in a new thread.

    OpenCV has one random generator per thread, whose state cannot be saved. Seeding it in a new
    thread leaves the generator of the caller unchanged.
    """
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


def _share_inside(seeds: np.ndarray, mask: np.ndarray) -> float:
    """Return the share of the foreground seeds that lie in the mask."""
    return float((seeds & mask).sum() / max(seeds.sum(), 1))


def _preservation_scores(
    model: Model, images: Tensor, target: tuple[Target, ...], masks: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the scores of the masked object alone and of the rest alone, float64 `[N]` each.

    The other pixels are set to the mean colour of the image. These are the preservation game and
    the deletion game of Fong and Vedaldi (2017) with the mask.
    """
    scores = []
    for image, aim, mask in zip(images, target, masks, strict=True):
        mean = image.mean((1, 2), keepdim=True)
        inside = mask.to(image.device)
        pair = torch.stack([torch.where(inside, image, mean), torch.where(inside, mean, image)])
        scores.append(model.scores(pair, [aim, aim]).detach().cpu().double())
    cut, rest = torch.stack(scores).unbind(1)
    return cut, rest


def _warnings(
    masks: np.ndarray, shares: list[float], cut_scores: Tensor, rest_scores: Tensor
) -> tuple[str, ...]:
    """Return a note for each mask that is empty or probably wrong."""
    notes = []
    scores = zip(cut_scores.tolist(), rest_scores.tolist(), strict=True)
    for i, (mask, share, (cut, rest)) in enumerate(zip(masks, shares, scores, strict=True)):
        if not mask.any():
            notes.append(f"Image {i}: GrabCut found no foreground.")
            continue
        if share < MIN_SHARE_INSIDE:
            notes.append(
                f"Image {i}: the seeds are scattered: only {share:.0%} of them lie in the cut, "
                "which may not be the object. More smoothing or another source may help."
            )
        if cut < rest:
            notes.append(
                f"Image {i}: the model scores the cut alone ({cut:.3g}) below the rest of the "
                f"photo ({rest:.3g}). The cut may miss the object or contain only a part of it."
            )
    return tuple(notes)


def _box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Return the bounding box of a mask, (x0, y0, x1, y1), half-open; zeros for an empty mask."""
    ys, xs = np.nonzero(mask)
    if not len(ys):
        return (0, 0, 0, 0)
    return int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1


def _reference(source: str | Tensor, item: Item, shape: tuple[int, ...]) -> np.ndarray:
    """Return a reference mask in model-input pixels, bool `[H, W]`."""
    mask = load_image(source) if isinstance(source, str) else np.asarray(source)
    mask = (mask != 0).any(-1) if mask.ndim == 3 else mask != 0
    if mask.shape == tuple(item.size):
        a, b, c, d, e, f = item.affine
        y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
        across, down = np.floor(a * x + b * y + c), np.floor(d * x + e * y + f)
        inside = (across >= 0) & (across < mask.shape[1]) & (down >= 0) & (down < mask.shape[0])
        across, down = across.clip(0, mask.shape[1] - 1), down.clip(0, mask.shape[0] - 1)
        return np.asarray(inside & mask[down.astype(int), across.astype(int)])
    if mask.shape == tuple(shape):
        return np.asarray(mask)
    raise ParameterError(
        f"grabcut.reference: the mask is {' x '.join(map(str, mask.shape))} (height x width); it "
        f"must have the size of the photo, {item.size[0]} x {item.size[1]}, or of the model's "
        f"input, {shape[0]} x {shape[1]}"
    )


@hookimpl
def convviz_explainers() -> list[type[Explainer]]:
    """Return the explainer of this plugin."""
    return [GrabCut]

"""grabcut: an object cut out of its photo, from nothing but what the model looks at."""

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
    Target,
    hookimpl,
    track,
)

BACKGROUND, FOREGROUND, PROBABLY_FOREGROUND = 0, 1, 3
"""OpenCV's own labels of a pixel."""

SAMPLES = 8
"""Noisy copies over which the saliency is averaged that gives the seeds by default."""

GATHERED = 0.6
"""Share of the seeds in the part that is kept below which a cut is doubtful."""

_FLAT = 1e-9
"""Spread of a map, against its largest magnitude, that is rounding and nothing else."""

T = TypeVar("T")


def _to_masks(given: Any) -> Any:
    """Bring one reference mask or several to a tuple; paths stay paths."""
    if given is None:
        return ()
    if isinstance(given, np.ndarray | Tensor):
        given = list(given) if given.ndim == 3 else [given]
    elif not isinstance(given, list | tuple):
        given = [given]
    return tuple(torch.as_tensor(np.asarray(m)) if _is_array(m) else str(m) for m in given)


def _is_array(given: Any) -> bool:
    return isinstance(given, np.ndarray | Tensor)


class GrabCut(Explainer):
    """The object in the photo, cut out along a saliency map (Simonyan et al. 2013, §3.2).

    The map, smoothed, seeds foreground where it is highest and background where it is lowest;
    GrabCut (Rother et al. 2004) decides the rest by colour, and the largest connected part of
    the foreground is kept. No mask was ever shown to the model.
    """

    aliases: ClassVar[Mapping[str, str]] = {
        "segmentation": "the object is segmented by 'grabcut'",
    }

    layer: ClassVar[str] = ""  # it is about the image, whatever layers its source reads

    source: ExplainerField = Field(
        default_factory=lambda: explainer("saliency", samples=SAMPLES),
        description="Explainer whose map gives the seeds: high values are foreground.",
        json_schema_extra={"default_meaning": f"saliency, samples={SAMPLES}"},
    )
    smoothing: NonNegativeFloat | None = Field(
        None,
        description="Sigma of the Gaussian that smooths the map, in pixels, 0 for none; a fortieth "
        "of the shorter side if not given.",
    )
    foreground: float = Field(
        0.95, gt=0, lt=1, description="Values above this quantile of the map seed foreground."
    )
    background: float = Field(
        0.30, gt=0, lt=1, description="Values below this quantile of the map seed background."
    )
    iterations: PositiveInt = Field(5, description="Rounds of GrabCut.")
    seed: int = Field(0, ge=0, lt=2**31, description="Seed of OpenCV's colour clustering.")
    reference: Annotated[
        tuple[str | Tensor, ...],
        BeforeValidator(_to_masks),
        WithJsonSchema({"type": "array", "items": {"type": "string"}}),
    ] = Field(
        (),
        description="True masks to compare with (IoU), one an image: files or arrays, non-zero "
        "inside, of the size of the photo or of the model's input.",
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
        """Cut the object out of each photo."""
        cv2 = _import_cv2()
        maps = _maps(self.source.explain(model, batch, target, forward), self.source)
        sigma = min(maps.shape[1:]) / 40 if self.smoothing is None else self.smoothing
        smooth = np.stack([_smoothed(cv2, m, sigma) for m in maps])
        seeds = np.stack([self._seeds(m, i) for i, m in enumerate(smooth)])
        photos = [np.asarray(p) for p in batch.pixels]
        pairs = track(zip(photos, seeds, strict=True), "cutting out", len(photos))
        masks = np.stack([_apart(lambda p=p, s=s: self._cut(cv2, p, s)) for p, s in pairs])
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
            notes=_doubts(masks, shares, arrays["cut_score"], arrays["rest_score"]),
        )

    def _seeds(self, values: np.ndarray, index: int) -> np.ndarray:
        """Return what is known of each pixel before the cut, uint8 `[H, W]`."""
        finite = values[np.isfinite(values)]
        if not len(finite) or np.ptp(finite) <= _FLAT * np.abs(finite).max():
            raise ConvvizError(
                f"grabcut: the map of image {index} is flat, so there is nothing to seed; try "
                "another source or target, or less smoothing"
            )
        low, high = np.quantile(finite, (self.background, self.foreground))
        inside, outside = values > high, values < low  # both False for NaN
        if not inside.any():  # the largest value fills more than its share
            inside = values >= high
        if not outside.any():
            outside = values <= low
        seeds = np.full(values.shape, PROBABLY_FOREGROUND)
        seeds[inside], seeds[outside] = FOREGROUND, BACKGROUND
        return seeds.astype(np.uint8)

    def _cut(self, cv2: ModuleType, photo: np.ndarray, seeds: np.ndarray) -> np.ndarray:
        """Run GrabCut and keep the largest connected part, bool `[H, W]`."""
        cv2.setRNGSeed(self.seed)
        labels = seeds.copy()
        models = np.zeros((1, 65)), np.zeros((1, 65))
        bgr = np.ascontiguousarray(photo[..., ::-1])
        cv2.grabCut(bgr, labels, None, *models, self.iterations, cv2.GC_INIT_WITH_MASK)
        found = ((labels == FOREGROUND) | (labels == PROBABLY_FOREGROUND)).astype(np.uint8)
        count, parts, stats, _ = cv2.connectedComponentsWithStats(found, connectivity=8)
        if count < 2:
            return found.astype(bool)
        return np.asarray(parts == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax()))

    def _compare(
        self, masks: np.ndarray, batch: Batch, arrays: dict[str, Tensor]
    ) -> dict[str, float]:
        """Compare with the reference masks, where given; adds "reference" and "iou"."""
        if not self.reference:
            return {}
        if len(self.reference) != len(batch):
            raise ParameterError(
                f"grabcut.reference: {len(self.reference)} masks for {len(batch)} images; "
                "give one an image"
            )
        shape = masks.shape[1:]
        pairs = zip(self.reference, batch.items, strict=True)
        true = np.stack([_reference(given, item, shape) for given, item in pairs])
        both, either = (masks & true).sum((1, 2)), (masks | true).sum((1, 2))
        iou = np.where(either > 0, both / np.maximum(either, 1), 1.0)
        arrays["reference"], arrays["iou"] = torch.from_numpy(true), torch.from_numpy(iou)
        return {"mean IoU with the reference": float(iou.mean())}


def _import_cv2() -> ModuleType:
    """Import OpenCV, late: a machine without it can still do everything else."""
    try:
        import cv2
    except ImportError as error:
        raise ConvvizError(
            f"grabcut needs OpenCV, which does not load here ({error}). Either install the system "
            "libraries that opencv-python needs (on Debian: apt install libgl1 libglib2.0-0), or "
            "replace it by its twin without a window system: pip uninstall opencv-python, then "
            "pip install opencv-python-headless"
        ) from error
    return cv2  # type: ignore[no-any-return,unused-ignore]


def _maps(result: Any, source: Explainer) -> np.ndarray:
    """Return one map an image, float64 `[N, H, W]`, from what the source found."""
    name = type(source).__name__
    if not isinstance(result, Heatmap) or result.classes:
        kind = "classes" if isinstance(result, Heatmap) else getattr(result, "kind", "nothing")
        raise ConvvizError(f"grabcut.source: {name} gives {kind}; a map of values is needed")
    values = result.values.detach().cpu().to(torch.float64)
    if result.colour:
        values = values.abs().amax(1)
    elif values.ndim == 4:
        if values.shape[1] != 1:
            raise ConvvizError(
                f"grabcut.source: {name} gives {values.shape[1]} maps an image; one is needed, "
                "so leave its targets out and give the target to explain()"
            )
        values = values[:, 0]
    return np.asarray(values)


def _smoothed(cv2: ModuleType, values: np.ndarray, sigma: float) -> np.ndarray:
    """Smooth a map by a Gaussian; pixels without a finite value stay NaN and lend nothing."""
    known = np.isfinite(values)
    if sigma == 0 or not known.any():
        return np.where(known, values, np.nan)

    def blur(image: np.ndarray) -> np.ndarray:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE))

    weight = blur(known.astype(np.float64))
    total = blur(np.where(known, values, 0.0))
    return np.where(known, total / np.where(known, weight, 1.0), np.nan)


def _apart(function: Callable[[], T]) -> T:
    """Call a function in a thread of its own.

    OpenCV's random generator belongs to the thread and cannot be read, so seeding it here
    would change what the caller draws from it; in a thread of its own it does not.
    """
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


def _share_inside(seeds: np.ndarray, mask: np.ndarray) -> float:
    """Return the share of the foreground seeds that lie in the part that was kept."""
    return float((seeds & mask).sum() / max(seeds.sum(), 1))


def _preservation_scores(
    model: Model, images: Tensor, target: tuple[Target, ...], masks: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the scores of the cut alone and of the rest alone, float64 `[N]` each.

    The other pixels are set to the image's mean colour. These are the preservation and the
    deletion game of Fong and Vedaldi (2017), played with the mask.
    """
    scores = []
    for image, aim, mask in zip(images, target, masks, strict=True):
        mean = image.mean((1, 2), keepdim=True)
        inside = mask.to(image.device)
        pair = torch.stack([torch.where(inside, image, mean), torch.where(inside, mean, image)])
        scores.append(model.scores(pair, [aim, aim]).detach().cpu().double())
    cut, rest = torch.stack(scores).unbind(1)
    return cut, rest


def _doubts(
    masks: np.ndarray, shares: list[float], cut_scores: Tensor, rest_scores: Tensor
) -> tuple[str, ...]:
    """Return a note for each mask that is empty or doubtful."""
    notes = []
    scores = zip(cut_scores.tolist(), rest_scores.tolist(), strict=True)
    for i, (mask, share, (cut, rest)) in enumerate(zip(masks, shares, scores, strict=True)):
        if not mask.any():
            notes.append(f"Image {i}: GrabCut found no foreground.")
            continue
        if share < GATHERED:
            notes.append(
                f"Image {i}: the seeds are scattered: only {share:.0%} of them lie in the cut. "
                "The cut may not be the object; more smoothing or another source may help."
            )
        if cut < rest:
            notes.append(
                f"Image {i}: the model scores the cut alone ({cut:.3g}) below the rest of the "
                f"photo ({rest:.3g}). The cut may miss the object, or show only a part of it."
            )
    return tuple(notes)


def _box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Return the box around a mask, x0, y0, x1, y1, half-open; zeros for an empty one."""
    ys, xs = np.nonzero(mask)
    if not len(ys):
        return (0, 0, 0, 0)
    return int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1


def _reference(given: str | Tensor, item: Item, shape: tuple[int, ...]) -> np.ndarray:
    """Bring a reference mask to the model's input, bool `[H, W]`."""
    mask = load_image(given) if isinstance(given, str) else np.asarray(given)
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
    """Offer grabcut."""
    return [GrabCut]

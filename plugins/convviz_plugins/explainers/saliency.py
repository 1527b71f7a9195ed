"""saliency: the gradient of a score with respect to the pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import torch
from pydantic import Field, PositiveInt
from torch import Tensor

from convviz import Heatmap, Model
from convviz.authoring import Batch, Explainer, Forward, MapKind, Target, hookimpl, track

_READING = {
    "max": "largest |d score / d input| of the colour channels",
    "l2": "length of d score / d input over the colour channels",
    "signed": "sum of d score / d input over the colour channels",
}


class Saliency(Explainer):
    """Sensitivity of the score to each pixel, |dS/dx| (Simonyan et al. 2013, §3.1).

    S is the raw score of the class or the activation of the unit, x the model's input. With
    `samples` > 0 the gradient is averaged over noisy copies of the image, which suppresses its
    pixel-to-pixel fluctuations (SmoothGrad, Smilkov et al. 2017).
    """

    aliases: ClassVar[Mapping[str, str]] = {
        "smoothgrad": "SmoothGrad is 'saliency' with samples above 0",
        "vanilla gradient": "the plain gradient is 'saliency'",
        "vanilla gradients": "the plain gradient is 'saliency'",
        "gradient": "the plain gradient is 'saliency'",
        "gradients": "the plain gradient is 'saliency'",
        "backprop": "the plain gradient is 'saliency'",
    }

    channels: Literal["max", "l2", "signed"] = Field(
        "max",
        description="Reduction of the colour channels to one map: the largest absolute gradient "
        "(max), its Euclidean norm (l2), or its sum (signed), the change of the score as the pixel "
        "brightens.",
    )
    samples: int = Field(
        0, ge=0, description="Noisy copies per image to average over; 0 uses the image itself."
    )
    noise: float = Field(
        0.15,
        ge=0,
        allow_inf_nan=False,
        description="Standard deviation of the noise, as a share of the range (maximum minus "
        "minimum) of the model's input.",
    )
    seed: int = Field(0, ge=0, description="Seed of the noise.")
    batch_size: PositiveInt = Field(16, description="Images per backward pass.")

    @property
    def map_kind(self) -> MapKind | None:
        """The signed map is a gradient; the others only rank pixels."""
        return "gradient" if self.channels == "signed" else "rank"

    def reads_forward(self) -> bool:
        """Return whether noisy copies are used, whose targets are those of the image itself."""
        return self.samples > 0

    def explain(
        self, model: Model, batch: Batch, target: tuple[Target, ...], forward: Forward
    ) -> Heatmap:
        """Return the gradient of each image's target, at the image or as a mean over copies."""
        if self.samples:
            gradient = self._smooth(model, batch.images, target)
        else:
            gradient = _gradient_in_chunks(model, batch.images, target, self.batch_size)
        gradient = gradient.cpu()
        return Heatmap(
            self._reduce(gradient),
            arrays={"gradient": gradient},
            unit=_READING[self.channels],
            signed=self.channels == "signed",
            notes=self._notes(),
        )

    def _reduce(self, gradient: Tensor) -> Tensor:
        """Reduce the colour channels, `[N, C, H, W]` to `[N, H, W]`."""
        if self.channels == "max":
            return gradient.abs().amax(1)
        return gradient.norm(dim=1) if self.channels == "l2" else gradient.sum(1)

    def _notes(self) -> tuple[str, ...]:
        if not self.samples:
            return ()
        return (f"Averaged over {self.samples} noisy copies ({self.noise:.0%} of the range).",)

    def _smooth(self, model: Model, images: Tensor, target: Sequence[Target]) -> Tensor:
        """Return the mean gradient over noisy copies, `[N, C, H, W]`.

        All images get the same noise, so that a result does not depend on the other images of the
        batch.
        """
        images = _at_least_float32(images)
        spread = (images.amax((1, 2, 3)) - images.amin((1, 2, 3))) * self.noise
        generator = torch.Generator().manual_seed(self.seed)
        total = torch.zeros_like(images)
        starts = range(0, self.samples, self.batch_size)
        for start in track(starts, "saliency", total=len(starts)):
            count = min(self.batch_size, self.samples - start)
            noise = _draw(count, images[0], generator)
            for i, image in enumerate(images):
                copies = image + spread[i] * noise
                total[i] += _gradient(model, copies, [target[i]] * count).sum(0)
        return total / self.samples


def _draw(count: int, image: Tensor, generator: torch.Generator) -> Tensor:
    """Return standard normal noise, `[count, C, H, W]`.

    It is drawn sample by sample, because the numbers of a generator depend on the size of a draw,
    and the result must not depend on `batch_size`.
    """
    drawn = [
        torch.randn(image.shape, generator=generator, dtype=torch.float64) for _ in range(count)
    ]
    return torch.stack(drawn).to(image)


def _gradient_in_chunks(
    model: Model, images: Tensor, target: Sequence[Target], size: int
) -> Tensor:
    """Return the gradients, `[N, C, H, W]`, computed `size` images at a time."""
    parts = [
        _gradient(model, images[i : i + size], target[i : i + size])
        for i in range(0, len(images), size)
    ]
    return torch.cat(parts) if parts else _at_least_float32(images.clone())


def _gradient(model: Model, images: Tensor, target: Sequence[Target]) -> Tensor:
    return _at_least_float32(model.gradient(images, target))


def _at_least_float32(values: Tensor) -> Tensor:
    return values if values.dtype == torch.float64 else values.float()


@hookimpl
def convviz_explainers() -> list[type[Explainer]]:
    """Return the explainer of this plugin."""
    return [Saliency]

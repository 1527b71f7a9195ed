"""saliency: the gradient of a score with respect to the pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import torch
from pydantic import Field, PositiveInt
from torch import Tensor

from convviz import Heatmap, Model
from convviz.authoring import Batch, Explainer, Forward, Target, hookimpl, track

_READING = {
    "max": "largest |d score / d input| of the colour channels",
    "l2": "length of d score / d input over the colour channels",
    "signed": "sum of d score / d input over the colour channels",
}


class Saliency(Explainer):
    """How much each pixel moves the score: |dS/dx| (Simonyan et al. 2013, §3.1).

    S is the raw score of the class (or the value of the unit), x the model's input. With
    `samples` the gradient is averaged over noisy copies of the image, which leaves out what
    changes from pixel to pixel (SmoothGrad, Smilkov et al. 2017).
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
        description="How the colour channels become one map: the largest absolute gradient, the "
        "length of the gradient, or its sum (what the score does when the pixel brightens).",
    )
    samples: int = Field(
        0, ge=0, description="Noisy copies an image to average over; 0 takes the image alone."
    )
    noise: float = Field(
        0.15,
        ge=0,
        allow_inf_nan=False,
        description="Standard deviation of the noise, as a share of the range (maximum minus "
        "minimum) of the model's input.",
    )
    seed: int = Field(0, ge=0, description="Seed of the noise.")
    batch_size: PositiveInt = Field(16, description="Images a backward pass.")

    def explain(
        self, model: Model, batch: Batch, target: tuple[Target, ...], forward: Forward
    ) -> Heatmap:
        """Differentiate each image's target, at the image or averaged around it."""
        if self.samples:
            gradient = self._smooth(model, batch.images, target)
        else:
            gradient = _chunked(model, batch.images, target, self.batch_size)
        gradient = gradient.cpu()
        return Heatmap(
            self._reduce(gradient),
            arrays={"gradient": gradient},
            unit=_READING[self.channels],
            signed=self.channels == "signed",
            notes=self._notes(),
        )

    def _reduce(self, gradient: Tensor) -> Tensor:
        """Turn `[N, C, H, W]` into `[N, H, W]`."""
        if self.channels == "max":
            return gradient.abs().amax(1)
        return gradient.norm(dim=1) if self.channels == "l2" else gradient.sum(1)

    def _notes(self) -> tuple[str, ...]:
        if not self.samples:
            return ()
        return (f"Averaged over {self.samples} noisy copies ({self.noise:.0%} of the range).",)

    def _smooth(self, model: Model, images: Tensor, target: Sequence[Target]) -> Tensor:
        """Average the gradient over noisy copies, `[N, C, H, W]`.

        Every image gets the same noise, so that it does not matter which others are with it.
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
    """Draw standard normal noise, `[count, C, H, W]`.

    One draw a sample: what a generator gives depends on how much is asked for at once.
    """
    drawn = [
        torch.randn(image.shape, generator=generator, dtype=torch.float64) for _ in range(count)
    ]
    return torch.stack(drawn).to(image)


def _chunked(model: Model, images: Tensor, target: Sequence[Target], size: int) -> Tensor:
    """Differentiate some images at a time, `[N, C, H, W]`."""
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
    """Offer saliency."""
    return [Saliency]

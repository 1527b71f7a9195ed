"""Occlusion of one photo by Captum, from the photo's file to a picture: run by `public_calls.py`.

The number of windows that are run at a time is the fastest of 8, 16, 32 and 64 for ResNet18.

    python benchmarks/_captum_occlusion.py PHOTO PICTURE
"""

from __future__ import annotations

import sys

import torch
import torchvision
from captum.attr import Occlusion
from matplotlib import pyplot
from PIL import Image
from torchvision.models import ResNet18_Weights


def main(photo: str, picture: str) -> None:
    module = torchvision.models.resnet18(weights=None).eval().to(memory_format=torch.channels_last)
    prepare = ResNet18_Weights.IMAGENET1K_V1.transforms()
    image = prepare(Image.open(photo).convert("RGB"))[None]
    image = image.contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        target = int(module(image)[0].argmax())
        heat = Occlusion(module).attribute(
            image,
            sliding_window_shapes=(3, 32, 32),
            strides=(3, 8, 8),
            target=target,
            perturbations_per_eval=16,
        )
    pyplot.imsave(picture, heat[0, 0].numpy())


if __name__ == "__main__":
    main(*sys.argv[1:])

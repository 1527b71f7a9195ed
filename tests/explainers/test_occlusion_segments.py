"""occlusion with segments: superpixels are covered in place of windows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import convviz
from convviz import Model, Preprocess
from convviz.occlusion import occluded_scores
from convviz.testing import check_explainer
from convviz_plugins.explainers.occlusion.superpixels import find_superpixels

PREPROCESS = Preprocess(resize=32, crop=32, mean=(0.5,), std=(0.25,))


def model() -> Model:
    torch.manual_seed(0)
    net = nn.Sequential(
        *(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 4)),
    )
    return Model(net.double(), preprocess=PREPROCESS)


def photos() -> list[np.ndarray]:
    """Two photos of flat quarters, the second with a square in the middle."""
    first = np.zeros((32, 32, 3), np.uint8)
    first[:16, 16:], first[16:, :16], first[16:, 16:] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    second = first.copy()
    second[8:24, 8:24] = 255
    return [first, second]


@pytest.mark.parametrize("pixels", [0, 10**9])
def test_each_pixel_has_the_drop_of_its_covered_segment(pixels, monkeypatch):
    monkeypatch.setattr(occluded_scores, "MIN_PIXELS_FOR_EXPORT", pixels)
    net = model()
    result = convviz.explain(net, photos(), "occlusion", target=2, segments=6, fill=0.1)
    labels = result["segments"]
    assert labels.shape == (2, 32, 32)
    assert result["grid"].shape == (2, 6)
    for i, photo in enumerate(photos()):
        image = PREPROCESS(photo).double()
        clean = net.forward(image[None]).output[0, 2]
        for segment in range(6):
            mask = labels[i] == segment
            score = net.forward(torch.where(mask, 0.1, image)[None]).output[0, 2]
            if not mask.any():
                assert result["grid"][i, segment].isnan()
                continue
            torch.testing.assert_close(result["grid"][i, segment], clean - score)
            covered = result.values[i][mask]
            torch.testing.assert_close(covered, (clean - score).expand_as(covered))
    assert result.pictures()


def test_superpixels_follow_the_photo_and_are_at_most_so_many():
    pixels = torch.from_numpy(np.stack(photos()))
    superpixels = find_superpixels(pixels, 4)
    quarters = superpixels.labels[0]
    assert len({int(quarters[y, x]) for y in (4, 28) for x in (4, 28)}) == 4
    assert (quarters[:15, :15] == quarters[0, 0]).all()
    for count in (2, 3, 5, 7, 13, 50):
        superpixels = find_superpixels(pixels, count)
        for labels in superpixels.labels:
            present = labels.unique().tolist()
            assert present == list(range(len(present)))
            assert len(present) <= count


def test_classes_under_covered_segments():
    result = convviz.explain(model(), photos(), "occlusion", segments=5, output="argmax")
    assert set(result.values.unique().tolist()) <= {0, 1, 2, 3}
    assert result.pictures()


def test_the_deviation_of_a_limited_region_is_measured(monkeypatch):
    monkeypatch.setattr(occluded_scores, "MIN_PIXELS_FOR_EXPORT", 0)
    result = convviz.explain(model(), photos(), "occlusion", segments=5, approximate=0.3)
    assert result.result.measures["windows checked"] == 5
    assert result.result.measures["deviation from exact"] > 0


def test_segments_keep_the_contract():
    check_explainer(convviz.explainer("occlusion", segments=4))


def test_segments_and_windows_exclude_each_other():
    with pytest.raises(convviz.ParameterError, match="segments replaces"):
        convviz.explainer("occlusion", segments=4, window=8)

"""RISE keeps convviz's contract, and finds what a network of known behaviour looks at."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from convviz_rise import Rise

import convviz
from convviz.testing import check_explainer, tiny_model


class LooksAtCorner(torch.nn.Module):
    """Two classes; the first wins where the top left quarter is bright."""

    def forward(self, images):
        bright = images[:, 0, :16, :16].mean((1, 2))
        return torch.stack([4 * bright, torch.zeros_like(bright)], 1)


def corner_map(**parameters):
    model = convviz.Model(LooksAtCorner())
    images = torch.ones(1, 3, 32, 32)
    return convviz.explain(model, images, "rise", target=0, **parameters).values[0]


def test_keeps_the_contract():
    check_explainer(Rise(masks=20, cells=4, batch_size=8))


def test_is_found_by_its_name():
    result = convviz.explainer("rise", masks=5)
    assert isinstance(result, Rise)
    assert result.masks == 5


def test_finds_the_corner_that_decides():
    heat = corner_map(masks=2000, cells=4)
    inside, outside = heat[2:14, 2:14], heat[18:, 18:]
    assert inside.min() > outside.max()


def test_map_is_the_weighted_mean_of_the_masks():
    """Rebuild the map from the scores that a counting network saw, mask by mask."""
    seen = []

    class Records(LooksAtCorner):
        def forward(self, images):
            seen.extend(images[:, 0].clone())
            return super().forward(images)

    model = convviz.Model(Records())
    images = torch.ones(1, 3, 32, 32, dtype=torch.float32)
    heat = convviz.explain(model, images, Rise(masks=7, batch_size=3), target=0).values[0]
    masks = np.stack([item.numpy() for item in seen[-7:]]).astype(np.float64)
    logits = 4 * masks[:, :16, :16].mean((1, 2))
    weights = 1 / (1 + np.exp(-logits))
    expected = sum(w * mask for w, mask in zip(weights, masks, strict=True)) / (7 * 0.5)
    np.testing.assert_allclose(heat.numpy(), expected, rtol=1e-5)


@pytest.mark.parametrize("keep", [0.2, 0.7])
def test_masks_are_soft_and_show_the_share_asked_for(keep):
    rise = Rise(keep=keep, cells=5, masks=800)
    masks = rise._enlarge(*rise._draw(30, 41), torch.zeros(3, 30, 41))
    assert masks.shape == (800, 30, 41)
    assert masks.min() >= 0
    assert masks.max() <= 1 + 1e-6
    assert ((masks > 0.01) & (masks < 0.99)).float().mean() > 0.2
    assert abs(float(masks.mean()) - keep) < 0.02


def test_another_seed_gives_other_masks_and_the_same_seed_the_same():
    first, again, other = (corner_map(masks=10, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_batch_size_does_not_matter():
    small, large = (corner_map(masks=20, batch_size=size) for size in (3, 64))
    torch.testing.assert_close(small, large, rtol=1e-5, atol=1e-6)


def test_a_unit_can_be_the_target():
    model = tiny_model()
    images = torch.rand(1, 3, 32, 32, dtype=torch.float64)
    unit = convviz.Unit("conv2", 3)
    values = convviz.explain(model, images, Rise(masks=10), target=unit).values
    assert values.shape == (1, 32, 32)
    assert values.isfinite().all()

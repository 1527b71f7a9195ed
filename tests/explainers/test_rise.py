"""rise: the published procedure, its standard error, and a network of known behaviour."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.transform import resize

import convviz
from convviz.testing import check_explainer, tiny_model

IMAGES = torch.ones(1, 3, 32, 32, dtype=torch.float64)


class LooksAtCorner(torch.nn.Module):
    """Two classes; the first wins where the top left quarter is bright."""

    seen: torch.Tensor

    def forward(self, images):
        self.seen = images.clone()
        bright = images[:, 0, :16, :16].mean((1, 2))
        return torch.stack([4 * bright, torch.zeros_like(bright)], 1)


def explain_corner(network=None, **parameters):
    model = convviz.Model(network or LooksAtCorner(), dtype=torch.float64)
    return convviz.explain(model, IMAGES, "rise", target=0, **parameters)


def masks_as_published(count: int, cells: int, keep: float, size: tuple[int, int]) -> np.ndarray:
    """Return masks by the steps of the paper: enlarge random grids, cut out a random window."""
    generator = torch.Generator().manual_seed(0)
    grids = torch.rand(count, cells, cells, generator=generator, dtype=torch.float64) < keep
    cell = np.ceil(np.array(size) / cells).astype(int)
    shifts = [torch.randint(int(side), (count,), generator=generator).tolist() for side in cell]
    large = [
        resize(grid, (cells + 1) * cell, order=1, mode="reflect", anti_aliasing=False)
        for grid in grids.double().numpy()
    ]
    cut = zip(large, *shifts, strict=True)
    return np.stack([mask[y : y + size[0], x : x + size[1]] for mask, y, x in cut])


def test_keeps_the_contract():
    check_explainer(convviz.explainer("rise", masks=20, cells=4, batch_size=8))


def test_finds_the_corner_that_decides():
    heat = explain_corner(masks=2000, cells=4).values[0]
    assert heat[2:14, 2:14].min() > heat[18:, 18:].max()


@pytest.mark.parametrize(("cells", "keep", "size"), [(7, 0.5, (32, 32)), (4, 0.2, (30, 41))])
def test_masks_scores_and_map_are_those_of_the_published_procedure(cells, keep, size):
    network = LooksAtCorner()
    model = convviz.Model(network, dtype=torch.float64)
    images = torch.rand(1, 3, *size, dtype=torch.float64)
    rise = convviz.explainer("rise", masks=40, cells=cells, keep=keep, batch_size=40)
    result = convviz.explain(model, images, rise, target=0)
    masks = masks_as_published(40, cells, keep, size)
    np.testing.assert_allclose(network.seen, masks[:, None] * images.numpy(), atol=1e-6)
    logits = 4 * (masks * images[0, 0].numpy())[:, :16, :16].mean((1, 2))
    weighted = masks / (1 + np.exp(-logits))[:, None, None] / keep
    np.testing.assert_allclose(result.values[0], weighted.mean(0), atol=1e-6)
    error = weighted.std(0, ddof=1) / np.sqrt(40)
    np.testing.assert_allclose(result["error"][0], error, atol=1e-6)


def test_the_standard_error_is_the_spread_of_repeated_maps():
    maps = [explain_corner(masks=50, cells=4, seed=seed) for seed in range(40)]
    spread = torch.stack([result.values[0] for result in maps]).std(0).mean()
    stated = torch.stack([result["error"][0] for result in maps]).mean()
    assert 0.8 < float(spread / stated) < 1.25


def test_another_seed_gives_other_masks_and_batches_do_not_matter():
    first, again, other = (explain_corner(masks=20, seed=seed).values for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    small = explain_corner(masks=20, seed=1, batch_size=3).values
    torch.testing.assert_close(small, first, rtol=1e-12, atol=1e-12)


def test_covered_parts_have_the_fill():
    network = LooksAtCorner()
    explain_corner(network, masks=30, batch_size=30, fill=3.0)
    share = masks_as_published(30, 7, 0.5, (32, 32))
    np.testing.assert_allclose(network.seen[:, 1], share + 3 * (1 - share), atol=1e-6)


def test_units_and_contrasts_are_targets():
    model = tiny_model()
    images = torch.rand(1, 3, 32, 32, dtype=torch.float64)

    def values(target):
        return convviz.explain(model, images, "rise", target=target, masks=10).values

    assert values(convviz.Unit("conv2", 3)).isfinite().all()
    contrast = values(convviz.Contrast("cat", "dog"))
    torch.testing.assert_close(contrast, values("cat") - values("dog"), rtol=1e-9, atol=1e-12)

"""Regions of any shape, and several calls about the same images."""

from __future__ import annotations

import pytest
import torch
from occlusion.branching_network import Branches, randomize_statistics, slid
from torch import Tensor

from convviz.authoring import Occluder, occluded
from convviz.errors import ParameterError
from convviz.network.model import Model
from convviz.occlusion import occluded_scores


@pytest.fixture
def model() -> Model:
    torch.manual_seed(0)
    return Model(randomize_statistics(Branches()))


@pytest.fixture
def images() -> Tensor:
    return torch.randn(2, 2, 40, 40, dtype=torch.float64)


def random_masks() -> Tensor:
    """Masks of several shapes: noise in a box, a cross, everything, and nothing."""
    masks = torch.zeros(5, 40, 40, dtype=torch.bool)
    masks[0, 3:12, 20:38] = torch.rand(9, 18) < 0.4
    masks[1, 30:40, 0:9] = torch.rand(10, 9) < 0.4
    masks[2, 18:22], masks[2, :, 18:22] = True, True
    masks[3] = True
    return masks


def expected_scores(model: Model, images: Tensor, masks: Tensor, fill: Tensor) -> Tensor:
    """Scores `[N, P, classes]` by the definition, one forward pass per image and mask."""
    return torch.stack(
        [
            torch.cat([model.forward(torch.where(m, fill[i], image)[None]).output for m in masks])
            for i, image in enumerate(images)
        ]
    )


def scores_of(forward, owner):
    return forward.output


@pytest.mark.parametrize("engine", ["auto", "dense"])
def test_masks_cover_their_pixels(model, images, engine, monkeypatch):
    monkeypatch.setattr(occluded_scores, "MIN_PIXELS_FOR_EXPORT", 0)
    masks, fill = random_masks(), torch.randn_like(images)
    actual = occluded(model, images, masks, fill, scores_of, batch_size=3, engine=engine)
    assert (actual.plan is None) == (engine == "dense")
    expected = expected_scores(model, images, masks, fill)
    torch.testing.assert_close(actual.scores, expected, rtol=0, atol=1e-10)
    clean = model.forward(images).output
    torch.testing.assert_close(actual.scores[:, 4], clean, rtol=0, atol=1e-10)


def test_calls_share_what_was_prepared_and_stay_exact(model, images, monkeypatch):
    """After the first call, a single box is computed incrementally too, of any size and image."""
    monkeypatch.setattr(occluded_scores, "MIN_PIXELS_FOR_EXPORT", 30 * 1600)
    fill = torch.randn_like(images)
    occluder = Occluder(model, images, fill, scores_of)
    assert occluder(torch.tensor([[0, 0, 8, 8]])).plan is None
    calls = [
        (slid(40, 40, (16, 16), (8, 8)), None),
        (torch.tensor([[4, 4, 9, 9]]), [1]),
        (torch.tensor([[0, 0, 40, 40], [39, 0, 40, 1]]), [1, 0]),
        (torch.tensor([[12, 20, 30, 40]]), [0]),
    ]
    for boxes, chosen in calls:
        actual = occluder(boxes, chosen)
        assert actual.plan is not None
        at = [0, 1] if chosen is None else chosen
        expected = occluded(model, images[at], boxes, fill[at], scores_of, engine="dense")
        torch.testing.assert_close(actual.scores, expected.scores, rtol=0, atol=1e-10)


def test_the_reader_gets_the_index_of_each_image(model, images, monkeypatch):
    monkeypatch.setattr(occluded_scores, "MIN_PIXELS_FOR_EXPORT", 0)
    boxes = torch.tensor([[0, 0, 8, 8], [8, 8, 16, 16]])
    for engine in ("auto", "dense"):
        occluder = Occluder(model, images, torch.zeros(1), lambda f, owner: owner, engine=engine)
        assert occluder(boxes, [1]).scores.tolist() == [[1, 1]]
        assert occluder(boxes).scores.tolist() == [[0, 0], [1, 1]]


@pytest.mark.parametrize(
    ("regions", "chosen", "words"),
    [
        (torch.ones(2, 8, 40, dtype=torch.bool), None, r"\[P, 40, 40\]; got bool \[2, 8, 40\]"),
        (torch.ones(2, 40, 40), None, r"got float32 \[2, 40, 40\]"),
        (torch.ones(0, 40, 40, dtype=torch.bool), None, "0 regions"),
        (torch.tensor([[0, 0, 8, 8]]), [2], r"images=\[2\].* from 0 to 1"),
        (torch.tensor([[0, 0, 8, 8]]), [], r"images=\[\]"),
    ],
)
def test_regions_and_images_that_do_not_exist_are_refused(model, images, regions, chosen, words):
    occluder = Occluder(model, images, torch.zeros(1), scores_of)
    with pytest.raises(ParameterError, match=words):
        occluder(regions, chosen)

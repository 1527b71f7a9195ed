"""grabcut: what it cuts, from which seeds, and what it refuses."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from torch import nn

import convviz
import convviz.authoring

SIDE = 64
DISC = (np.hypot(*(np.mgrid[:SIDE, :SIDE] - np.array([30, 36])[:, None, None])) < 16).astype(bool)


def photo() -> np.ndarray:
    """Return a textured red disc on a textured green ground."""
    rng = np.random.default_rng(0)
    picture = np.where(DISC[..., None], (200, 40, 40), (40, 130, 60))
    return (picture + rng.integers(-15, 15, picture.shape)).clip(0, 255).astype(np.uint8)


def second_photo() -> np.ndarray:
    return np.ascontiguousarray(photo()[:, ::-1])


class Red(nn.Module):
    """Scores how red the image is: its gradient at a pixel depends on the pixel's redness."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.0))

    def forward(self, x):
        red = (x[:, 0] - x[:, 1]).clamp(min=0) ** 2
        return torch.stack([red.mean((1, 2)), -red.mean((1, 2))], 1) * self.scale


class Given(convviz.authoring.Explainer):
    """Gives a map that the test made."""

    heat: torch.Tensor
    classes: bool = False
    colour: bool = False
    table: bool = False

    def explain(self, model, batch, target, forward):
        if self.table:
            return convviz.Table(self.heat)
        names = {0: "a"} if self.classes else {}
        heat = self.heat if self.heat.ndim > 2 else self.heat.expand(len(batch), SIDE, SIDE)
        return convviz.Heatmap(heat, classes=names, colour=self.colour)


def model() -> convviz.Model:
    plain = convviz.Preprocess(resize=None, crop=None, mean=(0, 0, 0), std=(1, 1, 1))
    return convviz.Model(Red().eval(), preprocess=plain, labels=("red", "green"))


def cut(images=None, **params):
    images = photo() if images is None else images
    return convviz.explain(model(), images, "grabcut", target="red", **params)


def iou(a, b) -> float:
    a, b = np.asarray(a), np.asarray(b)
    return (a & b).sum() / (a | b).sum()


def test_cuts_out_the_disc_from_saliency_alone():
    got = cut()
    assert got.values.dtype == torch.bool
    assert iou(got.values[0], DISC) > 0.95
    ys, xs = np.nonzero(got.values[0].numpy())
    box = [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
    assert got["boxes"].tolist() == [box]


def test_several_images_are_single_images_side_by_side():
    both = cut([photo(), second_photo()])
    for i, single in enumerate((photo(), second_photo())):
        assert torch.equal(both.values[i], cut(single).values[0])
    assert iou(both.values[1], DISC[:, ::-1]) > 0.95


def test_seeds_follow_the_quantiles_of_the_map():
    heat = torch.rand(SIDE, SIDE, generator=torch.Generator().manual_seed(0)).double()
    got = cut(source=Given(heat=heat), smoothing=0, foreground=0.9, background=0.2)
    low, high = np.quantile(heat.numpy(), (0.2, 0.9))
    seeds = got["seeds"][0].numpy()
    assert ((seeds == 1) == (heat.numpy() > high)).all()
    assert ((seeds == 0) == (heat.numpy() < low)).all()
    assert set(np.unique(seeds)) == {0, 1, 3}
    assert abs((seeds == 1).mean() - 0.1) < 0.01


def test_smoothing_is_a_gaussian_of_that_sigma():
    heat = torch.zeros(SIDE, SIDE).double()
    heat[32, 32] = 1
    got = cut(source=Given(heat=heat), smoothing=3)["map"][0].numpy()
    y, x = np.mgrid[:SIDE, :SIDE] - 32
    expected = np.exp(-(x**2 + y**2) / 18) / (18 * np.pi)
    np.testing.assert_allclose(got, expected, atol=2e-4)


def test_pixels_without_a_value_are_left_open():
    heat = torch.from_numpy(DISC.astype(float))
    heat[:10] = float("nan")
    got = cut(source=Given(heat=heat), smoothing=2)
    assert (got["seeds"][0, :10] == 3).all()
    assert got["map"][0, :10].isnan().all()
    assert got["map"][0, 10:].isfinite().all()
    assert iou(got.values[0], DISC) > 0.9


def test_composes_with_another_explainer_by_name_and_by_parameters():
    how = {"name": "occlusion", "params": {"window": 12, "stride": 6}}
    got = cut(source=convviz.explainer(how["name"], **how["params"]))
    assert iou(got.values[0], DISC) > 0.9
    assert got.explainer.source.window == 12


def test_only_the_largest_part_is_kept():
    picture, other = photo(), (np.s_[50:60], np.s_[2:12])
    picture[other] = (200, 40, 40)
    got = cut(picture)
    assert iou(got.values[0], DISC) > 0.95
    assert not got.values[0][other].any()


def test_repeats_and_leaves_the_callers_random_numbers_alone():
    import cv2

    def draws() -> np.ndarray:
        return cv2.randu(np.zeros((1, 8), np.float64), 0.0, 1.0)

    cv2.setRNGSeed(11)
    expected = draws()
    cv2.setRNGSeed(11)
    first = cut(seed=3)
    np.testing.assert_array_equal(draws(), expected)
    assert torch.equal(first.values, cut(seed=3).values)


@pytest.mark.parametrize("heat", [0.0, 0.3, float("nan")])
def test_a_flat_map_is_a_clear_error(heat):
    with pytest.raises(convviz.ConvvizError, match="map of image 0"):
        cut(source=Given(heat=torch.full((SIDE, SIDE), heat)))


def test_a_map_of_two_values_seeds_both():
    for share in (0.02, 0.98):
        heat = (torch.arange(SIDE * SIDE).reshape(SIDE, SIDE) < share * SIDE * SIDE).double()
        seeds = cut(source=Given(heat=heat), smoothing=0)["seeds"][0]
        assert torch.equal(seeds == 1, heat == 1)
        assert torch.equal(seeds == 0, heat == 0)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (Given(heat=torch.zeros(SIDE, SIDE), classes=True), "classes"),
        (Given(heat=torch.rand(1, 2, SIDE, SIDE)), "2 maps"),
        (Given(heat=torch.zeros(SIDE, SIDE), table=True), "table"),
    ],
)
def test_a_source_without_one_map_is_refused(source, said):
    with pytest.raises(convviz.ConvvizError, match=said):
        cut(source=source)


def test_a_colour_map_counts_by_its_strongest_channel():
    heat = torch.zeros(1, 3, SIDE, SIDE).double()
    heat[0, 1] = -torch.from_numpy(DISC.astype(float))
    got = cut(source=Given(heat=heat, colour=True), smoothing=2)
    assert iou(got.values[0], DISC) > 0.9


def test_reference_masks_give_iou():
    got = cut([photo(), second_photo()], reference=[DISC, DISC])
    for i in range(2):
        assert got["iou"][i].item() == pytest.approx(iou(got.values[i], DISC))
    mean = got.result.measures["mean IoU with the reference"]
    assert mean == pytest.approx(got["iou"].mean().item())
    assert torch.equal(got["reference"][0], torch.from_numpy(DISC))


def test_a_reference_of_the_photos_size_is_cut_as_the_photo(tmp_path):
    """The reference goes through the resize and crop that the photo went through."""
    from PIL import Image

    big = np.kron(DISC, np.ones((4, 4), bool))  # the photo four times as large
    big = np.pad(big, ((0, 0), (20, 20)))
    Image.fromarray(big.astype(np.uint8) * 255).save(tmp_path / "mask.png")
    preprocess = convviz.Preprocess(resize=SIDE, crop=SIDE, mean=(0, 0, 0), std=(1, 1, 1))
    net = convviz.Model(Red().eval(), preprocess=preprocess)
    picture = np.pad(np.kron(photo(), np.ones((4, 4, 1), np.uint8)), ((0, 0), (20, 20), (0, 0)))
    got = convviz.explain(net, picture, "grabcut", target=0, reference=str(tmp_path / "mask.png"))
    assert iou(got["reference"][0], DISC) > 0.97


@pytest.mark.parametrize(
    ("reference", "said"),
    [([DISC, DISC], "2 masks for 1 images"), (DISC[:9], "9 x 64 .* 64 x 64")],
)
def test_a_reference_that_does_not_fit_is_refused(reference, said):
    with pytest.raises(convviz.ParameterError, match=said):
        cut(reference=reference)


def test_without_opencv_the_error_names_both_ways_out(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(convviz.ConvvizError, match=r"libgl1.*opencv-python-headless"):
        cut()


def test_quantiles_must_be_in_order():
    with pytest.raises(convviz.ParameterError, match="must be below"):
        convviz.explainer("grabcut", foreground=0.3, background=0.4)


def test_parameters_and_arrays_survive_saving(tmp_path):
    source = convviz.explainer("saliency", samples=2, seed=5)
    result = cut(source=source, iterations=2, reference=DISC)
    result.save(tmp_path / "leaf")
    again = convviz.load(tmp_path / "leaf")
    assert again.explainer.source == source
    assert again.explainer.iterations == 2
    assert torch.equal(again.values, result.values)
    assert torch.equal(again["seeds"], result["seeds"])
    assert torch.equal(again.explainer.reference[0], torch.from_numpy(DISC))


def test_the_default_source_is_averaged_over_noisy_copies():
    source = convviz.explainer("grabcut").source
    assert source == convviz.explainer("saliency", samples=8)
    assert torch.equal(cut().values, cut(source=source).values)


def test_the_command_line_changes_one_parameter_of_the_default_source():
    from convviz.plugin.parameter_values import build_explainers

    (built,) = build_explainers(["grabcut"], ["grabcut.source.seed=3"])
    assert built.source == convviz.explainer("saliency", samples=8, seed=3)
    (built,) = build_explainers(["grabcut"], ["grabcut.source=saliency"])
    assert built.source == convviz.explainer("saliency")


def test_seeds_in_one_object_are_gathered():
    got = cut(source=Given(heat=torch.from_numpy(DISC.astype(float))), smoothing=2)
    assert got["gathered"].tolist() == [1]
    assert got.result.measures["share of foreground seeds cut out"] == 1
    assert not got.result.notes


def test_seeds_in_several_places_are_noted():
    """Two red discs of unlike size, all of both seeded: the larger one is kept."""
    y, x = np.mgrid[:SIDE, :SIDE]
    discs = [np.hypot(y - at, x - at) < radius for at, radius in ((16, 10), (48, 9))]
    colours = np.where((discs[0] | discs[1])[..., None], (200, 40, 40), (40, 130, 60))
    heat = torch.from_numpy((discs[0] | discs[1]).astype(float))
    got = cut([colours.astype(np.uint8), photo()], source=Given(heat=heat), smoothing=0)
    share = discs[0].sum() / (discs[0].sum() + discs[1].sum())
    assert got["gathered"][0].item() == pytest.approx(share)
    smallest = got.result.measures["smallest share of foreground seeds cut out"]
    assert smallest == got["gathered"].min().item()
    assert "scattered" in got.result.notes[0]
    assert got.result.notes[0].startswith("Image 0")


def red_score(picture: np.ndarray, keep: np.ndarray) -> float:
    """Return what `Red` scores where only the kept pixels are shown, in plain numpy."""
    values = picture.astype(np.float64) / 255
    values = np.where(keep[..., None], values, values.mean((0, 1)))
    return float((np.maximum(values[..., 0] - values[..., 1], 0) ** 2).mean())


def test_the_score_of_the_cut_is_compared_with_that_of_the_rest():
    got = cut()
    mask = got.values[0].numpy()
    stored, rest = red_score(photo(), mask), red_score(photo(), ~mask)
    assert stored > 2 * rest
    assert got["cut_score"].tolist() == pytest.approx([stored], rel=1e-5)
    assert got["rest_score"].tolist() == pytest.approx([rest], rel=1e-5)
    margin = got.result.measures["score of the cut less that of the rest"]
    assert margin == pytest.approx(stored - rest, rel=1e-5)
    assert not got.result.notes


def test_a_cut_of_something_else_than_the_object_is_noted():
    """Seeds on the ground alone: gathered, and on the wrong thing. Only its image is noted."""
    heat = torch.from_numpy(np.stack([DISC, ~DISC]).astype(float))
    got = cut([photo(), photo()], source=Given(heat=heat), smoothing=0, foreground=0.5)
    assert got["gathered"].tolist()[1] > 0.6
    mask = got.values[1].numpy()
    stored, rest = red_score(photo(), mask), red_score(photo(), ~mask)
    assert stored < rest
    (note,) = got.result.notes
    assert note.startswith("Image 1")
    assert f"{got['cut_score'][1].item():.3g}" in note
    assert f"{got['rest_score'][1].item():.3g}" in note


def test_scattered_points_are_noted():
    heat = torch.zeros(SIDE, SIDE).double()
    heat[4::8, 4::8] = 1
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    got = cut(noise, source=Given(heat=heat), smoothing=0, iterations=1)
    share = ((got["seeds"] == 1) & got.values).sum() / 64
    assert got["gathered"].item() == pytest.approx(share.item())
    assert ("scattered" in " ".join(got.result.notes)) == (share < 0.6)

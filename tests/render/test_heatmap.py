"""Pictures of heat maps and masks, looked at pixel by pixel."""

from __future__ import annotations

import io
import subprocess
import sys

import matplotlib
import numpy as np
import pytest
import torch
from PIL import Image

import convviz
from convviz.render import Scene, render
from convviz.render.colour import class_colours, class_markers, scale_of
from convviz.render.style import measures_line, readable

INK = np.array([0x1F, 0x24, 0x30])
HATCH = np.array([0x98, 0xA2, 0xB3])


def scene(shape=(224, 224), grey: int = 128, count: int = 1, **how) -> Scene:
    photos = torch.full((count, *shape, 3), grey, dtype=torch.uint8)
    names = tuple(f"folder/photo {i}.jpg" for i in range(count))
    given = {"explainer": "occlusion", "model": "net", "photos": photos, "names": names}
    return Scene(**(given | {"targets": ("cat (score 1.00)",) * count} | how))


def pixels(result, where: Scene, index: int = 0) -> np.ndarray:
    picture = render(result, where)[index]
    return np.asarray(Image.open(io.BytesIO(picture.png)).convert("RGB")).astype(int)


def share(picture: np.ndarray, colour, within: int = 6) -> float:
    """The share of a picture that has a colour."""
    return float((np.abs(picture - np.array(colour)).max(-1) <= within).mean())


def box_of(picture: np.ndarray, colour, within: int = 6) -> tuple[int, int]:
    """Height and width of the box around all pixels of a colour."""
    ys, xs = np.nonzero(np.abs(picture - np.array(colour)).max(-1) <= within)
    return ys.max() - ys.min() + 1, xs.max() - xs.min() + 1


def cmap_colour(name: str, at: float) -> np.ndarray:
    return np.round(np.array(matplotlib.colormaps[name](at)[:3]) * 255).astype(int)


def test_three_panels_and_a_colour_bar_with_every_colour_of_the_scale():
    heat = torch.zeros(1, 224, 224)
    heat[:, :, 112:] = 1  # the map itself has the two ends of the scale only
    picture = pixels(convviz.Heatmap(heat, unit="score"), scene())
    found = [share(picture, cmap_colour("viridis", at)) for at in np.linspace(0.1, 0.9, 9)]
    assert min(found) > 1e-4  # what lies between them is seen in the bar alone
    assert max(found) < 0.02
    assert share(picture, (128, 128, 128), 2) > 0.2  # the photo
    for end in (0.0, 1.0):  # half the map's panel each
        assert share(picture, cmap_colour("viridis", end)) > 0.08


def test_contributions_of_colour_channels_are_drawn_as_their_sum():
    values = torch.randn(1, 3, 28, 28, generator=torch.Generator().manual_seed(0))
    channels = convviz.Heatmap(values, signed=True, summed=True, unit="contribution")
    total = convviz.Heatmap(values.double().sum(1), signed=True, unit="contribution")
    assert (pixels(channels, scene()) == pixels(total, scene())).all()


def test_a_signed_map_is_white_at_zero_whatever_its_range():
    heat = torch.zeros(1, 224, 224)
    heat[:, :10] = 5
    picture = pixels(convviz.Heatmap(heat, signed=True), scene())
    assert share(picture, cmap_colour("RdBu_r", 0.5), 2) > 0.2
    # Nothing is negative, yet the bar reaches down as far as up.
    assert share(picture, cmap_colour("RdBu_r", 0.02)) > 1e-4


def test_pixels_without_a_value_are_hatched():
    heat = torch.rand(1, 224, 224)
    whole = pixels(convviz.Heatmap(heat), scene())
    heat[:, 112:] = float("nan")
    half = pixels(convviz.Heatmap(heat), scene())
    assert share(whole, HATCH, 10) < 0.003
    assert share(half, HATCH, 10) > 0.01
    nothing = pixels(convviz.Heatmap(torch.full((1, 20, 20), float("nan"))), scene((20, 20)))
    assert share(nothing, HATCH, 10) > share(half, HATCH, 10) * 1.5


@pytest.mark.parametrize("window", [(32, 32), (64, 32), (20, 100)])
def test_the_occluder_is_drawn_to_scale(window):
    """On a photo of one colour, the white frame is as much larger than one as the photo is."""
    heat = torch.zeros(1, 224, 224)
    result = convviz.Heatmap(heat, signed=True, window=window)
    # Green, so that its white frame is white alone; the photo is the left-most green.
    photos = torch.zeros(1, 224, 224, 3, dtype=torch.uint8)
    photos[..., 1] = 90
    picture = pixels(result, scene(photos=photos))
    ys, xs = np.nonzero(np.abs(picture - [0, 90, 0]).max(-1) <= 3)
    panel = picture[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1]
    factor = panel.shape[0] / 224
    white = np.abs(panel - 255).max(-1) <= 8
    rows, columns = white.sum(1), white.sum(0)
    edges_y = np.nonzero(rows > 0.8 * window[1] * factor)[0]
    edges_x = np.nonzero(columns > 0.8 * window[0] * factor)[0]
    assert abs((edges_y.max() - edges_y.min()) - window[0] * factor) <= 5
    assert abs((edges_x.max() - edges_x.min()) - window[1] * factor) <= 5


def test_small_images_are_large_and_crisp():
    checker = (torch.arange(8)[:, None] + torch.arange(8)) % 2
    photos = (checker * 255).byte()[None, ..., None].expand(1, 8, 8, 3)
    picture = pixels(convviz.Heatmap(checker[None].float()), scene((8, 8), photos=photos))
    assert picture.shape[0] > 350
    panel = picture[150:350, 60:360]
    black_or_white = (np.abs(panel - 255).max(-1) <= 2) | (np.abs(panel).max(-1) <= 2)
    assert black_or_white.mean() > 0.97  # no blur between the pixels


def test_the_same_result_gives_the_same_bytes():
    heat = torch.rand(1, 32, 32, generator=torch.Generator().manual_seed(0))
    result = convviz.Heatmap(heat, unit="score", window=(8, 8))
    assert render(result, scene((32, 32)))[0].png == render(result, scene((32, 32)))[0].png


def test_one_picture_an_image():
    assert [p.name for p in render(convviz.Heatmap(torch.rand(1, 9, 9)), scene((9, 9)))] == [
        "picture"
    ]
    two = render(convviz.Heatmap(torch.rand(2, 9, 9)), scene((9, 9), count=2))
    assert [p.name for p in two] == ["picture-0", "picture-1"]
    assert two[0].png != two[1].png
    assert "cat (score 1.00)" in two[0].caption


def test_several_targets_share_one_scale():
    heat = torch.zeros(1, 2, 50, 50)
    heat[0, 0], heat[0, 1] = 1, 4
    bare = scene((50, 50), photos=None)
    picture = pixels(convviz.Heatmap(heat, signed=True, panels=("a", "b")), bare)
    strong, weak = cmap_colour("RdBu_r", 1.0), cmap_colour("RdBu_r", 0.5 + 1 / 8)
    assert share(picture, strong) > 0.2
    assert share(picture, weak, 3) > 0.2


@pytest.mark.parametrize(("weaker", "apart"), [(0.5, False), (0.01, True)])
def test_targets_with_scales_of_their_own_say_so_on_each_panel(monkeypatch, weaker, apart):
    from convviz.render import heatmap

    titles: list[str] = []
    monkeypatch.setattr(heatmap, "panel_title", lambda ax, text, limit=60: titles.append(text))
    maps = torch.rand(1, 2, 32, 32, generator=torch.Generator().manual_seed(0))
    maps[:, 1] *= weaker
    render(convviz.Heatmap(maps, panels=("cat", "dog")), Scene())
    assert [("own scale" in title) for title in titles] == [apart, apart]


def test_a_colour_bar_is_framed_so_that_its_white_end_can_be_seen():
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import to_hex

    from convviz.render.style import PAPER, colour_bar, new_figure

    figure = new_figure(3, 3)
    bar = colour_bar(figure, ScalarMappable(cmap="gray"), figure.add_subplot(), extend="max")
    assert bar.outline.get_visible()
    assert to_hex(bar.outline.get_edgecolor()) != PAPER


def test_classes_have_a_colour_and_a_legend_each():
    grid = torch.zeros(1, 60, 60)
    grid[:, 40:], grid[:, 50:] = 7, 9
    names = {0: "cat", 7: "dog", 9: "cup"}
    picture = pixels(convviz.Heatmap(grid, classes=names), scene((60, 60), photos=None))
    colours = [(0xD0, 0xD5, 0xDD), *(tuple(bytes.fromhex(c[1:])) for c in class_colours(2))]
    found = [share(picture, colour) for colour in colours]
    assert found[0] > found[1] > 0.05
    assert found[1] == pytest.approx(found[2], rel=0.35)
    legend = picture[:, int(picture.shape[1] * 0.8) :]
    assert all(share(legend, colour) > 1e-3 for colour in colours)


def test_more_classes_than_colours_are_drawn_as_others():
    grid = torch.arange(30.0).repeat_interleave(30).reshape(1, 30, 30)
    names = {i: f"class {i}" for i in range(30)}
    picture = pixels(convviz.Heatmap(grid, classes=names), scene((30, 30), photos=None))
    assert share(picture, (0x47, 0x54, 0x67)) > 0.25


def test_colour_gradients_lie_about_mid_grey():
    heat = torch.zeros(1, 3, 64, 64)
    heat[0, 0, :16], heat[0, 2, 48:] = 1, -1
    picture = pixels(convviz.Heatmap(heat, colour=True, signed=True), scene((64, 64), photos=None))
    assert share(picture, (128, 128, 128), 2) > 0.25
    assert share(picture, (255, 128, 128), 2) > 0.1  # more red raises the score
    assert share(picture, (128, 128, 0), 2) > 0.1  # more blue lowers it


@pytest.mark.parametrize(
    ("values", "signed"),
    [
        (torch.zeros(1, 16, 16), False),
        (torch.zeros(1, 16, 16), True),
        (torch.full((1, 16, 16), float("nan")), True),
        (torch.full((1, 16, 16), -3.5), False),
        (torch.tensor([[[float("inf"), 1.0], [0.0, float("nan")]]]), True),
        (torch.rand(1, 1, 1), False),
        (torch.rand(1, 5, 200), False),
        (torch.rand(1, 2, 16, 16), True),
    ],
)
def test_degenerate_maps_are_drawn_too(values, signed):
    shape = tuple(values.shape[-2:])
    for where in (scene(shape), scene(shape, photos=None), Scene()):
        picture = pixels(convviz.Heatmap(values, signed=signed), where)
        assert picture.std() > 1


def test_a_map_smaller_than_the_photo_is_brought_to_its_size():
    heat = torch.zeros(1, 4, 4)
    heat[:, 2:] = 1
    picture = pixels(convviz.Heatmap(heat), scene((64, 64)))
    low, high = (share(picture, cmap_colour("viridis", end)) for end in (0.0, 1.0))
    assert low == pytest.approx(high, rel=0.1)
    assert high > 0.08


def test_few_extreme_values_do_not_darken_the_map_and_are_told():
    heat = torch.rand(100, 100, generator=torch.Generator().manual_seed(0)).numpy()
    assert scale_of(heat).extend == "neither"
    assert scale_of(heat).note == ""
    heat[3, 3] = 50
    scale = scale_of(heat)
    assert 0.9 < scale.high <= 1
    assert scale.extend == "max"
    assert "50.00" in scale.note
    heat[3, 3] = -50
    signed = scale_of(heat.clip(max=0.9), signed=True)
    assert (signed.low, signed.extend) == (-signed.high, "min")


def test_titles_survive_any_name():
    names = ("猫\n$x^2$ \x00 " + "long " * 60,)
    where = scene((20, 20), names=names, targets=("a_b^c $\\frac{1}$ (score 1)",))
    assert render(convviz.Heatmap(torch.rand(1, 20, 20)), where)[0].png
    assert "\n" not in readable(names[0])
    assert len(readable(names[0], 40)) == 40


def test_the_users_settings_neither_matter_nor_change():
    result, where = convviz.Heatmap(torch.rand(1, 20, 20), unit="score"), scene((20, 20))
    plain = render(result, where)[0].png
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "text.color": "red"}):
        before = dict(matplotlib.rcParams)
        assert render(result, where)[0].png == plain
        assert dict(matplotlib.rcParams) == before


def test_drawing_does_not_load_pyplot():
    code = """
import sys, torch, convviz
from convviz.render import Scene, render
assert "matplotlib" not in sys.modules
render(convviz.Heatmap(torch.rand(1, 8, 8)), Scene())
assert "matplotlib" in sys.modules and "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-P", "-W", "error", "-c", code], check=True, timeout=120)


def test_class_colours_are_distinct_and_cycle_with_their_markers():
    pairs = list(zip(class_colours(40), class_markers(40), strict=True))
    assert len(set(pairs)) == 40
    assert len(set(class_colours(30))) == 30
    assert class_colours(3) == class_colours(40)[:3]


def cut(**arrays) -> convviz.Mask:
    mask = torch.zeros(1, 100, 100, dtype=torch.bool)
    mask[0, 20:40, 30:80] = mask[0, 20:60, 30:55] = True
    boxes = torch.tensor([[30, 20, 80, 60]])
    return convviz.Mask(mask, arrays={"boxes": boxes} | arrays)


def test_a_mask_keeps_the_photo_inside_and_pales_it_outside():
    photos = torch.zeros(1, 100, 100, 3, dtype=torch.uint8)
    photos[..., 0] = 180
    where = scene((100, 100), photos=photos)
    picture = pixels(cut(), where)
    # One panel is the photo, the other has the mask's 15 % of it.
    panel = 420 * 420 / picture[..., 0].size
    assert share(picture, (180, 0, 0), 3) / panel == pytest.approx(1.15, abs=0.08)
    luma = 180 * 0.299 / 255
    pale = round((luma * 0.35 + 0.65) * 255)
    assert share(picture, (pale,) * 3, 2) / panel == pytest.approx(0.85, abs=0.08)
    assert "covers 15%" in render(cut(), where)[0].caption


def test_a_mask_shows_seeds_outline_box_and_overlap():
    seeds = torch.full((1, 100, 100), 3, dtype=torch.uint8)
    seeds[0, :30], seeds[0, 40:50, 40:50] = 0, 1
    where = scene((100, 100), grey=166)
    plain, seeded = pixels(cut(), where), pixels(cut(seeds=seeds), where)
    assert seeded.shape[1] > plain.shape[1] + 200
    background = [round(0.3 * (166 * 0.75 + 63.75) + 0.7 * c) for c in (0x00, 0x72, 0xB2)]
    assert share(seeded, background, 4) > 0.04
    assert share(plain, background, 4) == 0
    box, outline = (0x56, 0xB4, 0xE9), (0xD9, 0x48, 0x0F)
    assert share(plain, outline, 12) > 5e-4
    assert share(plain, box, 12) > 2e-4
    assert share(pixels(convviz.Mask(cut().values), where), box, 12) == 0
    true = torch.zeros(1, 100, 100, dtype=torch.bool)
    true[0, 10:90, 10:90] = True
    compared = cut(reference=true, iou=torch.tensor([0.31]))
    assert share(pixels(compared, where), (0x00, 0x9E, 0x73), 12) > 1e-3
    assert "IoU 0.31" in render(compared, where)[0].caption


@pytest.mark.parametrize("fill", [True, False])
def test_full_and_empty_masks_are_drawn(fill):
    mask = convviz.Mask(torch.full((1, 20, 20), fill), arrays={"boxes": torch.zeros(1, 4)})
    for where in (scene((20, 20)), Scene()):
        assert pixels(mask, where).std() > 1


def test_hatching_shows_through_the_photo_too():
    heat = torch.zeros(1, 2, 100, 100)
    heat[0, 0, 0, 0] = 1
    whole = pixels(convviz.Heatmap(heat, signed=True), scene((100, 100)))
    heat[0, 1, 50:] = float("nan")
    half = pixels(convviz.Heatmap(heat, signed=True), scene((100, 100)))
    panel = np.s_[250:400, -420:-200]  # inside the lower half of the last panel
    assert whole[panel].std() < 1
    assert half[panel].std() > 5


def test_each_figure_is_a_sentence():
    line = measures_line({"positions": 64, "computed": "in full", "IoU": 0.5})
    assert line == "Positions: 64. Computed: in full. IoU: 0.50."


def test_the_class_of_the_clean_image_is_marked_and_pale(monkeypatch):
    """Even where it wins at few positions."""
    from matplotlib.axes import Axes

    said = []
    legend = Axes.legend

    def watched(ax, *given, **how):
        said.extend((h.get_label(), h.get_facecolor()) for h in how["handles"])
        return legend(ax, *given, **how)

    monkeypatch.setattr(Axes, "legend", watched)
    values = torch.full((1, 40, 40), 7.0)
    values[:, :, :10] = 2
    classes, clean = {2: "cat", 7: "dog"}, torch.tensor([2])
    pixels(convviz.Heatmap(values, classes=classes, arrays={"baseline": clean}), scene((40, 40)))
    (first, pale), (second, _) = said
    assert first == "cat  25%\n(with nothing covered)"
    assert second == "dog  75%"
    assert min(pale[:3]) > 0.75

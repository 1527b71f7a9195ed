"""Pictures of tiles and tables: what is where, what is marked, how many pages there are."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from convviz import Table, Tiles
from convviz.authoring import Stack
from convviz.render import Picture, Scene, render, table
from convviz.render.mosaic import lay_out
from convviz.render.text_table import cell, top_rows
from convviz.render.tiles import Range, cut, page_notes, range_of

ACCENT = np.array([0xD9, 0x48, 0x0F])
SCENE = Scene("filters", "conv1", "a network", None, ("cat.jpg",), ("tabby (3.20)",))


def pixels(picture: Picture) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(picture.png)).convert("RGB")).astype(int)


def has(picture: Picture, colour: np.ndarray) -> bool:
    return bool((np.abs(pixels(picture) - colour).max(-1) <= 3).any())


def drawn(tiles: Tiles | Table, scene: Scene = SCENE) -> list[Picture]:
    pictures = render(tiles, scene)
    names = [p.name for p in pictures]
    assert len(set(names)) == len(names)
    for picture in pictures:
        height, width = pixels(picture).shape[:2]
        assert 100 < height < 2400
        assert 100 < width < 2000
        assert picture.caption
    return pictures


def values(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


LAYOUTS = {
    "rgb": (7, 3, 5, 5),
    "grey": (7, 5, 5),
    "grid": (6, 4, 3, 3),
    "matrix": (6, 9),
    "images": (2, 7, 4, 4),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("scale", "signed"), [("layer", True), ("tile", False)])
def test_every_layout_is_drawn(layout: str, scale: str, signed: bool) -> None:
    tiles = Tiles(values(*LAYOUTS[layout]), layout=layout, scale=scale, signed=signed)  # type: ignore[arg-type]
    assert len(drawn(tiles)) == (2 if layout == "images" else 1)


@pytest.mark.parametrize("shape", [(6, 9, 1, 1), (6, 1, 3, 3), (1, 1, 1, 1), (1, 3, 3, 3)])
def test_kernels_of_unusual_shape(shape: tuple[int, ...]) -> None:
    layout = "matrix" if shape[2] == 1 else "rgb" if shape[1] == 3 else "grid"
    assert drawn(Tiles(values(*shape), layout=layout, signed=True))  # type: ignore[arg-type]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_values_that_are_not_finite_are_drawn_too(layout: str) -> None:
    part = values(*LAYOUTS[layout])
    part[0], part[-1] = torch.nan, torch.inf
    assert drawn(Tiles(part, layout=layout, signed=True))  # type: ignore[arg-type]


@pytest.mark.parametrize("layout", ["rgb", "images"])
def test_nothing_but_nan_is_drawn_too(layout: str) -> None:
    assert drawn(Tiles(torch.full(LAYOUTS[layout], torch.nan), layout=layout))  # type: ignore[arg-type]


def test_zeros_are_drawn_mid_grey() -> None:
    (picture,) = drawn(Tiles(torch.zeros(4, 3, 5, 5), layout="rgb", signed=True))
    assert has(picture, np.array([128, 128, 128]))


@pytest.mark.parametrize("layout", ["rgb", "grid", "matrix", "grey"])
def test_dead_tiles_are_marked_and_only_they(layout: str) -> None:
    shape = LAYOUTS[layout]
    for dead in (False, True):
        flags = torch.zeros(shape[0], dtype=torch.bool)
        flags[2] = dead
        tiles = Tiles(values(*shape), layout=layout, signed=True, arrays={"dead": flags})  # type: ignore[arg-type]
        (picture,) = drawn(tiles)
        assert has(picture, ACCENT) == dead


def test_silent_channels_are_marked_image_by_image() -> None:
    active = torch.ones(2, 7)
    active[1, 3] = 0
    tiles = Tiles(values(2, 7, 4, 4), layout="images", arrays={"active": active})
    assert [has(p, ACCENT) for p in drawn(tiles)] == [False, True]


def test_signed_range_is_symmetric_over_the_whole_layer() -> None:
    whole = range_of(np.array([-1.0, 0.0, 3.0, np.nan, np.inf]), signed=True)
    assert (whole.low, whole.high) == (-3.0, 3.0)
    greys = whole.greys(np.array([-3.0, 0.0, 3.0]))
    assert greys.tolist() == [[0.0] * 3, [0.5] * 3, [1.0] * 3]


def test_colours_keep_channels_apart_and_mark_nan() -> None:
    tile = np.zeros((3, 1, 2))
    tile[0, 0, 0], tile[2, 0, 1] = 2.0, np.nan
    colours = Range(-2.0, 2.0).colours(tile)
    assert colours.shape == (1, 2, 3)
    assert colours[0, 0].tolist() == [1.0, 0.5, 0.5]
    assert colours[0, 1].tolist() != [0.5, 0.5, 0.5]


def test_mosaic_puts_each_tile_where_it_says() -> None:
    tiles = np.linspace(0, 0.9, 5)[:, None, None, None] * np.ones((5, 2, 3, 3))
    laid = lay_out(tiles, 3, gap=0.5, headroom=1.0, pixels=6)
    assert laid.size == (6, 4)
    for (x, y), tile in zip(laid.corners, tiles, strict=True):
        assert (laid.pixels[y : y + 4, x : x + 6] == tile[0, 0]).all()
        assert (laid.pixels[y - 3 : y, x : x + 6] == 1).all()
    assert len({y for _, y in laid.corners}) == 2
    assert laid.pixels.shape[1] == 3 * 6 + 2 * 3


def test_many_tiles_are_cut_into_pages_of_nearly_equal_length() -> None:
    assert [len(page) for page in cut(list(range(250)), 120)] == [84, 84, 82]
    pictures = drawn(Tiles(values(122, 3, 3, 3), layout="rgb", signed=True))
    assert [p.name for p in pictures] == ["picture-1", "picture-2"]


def test_pages_are_limited_and_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("convviz.render.tiles.KERNELS_A_SIDE", 2)
    monkeypatch.setattr("convviz.render.tile_maps.TILES_A_PAGE", 2)
    assert len(drawn(Tiles(values(6, 6, 1, 2), layout="grid", signed=True))) == 6
    assert len(drawn(Tiles(values(1, 12, 2, 2), layout="images"))) == 4
    assert page_notes(["a"], 5, 9) == ["a"]
    assert page_notes(["a"], 6, 6) == ["a"]
    assert page_notes(["a"], 6, 9)[1].startswith("The first 6 of 9 pages are drawn")


def test_order_of_an_image_is_followed() -> None:
    maps = torch.zeros(1, 3, 8, 8)
    maps[0, 2] = 1
    first = drawn(Tiles(maps, layout="images", order=((2, 0, 1),)))[0]
    plain = drawn(Tiles(maps, layout="images"))[0]
    white = [(pixels(p) == 255).all(-1) for p in (first, plain)]
    assert (white[0] != white[1]).any()


def test_overlays_are_drawn_beside_the_photo() -> None:
    photo = torch.zeros(1, 32, 32, 3, dtype=torch.uint8)
    photo[..., 0] = 201
    scene = Scene("activations", "conv1", "a network", photo, ("cat.jpg",))
    maps = values(1, 5, 4, 4)
    with_photo = drawn(Tiles(maps, layout="images", overlays=((3, 1),)), scene)[0]
    without = drawn(Tiles(maps, layout="images"), scene)[0]
    red = np.array([201, 0, 0])
    assert has(with_photo, red)
    assert not has(without, red)


def stacked(count: int, order: tuple[int, ...], tiles: int = 30) -> Tiles:
    photos = torch.zeros(count, 9, 8, 8, 3, dtype=torch.uint8)
    photos[..., 1] = 180
    gradients = torch.full((count, 9, 8, 8, 3), 128, dtype=torch.uint8)
    return Tiles(
        values(tiles, 9),
        arrays={"photos": photos, "gradients": gradients},
        stacks=(
            Stack(title="photo patches", pictures="photos"),
            Stack(title="guided gradients", pictures="gradients"),
        ),
        order=order,
        captions=tuple(f"unit {i}" for i in range(tiles)),
    )


def test_stacks_are_drawn_side_by_side() -> None:
    (picture,) = drawn(stacked(3, (4, 2, 9)))
    shown = pixels(picture)
    green = np.argwhere((shown == [0, 180, 0]).all(-1))[:, 1]
    grey = np.argwhere((shown == [128, 128, 128]).all(-1))[:, 1]
    assert green.min() < grey.min()
    assert green.size > 0.5 * grey.size


def test_stacks_are_paged_and_may_have_pictures_of_all_tiles() -> None:
    assert len(drawn(stacked(9, tuple(range(9))))) == 2
    assert len(drawn(stacked(30, (4, 2, 9)))) == 1


def test_no_tile_to_draw_gives_no_picture() -> None:
    assert render(stacked(0, ()), SCENE) == []


def test_side_list_takes_the_largest_of_the_first_column_of_numbers() -> None:
    table = {"name": ("a", "b", "c", "d"), "norm": (1.0, 3.0, float("nan"), 2.0)}
    assert top_rows(table, 3) == [1, 3, 0]
    assert [cell(v) for v in (None, True, False, 1.5, 7)] == ["–", "yes", "", "1.50", "7"]


def test_table_is_paged() -> None:
    assert len(drawn(Table(values(5, 3), columns=("a", "b", "c"), rows=tuple("vwxyz")))) == 1
    assert len(drawn(Table(values(40, 11)))) == 2


def test_a_long_table_is_drawn_in_part_and_says_so() -> None:
    result = Table(values(400, 3), notes=("counted",))
    assert len(drawn(result)) == 3
    notes = [list(drawing.notes) for drawing in table.draw(result, SCENE)]
    assert notes[:2] == [["counted"]] * 2
    assert notes[2] == ["counted", "The first 3 of 10 pages are drawn; the arrays hold all."]


def test_the_same_tiles_give_the_same_bytes() -> None:
    tiles = Tiles(values(7, 3, 5, 5), layout="rgb", signed=True)
    assert drawn(tiles)[0].png == drawn(tiles)[0].png


def test_pages_of_a_ranking_end_with_full_rows() -> None:
    photos = torch.zeros(20, 1, 8, 8, 3, dtype=torch.uint8)
    ranking = Tiles(
        values(20, 1),
        layout="photos",
        arrays={"photos": photos},
        stacks=(Stack(title="errors", pictures="photos"),),
        order=tuple(range(20)),
        captions=tuple(f"photo {i}" for i in range(20)),
    )
    parts = [picture.caption for picture in drawn(ranking)]
    assert parts == ["errors, 1 to 12 of 20.", "errors, 13 to 20 of 20."]


def test_stacks_of_fewer_pictures_are_drawn_as_large_as_the_others() -> None:
    tiles = stacked(3, (4, 2, 9))
    single = torch.full((3, 1, 8, 8, 3), 128, dtype=torch.uint8)
    (both,) = drawn(replace(tiles, arrays={**tiles.arrays, "gradients": single}))
    shown = pixels(both)
    green, grey = ((shown == colour).all(-1).sum() for colour in ([0, 180, 0], [128, 128, 128]))
    assert green < grey < 2 * green
